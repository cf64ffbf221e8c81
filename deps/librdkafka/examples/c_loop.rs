//! The ceiling: what a plain C loop over the same librdkafka does, for the benchmarks to measure against.
//!
//! ```text
//! c_loop consume BROKER TOPIC PARTITIONS COUNT
//! c_loop produce BROKER TOPIC PARTITIONS COUNT BATCH IN_FLIGHT LINGER_MS
//! c_loop latency BROKER TOPIC COUNT
//! ```
//! Prints one line of JSON. Messages are 100 bytes.

use std::ffi::{c_char, c_void, CString};
use std::ptr::null_mut;
use std::time::Instant;

use kafka_native_librdkafka as rd;

const SIZE: usize = 100;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args[i].parse::<usize>().expect("a number");
    // SAFETY: each function uses what it made itself, on this one thread, and gives it back in order.
    unsafe {
        match args[0].as_str() {
            "consume" => consume(&args[1], &args[2], number(3), number(4)),
            "produce" => produce(&args[1], &args[2], number(3), number(4), number(5), number(6), &args[7]),
            "latency" => latency(&args[1], &args[2], number(3)),
            other => panic!("no such loop: {other}"),
        }
    }
}

/// User and system time of the process, in seconds.
fn cpu() -> f64 {
    // SAFETY: fills the structure that it is given.
    let usage = unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn rss() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

unsafe fn client(kind: rd::rd_kafka_type_t, broker: &str, properties: &[(&str, &str)]) -> *mut rd::rd_kafka_t {
    let mut reason = [0 as c_char; 512];
    // SAFETY: strings are terminated; the configuration belongs to the client afterwards.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in [("bootstrap.servers", broker), ("enable.metrics.push", "false")].iter().chain(properties)
        {
            let (name, value) = (CString::new(*name).unwrap(), CString::new(*value).unwrap());
            let set = rd::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
            assert_eq!(set as i32, 0, "{name:?}");
        }
        rd::rd_kafka_conf_set_events(conf, rd::RD_KAFKA_EVENT_DR);
        let client = rd::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
        assert!(!client.is_null());
        client
    }
}

unsafe fn consumer(
    broker: &str,
    topic: &str,
    partitions: usize,
    offset: i64,
) -> (*mut rd::rd_kafka_t, *mut rd::rd_kafka_queue_t) {
    // SAFETY: the topic handle lives until the metadata call is over; queues are used while the client lives.
    unsafe {
        let rk = client(
            rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            broker,
            &[
                ("group.id", "c-loop"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("fetch.queue.backoff.ms", "2"),
                ("queued.min.messages", "20000"),
                ("reconnect.backoff.ms", "20"),
            ],
        );
        let name = CString::new(topic).unwrap();
        let rkt = rd::rd_kafka_topic_new(rk, name.as_ptr(), null_mut());
        let mut metadata = std::ptr::null();
        rd::codes::rd_kafka_metadata(rk, 0, rkt, &mut metadata, 10_000);
        rd::rd_kafka_metadata_destroy(metadata);
        rd::rd_kafka_topic_destroy(rkt);
        let queue = rd::rd_kafka_queue_new(rk);
        let list = rd::rd_kafka_topic_partition_list_new(partitions as i32);
        for partition in 0..partitions as i32 {
            let source = rd::rd_kafka_queue_get_partition(rk, name.as_ptr(), partition);
            rd::rd_kafka_queue_forward(source, queue);
            rd::rd_kafka_queue_destroy(source);
            (*rd::rd_kafka_topic_partition_list_add(list, name.as_ptr(), partition)).offset = offset;
        }
        rd::codes::rd_kafka_assign(rk, list);
        rd::rd_kafka_topic_partition_list_destroy(list);
        (rk, queue)
    }
}

unsafe fn consume(broker: &str, topic: &str, partitions: usize, count: usize) {
    let (mut messages, mut copy) = (vec![null_mut(); 1000], Vec::with_capacity(1 << 20));
    let (begin, cpu_begin) = (Instant::now(), cpu());
    let (mut first, mut got, mut bytes) = (None, 0usize, 0usize);
    // SAFETY: the slots that a call filled are ours until destroyed.
    unsafe {
        let (rk, queue) = consumer(broker, topic, partitions, 0);
        while got < count {
            for (room, wait) in [(1, 1000), (messages.len() - 1, 0)] {
                let taken = rd::rd_kafka_consume_batch_queue(queue, wait, messages.as_mut_ptr(), room);
                copy.clear();
                for message in &messages[..taken.max(0) as usize] {
                    let m = &**message;
                    assert_eq!(m.err as i32, 0);
                    copy.extend_from_slice(std::slice::from_raw_parts(m.payload.cast::<u8>(), m.len));
                    rd::rd_kafka_message_destroy(*message);
                }
                got += taken.max(0) as usize;
                bytes += copy.len();
                if got > 0 && first.is_none() {
                    first = Some(Instant::now());
                }
            }
        }
        report(
            "consume",
            count,
            first.unwrap().elapsed().as_secs_f64(),
            cpu() - cpu_begin,
            (first.unwrap() - begin).as_secs_f64(),
        );
        assert!(bytes >= count * SIZE);
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_destroy_flags(rk, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
}

fn report(what: &str, count: usize, seconds: f64, cpu: f64, start: f64) {
    println!(
        "{{\"work\":\"{what}\",\"messages\":{count},\"seconds\":{seconds:.4},\"cpu\":{cpu:.4},\"start\":{start:.4},\"rss\":{:.1}}}",
        rss()
    );
}

unsafe fn produce(
    broker: &str,
    topic: &str,
    partitions: usize,
    count: usize,
    batch: usize,
    in_flight: usize,
    linger: &str,
) {
    let value = [b'v'; SIZE];
    let (begin, cpu_begin) = (Instant::now(), cpu());
    let (mut sent, mut done, mut partition) = (0, 0, 0);
    // SAFETY: librdkafka copies the values; delivery events are ours until destroyed.
    unsafe {
        let properties = [("linger.ms", linger), ("queue.buffering.max.messages", "0"), ("reconnect.backoff.ms", "20")];
        let rk = client(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, broker, &properties);
        let name = CString::new(topic).unwrap();
        let rkt = rd::rd_kafka_topic_new(rk, name.as_ptr(), null_mut());
        let queue = rd::rd_kafka_queue_get_main(rk);
        let template = rd::rd_kafka_message_t {
            err: rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: null_mut(),
            partition: 0,
            payload: value.as_ptr().cast_mut().cast::<c_void>(),
            len: SIZE,
            key: null_mut(),
            key_len: 0,
            offset: 0,
            _private: null_mut(),
        };
        let mut messages = vec![template; batch];
        while done < count {
            while sent < count && sent - done < in_flight {
                messages.fill(template);
                let flags = rd::RD_KAFKA_MSG_F_COPY;
                sent += rd::rd_kafka_produce_batch(rkt, partition, flags, messages.as_mut_ptr(), batch as i32) as usize;
                partition = (partition + 1) % partitions as i32;
            }
            done += reports(queue);
        }
        report("produce", count, begin.elapsed().as_secs_f64(), cpu() - cpu_begin, 0.0);
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_topic_destroy(rkt);
        rd::rd_kafka_destroy(rk);
    }
}

/// Waits for delivery reports; returns how many messages were delivered.
unsafe fn reports(queue: *mut rd::rd_kafka_queue_t) -> usize {
    // SAFETY: the event is ours; its messages live as long as it does.
    unsafe {
        let event = rd::rd_kafka_queue_poll(queue, 100);
        if event.is_null() {
            return 0;
        }
        let mut delivered = 0;
        loop {
            let message = rd::rd_kafka_event_message_next(event);
            if message.is_null() {
                break;
            }
            assert_eq!((*message).err as i32, 0);
            delivered += 1;
        }
        rd::rd_kafka_event_destroy(event);
        delivered
    }
}

unsafe fn latency(broker: &str, topic: &str, count: usize) {
    // SAFETY: as in the two loops above.
    unsafe {
        let (rk, inbox) = consumer(broker, topic, 1, rd::RD_KAFKA_OFFSET_END.into());
        let properties = [("linger.ms", "0"), ("reconnect.backoff.ms", "20")];
        let producer = client(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, broker, &properties);
        let name = CString::new(topic).unwrap();
        let rkt = rd::rd_kafka_topic_new(producer, name.as_ptr(), null_mut());
        let queue = rd::rd_kafka_queue_get_main(producer);
        let (mut message, mut times) = (null_mut(), Vec::new());
        std::thread::sleep(std::time::Duration::from_millis(500)); // the end of the log is being looked up
        for i in 0..count + 100 {
            let begin = Instant::now();
            let mut value = [b'v'; SIZE];
            rd::rd_kafka_produce(
                rkt,
                0,
                rd::RD_KAFKA_MSG_F_COPY,
                value.as_mut_ptr().cast(),
                SIZE,
                null_mut(),
                0,
                null_mut(),
            );
            while rd::rd_kafka_consume_batch_queue(inbox, 1000, &mut message, 1) != 1 {}
            if i >= 100 {
                times.push(begin.elapsed().as_secs_f64() * 1000.0);
            }
            rd::rd_kafka_message_destroy(message);
            reports(queue);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        times.sort_by(f64::total_cmp);
        let at = |q: f64| times[(times.len() as f64 * q) as usize];
        println!("{{\"work\":\"latency\",\"messages\":{count},\"p50\":{:.3},\"p99\":{:.3}}}", at(0.5), at(0.99));
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_topic_destroy(rkt);
        rd::rd_kafka_destroy(producer);
        rd::rd_kafka_queue_destroy(inbox);
        rd::rd_kafka_destroy_flags(rk, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
}
