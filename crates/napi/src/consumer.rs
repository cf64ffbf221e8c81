//! `NativeConsumer`

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{bounded, Sender};
use kafka_native::offsets::OffsetStore;
use kafka_native::{Consumer, ConsumerConfig, ConsumerEvent, Error, Reply};

use napi::Env;
use napi_derive::napi;

use crate::events::{Batch, CommitOffsets, ConsumerStats, Events, OnEvent, ReadOffsets, Told};
use crate::lifetime::{self, Client};
use crate::{millis, refused, thrown, Properties, Thrown};

#[napi(object, js_name = "NativeConsumerOptions")]
pub struct ConsumerOptions {
    pub broker: String,
    pub topic: String,
    pub offset_directory: Option<String>,
    /// Offsets are read and committed through the events instead of files.
    pub offset_manager: bool,
    pub max_messages_per_batch: f64,
    /// 0 = none.
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

    /// Replies the partitions, a number[]. After an error it may be called again.
    #[napi]
    pub fn start(&self, request: u32) {
        self.consumer.start_with(self.events.reply(request));
    }

    /// Nothing is drained from librdkafka's queue until `resume`. Batches that were posted before still arrive.
    #[napi]
    pub fn pause(&self) -> Result<(), Thrown> {
        self.consumer.pause().map_err(thrown)
    }

    #[napi]
    pub fn resume(&self) -> Result<(), Thrown> {
        self.consumer.resume().map_err(thrown)
    }

    /// The callback of a batch begins: gives back its place among the batches under way to JavaScript. Once a batch, also
    /// when it is delivered again. This, `settle` and `drop` never throw; `settle` and `drop` may come after `stop` replied.
    #[napi]
    pub fn started(&self, batch: f64) {
        self.consumer.started(batch as u64);
    }

    /// All messages of the batch are processed: their offsets may be recorded, their bytes are free.
    #[napi]
    pub fn settle(&self, batch: f64) {
        self.consumer.settle(batch as u64);
    }

    /// The batch will not be processed (stopped before it started or succeeded): frees its bytes, records nothing.
    #[napi]
    pub fn drop(&self, batch: f64) {
        self.consumer.abandon(batch as u64);
    }

    /// Replies when the pending offsets are on disk, the locks released and the client destroyed.
    #[napi]
    pub fn stop(&self, request: u32, timeout_ms: f64) {
        self.consumer.stop_with(millis(timeout_ms), self.events.reply(request));
    }

    /// `error`: a message, when the manager failed.
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
            events.tell(Batch { batch_id: batch.id(), packed: batch.into_packed() });
        }
        ConsumerEvent::Stats(stats) => {
            let kafka_native::ConsumerStats { json, waiting_kafka, waiting_local, log_size } = stats;
            events.tell(ConsumerStats { json, waiting_kafka, waiting_local, log_size });
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
    fn ask<Q: Into<Told> + Send + 'static>(&self, question: impl FnOnce(u32) -> Q) -> Answer {
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
        if !self.events.ask(question(id)) {
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
        let asked = partitions.to_vec();
        let offsets = self.ask(|request_id| ReadOffsets { request_id, partitions: asked })?;
        if offsets.len() != partitions.len() {
            let text = format!("the offset manager read {} offsets for {} partitions", offsets.len(), partitions.len());
            return Err(Error::from_store(text));
        }
        Ok(offsets.into_iter().map(|offset| (offset >= 0.0).then_some(offset as i64)).collect())
    }

    fn write(&mut self, offsets: &[(i32, i64)]) -> Result<(), Error> {
        // For JavaScript nothing recorded is -1, as in what it reads.
        let (partitions, offsets) =
            offsets.iter().map(|(partition, offset)| (*partition, (*offset).max(-1) as f64)).unzip();
        self.ask(|request_id| CommitOffsets { request_id, partitions, offsets }).map(drop)
    }

    fn close(&mut self) {}

    fn write_late(&mut self, partition: i32, offset: i64) -> Result<bool, Error> {
        self.write(&[(partition, offset)]).map(|()| true)
    }
}
