//! `NativeGroup`

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use kafka_native::{
    logical, GroupConfig, GroupConsumer, GroupEvent, Rebalance, RebalanceKind, Reply, Reset, Subscription,
    TopicPartitionOffset,
};
use napi::Env;
use napi_derive::napi;

use crate::events::{bytes, none, number, numbers, partitions, text, topics, Arg, Events, Kind, OnEvent};
use crate::lifetime::{self, Client};
use crate::tokens::Tokens;
use crate::{millis, refused, thrown, Properties, Thrown};

#[napi(object)]
pub struct GroupOptions {
    pub properties: Properties,
    pub max_messages_per_batch: f64,
    pub budget_bytes: f64,
    pub statistics_interval_ms: u32,
    pub offset_directory: Option<String>,
    pub tokens: Option<bool>,
}

/// The arrays are parallel: one element a topic.
#[napi(object)]
pub struct TopicsData {
    pub topics: Vec<String>,
    pub counts: Vec<i32>,
}

/// The arrays are parallel: one element a partition.
#[napi(object)]
pub struct RebalanceData {
    pub id: f64,
    pub kind: String,
    pub topics: Vec<String>,
    pub topic_ids: Vec<i32>,
    pub partitions: Vec<i32>,
    pub epochs: Vec<i32>,
    pub member_id: String,
    pub generation: i32,
    pub protocol: String,
}

impl From<Rebalance> for RebalanceData {
    fn from(rebalance: Rebalance) -> Self {
        let kind = match rebalance.kind {
            RebalanceKind::Assign => "assign",
            RebalanceKind::Revoke => "revoke",
            RebalanceKind::Lost => "lost",
        };
        let all = &rebalance.partitions;
        Self {
            id: rebalance.id as f64,
            kind: kind.into(),
            topics: all.iter().map(|at| at.topic.to_string()).collect(),
            topic_ids: all.iter().map(|at| at.topic_id).collect(),
            partitions: all.iter().map(|at| at.partition).collect(),
            epochs: all.iter().map(|at| at.epoch).collect(),
            member_id: rebalance.member_id,
            generation: rebalance.generation,
            protocol: rebalance.protocol,
        }
    }
}

#[napi]
pub struct NativeGroup {
    consumer: Arc<GroupConsumer>,
    member: Arc<Member>,
    events: Events,
    tokens: Tokens,
}

/// A member, and who answers its rebalances: JavaScript, as long as its environment lives.
struct Member {
    consumer: Arc<GroupConsumer>,
    rebalances: Arc<Rebalances>,
}

#[derive(Default)]
struct Rebalances {
    /// The one that JavaScript was told last.
    last: AtomicU64,
    /// JavaScript answers no more.
    deserted: AtomicBool,
}

impl Client for Member {
    /// Leaving the group is a rebalance, too: without an answer it would take all of the time.
    fn signal(&self, deadline: Duration) {
        self.rebalances.deserted.store(true, Ordering::SeqCst);
        self.consumer.rebalanced(self.rebalances.last.load(Ordering::SeqCst), None);
        self.consumer.stop_with(deadline, Reply::new(|_| ()));
    }
    fn join(&self, deadline: Duration) -> bool {
        self.consumer.join(deadline)
    }
}

#[napi]
impl NativeGroup {
    #[napi(constructor)]
    pub fn new(env: Env, options: GroupOptions, on_event: OnEvent<'_>) -> Result<Self, Thrown> {
        let events = Events::new(&on_event).map_err(refused)?;
        let mut config = GroupConfig::without_group("")
            .auto_commit(None)
            .max_messages(options.max_messages_per_batch as usize)
            .buffered_max_bytes(options.budget_bytes as u64)
            .statistics_interval(millis(options.statistics_interval_ms));
        for (name, value) in options.properties {
            config = config.set(name, value);
        }
        if let Some(directory) = options.offset_directory {
            config = config.offsets_in(directory);
        }
        let tokens = Tokens::default();
        if options.tokens == Some(true) {
            config = config.token_provider(tokens.provider(&events));
        }
        let this: Arc<OnceLock<Weak<GroupConsumer>>> = Arc::default();
        let rebalances: Arc<Rebalances> = Arc::default();
        let sink = sink(events.clone(), rebalances.clone(), this.clone());
        let consumer = Arc::new(GroupConsumer::with_sink(config, sink).map_err(thrown)?);
        let _ = this.set(Arc::downgrade(&consumer));
        let member = Arc::new(Member { consumer: consumer.clone(), rebalances });
        lifetime::register(&env, &member).map_err(refused)?;
        Ok(Self { consumer, member, events, tokens })
    }

    #[napi]
    pub fn connect(&self, request: u32, timeout_ms: u32) {
        self.consumer.connect_with(millis(timeout_ms), self.events.reply(request, |()| none()));
    }

    #[napi]
    pub fn subscribe(
        &self,
        request: u32,
        topics: Vec<String>,
        earliest: Vec<bool>,
        existing: Vec<String>,
        counts: Vec<i32>,
    ) {
        let reset = |earliest| if earliest { Reset::Earliest } else { Reset::Latest };
        let topics =
            topics.into_iter().zip(earliest).map(|(topic, earliest)| Subscription::new(topic, reset(earliest)));
        let existing = existing.into_iter().zip(counts).collect();
        self.consumer.subscribe_with(topics.collect(), Some(existing), self.events.reply(request, |()| none()));
    }

    #[napi]
    pub fn assign(&self, request: u32, topics: Vec<String>, partitions: Vec<i32>, offsets: Vec<f64>) {
        self.consumer.assign_with(places(topics, partitions, offsets), self.events.reply(request, |()| none()));
    }

    #[napi]
    pub fn rebalanced(&self, rebalance: f64, offsets: Option<Vec<f64>>) {
        let offsets = offsets.map(|offsets| offsets.into_iter().map(|offset| offset as i64).collect());
        self.consumer.rebalanced(rebalance as u64, offsets);
    }

    #[napi]
    pub fn started(&self, batch: f64) {
        self.consumer.started(batch as u64);
    }

    #[napi]
    pub fn free(&self, batch: f64, run: u32) {
        self.consumer.free(batch as u64, run as usize);
    }

    #[napi]
    pub fn seek(&self, request: u32, topic: String, partition: i32, offset: f64) {
        let to = TopicPartitionOffset::new(topic, partition, offset as i64);
        self.consumer
            .seek_with(to, self.events.reply(request, |epoch: Option<i32>| number(epoch.unwrap_or(-1).into())));
    }

    #[napi]
    pub fn pause(&self, request: u32, topics: Vec<String>, partitions: Vec<i32>) {
        let partitions = topics.into_iter().zip(partitions).collect();
        self.consumer.pause_with(partitions, self.events.reply(request, |()| none()));
    }

    #[napi]
    pub fn resume(&self, request: u32, topics: Vec<String>, partition: Vec<i32>, offsets: Vec<f64>) {
        let reply = self.events.reply(request, |epochs: Vec<Option<i32>>| {
            partitions(epochs.into_iter().map(|epoch| epoch.unwrap_or(-1)).collect())
        });
        self.consumer.resume_with(places(topics, partition, offsets), reply);
    }

    #[napi]
    pub fn commit(
        &self,
        request: u32,
        topics: Vec<String>,
        partitions: Vec<i32>,
        offsets: Vec<f64>,
        metadata: Vec<Option<String>>,
    ) {
        let mut places = places(topics, partitions, offsets);
        places.iter_mut().zip(metadata).for_each(|(place, metadata)| place.metadata = metadata);
        self.consumer.commit_with(places, self.events.reply(request, |()| none()));
    }

    #[napi]
    pub fn committed(&self, request: u32, topics: Vec<String>, partitions: Vec<i32>, timeout_ms: u32) {
        let reply = self.events.reply(request, |offsets: Vec<Option<i64>>| {
            numbers(offsets.into_iter().map(|offset| offset.unwrap_or(-1) as f64).collect())
        });
        self.consumer.committed_with(topics.into_iter().zip(partitions).collect(), millis(timeout_ms), reply);
    }

    #[napi]
    pub fn offsets_for_times(
        &self,
        request: u32,
        topics: Vec<String>,
        partitions: Vec<i32>,
        timestamps: Vec<f64>,
        timeout_ms: u32,
    ) {
        let reply = self
            .events
            .reply(request, |offsets: Vec<i64>| numbers(offsets.into_iter().map(|offset| offset as f64).collect()));
        self.consumer.offsets_for_times_with(places(topics, partitions, timestamps), millis(timeout_ms), reply);
    }

    #[napi]
    pub fn partitions_of(&self, request: u32, topic: String, timeout_ms: u32) {
        self.consumer.partitions_of_with(&topic, millis(timeout_ms), self.events.reply(request, partitions));
    }

    #[napi]
    pub fn list_topics(&self, request: u32, timeout_ms: u32) {
        self.consumer.topics_with(millis(timeout_ms), self.events.reply(request, topics));
    }

    #[napi]
    pub fn watermarks(&self, topic: String, partition: i32) -> Vec<f64> {
        let (low, high) = self.consumer.watermarks(&topic, partition).unwrap_or((logical::INVALID, logical::INVALID));
        vec![low as f64, high as f64]
    }

    #[napi]
    pub fn group_metadata(&self, request: u32) {
        self.consumer.group_metadata_with(self.events.reply(request, bytes));
    }

    #[napi]
    pub fn set_token(&self, value: String, expires_ms: f64, principal: String, extensions: Vec<String>) {
        self.tokens.set(value, expires_ms, principal, &extensions);
    }

    #[napi]
    pub fn set_token_failure(&self, reason: String) {
        self.tokens.fail(reason);
    }

    #[napi]
    pub fn stop(&self, request: u32, timeout_ms: f64) {
        self.consumer.stop_with(millis(timeout_ms), self.events.reply(request, |()| none()));
    }
}

impl Drop for NativeGroup {
    /// Runs in a finalizer: signals only.
    fn drop(&mut self) {
        self.member.signal(lifetime::DEADLINE);
    }
}

fn places(topics: Vec<String>, partitions: Vec<i32>, offsets: Vec<f64>) -> Vec<TopicPartitionOffset> {
    let places = topics.into_iter().zip(partitions).zip(offsets);
    places.map(|((topic, partition), offset)| TopicPartitionOffset::new(topic, partition, offset as i64)).collect()
}

fn sink(
    events: Events,
    rebalances: Arc<Rebalances>,
    this: Arc<OnceLock<Weak<GroupConsumer>>>,
) -> impl Fn(GroupEvent) + Send + Sync {
    move |event| match event {
        GroupEvent::Batch(batch) => {
            let id = number(batch.id() as f64);
            events.tell(Kind::Batch, [id, bytes(batch.into_packed()), none(), none()]);
        }
        GroupEvent::Rebalance(rebalance) => {
            rebalances.last.store(rebalance.id, Ordering::SeqCst);
            if rebalances.deserted.load(Ordering::SeqCst) {
                let consumer = this.get().and_then(Weak::upgrade);
                return consumer.into_iter().for_each(|consumer| consumer.rebalanced(rebalance.id, None));
            }
            events.tell(Kind::Rebalance, [Arg::J(rebalance.into()), none(), none(), none()]);
        }
        GroupEvent::Advanced(places) => {
            for (at, offset) in places {
                let place = [at.topic_id, at.partition, at.epoch].map(|int| number(int.into()));
                let [topic, partition, epoch] = place;
                events.tell(Kind::Advanced, [topic, partition, epoch, number(offset as f64)]);
            }
        }
        GroupEvent::Stats(json) => events.tell(Kind::Stats, [text(json), none(), none(), none()]),
        GroupEvent::Error(error) => events.error(error),
        GroupEvent::Log(line) => events.log(line),
        GroupEvent::Stopped => {}
    }
}
