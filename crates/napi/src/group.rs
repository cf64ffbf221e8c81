//! `NativeGroup`

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use kafka_native::{
    logical, GroupConfig, GroupConsumer, GroupEvent, Reading, Rebalance, RebalanceKind, Reply, RequestWatch, Reset,
    Rule, Start, Subscription, TopicPartitionOffset,
};
use napi::bindgen_prelude::Uint8Array;
use napi::Env;
use napi_derive::napi;

use crate::events::{Advanced, Batch, End, Events, OffsetsLost, OnEvent, Stats};
use crate::lifetime::{self, Client};
use crate::tokens::Tokens;
use crate::watch::watch;
use crate::{millis, refused, thrown, Properties, Thrown};

#[napi(object, js_name = "NativeGroupOptions")]
pub struct GroupOptions {
    /// librdkafka's, in order. Without `group.id` there are `assign` and `read` only.
    pub properties: Properties,
    pub max_messages_per_batch: f64,
    /// Ceiling in bytes for what is prefetched, and handed over and not freed; each message with 304 bytes of overhead.
    pub budget_bytes: f64,
    /// 0 = none.
    pub statistics_interval_ms: u32,
    /// Without `group.id`: offsets are committed to files in it, as those of the classic consumer.
    pub offset_directory: Option<String>,
    /// Tokens are asked for with `Event.Token`.
    pub tokens: Option<bool>,
}

/// Which messages are wanted.
#[napi(object, js_name = "NativeRule")]
pub struct RuleData {
    #[napi(ts_type = "'header' | 'absent' | 'key' | 'all' | 'any' | 'not'")]
    pub kind: String,
    /// Of 'header' and 'absent'.
    pub name: Option<String>,
    /// The values that a 'header' or a 'key' may have.
    pub values: Option<Vec<Option<Uint8Array>>>,
    /// Of 'all', 'any', and 'not', which has one.
    pub rules: Option<Vec<RuleData>>,
}

impl From<RuleData> for Rule {
    fn from(RuleData { kind, name, values, rules }: RuleData) -> Self {
        let (name, values) = (name.unwrap_or_default(), values.unwrap_or_default());
        let mut rules = rules.unwrap_or_default().into_iter().map(Rule::from);
        match &*kind {
            "header" => Rule::header(name, values),
            "absent" => Rule::header_absent(name),
            "key" => Rule::key(values),
            "all" => Rule::all(rules),
            "any" => Rule::any(rules),
            _ => rules.next().unwrap_or_else(|| Rule::all([])).negated(),
        }
    }
}

/// Offsets of partitions; the arrays are parallel.
#[napi(object, js_name = "NativePlaces")]
pub struct PlacesData {
    pub topics: Vec<String>,
    pub partitions: Vec<i32>,
    pub offsets: Vec<f64>,
}

/// Topics, and how many partitions each has; the arrays are parallel.
#[napi(object, js_name = "NativeTopics")]
pub struct TopicsData {
    pub topics: Vec<String>,
    pub counts: Vec<i32>,
}

/// Partitions that a rebalance gives or takes; the arrays are parallel, one element a partition.
#[napi(object, js_name = "NativeRebalance")]
pub struct RebalanceData {
    /// For `rebalanced`.
    pub id: f64,
    /// 'assign': these come; 'revoke': these go when `rebalanced` was called; 'lost': these are gone already, nothing can be committed.
    #[napi(ts_type = "'assign' | 'revoke' | 'lost'")]
    pub kind: String,
    pub topics: Vec<String>,
    /// The meaning of a run's topic id; a topic keeps its id as long as the client lives.
    pub topic_ids: Vec<i32>,
    pub partitions: Vec<i32>,
    /// The assignment epochs that runs of these partitions carry from now on ('assign'); runs of any other epoch are out of date.
    pub epochs: Vec<i32>,
    /// '' without a group.
    pub member_id: String,
    /// -1 without a group; with the protocol `consumer` the member's epoch.
    pub generation: i32,
    /// 'EAGER', 'COOPERATIVE' or 'NONE' (not a member yet, or no group).
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

/// A consumer in a group, or with an assignment of its own. Of a batch, each run is processed on its own: free it when it
/// is, or when its epoch is out of date. Replies and batches come in the order in which they happened: what arrives behind
/// the reply of `seek`, `pause` or `resume` was fetched after it. Lists of partitions are parallel arrays.
#[napi]
pub struct NativeGroup {
    consumer: Arc<GroupConsumer>,
    member: Arc<Member>,
    events: Events,
    tokens: Tokens,
    watch: RequestWatch,
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
        let watch = watch(&events);
        config = config.request_watch(watch.clone());
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
        Ok(Self { consumer, member, events, tokens, watch })
    }

    /// Replies nothing when a broker has answered.
    #[napi]
    pub fn connect(&self, request: u32, timeout_ms: u32) {
        self.consumer.connect_with(millis(timeout_ms), self.events.reply(request));
    }

    /// Replaces the subscription: names, or patterns that begin with '^'. `earliest`: where a partition of the topic begins
    /// that has no committed offset, or whose offset the log does not have; true = at its begin, false = at its end. `existing`: the
    /// topics that there were when the program subscribed, `counts` how many partitions each had: what is not among them begins at its
    /// begin. The first call joins the group; without topics it leaves. Replies nothing.
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
        self.consumer.subscribe_with(topics.collect(), Some(existing), self.events.reply(request));
    }

    /// Replaces the assignment, without joining. Offsets: the next to be read, -2 = begin, -1 = end, -1000 = committed. Replies
    /// nothing; the Rebalance events ('revoke' of what was, 'assign') come before the reply and want no answer.
    #[napi]
    pub fn assign(&self, request: u32, topics: Vec<String>, partitions: Vec<i32>, offsets: Vec<f64>) {
        self.consumer.assign_with(places(topics, partitions, offsets), self.events.reply(request));
    }

    /// Reads all partitions of these, without joining: names, or patterns that begin with '^'; what is made later, too. `from`, parallel
    /// to them: -2 = the begin, -1 = the end, otherwise a time in milliseconds; `places` are the offsets of partitions where `from` is -2.
    /// `ids`, parallel, too: of topics that were read before (`topicId`), one of another id begins at its begin; '' = any.
    /// Replies nothing when it is settled where each partition begins; Rebalance events as those of `assign`, now and later.
    #[napi]
    pub fn read(
        &self,
        request: u32,
        topics: Vec<String>,
        from: Vec<f64>,
        ids: Vec<String>,
        place_topics: Vec<String>,
        place_partitions: Vec<i32>,
        place_offsets: Vec<f64>,
    ) {
        let places = places(place_topics, place_partitions, place_offsets);
        let mut of_topic: HashMap<&str, Vec<TopicPartitionOffset>> = HashMap::new();
        for place in &places {
            of_topic.entry(&place.topic).or_default().push(place.clone());
        }
        let start = |topic: &str, from: f64| match from as i64 {
            logical::END => Start::End,
            logical::BEGIN if topic.starts_with('^') && !places.is_empty() => Start::At(places.clone()),
            logical::BEGIN => of_topic.get(topic).map_or(Start::Beginning, |places| Start::At(places.clone())),
            time => Start::Time(time),
        };
        let reading = |((topic, from), id): ((String, f64), String)| {
            let id = Some(id).filter(|id| !id.is_empty());
            Reading { from: start(&topic, from), topic, id }
        };
        let topics = topics.into_iter().zip(from).zip(ids).map(reading).collect();
        self.consumer.read_with(topics, self.events.reply(request));
    }

    /// Kafka's id of a topic that is read.
    #[napi]
    pub fn topic_id(&self, topic: String) -> Option<String> {
        self.consumer.topic_id(&topic)
    }

    /// Goes on with a rebalance. For 'assign', `offsets` (parallel to its partitions) says where to begin: -1001 = where the
    /// group committed. Late answers are ignored.
    #[napi]
    pub fn rebalanced(&self, rebalance: f64, offsets: Option<Vec<f64>>) {
        let offsets = offsets.map(|offsets| offsets.into_iter().map(|offset| offset as i64).collect());
        self.consumer.rebalanced(rebalance as u64, offsets);
    }

    /// The batch has arrived: another may be told. Once a batch.
    #[napi]
    pub fn started(&self, batch: f64) {
        self.consumer.started(batch as u64);
    }

    /// The run of the batch (its index) needs its bytes no longer. Once a run, also when it is out of date. Never throws.
    #[napi]
    pub fn free(&self, batch: f64, run: u32) {
        self.consumer.free(batch as u64, run as usize);
    }

    /// Replies the partition's new epoch; -1 when it is not assigned. Offsets as for `assign`. `sought`: by the program; otherwise what was
    /// told is wanted again, and rules decide it as before.
    #[napi]
    pub fn seek(&self, request: u32, topic: String, partition: i32, offset: f64, sought: bool) {
        let to = TopicPartitionOffset::new(topic, partition, offset as i64);
        let reply = self.events.reply_with(request, |epoch: Option<i32>| epoch.unwrap_or(-1));
        match sought {
            true => self.consumer.seek_with(to, reply),
            false => self.consumer.read_again_with(to, reply),
        }
    }

    /// Replaces the rule by which messages are told; none: all are. `offsets`: what lies below is processed, and not asked for again but by
    /// the program. Replies {@link NativePlaces}: from where on the new rule decides each partition, -2 = from its begin.
    #[napi]
    pub fn set_rule(
        &self,
        request: u32,
        rule: Option<RuleData>,
        topics: Vec<String>,
        partitions: Vec<i32>,
        offsets: Vec<f64>,
    ) {
        let reply = self.events.reply_with(request, PlacesData::from);
        self.consumer.set_rule_with(rule.map(Rule::from), places(topics, partitions, offsets), reply);
    }

    /// Pauses these partitions, and throws away their prefetched messages. Replies nothing; what is not assigned is left out. Runs that were told before keep their epoch.
    #[napi]
    pub fn pause(&self, request: u32, topics: Vec<String>, partitions: Vec<i32>) {
        let partitions = topics.into_iter().zip(partitions).collect();
        self.consumer.pause_with(partitions, self.events.reply(request));
    }

    /// Goes on at these offsets (the next to be read; -1001 = behind the last message that was told). Replies their new epochs,
    /// -1 for what is not assigned. `sought` as for `seek`, each.
    #[napi]
    pub fn resume(&self, request: u32, topics: Vec<String>, partition: Vec<i32>, offsets: Vec<f64>, sought: Vec<bool>) {
        let reply = self.events.reply_with(request, |epochs: Vec<Option<i32>>| {
            Vec::from_iter(epochs.into_iter().map(|epoch| epoch.unwrap_or(-1)))
        });
        self.consumer.resume_sought_with(places(topics, partition, offsets), &sought, reply);
    }

    /// Commits the next offsets to be read. Replies nothing when the coordinator has them, or the first error. A partition no
    /// longer assigned is committed all the same as far as the coordinator takes it: leave it out.
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
        self.consumer.commit_with(places, self.events.reply(request));
    }

    /// Replies the committed offsets, -1 = none.
    #[napi]
    pub fn committed(&self, request: u32, topics: Vec<String>, partitions: Vec<i32>, timeout_ms: u32) {
        let reply = self.events.reply_with(request, |offsets: Vec<Option<i64>>| {
            Vec::from_iter(offsets.into_iter().map(|offset| offset.unwrap_or(-1) as f64))
        });
        self.consumer.committed_with(topics.into_iter().zip(partitions).collect(), millis(timeout_ms), reply);
    }

    /// Replies the offsets of the first messages that are not older than the times (milliseconds), the end's where there is none.
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
            .reply_with(request, |offsets: Vec<i64>| Vec::from_iter(offsets.into_iter().map(|offset| offset as f64)));
        self.consumer.offsets_for_times_with(places(topics, partitions, timestamps), millis(timeout_ms), reply);
    }

    /// Replies the ends of these: high watermarks, or with `read_committed` the last stable offsets.
    #[napi]
    pub fn ends(&self, request: u32, topics: Vec<String>, partitions: Vec<i32>, read_committed: bool, timeout_ms: u32) {
        let reply = self
            .events
            .reply_with(request, |ends: Vec<i64>| Vec::from_iter(ends.into_iter().map(|offset| offset as f64)));
        let partitions = topics.into_iter().zip(partitions).collect();
        self.consumer.ends_with(partitions, read_committed, millis(timeout_ms), reply);
    }

    /// Replies the numbers of a topic's partitions.
    #[napi]
    pub fn partitions_of(&self, request: u32, topic: String, timeout_ms: u32) {
        self.consumer.partitions_of_with(&topic, millis(timeout_ms), self.events.reply(request));
    }

    /// Replies {@link NativeTopics}: the cluster's.
    #[napi]
    pub fn list_topics(&self, request: u32, timeout_ms: u32) {
        self.consumer.topics_with(millis(timeout_ms), self.events.reply(request));
    }

    /// [low, high] as the last fetch told them, -1001 = not known. Does not ask anybody.
    #[napi(ts_return_type = "[number, number]")]
    pub fn watermarks(&self, topic: String, partition: i32) -> Vec<f64> {
        let (low, high) = self.consumer.watermarks(&topic, partition).unwrap_or((logical::INVALID, logical::INVALID));
        vec![low as f64, high as f64]
    }

    /// Replies the serialised metadata of the group for a transaction, a Buffer (rd_kafka_consumer_group_metadata_write).
    #[napi]
    pub fn group_metadata(&self, request: u32) {
        self.consumer.group_metadata_with(self.events.reply(request));
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

    /// Leaves the group and ends the client. A last Rebalance 'revoke' may come, which wants its answer. Replies nothing; it
    /// takes the time at most, and half a second.
    #[napi]
    pub fn stop(&self, request: u32, timeout_ms: f64) {
        self.consumer.stop_with(millis(timeout_ms), self.events.reply(request));
    }
}

impl Drop for NativeGroup {
    /// Runs in a finalizer: signals only.
    fn drop(&mut self) {
        self.member.signal(lifetime::DEADLINE);
    }
}

impl From<Vec<TopicPartitionOffset>> for PlacesData {
    fn from(places: Vec<TopicPartitionOffset>) -> Self {
        Self {
            partitions: places.iter().map(|at| at.partition).collect(),
            offsets: places.iter().map(|at| at.offset as f64).collect(),
            topics: places.into_iter().map(|at| at.topic).collect(),
        }
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
            events.tell(Batch { batch_id: batch.id(), packed: batch.into_packed() });
        }
        GroupEvent::Rebalance(rebalance) => {
            rebalances.last.store(rebalance.id, Ordering::SeqCst);
            if rebalances.deserted.load(Ordering::SeqCst) {
                let consumer = this.get().and_then(Weak::upgrade);
                return consumer.into_iter().for_each(|consumer| consumer.rebalanced(rebalance.id, None));
            }
            events.tell(crate::events::Rebalance { rebalance: rebalance.into() });
        }
        GroupEvent::Advanced(places) => {
            for (at, offset) in places {
                let (topic_id, partition, epoch) = (at.topic_id, at.partition, at.epoch);
                events.tell(Advanced { topic_id, partition, epoch, offset });
            }
        }
        GroupEvent::End(at, offset) => {
            let (topic_id, partition, epoch) = (at.topic_id, at.partition, at.epoch);
            events.tell(End { topic_id, partition, epoch, offset });
        }
        GroupEvent::OffsetsLost(at, from, to) => {
            let (topic_id, partition) = (at.topic_id, at.partition);
            events.tell(OffsetsLost { topic_id, partition, from, to });
        }
        GroupEvent::Stats(json) => events.tell(Stats { json }),
        GroupEvent::Error(error) => events.error(error),
        GroupEvent::Log(line) => events.log(line),
        GroupEvent::Reached | GroupEvent::Stopped => {}
    }
}
