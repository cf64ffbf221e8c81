//! Events of a client for JavaScript: `(kind, a, b, c, d)` through one threadsafe function, in the order in which they happened.

use std::sync::{Arc, Mutex, PoisonError};

use kafka_native::{Error, LogLine, Reply};
use napi::bindgen_prelude::{Buffer, Either15, Float64Array, FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::Status;
use napi_derive::napi;

use crate::group::{PlacesData, RebalanceData, TopicsData};

/// Declares what clients tell: a kind, and the arguments that come with it, in order; a kind has several sets where clients tell
/// different things by it. From it come `Kind`, a struct for each set, and TypeScript's `events.ts`.
macro_rules! events {
    ($($(#[doc = $doc:literal])+ $kind:ident { $($set:ident($($arg:ident: $type:ty),*))|+ })+) => {
        #[derive(Debug, Clone, Copy)]
        #[repr(u32)]
        pub(crate) enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        $($(
            #[doc = concat!("Arguments of [`Kind::", stringify!($kind), "`].")]
            pub(crate) struct $set { $(pub(crate) $arg: $type,)* }

            impl From<$set> for Told {
                fn from(told: $set) -> Self {
                    let $set { $($arg,)* } = told;
                    let mut args = [$(Argument::arg($arg),)*].into_iter();
                    Self(Kind::$kind, std::array::from_fn(|_| args.next().unwrap_or_else(none)))
                }
            }
        )+)+

        /// Kind, words, sets: name, and of each argument the name and TypeScript's type.
        #[cfg(test)]
        #[allow(clippy::type_complexity)]
        const TABLE: &[(&str, &str, &[(&str, &[(&str, &str)])])] = &[$((
            stringify!($kind),
            concat!($($doc, "\n"),+),
            &[$((stringify!($set), &[$((stringify!($arg), <$type as Argument>::TYPE),)*])),+],
        ),)+];
    };
}

events! {
    /// Answer with `started`, then `settle` or `drop`; a group's runs with `free`. Consumers only.
    Batch { Batch(batch_id: u64, packed: Vec<u8>) }
    /// Ends the asynchronous call that was given this id.
    Reply { Answer(request_id: u32, error: Option<ErrorData>, value: Arg) }
    /// librdkafka's statistics, and a producer's and a classic consumer's own.
    Stats {
        ConsumerStats(json: String, waiting_kafka: u64, waiting_local: u64, log_size: u64)
        | ProducerStats(json: String, queue_length: u64, topics: Vec<String>, queue_lengths: Vec<f64>)
        | Stats(json: String)
    }
    /// Errors without a caller; once per change of state, decided in Rust.
    Error { Trouble(error: ErrorData) }
    /// Since the last one, 1000 at most; of more, the first ones and how many were dropped.
    Log { Log(lines: Vec<LogData>, dropped: u64) }
    /// Since the last one, coalesced by (errcode, topic, partition). Producer only.
    Deliveries { Deliveries(failures: Vec<FailureData>) }
    /// Nothing is in flight any more. Producer only.
    Drained { Drained() }
    /// Answer with `offsetsRead`. Only with `offsetManager`.
    ReadOffsets { ReadOffsets(request_id: u32, partitions: Vec<i32>) }
    /// Answer with `offsetsCommitted`. Only with `offsetManager`.
    CommitOffsets { CommitOffsets(request_id: u32, partitions: Vec<i32>, offsets: Vec<f64>) }
    /// Answer with `rebalanced`. Group only.
    Rebalance { Rebalance(rebalance: RebalanceData) }
    /// All messages below the offset were told; it is behind the last of them because of a rule, transaction markers and aborted
    /// messages, and can be committed. Group only.
    Advanced { Advanced(topic_id: i32, partition: i32, epoch: i32, offset: i64) }
    /// All messages below the offset were told, and there was no more when the broker was asked. Group only.
    End { End(topic_id: i32, partition: i32, epoch: i32, offset: i64) }
    /// Messages at `from` and up to `to`, which is there, were deleted before they were read. Group only.
    OffsetsLost { OffsetsLost(topic_id: i32, partition: i32, from: i64, to: i64) }
    /// A broker has answered a request of the client: `host:port`; Kafka's number of the request and its version, bytes of the answer,
    /// milliseconds from sending until then. Only while `watchRequests(true)`.
    Request { Request(broker: String, figures: Vec<f64>) }
    /// A token is wanted; answer with `setToken` or `setTokenFailure`. Only with `tokens`; not again before the answer.
    Token { Token() }
    /// Tickets that are through since the last one, coalesced. For each: id, place of its first error in `errors` (-1 = none),
    /// number of partitions n, then n times partition, smallest offset (-1 = not known), time of appending in milliseconds (-1 =
    /// the message has its own). Producer only.
    Receipts { Receipts(columns: Float64Array, errors: Vec<ErrorData>) }
}

/// An event, as JavaScript's arguments.
pub(crate) struct Told(Kind, [Arg; 4]);

/// An error as data; `KafkaError` is made of it in JavaScript. Kind 'timeout' becomes the code 'ETIMEDOUT', whatever the
/// name. An exception that a call throws at once (constructors, the mock cluster, `send` after `stop`) is an Error whose `code` is
/// librdkafka's name: '_INVALID_ARG'.
#[napi(object, js_name = "NativeErrorData")]
pub struct ErrorData {
    /// 'config' | 'state' | 'kafka' | 'offsets' | 'timeout'
    pub kind: String,
    /// librdkafka's number
    pub code: i32,
    /// librdkafka's name: '_TIMED_OUT'
    pub name: String,
    pub message: String,
    pub retriable: bool,
    pub fatal: bool,
    /// The transaction can only be aborted.
    pub txn_requires_abort: bool,
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub broker: Option<String>,
    /// The error behind this one; at most one.
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

#[napi(object, js_name = "NativeLog")]
pub struct LogData {
    /// syslog: 3 error, 4 warning, 6 info, 7 debug
    pub level: i32,
    pub facility: String,
    pub message: String,
}

impl From<LogLine> for LogData {
    fn from(line: LogLine) -> Self {
        Self { level: line.level, facility: line.facility, message: line.message }
    }
}

#[napi(object, js_name = "NativeDeliveryFailure")]
pub struct FailureData {
    pub errcode: i32,
    pub count: f64,
    pub errstr: String,
    pub topic: String,
    pub partition: i32,
}

/// One argument of an event.
pub(crate) type Arg = Either15<
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
    PlacesData,
>;

/// A type that can be an argument of an event.
pub(crate) trait Argument {
    /// TypeScript's name of it.
    #[cfg(test)]
    const TYPE: &str;
    fn arg(self) -> Arg;
}

macro_rules! arguments {
    ($($type:ty as $typescript:literal = |$value:ident| $arg:expr;)+) => {
        $(impl Argument for $type {
            #[cfg(test)]
            const TYPE: &str = $typescript;
            fn arg(self) -> Arg {
                let $value = self;
                $arg
            }
        })+
    };
}

arguments! {
    () as "undefined" = |value| Arg::A(value);
    f64 as "number" = |value| Arg::B(value);
    u32 as "number" = |value| Arg::B(value.into());
    i32 as "number" = |value| Arg::B(value.into());
    u64 as "number" = |value| Arg::B(value as f64);
    i64 as "number" = |value| Arg::B(value as f64);
    usize as "number" = |value| Arg::B(value as f64);
    String as "string" = |value| Arg::C(value);
    Vec<u8> as "Buffer" = |value| Arg::D(value.into());
    Vec<f64> as "number[]" = |value| Arg::E(value);
    Vec<i32> as "number[]" = |value| Arg::I(value);
    Vec<String> as "string[]" = |value| Arg::K(value);
    Float64Array as "Float64Array" = |value| Arg::L(value);
    ErrorData as "NativeErrorData" = |value| Arg::F(value);
    Option<ErrorData> as "NativeErrorData | undefined" = |value| value.map_or_else(none, Arg::F);
    Vec<ErrorData> as "NativeErrorData[]" = |value| Arg::M(value);
    Vec<LogData> as "NativeLog[]" = |value| Arg::G(value);
    Vec<FailureData> as "NativeDeliveryFailure[]" = |value| Arg::H(value);
    RebalanceData as "NativeRebalance" = |value| Arg::J(value);
    PlacesData as "NativePlaces" = |value| Arg::O(value);
    Vec<(String, i32)> as "NativeTopics" = |value| {
        let (topics, counts) = value.into_iter().unzip();
        Arg::N(TopicsData { topics, counts })
    };
    Arg as "any" = |value| value;
}

fn none() -> Arg {
    Arg::A(())
}

/// An event is made into JavaScript's arguments on the JavaScript thread, so that what coalesces does so until then.
type Make = Box<dyn FnOnce() -> Told + Send>;
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
                let Told(kind, [a, b, c, d]) = (context.value)();
                Ok(FnArgs { data: (kind as u32, a, b, c, d) })
            })?;
        Ok(Self { tell: Arc::new(tell), lines: Arc::default() })
    }

    /// Called on any thread; never blocks, because the queue is bounded by the clients' own credits.
    pub(crate) fn tell_with<T: Into<Told>>(&self, make: impl FnOnce() -> T + Send + 'static) {
        self.ask_with(make);
    }

    pub(crate) fn tell<T: Into<Told> + Send + 'static>(&self, told: T) {
        self.ask_with(move || told);
    }

    /// False when the environment is gone, so that nobody will answer.
    pub(crate) fn ask<T: Into<Told> + Send + 'static>(&self, question: T) -> bool {
        self.ask_with(move || question)
    }

    fn ask_with<T: Into<Told>>(&self, make: impl FnOnce() -> T + Send + 'static) -> bool {
        let make: Make = Box::new(move || make().into());
        self.tell.call(make, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
    }

    pub(crate) fn error(&self, error: Error) {
        self.tell(Trouble { error: error.into() });
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
                Log { lines: waiting, dropped }
            });
        }
    }

    /// The reply of the call that JavaScript knows by this id.
    pub(crate) fn reply<T: Argument + Send + 'static>(&self, id: u32) -> Reply<T> {
        self.reply_with(id, |answer| answer)
    }

    /// The same, with what JavaScript is given of the answer.
    pub(crate) fn reply_with<T: Send + 'static, A: Argument>(
        &self,
        id: u32,
        value: impl FnOnce(T) -> A + Send + 'static,
    ) -> Reply<T> {
        let events = self.clone();
        Reply::new(move |answer| {
            let (error, value) = match answer {
                Ok(answer) => (None, value(answer).arg()),
                Err(error) => (Some(error.into()), none()),
            };
            events.tell(Answer { request_id: id, error, value });
        })
    }
}

#[cfg(test)]
#[path = "../../core/src/generated.rs"]
mod generated;

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn camel(name: &str) -> String {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |all, word| all + &word[..1].to_uppercase() + &word[1..])
    }

    #[test]
    fn javascript_hears_the_events_that_are_declared_here() {
        let mut text = String::from(
            "import type { NativeDeliveryFailure, NativeErrorData, NativeLog, NativeRebalance } from './addon-data';\n\n",
        );
        text += "/**\n * Everything that a client tells comes through the one function that its constructor was given, on the JavaScript thread,\n * in the order in which it happened: `onEvent(kind, ...)`. It must not throw.\n */\nexport const enum Event {\n";
        for (i, (kind, doc, _)) in TABLE.iter().enumerate() {
            let doc = doc.trim().replace("\n ", "\n   * ");
            let doc = if doc.contains('\n') { format!("/**\n   * {doc}\n   */") } else { format!("/** {doc} */") };
            writeln!(text, "  {doc}\n  {kind} = {i},").unwrap();
        }
        text += "}\n";
        let mut told = Vec::new();
        for (kind, _, sets) in TABLE {
            for (set, args) in *sets {
                let args = args.iter().map(|(name, of)| format!(", {}: {of}", camel(name)));
                writeln!(text, "\nexport type Told{set} = [kind: Event.{kind}{}];", String::from_iter(args)).unwrap();
                told.push(format!("Told{set}"));
            }
        }
        writeln!(
            text,
            "\n/** An event: its kind, and what comes with it. */\nexport type Told = {};",
            told.join(" | ")
        )
        .unwrap();
        text += "export type OnEvent = (...told: Told) => void;\n";
        generated::compare("js/kafka-native/src/events.ts", "crates/napi/src/events.rs", &text);
    }
}
