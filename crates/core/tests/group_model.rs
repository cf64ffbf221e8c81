//! A group on the embedded cluster under random calls, failures and rebalances, beside a reference that knows which offsets
//! may be committed and which must be seen.
//!
//! `SEED=1 STEPS=1000000 cargo test --release -p kafka-native --test group_model` repeats a run, or makes it longer. The work of
//! the threads in between differs from run to run: a seed repeats the calls, and finds a defect again in one of a few runs.

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant, SystemTime};

use kafka_native::{
    Batch, GroupConfig, GroupConsumer, GroupEvent, MockCluster, Producer, ProducerConfig, Rebalance, RebalanceKind,
    Record, Reply, Reset, Result, Rule, Subscription, TopicPartitionOffset,
};
use support::*;

const TOPIC: &str = "t";
const PARTITIONS: i32 = 3;
/// A cluster and its members live for so many steps.
const ROUND: u64 = 2000;
/// So many of them let the group divide its partitions anew, or take the broker away: they take a second, the others
/// milliseconds.
const RARE: u64 = 12;
/// Between two looks at whether everything was seen.
const LOOK: u64 = 500;
/// The key of what rules leave out, in rounds that have some.
const UNWANTED: &[u8] = b"unwanted";
const HERE: i64 = kafka_native::logical::INVALID;

/// xorshift64: the same sequence on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// Facts that are known of one partition.
#[derive(Default)]
struct Partition {
    end: i64,
    /// Offsets that rules leave out.
    unwanted: BTreeSet<i64>,
    seen: BTreeSet<i64>,
    done: BTreeSet<i64>,
    /// Below this everything was sought past on purpose.
    excused: i64,
}

impl Partition {
    fn may_be_left_out(&self, offsets: Range<i64>) -> Option<i64> {
        offsets
            .into_iter()
            .find(|offset| *offset >= self.excused && self.is_wanted(offset) && !self.done.contains(offset))
    }

    fn is_wanted(&self, offset: &i64) -> bool {
        !self.unwanted.contains(offset)
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Held,
    Done,
    Dropped,
}

/// A partition as long as a member has it and nobody seeks it.
#[derive(Default, Debug)]
struct Stay {
    /// The next offset that has to come; none = where the group left it, or the log's end.
    next: Option<i64>,
    /// It was sought to the log's end: what comes first is where that was.
    at_end: bool,
    /// Parts that were received: batch, behind its last offset, state.
    parts: Vec<(u64, i64, State)>,
    /// A rebalance came in between: what belongs to it is not known.
    vague: bool,
}

struct Member {
    name: u64,
    consumer: GroupConsumer,
    events: Receiver<Rebalance>,
    stays: BTreeMap<i32, Stay>,
    held: Vec<Batch>,
    /// How often each partition came or went.
    changes: [u64; PARTITIONS as usize],
    /// Behind the last message that was received of each.
    reached: BTreeMap<i32, i64>,
}

impl Member {
    fn new(cluster: &MockCluster, name: u64, strategy: &str, at_once: usize, rule: Option<Rule>) -> Self {
        let (fetch, wait) = MockCluster::consumer_property();
        let (tx, events) = channel();
        // So few bytes that a batch ends within what was taken, and the rest waits.
        let mut config = GroupConfig::new(&cluster.brokers(), "model")
            .set(fetch, wait)
            .set("partition.assignment.strategy", strategy)
            // The embedded cluster waits for the rest of it when it divides a group anew in which somebody commits.
            .set("session.timeout.ms", 1500)
            .set("heartbeat.interval.ms", 20)
            .set("reconnect.backoff.max.ms", 100)
            .auto_commit(Some(Duration::from_secs(3600)))
            .max_messages(at_once)
            .batches_ahead(2)
            .buffered_max_bytes(40_000);
        if let Some(rule) = rule {
            config = config.rule(rule);
        }
        let consumer = GroupConsumer::with_events(config, move |event| {
            if let GroupEvent::Rebalance(rebalance) = event {
                let _ = tx.send(rebalance);
            }
        })
        .unwrap();
        consumer.subscribe(&[Subscription::new(TOPIC, Reset::Earliest)]).unwrap();
        Self {
            name,
            consumer,
            events,
            stays: BTreeMap::new(),
            held: Vec::new(),
            changes: Default::default(),
            reached: BTreeMap::new(),
        }
    }

    /// Hears of the rebalances so far.
    fn hear(&mut self) {
        while let Ok(rebalance) = self.events.try_recv() {
            for at in rebalance.partitions {
                self.changes[at.partition as usize] += 1;
                match rebalance.kind {
                    RebalanceKind::Assign => drop(self.stays.insert(at.partition, Stay::default())),
                    _ => drop(self.stays.remove(&at.partition)),
                }
            }
        }
    }

    fn settle(&mut self, index: usize, done: bool, partitions: &mut [Partition]) {
        let batch = self.held.swap_remove(index);
        let (id, state) = (batch.id(), if done { State::Done } else { State::Dropped });
        for part in self.stays.values_mut().flat_map(|stay| &mut stay.parts).filter(|part| part.0 == id) {
            part.2 = state;
        }
        if done {
            for message in batch.messages() {
                partitions[message.partition as usize].done.insert(message.offset);
            }
            batch.done();
        }
    }
}

struct Model {
    seed: u64,
    random: Random,
    cluster: MockCluster,
    producer: Producer,
    members: Vec<Member>,
    names: u64,
    strategy: &'static str,
    /// How many messages a member takes at once.
    at_once: usize,
    /// Members have a rule.
    ruled: bool,
    partitions: Vec<Partition>,
    step: u64,
    rare: u64,
    trace: Vec<String>,
}

fn answered<T: Send + 'static>(call: impl FnOnce(Reply<T>)) -> Result<T> {
    let (tx, rx) = channel();
    call(Reply::new(move |answer| drop(tx.send(answer))));
    rx.recv_timeout(LONG).expect("an answer")
}

impl Model {
    fn new(seed: u64) -> Self {
        let cluster = embedded(TOPIC, PARTITIONS);
        let producer = Producer::new(ProducerConfig::new(&cluster.brokers()).set("linger.ms", 0)).unwrap();
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let strategy = random.of(&["range", "cooperative-sticky"]);
        let at_once = random.of(&[20, 300]);
        let ruled = random.below(2) == 0;
        let mut model = Self {
            seed,
            random,
            cluster,
            producer,
            members: Vec::new(),
            names: 0,
            strategy,
            at_once,
            ruled,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            step: 0,
            rare: 0,
            trace: Vec::new(),
        };
        model.join();
        model
    }

    fn fail(&self, what: String) -> ! {
        let steps = self.trace.iter().rev().take(120).rev().cloned().collect::<Vec<_>>().join("\n");
        panic!("{what}\nSEED={} step {} ({}); the steps before:\n{steps}", self.seed, self.step, self.strategy);
    }

    fn note(&mut self, what: String) {
        self.trace.push(format!("{:5} {what}", self.step));
    }

    fn join(&mut self) {
        self.names += 1;
        self.note(format!("member {} joins", self.names));
        let rule = self.ruled.then(|| self.rule());
        self.members.push(Member::new(&self.cluster, self.names, self.strategy, self.at_once, rule));
    }

    /// Leaves out what is not wanted, said in one way or another.
    fn rule(&mut self) -> Rule {
        match self.random.below(3) {
            0 => Rule::key([Some(UNWANTED)]).negated(),
            1 => Rule::key::<&[u8]>([None]),
            _ => Rule::all([Rule::header_absent("none"), Rule::key([None, Some(&b"other"[..])])]),
        }
    }

    /// Another rule that leaves out the same.
    fn replace_rule(&mut self, member: usize) {
        let rule = self.rule();
        let from = self.members[member].consumer.set_rule(Some(rule)).unwrap();
        let places: Vec<_> = from.iter().map(|at| format!("{}:{}", at.partition, at.offset)).collect();
        self.note(format!("member {} has another rule from {}", self.members[member].name, places.join(" ")));
        if let Some(at) = from.iter().find(|at| at.offset > self.partitions[at.partition as usize].end) {
            self.fail(format!("a rule begins behind the end: {at:?}"));
        }
    }

    fn produce(&mut self) {
        let (partition, count) = (self.random.below(PARTITIONS as u64) as i32, 1 + self.random.below(30) as usize);
        let value = vec![b'x'; self.random.below(600) as usize];
        // All, none, or by turns.
        let unwanted = if self.ruled { self.random.below(4) } else { 0 };
        let is_unwanted = |i: usize| match unwanted {
            1 => true,
            2 => i.is_multiple_of(2),
            3 => i % 7 != 3,
            _ => false,
        };
        self.write(partition, &value, &(0..count).map(is_unwanted).collect::<Vec<_>>());
    }

    /// One message for each of `unwanted`.
    fn write(&mut self, partition: i32, value: &[u8], unwanted: &[bool]) {
        let record =
            |unwanted: &bool| if *unwanted { Record::value(value).key(UNWANTED) } else { Record::value(value) };
        let records: Vec<_> = unwanted.iter().map(record).collect();
        let sent = answered(|reply| self.producer.deliver(TOPIC, partition, &records, reply));
        let at = &mut self.partitions[partition as usize];
        at.unwanted.extend((at.end..).zip(unwanted).filter(|(_, unwanted)| **unwanted).map(|(offset, _)| offset));
        at.end += records.len() as i64;
        let end = at.end;
        let last = sent.unwrap().into_iter().map(|one| one.unwrap().offset).max();
        assert_eq!(last, Some(end - 1));
        self.note(format!("produce {partition} up to {end}"));
    }

    /// Receives a batch, if one comes in time, and judges it.
    fn receive(&mut self, member: usize, wait: Duration) -> bool {
        self.members[member].hear();
        let before = self.members[member].changes;
        let had: BTreeSet<i32> = self.members[member].stays.keys().copied().collect();
        let Some(batch) = self.members[member].consumer.recv(wait) else { return false };
        self.members[member].hear();
        let mut runs: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        batch.messages().for_each(|message| runs.entry(message.partition).or_default().push(message.offset));
        let ranges: Vec<_> =
            runs.iter().map(|(p, offsets)| format!("{p}:{}-{}", offsets[0], offsets[offsets.len() - 1])).collect();
        self.note(format!("member {} receives {} {}", self.members[member].name, batch.id(), ranges.join(" ")));
        let mut wrong = None;
        for (partition, offsets) in runs {
            let at = &mut self.partitions[partition as usize];
            at.seen.extend(&offsets);
            let subject = &mut self.members[member];
            let reached = subject.reached.entry(partition).or_default();
            *reached = (*reached).max(offsets[offsets.len() - 1] + 1);
            let Some(stay) = subject.stays.get_mut(&partition) else { continue };
            // Messages that came while the partition went, or came back, may be of before or of now.
            let changes = subject.changes[partition as usize] - before[partition as usize];
            stay.vague |= changes > u64::from(!had.contains(&partition));
            if stay.at_end {
                (stay.at_end, at.excused) = (false, at.excused.max(offsets[0]));
            }
            if stay.vague {
                continue;
            }
            for offset in &offsets {
                let left_out = match stay.next {
                    Some(next) => (next..*offset).find(|offset| at.is_wanted(offset)),
                    None => at.may_be_left_out(0..*offset),
                };
                wrong = wrong.or(left_out.map(|first| (partition, first, *offset)));
                wrong = wrong.or((!at.is_wanted(offset)).then_some((partition, *offset, *offset)));
                stay.next = Some(offset + 1);
            }
            stay.parts.push((batch.id(), offsets[offsets.len() - 1] + 1, State::Held));
        }
        self.members[member].held.push(batch);
        if let Some((partition, first, offset)) = wrong {
            self.fail(format!("partition {partition} goes on at {offset}: {first} was left out"));
        }
        true
    }

    /// A committed offset was done, or sought past.
    fn judge_committed(&mut self, member: usize) -> BTreeMap<i32, i64> {
        let names: Vec<_> = (0..PARTITIONS).map(|partition| (TOPIC.to_owned(), partition)).collect();
        let Ok(found) = self.members[member].consumer.committed(&names, LONG) else { return BTreeMap::new() };
        let mut committed = BTreeMap::new();
        for (partition, offset) in found.into_iter().enumerate() {
            let offset = offset.unwrap_or(0);
            if let Some(undone) = self.partitions[partition].may_be_left_out(0..offset) {
                self.fail(format!("partition {partition} is committed up to {offset}, and {undone} was not done"));
            }
            committed.insert(partition as i32, offset);
        }
        committed
    }

    /// After a commit that succeeded everything that is done, as far as everything before it is, is committed.
    fn commit_done(&mut self, member: usize) {
        self.members[member].hear();
        let before = self.members[member].changes;
        let mut tries = 0;
        while let Err(error) = self.members[member].consumer.commit_done() {
            self.note(format!("member {} could not commit: {error}", self.members[member].name));
            tries += 1;
            if tries == 5 {
                return;
            }
        }
        self.note(format!("member {} has committed", self.members[member].name));
        let committed = self.judge_committed(member);
        let subject = &mut self.members[member];
        subject.hear();
        if subject.changes != before || committed.is_empty() {
            return;
        }
        let mut short = None;
        for (partition, stay) in subject.stays.iter().filter(|(_, stay)| !stay.vague) {
            let done = stay.parts.iter().take_while(|part| part.2 == State::Done).last();
            if let Some((_, next, _)) = done.filter(|(_, next, _)| committed[partition] < *next) {
                short = Some((*partition, *next, committed[partition]));
            }
        }
        if let Some((partition, next, committed)) = short {
            self.fail(format!("partition {partition} is done up to {next}, and committed up to {committed} only"));
        }
    }

    fn pause_or_resume(&mut self, member: usize, pause: bool) {
        let all = self.random.below(2) == 0;
        let one = self.random.below(PARTITIONS as u64) as i32;
        let which: Vec<i32> = (0..PARTITIONS).filter(|partition| all || *partition == one).collect();
        let consumer = &self.members[member].consumer;
        let name = self.members[member].name;
        if pause {
            let names = which.iter().map(|partition| (TOPIC.to_owned(), *partition)).collect();
            answered(|reply| consumer.pause_with(names, reply)).unwrap();
            return self.note(format!("member {name} pauses {which:?}"));
        }
        let places = which.iter().map(|partition| TopicPartitionOffset::new(TOPIC, *partition, HERE)).collect();
        answered(|reply| consumer.resume_with(places, reply)).unwrap();
        self.note(format!("member {name} resumes {which:?}"));
    }

    fn seek(&mut self, member: usize) {
        self.members[member].hear();
        let partition = self.random.below(PARTITIONS as u64) as i32;
        let end = self.partitions[partition as usize].end as u64;
        // Most go back: what is sought past need not be seen, and says nothing.
        let undone =
            (0..).find(|offset| !self.partitions[partition as usize].done.contains(offset)).unwrap_or(0) as u64;
        let to = match self.random.below(20) {
            // With a rule nothing need come that says where the end was.
            0 if !self.ruled => -1,
            0..=2 => -2,
            3 => self.random.below(end + 1) as i64,
            _ => self.random.below(undone.min(end) + 1) as i64,
        };
        let before = self.members[member].changes[partition as usize];
        let place = TopicPartitionOffset::new(TOPIC, partition, to);
        // Half of them as a resume.
        let consumer = &self.members[member].consumer;
        let epoch = match self.random.below(2) {
            0 => answered(|reply| consumer.seek_with(place, reply)).unwrap(),
            _ => answered(|reply| consumer.resume_with(vec![place], reply)).unwrap()[0],
        };
        self.note(format!("member {} seeks {partition} to {to}: {epoch:?}", self.members[member].name));
        let at = &mut self.partitions[partition as usize];
        at.excused = at.excused.max(to);
        let subject = &mut self.members[member];
        subject.hear();
        let vague = subject.changes[partition as usize] != before;
        if let Some(stay) = subject.stays.get_mut(&partition).filter(|_| epoch.is_some() || vague) {
            let next = if to == -1 { None } else { Some(to.max(0)) };
            *stay = Stay { next, at_end: to == -1, parts: Vec::new(), vague };
        }
    }

    fn step(&mut self) {
        let member = self.random.below(self.members.len() as u64) as usize;
        match self.random.below(1000) {
            0..=149 => self.produce(),
            150..=499 => {
                self.receive(member, Duration::from_millis(3));
            }
            500..=699 => {
                let held = self.members[member].held.len() as u64;
                if held > 0 {
                    let index = self.random.below(held) as usize;
                    self.note(format!(
                        "member {} is done with {}",
                        self.members[member].name,
                        self.members[member].held[index].id()
                    ));
                    self.members[member].settle(index, true, &mut self.partitions);
                }
            }
            700..=704 => {
                let held = self.members[member].held.len() as u64;
                if held > 0 {
                    let index = self.random.below(held) as usize;
                    self.note(format!(
                        "member {} drops {}",
                        self.members[member].name,
                        self.members[member].held[index].id()
                    ));
                    self.members[member].settle(index, false, &mut self.partitions);
                }
            }
            705..=769 => self.pause_or_resume(member, true),
            770..=879 => self.pause_or_resume(member, false),
            880..=909 => self.seek(member),
            910..=949 => self.commit_done(member),
            950..=954 if self.ruled => self.replace_rule(member),
            950..=974 => {
                // TOPIC_AUTHORIZATION_FAILED, REBALANCE_IN_PROGRESS, NOT_LEADER_OR_FOLLOWER. After others librdkafka lets seconds pass.
                let (request, code) = self.random.of(&[(8, 29), (8, 29), (8, 27), (1, 6)]);
                self.note(format!("request {request} will fail with {code}"));
                self.cluster.push_errors(request, &[code]);
            }
            _ if self.rare <= self.step * RARE / ROUND => {
                self.rare += 1;
                self.rare_step(member);
            }
            _ => self.produce(),
        }
    }

    fn rare_step(&mut self, member: usize) {
        match self.random.below(10) {
            0 => {
                self.note("the broker goes and comes back".into());
                self.cluster.broker_down(1).unwrap();
                self.receive(member, Duration::from_millis(1));
                self.cluster.broker_up(1).unwrap();
            }
            1..=3 => {
                self.note("the members join again".into());
                self.cluster.push_errors(12, &[27]); // a heartbeat hears REBALANCE_IN_PROGRESS
            }
            4..=6 if self.members.len() < 3 => self.join(),
            _ if self.members.len() > 1 => {
                let member = self.members.swap_remove(member);
                self.note(format!("member {} goes", member.name));
                match self.random.below(2) {
                    0 => member.consumer.stop(LONG).unwrap(),
                    _ => drop(member),
                }
            }
            _ => self.join(),
        }
    }

    fn missing(&self) -> Option<(usize, i64)> {
        self.partitions.iter().enumerate().find_map(|(partition, at)| {
            let missing = (at.excused..at.end).find(|offset| at.is_wanted(offset) && !at.seen.contains(offset));
            missing.map(|offset| (partition, offset))
        })
    }

    /// Everything that was written is seen by somebody, unless it was sought past.
    fn look(&mut self) {
        let mut deadline = Instant::now() + LONG;
        let mut member = 0;
        for member in 0..self.members.len() {
            let places = (0..PARTITIONS).map(|partition| TopicPartitionOffset::new(TOPIC, partition, HERE)).collect();
            answered(|reply| self.members[member].consumer.resume_with(places, reply)).unwrap();
        }
        self.note("everybody resumes everything".into());
        while let Some((partition, offset)) = self.missing() {
            member = (member + 1) % self.members.len();
            while !self.members[member].held.is_empty() {
                self.members[member].settle(0, true, &mut self.partitions);
            }
            // A partition that comes is not paused.
            if self.receive(member, Duration::from_millis(20)) {
                deadline = Instant::now() + LONG;
            } else if Instant::now() > deadline {
                self.fail(format!("partition {partition}: {offset} was never seen"));
            }
            // Only the next message says where the end was that a partition was sought to.
            let at_end = |member: &Member| member.stays.get(&(partition as i32)).is_some_and(|stay| stay.at_end);
            if self.members.iter().any(at_end) {
                self.write(partition as i32, b"x", &[false]);
            }
        }
    }

    fn run(mut self, steps: u64) {
        for step in 1..=steps {
            self.step = step;
            self.step();
            if step % LOOK == 0 || step == steps {
                self.look();
                self.judge_committed(0);
            }
        }
        // The member that comes next goes on where it may.
        self.members.clear();
        self.join();
        self.judge_committed(0);
        let end = |at: &Partition| (0..at.end).rev().find(|offset| at.is_wanted(offset)).map_or(0, |last| last + 1);
        let ends: HashMap<i32, i64> = (0..PARTITIONS).map(|p| (p, end(&self.partitions[p as usize]))).collect();
        let committed = self.judge_committed(0);
        let deadline = Instant::now() + LONG;
        loop {
            let behind =
                |(partition, at): (&i32, &i64)| self.members[0].reached.get(partition).unwrap_or(at) < &ends[partition];
            if !committed.iter().any(behind) {
                break;
            }
            self.receive(0, Duration::from_millis(20));
            while !self.members[0].held.is_empty() {
                self.members[0].settle(0, true, &mut self.partitions);
            }
            if Instant::now() > deadline {
                let reached = &self.members[0].reached;
                self.fail(format!("the next member reaches {reached:?} from {committed:?}, and not {ends:?}"));
            }
        }
    }
}

#[test]
fn whatever_happens_nothing_is_skipped_and_nothing_is_committed_that_was_not_done() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("SEED").unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 % 1_000_000_007
    });
    let steps = number("STEPS").unwrap_or(2000);
    println!("SEED={seed} STEPS={steps}");
    let begin = Instant::now();
    for round in 0..steps.div_ceil(ROUND) {
        Model::new(seed + round).run(ROUND.min(steps - round * ROUND));
    }
    println!("{steps} steps in {:?}", begin.elapsed());
}
