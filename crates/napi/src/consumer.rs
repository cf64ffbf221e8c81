//! `NativeConsumer`

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{bounded, Sender};
use kafka_native::offsets::OffsetStore;
use kafka_native::{Consumer, ConsumerConfig, ConsumerEvent, Error, Reply};

use napi::Env;
use napi_derive::napi;

use crate::events::{bytes, none, number, numbers, partitions, text, Events, Kind, OnEvent};
use crate::lifetime::{self, Client};
use crate::{millis, refused, thrown, Properties, Thrown};

#[napi(object)]
pub struct ConsumerOptions {
    pub broker: String,
    pub topic: String,
    pub offset_directory: Option<String>,
    pub offset_manager: bool,
    pub max_messages_per_batch: f64,
    pub statistics_interval_ms: u32,
    pub queued_max_kbytes: f64,
    pub workers: i32,
    pub slot: i32,
    pub properties: Properties,
    pub topic_properties: Properties,
}

#[napi]
pub struct NativeConsumer {
    consumer: Arc<Consumer>,
    events: Events,
    manager: Manager,
}

impl Client for Consumer {
    fn signal(&self, deadline: Duration) {
        self.stop_with(deadline, Reply::new(|_| ()));
    }
    fn join(&self, deadline: Duration) -> bool {
        Consumer::join(self, deadline)
    }
}

#[napi]
impl NativeConsumer {
    #[napi(constructor)]
    pub fn new(env: Env, options: ConsumerOptions, on_event: OnEvent<'_>) -> Result<Self, Thrown> {
        let events = Events::new(&on_event).map_err(refused)?;
        let manager = Manager { events: events.clone(), waiting: Arc::default() };
        let mut config = ConsumerConfig::new(&options.broker, &options.topic)
            .slice(options.slot, options.workers)
            .max_messages(options.max_messages_per_batch as usize)
            .queued_max_bytes((options.queued_max_kbytes * 1024.0) as u64)
            .statistics_interval(millis(options.statistics_interval_ms));
        if options.offset_manager {
            config = config.offsets(manager.clone());
        } else if let Some(directory) = options.offset_directory {
            config = config.offsets_in(directory);
        }
        for (name, value) in options.properties.into_iter().chain(options.topic_properties) {
            config = config.set(name, value);
        }
        let consumer = Arc::new(Consumer::with_sink(config, sink(events.clone())).map_err(thrown)?);
        lifetime::register(&env, &consumer).map_err(refused)?;
        Ok(Self { consumer, events, manager })
    }

    #[napi]
    pub fn start(&self, request: u32) {
        self.consumer.start_with(self.events.reply(request, partitions));
    }

    #[napi]
    pub fn pause(&self) -> Result<(), Thrown> {
        self.consumer.pause().map_err(thrown)
    }

    #[napi]
    pub fn resume(&self) -> Result<(), Thrown> {
        self.consumer.resume().map_err(thrown)
    }

    #[napi]
    pub fn started(&self, batch: f64) {
        self.consumer.started(batch as u64);
    }

    #[napi]
    pub fn settle(&self, batch: f64) {
        self.consumer.settle(batch as u64);
    }

    #[napi]
    pub fn drop(&self, batch: f64) {
        self.consumer.abandon(batch as u64);
    }

    #[napi]
    pub fn stop(&self, request: u32, timeout_ms: f64) {
        self.consumer.stop_with(millis(timeout_ms), self.events.reply(request, |()| none()));
    }

    #[napi]
    pub fn offsets_read(&self, request: u32, offsets: Option<Vec<f64>>, error: Option<String>) {
        self.manager.answer(request, answer(offsets.unwrap_or_default(), error));
    }

    #[napi]
    pub fn offsets_committed(&self, request: u32, error: Option<String>) {
        self.manager.answer(request, answer(Vec::new(), error));
    }
}

impl Drop for NativeConsumer {
    /// Runs in a finalizer: signals only.
    fn drop(&mut self) {
        self.consumer.signal(lifetime::DEADLINE);
        self.manager.close();
    }
}

fn gone() -> Error {
    Error::from_store("the environment of the offset manager has ended")
}

fn answer(offsets: Vec<f64>, error: Option<String>) -> Result<Vec<f64>, Error> {
    match error {
        Some(error) => Err(Error::from_store(error)),
        None => Ok(offsets),
    }
}

fn sink(events: Events) -> impl Fn(ConsumerEvent) + Send + Sync {
    move |event| match event {
        ConsumerEvent::Batch(batch) => {
            let id = number(batch.id() as f64);
            events.tell(Kind::Batch, [id, bytes(batch.into_packed()), none(), none()]);
        }
        ConsumerEvent::Stats(stats) => {
            let [kafka, local, size] =
                [stats.waiting_kafka, stats.waiting_local, stats.log_size].map(|count| number(count as f64));
            events.tell(Kind::Stats, [text(stats.json), kafka, local, size]);
        }
        ConsumerEvent::Error(error) => events.error(error),
        ConsumerEvent::Log(line) => events.log(line),
        ConsumerEvent::Stopped => {}
    }
}

/// JavaScript's offset manager as a store: the offset thread asks and waits for the answer.
#[derive(Clone)]
struct Manager {
    events: Events,
    waiting: Arc<Mutex<Waiting>>,
}

type Answer = Result<Vec<f64>, Error>;

#[derive(Default)]
struct Waiting {
    last: u32,
    answers: HashMap<u32, Sender<Answer>>,
    /// JavaScript is gone: nobody answers any more.
    closed: bool,
}

impl Manager {
    fn ask(&self, kind: Kind, partitions: Vec<i32>, offsets: Vec<f64>) -> Answer {
        let (tx, rx) = bounded(1);
        let id = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.closed {
                return Err(gone());
            }
            waiting.last = waiting.last.wrapping_add(1);
            let id = waiting.last;
            waiting.answers.insert(id, tx);
            id
        };
        let question = [number(id.into()), crate::events::partitions(partitions), numbers(offsets), none()];
        if !self.events.ask(kind, question) {
            self.close();
        }
        rx.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// Answers whoever waits, and whoever asks from now on, that nobody will: or the offset thread would wait for ever.
    fn close(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        waiting.answers.clear();
    }

    fn answer(&self, id: u32, answer: Answer) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).answers.remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
    }
}

impl OffsetStore for Manager {
    fn open(&mut self, partitions: &[i32]) -> Result<Vec<Option<i64>>, Error> {
        let offsets = self.ask(Kind::ReadOffsets, partitions.to_vec(), Vec::new())?;
        if offsets.len() != partitions.len() {
            let text = format!("the offset manager read {} offsets for {} partitions", offsets.len(), partitions.len());
            return Err(Error::from_store(text));
        }
        Ok(offsets.into_iter().map(|offset| (offset >= 0.0).then_some(offset as i64)).collect())
    }

    fn write(&mut self, offsets: &[(i32, i64)]) -> Result<(), Error> {
        let (partitions, offsets) = offsets.iter().map(|(partition, offset)| (*partition, *offset as f64)).unzip();
        self.ask(Kind::CommitOffsets, partitions, offsets).map(drop)
    }

    fn close(&mut self) {}

    fn write_late(&mut self, partition: i32, offset: i64) -> Result<bool, Error> {
        self.write(&[(partition, offset)]).map(|()| true)
    }
}
