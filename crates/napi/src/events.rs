//! What a client tells JavaScript: `(kind, a, b, c, d)` through one threadsafe function, in the order in which it happened.

use std::sync::{Arc, Mutex, PoisonError};

use kafka_native::{Error, LogLine, Reply};
use napi::bindgen_prelude::{Buffer, Either14, Float64Array, FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::Status;
use napi_derive::napi;

use crate::group::{RebalanceData, TopicsData};

/// `Event` in binding.ts.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Batch = 0,
    Reply = 1,
    Stats = 2,
    Error = 3,
    Log = 4,
    Deliveries = 5,
    Drained = 6,
    ReadOffsets = 7,
    CommitOffsets = 8,
    Rebalance = 9,
    Advanced = 10,
    Token = 11,
    Receipts = 12,
}

#[napi(object)]
pub struct ErrorData {
    pub kind: String,
    pub code: i32,
    pub name: String,
    pub message: String,
    pub retriable: bool,
    pub fatal: bool,
    pub txn_requires_abort: bool,
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub broker: Option<String>,
    /// At most one: an object that holds itself has no size.
    pub causes: Vec<ErrorData>,
}

impl From<Error> for ErrorData {
    fn from(error: Error) -> Self {
        kafka_native::ErrorData::from(error).into()
    }
}

impl From<kafka_native::ErrorData> for ErrorData {
    fn from(data: kafka_native::ErrorData) -> Self {
        // Without `..`, so that a new field does not build until it crosses here, too.
        let kafka_native::ErrorData {
            kind,
            code,
            name,
            message,
            retriable,
            fatal,
            txn_requires_abort,
            topic,
            partition,
            broker,
            causes,
        } = data;
        Self {
            kind: kind.into(),
            code,
            name,
            message,
            retriable,
            fatal,
            txn_requires_abort,
            topic,
            partition,
            broker,
            causes: causes.into_iter().map(Self::from).collect(),
        }
    }
}

#[napi(object)]
pub struct LogData {
    pub level: i32,
    pub facility: String,
    pub message: String,
}

impl From<LogLine> for LogData {
    fn from(line: LogLine) -> Self {
        Self { level: line.level, facility: line.facility, message: line.message }
    }
}

#[napi(object)]
pub struct FailureData {
    pub errcode: i32,
    pub count: f64,
    pub errstr: String,
    pub topic: String,
    pub partition: i32,
}

/// One argument of an event.
pub(crate) type Arg = Either14<
    (),
    f64,
    String,
    Buffer,
    Vec<f64>,
    ErrorData,
    Vec<LogData>,
    Vec<FailureData>,
    Vec<i32>,
    RebalanceData,
    Vec<String>,
    Float64Array,
    Vec<ErrorData>,
    TopicsData,
>;

pub(crate) fn none() -> Arg {
    Arg::A(())
}
pub(crate) fn number(value: f64) -> Arg {
    Arg::B(value)
}
pub(crate) fn text(value: String) -> Arg {
    Arg::C(value)
}
pub(crate) fn bytes(value: Vec<u8>) -> Arg {
    Arg::D(value.into())
}
pub(crate) fn numbers(values: Vec<f64>) -> Arg {
    Arg::E(values)
}
pub(crate) fn topics(values: Vec<(String, i32)>) -> Arg {
    let (topics, counts) = values.into_iter().unzip();
    Arg::N(TopicsData { topics, counts })
}
pub(crate) fn texts(values: Vec<String>) -> Arg {
    Arg::K(values)
}
pub(crate) fn partitions(values: Vec<i32>) -> Arg {
    Arg::I(values)
}

/// An event is made into JavaScript's arguments on the JavaScript thread, so that what coalesces does so until then.
type Make = Box<dyn FnOnce() -> (Kind, [Arg; 4]) + Send>;
type Args = FnArgs<(u32, Arg, Arg, Arg, Arg)>;
/// JavaScript's receiver of events.
pub(crate) type OnEvent<'a> = Function<'a, Args, ()>;
type Tell = ThreadsafeFunction<Make, (), Args, Status, false, true, 0>;

/// The way to JavaScript. Weak: it keeps no process alive. After its environment closed it does nothing.
#[derive(Clone)]
pub(crate) struct Events {
    tell: Arc<Tell>,
    lines: Arc<Mutex<Lines>>,
}

/// Log lines that JavaScript has not taken yet.
#[derive(Default)]
struct Lines {
    waiting: Vec<LogData>,
    dropped: u64,
}

/// Of a storm the first lines tell most; the rest is counted.
const MOST_LINES: usize = 1000;

impl Events {
    pub(crate) fn new(on_event: &OnEvent<'_>) -> napi::Result<Self> {
        let tell = on_event
            .build_threadsafe_function::<Make>()
            .weak::<true>()
            .callee_handled::<false>()
            .max_queue_size::<0>()
            .build_callback(|context| {
                let (kind, [a, b, c, d]) = (context.value)();
                Ok(FnArgs { data: (kind as u32, a, b, c, d) })
            })?;
        Ok(Self { tell: Arc::new(tell), lines: Arc::default() })
    }

    /// Called on any thread; never blocks, because the queue is bounded by the clients' own credits.
    pub(crate) fn tell_with(&self, make: impl FnOnce() -> (Kind, [Arg; 4]) + Send + 'static) {
        self.tell.call(Box::new(make), ThreadsafeFunctionCallMode::NonBlocking);
    }

    pub(crate) fn tell(&self, kind: Kind, args: [Arg; 4]) {
        self.tell_with(move || (kind, args));
    }

    /// False when the environment is gone, so that nobody will answer.
    pub(crate) fn ask(&self, kind: Kind, args: [Arg; 4]) -> bool {
        let make: Make = Box::new(move || (kind, args));
        self.tell.call(make, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
    }

    pub(crate) fn error(&self, error: Error) {
        self.tell(Kind::Error, [Arg::F(error.into()), none(), none(), none()]);
    }

    /// Lines that come before JavaScript took the last ones go with them.
    pub(crate) fn log(&self, line: LogLine) {
        let first = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            match lines.waiting.len() {
                MOST_LINES => lines.dropped += 1,
                _ => lines.waiting.push(line.into()),
            }
            lines.waiting.len() == 1
        };
        if first {
            let lines = self.lines.clone();
            self.tell_with(move || {
                let Lines { waiting, dropped } =
                    std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
                (Kind::Log, [Arg::G(waiting), number(dropped as f64), none(), none()])
            });
        }
    }

    /// The reply of the call that JavaScript knows by this id.
    pub(crate) fn reply<T: Send + 'static>(&self, id: u32, value: impl FnOnce(T) -> Arg + Send + 'static) -> Reply<T> {
        let events = self.clone();
        Reply::new(move |answer| {
            let (error, value) = match answer {
                Ok(answer) => (none(), value(answer)),
                Err(error) => (Arg::F(error.into()), none()),
            };
            events.tell(Kind::Reply, [number(id.into()), error, value, none()]);
        })
    }
}
