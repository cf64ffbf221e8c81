//! `NativeProducer`

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use kafka_native::{
    ConsumerGroup, PartitionMetadata, Producer, ProducerConfig, ProducerEvent, Receipt, Records, Reply, RequestWatch,
    Retry, Ticket, TopicId, TopicPartitionOffset,
};
use napi::bindgen_prelude::{Either, Float64ArraySlice, Int32ArraySlice, Uint8ArraySlice};
use napi::Env;
use napi_derive::napi;

use crate::events::{Deliveries, Drained, ErrorData, Events, FailureData, OnEvent, ProducerStats, Receipts};
use crate::lifetime::{self, Client};
use crate::tokens::Tokens;
use crate::watch::watch;
use crate::{millis, refused, thrown, Properties, Thrown};

#[napi(object, js_name = "NativeProducerOptions")]
pub struct ProducerOptions {
    pub broker: String,
    /// The budget: messages in flight.
    pub max_messages: f64,
    /// 0 = none.
    pub statistics_interval_ms: u32,
    /// Properties, in order; the values are strings already.
    pub properties: Properties,
    pub topic_properties: Properties,
    /// Tokens are asked for with `Event.Token`.
    pub tokens: Option<bool>,
}

#[napi(object)]
pub struct SendRefusal {
    pub index: u32,
    pub code: i32,
    pub name: String,
    pub message: String,
}

#[napi(object)]
pub struct SendResult {
    pub enqueued: u32,
    pub queue_length: u32,
    pub errors: Option<Vec<SendRefusal>>,
}

#[napi]
pub struct NativeProducer {
    producer: Arc<Producer>,
    events: Events,
    tokens: Tokens,
    watch: RequestWatch,
}

impl Client for Producer {
    /// Delivers for half of the time: what is left then has to be purged and reported, and the client destroyed.
    fn signal(&self, deadline: Duration) {
        self.stop_with(deadline / 2, Reply::new(|_| ()));
    }
    fn join(&self, deadline: Duration) -> bool {
        Producer::join(self, deadline)
    }
}

#[napi]
impl NativeProducer {
    #[napi(constructor)]
    pub fn new(env: Env, options: ProducerOptions, on_event: OnEvent<'_>) -> Result<Self, Thrown> {
        let events = Events::new(&on_event).map_err(refused)?;
        let interval = millis(options.statistics_interval_ms);
        let mut config = ProducerConfig::new(&options.broker)
            .max_messages(options.max_messages as u64)
            .statistics_interval(interval);
        for (name, value) in options.properties.into_iter().chain(options.topic_properties) {
            config = config.set(name, value);
        }
        let watch = watch(&events);
        config = config.request_watch(watch.clone());
        let tokens = Tokens::default();
        if options.tokens == Some(true) {
            config = config.token_provider(tokens.provider(&events));
        }
        let this: Arc<OnceLock<Weak<Producer>>> = Arc::default();
        let producer = Arc::new(Producer::with_events(config, sink(events.clone(), this.clone())).map_err(thrown)?);
        let _ = this.set(Arc::downgrade(&producer));
        lifetime::register(&env, &producer).map_err(refused)?;
        Ok(Self { producer, events, tokens, watch })
    }

    /// Hands `count` messages to the client's thread; copies before it returns. `index` has three ints a message: key length,
    /// value length (-1 = null), length of the header block (0 = none); key, value, header block follow each other in `arena`.
    /// `timestamps`: milliseconds a message, 0 = now; null when no message has one.
    #[napi]
    pub fn send(
        &self,
        topic: String,
        partition: i32,
        arena: Uint8ArraySlice<'_>,
        index: Int32ArraySlice<'_>,
        count: u32,
        timestamps: Option<Float64ArraySlice<'_>>,
    ) -> Result<SendResult, Thrown> {
        let records = records(&arena, &index, count, timestamps.as_deref(), None);
        let report = self.producer.send_packed(&topic, partition, records, None).map_err(thrown)?;
        let errors = report.refused.into_iter().map(|refusal| SendRefusal {
            index: refusal.index as u32,
            code: refusal.error.code,
            name: refusal.error.name(),
            message: refusal.error.message,
        });
        let errors: Vec<_> = errors.collect();
        Ok(SendResult {
            enqueued: report.enqueued as u32,
            queue_length: report.queue_length as u32,
            errors: (!errors.is_empty()).then_some(errors),
        })
    }

    /// The number of a topic, for tickets; the properties are librdkafka's for topics, and count when the producer has not
    /// heard of the topic before.
    #[napi]
    pub fn topic(&self, topic: String, properties: Properties) -> Result<u32, Thrown> {
        self.producer.topic(&topic, &properties).map(|id| id.0).map_err(thrown)
    }

    /// Like `send`, for many sends at once. `partitions`: one a message, -1 = the partitioner's choice; null when no message has
    /// its own. `tickets` has three ints a ticket: its id, the topic's number, how many of the messages, in order, are its own.
    /// Every ticket comes back in a Receipts event, also when messages are refused.
    #[napi]
    pub fn send_tickets(
        &self,
        arena: Uint8ArraySlice<'_>,
        index: Int32ArraySlice<'_>,
        count: u32,
        timestamps: Option<Float64ArraySlice<'_>>,
        partitions: Option<Int32ArraySlice<'_>>,
        tickets: Int32ArraySlice<'_>,
        ticket_count: u32,
    ) -> Result<(), Thrown> {
        let tickets = tickets.chunks_exact(3).take(ticket_count as usize).map(|ticket| Ticket {
            id: ticket[0] as u32,
            topic: TopicId(ticket[1] as u32),
            count: ticket[2] as u32,
        });
        let tickets: Vec<_> = tickets.collect();
        let records = records(&arena, &index, count, timestamps.as_deref(), partitions.as_deref());
        self.producer.send_tickets(records, &tickets).map_err(thrown)
    }

    /// Replies nothing when a broker has answered.
    #[napi]
    pub fn connect(&self, request: u32, timeout_ms: f64) {
        self.producer.connect_with(millis(timeout_ms), self.events.reply(request));
    }

    /// Replies numbers; for each partition: error, id, leader, number of replicas, these, number of those in sync, these.
    #[napi]
    pub fn partitions(&self, request: u32, topic: String, max_tries: u32, interval_ms: u32) {
        let retry = Retry { max_tries, interval: millis(interval_ms) };
        let reply = self.events.reply_with(request, |found: Vec<PartitionMetadata>| flat(&found));
        self.producer.partitions_with(&topic, retry, reply);
    }

    /// This and the calls about transactions run one after the other, behind everything that was sent before; each replies nothing.
    /// Errors: `retriable`, `txnRequiresAbort` or `fatal`.
    #[napi]
    pub fn flush(&self, request: u32, timeout_ms: f64) {
        self.producer.flush_with(millis(timeout_ms), self.events.reply(request));
    }

    #[napi]
    pub fn init_transactions(&self, request: u32, timeout_ms: f64) {
        self.producer.init_transactions_with(millis(timeout_ms), self.events.reply(request));
    }

    #[napi]
    pub fn begin_transaction(&self, request: u32) {
        self.producer.begin_transaction_with(self.events.reply(request));
    }

    /// `group`: its id, or the metadata that a member of it wrote. The lists are parallel.
    #[napi]
    pub fn send_offsets(
        &self,
        request: u32,
        group: Either<String, Uint8ArraySlice<'_>>,
        topics: Vec<String>,
        partitions: Vec<i32>,
        offsets: Vec<f64>,
        timeout_ms: f64,
    ) {
        let group = match group {
            Either::A(id) => ConsumerGroup::Id(id),
            Either::B(metadata) => ConsumerGroup::Metadata(metadata.to_vec()),
        };
        let offsets = topics.into_iter().zip(partitions).zip(offsets);
        let offsets: Vec<_> = offsets
            .map(|((topic, partition), offset)| TopicPartitionOffset::new(topic, partition, offset as i64))
            .collect();
        self.producer.send_offsets_with(&group, &offsets, millis(timeout_ms), self.events.reply(request));
    }

    #[napi]
    pub fn commit_transaction(&self, request: u32, timeout_ms: f64) {
        self.producer.commit_transaction_with(millis(timeout_ms), self.events.reply(request));
    }

    #[napi]
    pub fn abort_transaction(&self, request: u32, timeout_ms: f64) {
        self.producer.abort_transaction_with(millis(timeout_ms), self.events.reply(request));
    }

    #[napi]
    pub fn queue_length(&self) -> u32 {
        self.producer.queue_length() as u32
    }

    /// Replies a number.
    #[napi]
    pub fn partition_count(&self, request: u32, topic: String, max_tries: u32, interval_ms: u32) {
        let retry = Retry { max_tries, interval: millis(interval_ms) };
        self.producer.partition_count_with(&topic, retry, self.events.reply(request));
    }

    /// Whether `Event.Request` tells of each request that a broker has answered.
    #[napi]
    pub fn watch_requests(&self, wanted: bool) {
        self.watch.want(wanted);
    }

    /// `expiresMs`: milliseconds since 1970; `extensions`: names and values by turns. Neither ever throws; a token that librdkafka does not take is a failure, too.
    #[napi]
    pub fn set_token(&self, value: String, expires_ms: f64, principal: String, extensions: Vec<String>) {
        self.tokens.set(value, expires_ms, principal, &extensions);
    }

    /// There is no token: whoever waits for a connection hears `_AUTHENTICATION` with this reason.
    #[napi]
    pub fn set_token_failure(&self, reason: String) {
        self.tokens.fail(reason);
    }

    /// Flushes, purges at the deadline, destroys. Replies how many messages were left and purged.
    #[napi]
    pub fn stop(&self, request: u32, timeout_ms: f64) {
        self.producer.stop_with(millis(timeout_ms), self.events.reply(request));
    }
}

/// Records in JavaScript's arena: copied before the call returns, because it is used again.
fn records<'a>(
    arena: &'a [u8],
    index: &'a [i32],
    count: u32,
    timestamps: Option<&'a [f64]>,
    partitions: Option<&'a [i32]>,
) -> Records<'a> {
    let count = count as usize;
    let index = index.get(..count * 3).unwrap_or_default();
    let used = index.iter().map(|length| (*length).max(0) as usize).sum();
    Records {
        arena: arena.get(..used).unwrap_or_default(),
        index,
        timestamps: timestamps.and_then(|all| all.get(..count)).unwrap_or_default(),
        partitions: partitions.and_then(|all| all.get(..count)).unwrap_or_default(),
    }
}

/// As `partitions` replies it.
fn flat(found: &[PartitionMetadata]) -> Vec<i32> {
    let mut flat = Vec::new();
    for partition in found {
        flat.extend([partition.error, partition.id, partition.leader]);
        for nodes in [&partition.replicas, &partition.in_sync] {
            flat.push(nodes.len() as i32);
            flat.extend(nodes);
        }
    }
    flat
}

/// As the event `Receipts` has them: columns, and the errors that they name.
fn columns(receipts: Vec<Receipt>) -> (Vec<f64>, Vec<ErrorData>) {
    let mut columns = Vec::with_capacity(6 * receipts.len());
    let mut errors: Vec<kafka_native::Error> = Vec::new();
    for receipt in receipts {
        let error = receipt.error.map_or(-1.0, |error| {
            // A storm of one error is one object.
            if errors.last() != Some(&error) {
                errors.push(error);
            }
            (errors.len() - 1) as f64
        });
        columns.extend([receipt.id.into(), error, receipt.written.len() as f64]);
        for written in receipt.written {
            columns.extend([written.partition.into(), written.base_offset as f64, written.append_time as f64]);
        }
    }
    (columns, errors.into_iter().map(ErrorData::from).collect())
}

impl Drop for NativeProducer {
    /// Runs in a finalizer: signals only.
    fn drop(&mut self) {
        self.producer.signal(lifetime::DEADLINE);
    }
}

fn sink(events: Events, this: Arc<OnceLock<Weak<Producer>>>) -> impl Fn(ProducerEvent) + Send + Sync {
    move |event| {
        let producer = this.get().cloned().unwrap_or_default();
        match event {
            ProducerEvent::Failures => events.tell_with(move || {
                let failures = producer.upgrade().map(|producer| producer.take_failures()).unwrap_or_default();
                let failures = failures.into_iter().map(|failure| FailureData {
                    errcode: failure.code,
                    count: failure.count as f64,
                    errstr: failure.message,
                    topic: failure.topic,
                    partition: failure.partition,
                });
                Deliveries { failures: failures.collect() }
            }),
            ProducerEvent::Receipts => events.tell_with(move || {
                let receipts = producer.upgrade().map(|producer| producer.take_receipts()).unwrap_or_default();
                let (columns, errors) = columns(receipts);
                Receipts { columns: columns.into(), errors }
            }),
            ProducerEvent::Drained => events.tell(Drained {}),
            ProducerEvent::Stats(json) => events.tell_with(move || {
                let producer = producer.upgrade();
                let length = producer.as_ref().map_or(0, |producer| producer.queue_length());
                let by_topic = producer.map(|producer| producer.queue_length_by_topic()).unwrap_or_default();
                let (topics, queue_lengths) =
                    by_topic.into_iter().map(|(topic, length)| (topic, length as f64)).unzip();
                ProducerStats { json, queue_length: length as u64, topics, queue_lengths }
            }),
            ProducerEvent::Error(error) => events.error(error),
            ProducerEvent::Log(line) => events.log(line),
        }
    }
}
