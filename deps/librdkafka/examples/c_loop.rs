//! The ceiling: what a plain C loop over the same librdkafka does, for the benchmarks to measure against.
//!
//! ```text
//! c_loop work=consume broker=B topic=T partitions=N count=N seconds=N size=BYTES [headers=true] [clients=N] [ca=FILE]
//! c_loop work=produce broker=B topic=T partitions=N count=N seconds=N size=BYTES batch=N inFlight=N linger=MS acks=N idempotent=BOOL
//!                     codec=NAME largest=BYTES [json=true | headers=true] [ca=FILE]
//! c_loop work=latency broker=B topic=T count=N size=BYTES rate=N linger=MS
//! ```
//! Its arguments are the tasks of `bench/shapes.js`; it passes over those that do not concern it. It ends after `count`
//! messages, or `seconds` after the first, and prints one line of JSON: seconds, bytes of RSS in MB.

use std::collections::HashMap;
use std::ffi::{c_char, c_void, CString};
use std::ptr::null_mut;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use kafka_native_librdkafka as rd;

fn main() {
    // Of many clients each is a thread, and the others would wait for one that failed.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::exit(101);
    }));
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

    /// Of every client.
    fn properties(&self) -> Vec<(&str, &str)> {
        let tls = self.0.get("ca").map(|ca| [("security.protocol", "ssl"), ("ssl.ca.location", ca)]);
        let broker = [("bootstrap.servers", self.text("broker")), ("enable.metrics.push", "false")];
        broker.into_iter().chain(tls.into_iter().flatten()).collect()
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

/// A number that the kernel has of this process.
fn status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or(": 0");
    number.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap_or(0.0)
}

fn rss() -> f64 {
    status("VmHWM") / 1024.0
}

unsafe fn client(kind: rd::rd_kafka_type_t, task: &Task, properties: &[(&str, &str)]) -> *mut rd::rd_kafka_t {
    let mut reason = [0 as c_char; 512];
    // SAFETY: strings are terminated; the configuration belongs to the client afterwards.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in task.properties().iter().chain(properties) {
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

/// A consumer of these partitions from their begin.
unsafe fn consumer(
    task: &Task,
    partitions: impl Iterator<Item = usize>,
) -> (*mut rd::rd_kafka_t, *mut rd::rd_kafka_queue_t) {
    // SAFETY: the topic handle lives until the metadata call is over; queues are used while the client lives.
    unsafe {
        let rk = client(
            rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            task,
            &[
                ("group.id", "c-loop"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("fetch.queue.backoff.ms", "2"),
                ("queued.min.messages", "20000"),
                ("reconnect.backoff.ms", "20"),
            ],
        );
        let name = CString::new(task.text("topic")).unwrap();
        let rkt = rd::rd_kafka_topic_new(rk, name.as_ptr(), null_mut());
        let mut metadata = std::ptr::null();
        rd::codes::rd_kafka_metadata(rk, 0, rkt, &mut metadata, 10_000);
        rd::rd_kafka_metadata_destroy(metadata);
        rd::rd_kafka_topic_destroy(rkt);
        let queue = rd::rd_kafka_queue_new(rk);
        let list = rd::rd_kafka_topic_partition_list_new(1);
        for partition in partitions.map(|partition| partition as i32) {
            let source = rd::rd_kafka_queue_get_partition(rk, name.as_ptr(), partition);
            rd::rd_kafka_queue_forward(source, queue);
            rd::rd_kafka_queue_destroy(source);
            (*rd::rd_kafka_topic_partition_list_add(list, name.as_ptr(), partition)).offset = 0;
        }
        rd::codes::rd_kafka_assign(rk, list);
        rd::rd_kafka_topic_partition_list_destroy(list);
        (rk, queue)
    }
}

/// Time and CPU since the clients were made, and since the first message.
struct Meter {
    begin: Instant,
    cpu: f64,
    flow: Instant,
    flow_cpu: f64,
    /// Messages that were there when messages began to flow.
    early: usize,
    /// When the last client had its first message.
    start: Instant,
    messages: usize,
    /// CPU of the threads that are not librdkafka's.
    thread: f64,
}

impl Meter {
    fn new() -> Meter {
        let (now, used) = (Instant::now(), cpu(libc::RUSAGE_SELF));
        Meter {
            begin: now,
            cpu: used,
            flow: now,
            flow_cpu: used,
            early: 0,
            start: now,
            messages: 0,
            thread: -cpu(libc::RUSAGE_THREAD),
        }
    }

    /// A client has its first messages.
    fn flow(&mut self, messages: usize) {
        self.start = Instant::now();
        if self.early == 0 {
            self.early = messages;
            (self.flow, self.flow_cpu) = (self.start, cpu(libc::RUSAGE_SELF));
        }
    }

    /// A client has its last message; to be called on its thread.
    fn end(&mut self, messages: usize) {
        self.messages += messages;
        self.thread += cpu(libc::RUSAGE_THREAD);
    }

    fn report(&self) {
        let now = cpu(libc::RUSAGE_SELF);
        println!(
            "{{\"messages\":{},\"flowMessages\":{},\"seconds\":{:.6},\"start\":{:.6},\"cpu\":{:.6},\"thread\":{:.6},\"flowCpu\":{:.6},\"rss\":{:.1},\"threads\":{}}}",
            self.messages,
            self.messages - self.early,
            self.flow.elapsed().as_secs_f64(),
            (self.start - self.begin).as_secs_f64(),
            now - self.cpu,
            self.thread,
            now - self.flow_cpu,
            rss(),
            status("Threads")
        );
    }
}

/// Clients that divide the partitions, a thread each.
fn consume(task: &Task) {
    let clients = task.0.get("clients").map_or(1, |_| task.number("clients"));
    let meter = Mutex::new(Meter::new());
    let done = Barrier::new(clients);
    std::thread::scope(|scope| {
        // SAFETY: each client is one thread's.
        let read = |client| unsafe { read(task, client, clients, &meter, &done) };
        for client in 1..clients {
            scope.spawn(move || read(client));
        }
        read(0);
    });
}

unsafe fn read(task: &Task, client: usize, clients: usize, meter: &Mutex<Meter>, done: &Barrier) {
    let (count, size, headers) = (task.number("count") / clients, task.number("size"), task.is("headers"));
    let (mut messages, mut copy) = (vec![null_mut(); 1000], Vec::with_capacity(1 << 20));
    let (mut first, mut got) = (None::<Instant>, 0usize);
    // SAFETY: the slots that a call filled are ours until destroyed.
    unsafe {
        let (rk, queue) = consumer(task, (client..task.number("partitions")).step_by(clients));
        while got < count && first.is_none_or(|first| first.elapsed() < task.seconds()) {
            for (room, wait) in [(1, 1000), (messages.len() - 1, 0)] {
                let taken = rd::rd_kafka_consume_batch_queue(queue, wait, messages.as_mut_ptr(), room).max(0) as usize;
                if first.is_none() && taken > 0 {
                    first = Some(Instant::now());
                    meter.lock().unwrap().flow(taken);
                }
                copy.clear();
                for message in &messages[..taken] {
                    let m = &**message;
                    assert_eq!(m.err as i32, 0);
                    assert_eq!(m.len, size);
                    if copy.len() + m.len > 1 << 20 {
                        copy.clear();
                    }
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
        meter.lock().unwrap().end(got);
        // Threads and memory are those of all clients.
        if done.wait().is_leader() {
            meter.lock().unwrap().report();
        }
        done.wait();
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

/// Batches to be compressed that are sent in turn, as in `bench/work/produce.js`.
const COMPRESSED: usize = 40;

unsafe fn produce(task: &Task) {
    let (count, batch, in_flight, limit) =
        (task.number("count"), task.number("batch"), task.number("inFlight"), task.seconds());
    let partitions = task.number("partitions") as i32;
    let (codec, size, largest) = (task.text("codec"), task.number("size"), task.text("largest"));
    let text = if codec == "none" { vec![b'v'; size] } else { text() };
    // SAFETY: librdkafka copies the values; delivery events are ours until destroyed.
    unsafe {
        let properties = [
            ("linger.ms", task.text("linger")),
            ("acks", task.text("acks")),
            ("enable.idempotence", task.text("idempotent")),
            ("compression.codec", codec),
            ("message.max.bytes", largest),
            ("queue.buffering.max.messages", "0"),
            ("reconnect.backoff.ms", "20"),
        ];
        let rk = client(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, task, &properties);
        let name = CString::new(task.text("topic")).unwrap();
        let rkt = rd::rd_kafka_topic_new(rk, name.as_ptr(), null_mut());
        let queue = rd::rd_kafka_queue_get_main(rk);
        let template = |i: usize| rd::rd_kafka_message_t {
            err: rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: null_mut(),
            partition: 0,
            payload: text[i * size % (text.len() - size).max(1)..].as_ptr().cast_mut().cast::<c_void>(),
            len: size,
            key: null_mut(),
            key_len: 0,
            offset: 0,
            _private: null_mut(),
        };
        let batches = if codec == "none" { 1 } else { COMPRESSED };
        let templates: Vec<_> = (0..batches * batch).map(template).collect();
        let mut turns = templates.chunks(batch).cycle();
        let mut messages = templates[..batch].to_vec();
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
                    send_with_headers(rk, rkt, number, &text[..size], headers);
                }
                return batch;
            }
            messages.copy_from_slice(turns.next().unwrap());
            let flags = rd::RD_KAFKA_MSG_F_COPY;
            rd::rd_kafka_produce_batch(rkt, partition, flags, messages.as_mut_ptr(), batch as i32) as usize
        };
        // One message first, so that connections and the topic are known, as with the other contenders.
        assert_eq!(send(1, 0), 1);
        while reports(queue, 100) == 0 {}

        let mut meter = Meter::new();
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
        meter.end(done);
        meter.report();
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_topic_destroy(rkt);
        rd::rd_kafka_destroy(rk);
    }
}

/// Values that are to be compressed: the records of `bench/text.js`.
fn text() -> Vec<u8> {
    let mut seed = 1i32;
    let mut random = || {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        seed
    };
    let mut text = String::new();
    while text.len() < 4 << 20 {
        let (id, user, price, day) = (random(), random(), random() % 10_000, 10 + random() % 20);
        text += &format!("{{\"id\":{id},\"user\":\"{user}\",\"price\":{price},\"at\":\"2026-01-{day}T10:00:00Z\"}}\n");
    }
    text.into_bytes()
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
        let (rk, inbox) = consumer(task, 0..1);
        let properties = [("linger.ms", task.text("linger")), ("reconnect.backoff.ms", "20")];
        let producer = client(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, task, &properties);
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
