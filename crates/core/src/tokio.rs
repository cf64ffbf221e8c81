//! The async face: the same producer, consumers and admin, with futures in place of blocking calls.
//!
//! ```no_run
//! use kafka_native::{tokio::{AsyncConsumer, AsyncProducer}, ConsumerConfig, ProducerConfig, Record};
//! use std::time::Duration;
//!
//! # async fn example() -> kafka_native::Result<()> {
//! let producer = AsyncProducer::new(ProducerConfig::new("127.0.0.1:9092"))?;
//! let delivery = producer.deliver("greetings", -1, &[Record::value("hello")]).await?.remove(0)?;
//! println!("written at {}/{}", delivery.partition, delivery.offset);
//!
//! let consumer = AsyncConsumer::new(ConsumerConfig::new("127.0.0.1:9092", "greetings").offsets_in("./offsets"))?;
//! consumer.start().await?;
//! if let Some(batch) = consumer.next().await {
//!     batch.done();
//! }
//! consumer.stop(Duration::from_secs(15)).await?;
//! producer.stop(Duration::from_secs(15)).await.map(drop)
//! # }
//! ```

use std::time::Duration;

use ::tokio::sync::{mpsc, oneshot, Mutex, Notify};

use crate::admin::{Admin, AdminConfig, AdminEvent, AdminRequest};
use crate::consumer::{to_stderr, Consumer, ConsumerConfig, ConsumerEvent};
use crate::error::Result;
use crate::group::{GroupConfig, GroupConsumer, GroupEvent, Reading, Subscription, TopicPartitionOffset};
use crate::helper::Retry;
use crate::producer::{ConsumerGroup, Delivery, Producer, ProducerConfig, ProducerEvent, Record, SendReport};
use crate::reply::{closed, Reply};
use crate::rule::Rule;
use crate::Batch;

async fn answer<T: Send + 'static>(call: impl FnOnce(Reply<T>)) -> Result<T> {
    let (tx, rx) = oneshot::channel();
    call(Reply::new(move |answer| drop(tx.send(answer))));
    rx.await.unwrap_or_else(|_| Err(closed()))
}

/// A [`Producer`] whose calls are futures.
pub struct AsyncProducer(Producer);

impl AsyncProducer {
    /// See [`Producer::new`].
    pub fn new(config: ProducerConfig) -> Result<Self> {
        Producer::new(config).map(Self)
    }

    /// See [`Producer::with_events`].
    pub fn with_events(
        config: ProducerConfig,
        on_event: impl Fn(ProducerEvent) + Send + Sync + 'static,
    ) -> Result<Self> {
        Producer::with_events(config, on_event).map(Self)
    }

    /// Accepts messages without waiting for their delivery; see [`Producer::send`].
    pub fn send(&self, topic: &str, partition: i32, records: &[Record<'_>]) -> SendReport {
        self.0.send(topic, partition, records)
    }

    /// Sends and waits until every message is delivered or has failed: one result each, in order.
    pub async fn deliver(&self, topic: &str, partition: i32, records: &[Record<'_>]) -> Result<Vec<Result<Delivery>>> {
        answer(|reply| self.0.deliver(topic, partition, records, reply)).await
    }

    /// See [`Producer::partition_count`].
    pub async fn partition_count(&self, topic: &str, retry: Retry) -> Result<i32> {
        answer(|reply| self.0.partition_count_with(topic, retry, reply)).await
    }

    /// See [`Producer::connect`].
    pub async fn connect(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.0.connect_with(timeout, reply)).await
    }

    /// See [`Producer::flush`].
    pub async fn flush(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.0.flush_with(timeout, reply)).await
    }

    /// See [`Producer::init_transactions`].
    pub async fn init_transactions(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.0.init_transactions_with(timeout, reply)).await
    }

    /// See [`Producer::begin_transaction`].
    pub async fn begin_transaction(&self) -> Result<()> {
        answer(|reply| self.0.begin_transaction_with(reply)).await
    }

    /// See [`Producer::send_offsets`].
    pub async fn send_offsets(
        &self,
        group: &ConsumerGroup,
        offsets: &[TopicPartitionOffset],
        timeout: Duration,
    ) -> Result<()> {
        answer(|reply| self.0.send_offsets_with(group, offsets, timeout, reply)).await
    }

    /// See [`Producer::commit_transaction`].
    pub async fn commit_transaction(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.0.commit_transaction_with(timeout, reply)).await
    }

    /// See [`Producer::abort_transaction`].
    pub async fn abort_transaction(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.0.abort_transaction_with(timeout, reply)).await
    }

    /// See [`Producer::stop`].
    pub async fn stop(&self, timeout: Duration) -> Result<usize> {
        answer(|reply| self.0.stop_with(timeout, reply)).await
    }
}

/// A [`Consumer`] whose calls are futures. Dropping it without [`stop`](Self::stop) blocks up to half a second.
pub struct AsyncConsumer {
    consumer: Consumer,
    inbox: Mutex<Inbox>,
    /// Resumed or stopped.
    changed: Notify,
}

struct Inbox {
    /// Never holds more than `batches_ahead`: the next is told when one was taken.
    arriving: mpsc::UnboundedReceiver<Batch>,
    /// Came in a pause.
    held: Option<Batch>,
}

impl AsyncConsumer {
    /// See [`Consumer::new`].
    pub fn new(config: ConsumerConfig) -> Result<Self> {
        Self::with_events(config, to_stderr)
    }

    /// See [`Consumer::with_events`].
    pub fn with_events(
        config: ConsumerConfig,
        on_event: impl Fn(ConsumerEvent) + Send + Sync + 'static,
    ) -> Result<Self> {
        let (tx, rx) = mpsc::unbounded_channel();
        let tx = parking_lot::Mutex::new(Some(tx));
        let consumer = Consumer::with_sink(config, move |event| match event {
            ConsumerEvent::Batch(batch) => drop(tx.lock().as_ref().map(|tx| tx.send(batch))),
            ConsumerEvent::Stopped => drop(tx.lock().take()),
            event => on_event(event),
        })?;
        Ok(Self { consumer, inbox: Mutex::new(Inbox { arriving: rx, held: None }), changed: Notify::new() })
    }

    /// See [`Consumer::start`].
    pub async fn start(&self) -> Result<Vec<i32>> {
        answer(|reply| self.consumer.start_with(reply)).await
    }

    /// The next batch; none after the consumer was stopped. In a pause it waits. Cancelling the future loses nothing.
    pub async fn next(&self) -> Option<Batch> {
        let mut inbox = self.inbox.lock().await;
        loop {
            if inbox.held.is_none() {
                inbox.held = Some(inbox.arriving.recv().await?);
            }
            let changed = self.changed.notified();
            if !self.consumer.is_paused() {
                let batch = inbox.held.take()?;
                self.consumer.started(batch.id());
                return Some(batch);
            }
            if self.consumer.is_stopped() {
                return None;
            }
            changed.await;
        }
    }

    /// See [`Consumer::pause`].
    pub fn pause(&self) -> Result<()> {
        self.consumer.pause()
    }

    /// See [`Consumer::resume`].
    pub fn resume(&self) -> Result<()> {
        let resumed = self.consumer.resume();
        self.changed.notify_waiters();
        resumed
    }

    /// See [`Consumer::stop`].
    pub async fn stop(&self, timeout: Duration) -> Result<()> {
        answer(|reply| {
            self.consumer.stop_with(timeout, reply);
            self.changed.notify_waiters();
        })
        .await
    }
}

/// A [`GroupConsumer`] whose calls are futures. Dropping it without [`stop`](Self::stop) blocks up to half a second.
pub struct AsyncGroupConsumer {
    consumer: GroupConsumer,
    /// Never holds more than `batches_ahead`: the next is told when one was taken.
    arriving: Mutex<mpsc::UnboundedReceiver<Batch>>,
}

impl AsyncGroupConsumer {
    /// See [`GroupConsumer::new`].
    pub fn new(config: GroupConfig) -> Result<Self> {
        Self::with_events(config, crate::group::to_stderr)
    }

    /// See [`GroupConsumer::with_events`].
    pub fn with_events(config: GroupConfig, on_event: impl Fn(GroupEvent) + Send + Sync + 'static) -> Result<Self> {
        let (tx, arriving) = mpsc::unbounded_channel();
        let tx = parking_lot::Mutex::new(Some(tx));
        let deliver = move |batch: Option<Batch>| match batch {
            Some(batch) => drop(tx.lock().as_ref().map(|tx| tx.send(batch))),
            None => drop(tx.lock().take()),
        };
        let consumer = GroupConsumer::delivering(config, deliver, on_event)?;
        Ok(Self { consumer, arriving: Mutex::new(arriving) })
    }

    /// See [`GroupConsumer::connect`].
    pub async fn connect(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.consumer.connect_with(timeout, reply)).await
    }

    /// See [`GroupConsumer::subscribe`].
    pub async fn subscribe(&self, topics: &[Subscription]) -> Result<()> {
        answer(|reply| self.consumer.subscribe_with(topics.to_vec(), None, reply)).await
    }

    /// See [`GroupConsumer::read`].
    pub async fn read(&self, topics: &[Reading]) -> Result<()> {
        answer(|reply| self.consumer.read_with(topics.to_vec(), reply)).await
    }

    /// See [`GroupConsumer::caught_up`]; batches have to be taken by another task meanwhile.
    pub async fn caught_up(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.consumer.caught_up_with(timeout, reply)).await
    }

    /// See [`GroupConsumer::until_ends`]; [`next`](Self::next) gives none then.
    pub async fn until_ends(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.consumer.until_ends_with(timeout, reply)).await
    }

    /// See [`GroupConsumer::topic_id`].
    pub fn topic_id(&self, topic: &str) -> Option<String> {
        self.consumer.topic_id(topic)
    }

    /// See [`GroupConsumer::assign`].
    pub async fn assign(&self, partitions: &[TopicPartitionOffset]) -> Result<()> {
        answer(|reply| self.consumer.assign_with(partitions.to_vec(), reply)).await
    }

    /// The next batch; none after the consumer was stopped. Cancelling the future loses nothing.
    pub async fn next(&self) -> Option<Batch> {
        let mut arriving = self.arriving.lock().await;
        loop {
            if let Some(batch) = self.consumer.admit(arriving.recv().await?) {
                return Some(batch);
            }
        }
    }

    /// See [`GroupConsumer::seek`].
    pub async fn seek(&self, to: TopicPartitionOffset) -> Result<Option<i32>> {
        answer(|reply| self.consumer.seek_with(to, reply)).await
    }

    /// See [`GroupConsumer::set_rule`].
    pub async fn set_rule(&self, rule: Option<Rule>) -> Result<Vec<TopicPartitionOffset>> {
        answer(|reply| self.consumer.set_rule_with(rule, Vec::new(), reply)).await
    }

    /// See [`GroupConsumer::commit`].
    pub async fn commit(&self, offsets: &[TopicPartitionOffset]) -> Result<()> {
        answer(|reply| self.consumer.commit_with(offsets.to_vec(), reply)).await
    }

    /// See [`GroupConsumer::commit_done`].
    pub async fn commit_done(&self) -> Result<()> {
        answer(|reply| self.consumer.commit_done_with(reply)).await
    }

    /// See [`GroupConsumer::group_metadata`].
    pub async fn group_metadata(&self) -> Result<Vec<u8>> {
        answer(|reply| self.consumer.group_metadata_with(reply)).await
    }

    /// See [`GroupConsumer::stop`].
    pub async fn stop(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.consumer.stop_with(timeout, reply)).await
    }
}

/// An [`Admin`] whose calls are futures.
pub struct AsyncAdmin(Admin);

impl AsyncAdmin {
    /// See [`Admin::with_events`].
    pub fn with_events(config: AdminConfig, on_event: impl Fn(AdminEvent) + Send + Sync + 'static) -> Result<Self> {
        Admin::with_events(config, on_event).map(Self)
    }

    /// See [`Admin::connect`].
    pub async fn connect(&self, timeout: Duration) -> Result<()> {
        answer(|reply| self.0.connect_with(timeout, reply)).await
    }

    /// See [`Admin::request`].
    pub async fn request<R: AdminRequest>(&self, request: R, timeout: Duration) -> Result<R::Answer> {
        answer(|reply| self.0.request_with(request, timeout, reply)).await
    }

    /// See [`Admin::list_topics`].
    pub async fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        answer(|reply| self.0.list_topics_with(timeout, reply)).await
    }
}
