//! The ceiling: what a plain C loop over the same librdkafka does, for the benchmarks to measure against.
//!
//! ```text
//! c_loop work=consume broker=B topic=T partitions=N count=N seconds=N size=BYTES [headers=true]
//! c_loop work=produce broker=B topic=T partitions=N count=N seconds=N size=BYTES batch=N inFlight=N linger=MS acks=N idempotent=BOOL [json=true | headers=true]
//! c_loop work=latency broker=B topic=T count=N size=BYTES rate=N linger=MS
//! ```
//! What it is given are the tasks of `bench/shapes.js`; it passes over what does not concern it. It ends after `count`
//! messages, or `seconds` after the first, and prints one line of JSON: seconds, bytes of RSS in MB.

use std::collections::HashMap;
use std::ffi::{c_char, c_void, CString};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use kafka_native_librdkafka as rd;

fn main() {
    let task = Task(
        std::env::args().skip(1).filter_map(|arg| arg.split_once('=').map(|(a, b)| (a.into(), b.into()))).collect(),
    );
    // SAFETY: each function uses what it made itself, on this one thread, and gives it back in order.
    unsafe {
        match task.text("work") {
            "consume" => consume(&task),
            "produce" => produce(&task),
            "latency" => latency(&task),
            other => panic!("no such loop: {other}"),
        }
    }
}

/// The arguments.
struct Task(HashMap<String, String>);

impl Task {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("{name}= is missing"))
    }

    fn number(&self, name: &str) -> usize {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name}= is not a number"))
    }

    fn seconds(&self) -> Duration {
        Duration::from_secs_f64(self.text("seconds").parse().expect("seconds= is not a number"))
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value == "true")
    }
}

/// User and system time in seconds, of the process or of this thread.
fn cpu(whose: i32) -> f64 {
    // SAFETY: fills the structure that it is given.
    let usage = unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(whose, &mut usage);
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

/// What was used since the client was made, and since the first message.
struct Meter {
    begin: Instant,
    cpu: f64,
    thread: f64,
    flow: Instant,
    flow_cpu: f64,
    /// Messages that were there when messages began to flow.
    early: usize,
}

impl Meter {
    fn new() -> Meter {
        let (now, cpu, thread) = (Instant::now(), cpu(libc::RUSAGE_SELF), cpu(libc::RUSAGE_THREAD));
        Meter { begin: now, cpu, thread, flow: now, flow_cpu: cpu, early: 0 }
    }

    fn flow(&mut self, messages: usize) {
        self.early = messages;
        (self.flow, self.flow_cpu) = (Instant::now(), cpu(libc::RUSAGE_SELF));
    }

    fn report(&self, messages: usize) {
        let now = cpu(libc::RUSAGE_SELF);
        println!(
            "{{\"messages\":{messages},\"flowMessages\":{},\"seconds\":{:.6},\"start\":{:.6},\"cpu\":{:.6},\"thread\":{:.6},\"flowCpu\":{:.6},\"rss\":{:.1}}}",
            messages - self.early,
            self.flow.elapsed().as_secs_f64(),
            (self.flow - self.begin).as_secs_f64(),
            now - self.cpu,
            cpu(libc::RUSAGE_THREAD) - self.thread,
            now - self.flow_cpu,
            rss()
        );
    }
}

unsafe fn consume(task: &Task) {
    let (count, size, headers, limit) = (task.number("count"), task.number("size"), task.is("headers"), task.seconds());
    let (mut messages, mut copy) = (vec![null_mut(); 1000], Vec::with_capacity(1 << 20));
    let (mut meter, mut got) = (Meter::new(), 0usize);
    // SAFETY: the slots that a call filled are ours until destroyed.
    unsafe {
        let (rk, queue) = consumer(task.text("broker"), task.text("topic"), task.number("partitions"), 0);
        while got < count && (got == 0 || meter.flow.elapsed() < limit) {
            for (room, wait) in [(1, 1000), (messages.len() - 1, 0)] {
                let taken = rd::rd_kafka_consume_batch_queue(queue, wait, messages.as_mut_ptr(), room).max(0) as usize;
                if got == 0 && taken > 0 {
                    meter.flow(taken);
                }
                copy.clear();
                for message in &messages[..taken] {
                    let m = &**message;
                    assert_eq!(m.err as i32, 0);
                    assert_eq!(m.len, size);
                    copy.extend_from_slice(std::slice::from_raw_parts(m.payload.cast::<u8>(), m.len));
                    if headers {
                        copy.extend_from_slice(std::slice::from_raw_parts(m.key.cast::<u8>(), m.key_len));
                        copy_headers(*message, &mut copy);
                    }
                    rd::rd_kafka_message_destroy(*message);
                }
                got += taken;
            }
        }
        meter.report(got);
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_destroy_flags(rk, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
}

unsafe fn copy_headers(message: *mut rd::rd_kafka_message_t, copy: &mut Vec<u8>) {
    let mut headers = null_mut();
    // SAFETY: the headers belong to the message; past the last one the call fails.
    unsafe {
        assert_eq!(rd::rd_kafka_message_headers(message, &mut headers) as i32, 0);
        for i in 0.. {
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            if rd::rd_kafka_header_get_all(headers, i, &mut name, &mut value, &mut size) as i32 != 0 {
                break;
            }
            copy.extend_from_slice(std::ffi::CStr::from_ptr(name).to_bytes());
            copy.extend_from_slice(std::slice::from_raw_parts(value.cast::<u8>(), size));
        }
    }
}

unsafe fn produce(task: &Task) {
    let (count, batch, in_flight, limit) =
        (task.number("count"), task.number("batch"), task.number("inFlight"), task.seconds());
    let partitions = task.number("partitions") as i32;
    let value = vec![b'v'; task.number("size")];
    // SAFETY: librdkafka copies the values; delivery events are ours until destroyed.
    unsafe {
        let properties = [
            ("linger.ms", task.text("linger")),
            ("acks", task.text("acks")),
            ("enable.idempotence", task.text("idempotent")),
            ("queue.buffering.max.messages", "0"),
            ("reconnect.backoff.ms", "20"),
        ];
        let rk = client(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, task.text("broker"), &properties);
        let name = CString::new(task.text("topic")).unwrap();
        let rkt = rd::rd_kafka_topic_new(rk, name.as_ptr(), null_mut());
        let queue = rd::rd_kafka_queue_get_main(rk);
        let template = rd::rd_kafka_message_t {
            err: rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: null_mut(),
            partition: 0,
            payload: value.as_ptr().cast_mut().cast::<c_void>(),
            len: value.len(),
            key: null_mut(),
            key_len: 0,
            offset: 0,
            _private: null_mut(),
        };
        let mut messages = vec![template; batch];
        let headers = match (task.is("json"), task.is("headers")) {
            (true, _) => &HEADERS[..],
            (_, true) => &HEADERS[..2],
            _ => &[],
        };
        let mut number = 0;
        let mut send = |batch: usize, partition: i32| {
            if !headers.is_empty() {
                for _ in 0..batch {
                    number += 1;
                    send_with_headers(rk, rkt, number, &value, headers);
                }
                return batch;
            }
            messages.fill(template);
            let flags = rd::RD_KAFKA_MSG_F_COPY;
            rd::rd_kafka_produce_batch(rkt, partition, flags, messages.as_mut_ptr(), batch as i32) as usize
        };
        // One message first, so that connections and the topic are known, as with the other contenders.
        assert_eq!(send(1, 0), 1);
        while reports(queue, 100) == 0 {}

        let meter = Meter::new();
        let (mut sent, mut done, mut partition) = (0, 0, 0);
        loop {
            while sent < count && meter.begin.elapsed() < limit && sent + batch - done <= in_flight {
                sent += send(batch, partition);
                partition = (partition + 1) % partitions;
            }
            if done == sent {
                break;
            }
            done += reports(queue, 100);
        }
        meter.report(done);
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_topic_destroy(rkt);
        rd::rd_kafka_destroy(rk);
    }
}

/// The headers of the usual program.
const HEADERS: [(&str, &[u8]); 3] =
    [("content-type", b"application/json"), ("trace-id", &[b'7'; 32]), ("source", b"checkout")];

/// A message with a key and headers.
unsafe fn send_with_headers(
    rk: *mut rd::rd_kafka_t,
    rkt: *mut rd::rd_kafka_topic_t,
    number: usize,
    value: &[u8],
    headers: &[(&str, &[u8])],
) {
    use rd::rd_kafka_vtype_t as Kind;
    let key = format!("customer-{}", number % 1000);
    let memory = |bytes: &[u8]| rd::rd_kafka_vu_s__bindgen_ty_1 {
        mem: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: bytes.as_ptr().cast_mut().cast(), size: bytes.len() },
    };
    // SAFETY: librdkafka takes the list of headers, and copies everything else; each union field is the one that its kind reads.
    unsafe {
        let list = rd::rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            rd::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            );
        }
        let arguments = [
            (Kind::RD_KAFKA_VTYPE_RKT, rd::rd_kafka_vu_s__bindgen_ty_1 { rkt }),
            (Kind::RD_KAFKA_VTYPE_MSGFLAGS, rd::rd_kafka_vu_s__bindgen_ty_1 { i: rd::RD_KAFKA_MSG_F_COPY }),
            (Kind::RD_KAFKA_VTYPE_VALUE, memory(value)),
            (Kind::RD_KAFKA_VTYPE_KEY, memory(key.as_bytes())),
            (Kind::RD_KAFKA_VTYPE_HEADERS, rd::rd_kafka_vu_s__bindgen_ty_1 { headers: list }),
        ]
        .map(|(vtype, u)| rd::rd_kafka_vu_t { vtype, u });
        let error = rd::rd_kafka_produceva(rk, arguments.as_ptr(), arguments.len());
        assert!(error.is_null());
    }
}

/// Waits `wait` milliseconds at most for delivery reports; returns how many messages were delivered.
unsafe fn reports(queue: *mut rd::rd_kafka_queue_t, wait: i32) -> usize {
    // SAFETY: the event is ours; its messages live as long as it does.
    unsafe {
        let event = rd::rd_kafka_queue_poll(queue, wait);
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

/// `rate` messages a second, each sent when it is due, in ticks of a millisecond, from a thread of its own.
unsafe fn latency(task: &Task) {
    const WARM_UP: usize = 100;
    let (count, rate, size) = (task.number("count"), task.number("rate"), task.number("size"));
    // SAFETY: as in the two loops above; the topic handle is the sending thread's until that has ended.
    unsafe {
        let (rk, inbox) = consumer(task.text("broker"), task.text("topic"), 1, 0);
        let properties = [("linger.ms", task.text("linger")), ("reconnect.backoff.ms", "20")];
        let producer = client(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, task.text("broker"), &properties);
        let name = CString::new(task.text("topic")).unwrap();
        let rkt = rd::rd_kafka_topic_new(producer, name.as_ptr(), null_mut());
        let queue = rd::rd_kafka_queue_get_main(producer);
        let epoch = Instant::now();
        let send = move |rkt: *mut rd::rd_kafka_topic_t| {
            let mut value = vec![b'v'; size];
            value[..8].copy_from_slice(&(epoch.elapsed().as_nanos() as u64).to_le_bytes());
            let payload = value.as_mut_ptr().cast();
            rd::rd_kafka_produce(rkt, 0, rd::RD_KAFKA_MSG_F_COPY, payload, size, null_mut(), 0, null_mut());
        };
        let mut message = null_mut();
        let mut receive = || {
            while rd::rd_kafka_consume_batch_queue(inbox, 1000, &mut message, 1) != 1 {}
            let payload = std::slice::from_raw_parts((*message).payload.cast::<u8>(), 8);
            let sent = Duration::from_nanos(u64::from_le_bytes(payload.try_into().unwrap()));
            rd::rd_kafka_message_destroy(message);
            (epoch.elapsed() - sent).as_secs_f64() * 1000.0
        };
        for _ in 0..WARM_UP {
            send(rkt);
            receive();
            reports(queue, 100);
        }
        let (topic, reported) = (rkt as usize, queue as usize);
        let sender = std::thread::spawn(move || {
            let begin = Instant::now();
            let (mut sent, mut done) = (0, 0);
            while done < count {
                while sent < count && begin.elapsed().as_secs_f64() * rate as f64 >= sent as f64 {
                    send(topic as *mut _);
                    sent += 1;
                }
                std::thread::sleep(Duration::from_millis(1));
                done += reports(reported as *mut _, 0);
            }
        });
        let mut times: Vec<f64> = (0..count).map(|_| receive()).collect();
        sender.join().unwrap();
        times.sort_by(f64::total_cmp);
        let at = |q: f64| times[(times.len() as f64 * q) as usize];
        println!("{{\"messages\":{count},\"p50\":{:.4},\"p99\":{:.4},\"rss\":{:.1}}}", at(0.5), at(0.99), rss());
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_topic_destroy(rkt);
        rd::rd_kafka_destroy(producer);
        rd::rd_kafka_queue_destroy(inbox);
        rd::rd_kafka_destroy_flags(rk, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
}
