//! Reading without a group: all partitions of topics, those that are made later, too. The cluster is asked on the helper thread; all
//! else is on the client's.

use std::collections::HashSet;

use super::*;
use crate::ffi::Pattern;
use crate::group::subscriptions::first_for;
use crate::offsets::Identity;
use crate::requests::{DescribeTopics, TopicDescription};

/// How long a question may take.
const QUESTION: Duration = Duration::from_secs(5);
/// The pause before the cluster is asked again where reading begins, which it could not say.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How long brokers must say that there is no such topic before that is believed, and the pause before they are asked again meanwhile.
const MISSING: Duration = Duration::from_secs(2);
const ASK_OF_MISSING: Duration = Duration::from_millis(500);
/// How long where reading begins may take to be on disk.
const WRITE: Duration = Duration::from_secs(10);

/// Topics that are read, and what is known of them.
#[derive(Default)]
pub(in crate::group) struct Reader {
    wanted: Arc<[Wanted]>,
    known: HashMap<String, Known>,
    /// Rises with every change of what is read: an answer to an older question is out of date.
    generation: u64,
    looking: bool,
    pub(super) look_at: Option<Instant>,
    /// It was told that the cluster cannot say where reading begins.
    said: bool,
    /// Those who want to know that it is settled where all begins.
    waiting: Vec<Reply<()>>,
    /// The same, of those who came when the cluster was being asked: they want what it says now.
    behind: Vec<Reply<()>>,
}

impl Reader {
    /// Brings the next look forward.
    pub(super) fn look_soon(&mut self) {
        self.look_at = self.look_at.map(|_| Instant::now());
    }

    fn is_settled(&self) -> bool {
        self.wanted.iter().all(|wanted| wanted.settled)
    }
}

/// A name or a pattern.
#[derive(Clone)]
struct Wanted {
    reading: Reading,
    /// Partitions that it began with have their places: what is found later is new, and begins with its first message.
    settled: bool,
}

/// A topic as it is read. A broker can be behind what another has said.
#[derive(Debug, Clone)]
struct Known {
    /// Empty once it was deleted: of what comes under its name no file knows.
    id: String,
    partitions: i32,
    /// The ids of topics of that name before it.
    past: Vec<String>,
    /// Since when brokers say that there is none.
    missing: Option<Instant>,
}

/// The cluster's answer.
pub(in crate::group) struct Found {
    known: HashMap<String, Known>,
    /// Topics that are read and are there no more, or are others of the same name.
    gone: HashSet<String>,
    come: Vec<TopicPartitionOffset>,
    new: New,
}

/// Entries that the offset files do not know yet.
#[derive(Default)]
struct New {
    /// Where reading begins.
    places: Vec<TopicPartitionOffset>,
    /// Of which topics the files are, from then on.
    identities: Vec<(String, Identity)>,
}

impl New {
    fn is_empty(&self) -> bool {
        self.places.is_empty() && self.identities.is_empty()
    }

    /// Blocks. In this order, so that no file of an older topic is ever taken for one of this.
    fn write(self, files: &Files) -> Result<()> {
        files.begin(self.places, WRITE)?;
        files.write_identities(&self.identities)
    }
}

impl Driver {
    /// Replaces what is read; what was read before and is wanted still goes on where it is.
    pub(super) fn read(&mut self, topics: Vec<Reading>, reply: Reply<()>) {
        if self.limits.in_group {
            return reply.send(Err(Error::config("reading is for a consumer without a group: a member subscribes")));
        }
        if let Err(error) = topics.iter().try_for_each(|reading| check_wanted(&reading.topic)) {
            return reply.send(Err(error));
        }
        let before = std::mem::take(&mut self.reading.wanted);
        if !before.is_empty()
            && before.iter().map(|wanted| &wanted.reading.topic).eq(topics.iter().map(|reading| &reading.topic))
        {
            self.reading.wanted = before;
            return self.look_now(reply);
        }
        let settled = |topic: &str| before.iter().any(|wanted| wanted.settled && wanted.reading.topic == topic);
        let wanted = topics.into_iter().map(|reading| Wanted { settled: settled(&reading.topic), reading });
        self.reading.wanted = wanted.collect();
        self.reading.generation += 1;
        self.reading.waiting.push(reply);
        self.reading.looking = false;
        self.look();
    }

    /// Looks at once; answers when what is found is assigned.
    pub(super) fn look_now(&mut self, reply: Reply<()>) {
        if self.reading.wanted.is_empty() {
            return reply.send(Ok(()));
        }
        match self.reading.looking {
            true => self.reading.behind.push(reply),
            false => {
                self.reading.waiting.push(reply);
                self.look();
            }
        }
    }

    /// Nothing is read any more but what is assigned otherwise.
    pub(super) fn end_reading(&mut self) {
        let generation = self.reading.generation + 1;
        let ended = std::mem::replace(&mut self.reading, Reader { generation, ..Reader::default() });
        for reply in ended.waiting.into_iter().chain(ended.behind) {
            reply.send(Err(Error::state("the consumer was given another assignment before reading had begun")));
        }
    }

    /// Asks the cluster what there is.
    pub(super) fn look(&mut self) {
        self.reading.look_at = None;
        if self.reading.looking {
            return;
        }
        let Reader { wanted, known, generation, .. } = &self.reading;
        let (wanted, known, generation) = (wanted.clone(), known.clone(), *generation);
        let (files, shared) = (self.files.clone(), self.shared.clone());
        self.reading.looking = self.help(move |client| Command::Found {
            generation,
            found: Wants::new(&wanted).and_then(|wants| {
                let there = describe(client, &shared, &wants)?;
                look(client, there, &wants, known, files.as_deref())
            }),
        });
    }

    pub(super) fn found(&mut self, generation: u64, found: Result<Found>) {
        if generation != self.reading.generation {
            return;
        }
        match found.and_then(|found| self.take_up(found)) {
            Ok(new) => match self.files.clone().filter(|_| !new.is_empty()) {
                None => self.begun(generation, Ok(())),
                Some(files) => {
                    self.help(move |_| Command::Begun { generation, recorded: new.write(&files) });
                }
            },
            Err(error) => self.begun(generation, Err(error)),
        }
    }

    pub(super) fn begun(&mut self, generation: u64, recorded: Result<()>) {
        if generation != self.reading.generation {
            return recorded.unwrap_or_else(|error| self.tell(error));
        }
        match recorded {
            Ok(()) => self.settle(),
            Err(error) => self.not_begun(error),
        }
        let behind = std::mem::take(&mut self.reading.behind);
        if !behind.is_empty() {
            self.reading.waiting.extend(behind);
            self.look();
        }
    }

    fn settle(&mut self) {
        self.reading.looking = false;
        if !self.reading.is_settled() {
            let settled = self.reading.wanted.iter().map(|wanted| Wanted { settled: true, ..wanted.clone() });
            self.reading.wanted = settled.collect();
        }
        self.reading.said = false;
        self.reading.waiting.drain(..).for_each(|reply| reply.send(Ok(())));
        let missing = self.reading.known.values().any(|known| known.missing.is_some());
        let pause = if missing { ASK_OF_MISSING.min(self.limits.look) } else { self.limits.look };
        self.reading.look_at = Some(Instant::now() + pause);
    }

    fn not_begun(&mut self, error: Error) {
        self.reading.looking = false;
        if self.reading.is_settled() {
            self.reading.look_at = Some(Instant::now() + self.limits.look);
            if !code::is_retriable(error.code) {
                self.tell(error.clone()); // no right to it any more
            } else if self.reading.waiting.is_empty() {
                self.log(LogLine::warning(format!("topics could not be looked up, it is tried again: {error}")));
            }
            self.reading.waiting.drain(..).for_each(|reply| reply.send(Err(error.clone())));
        } else if code::is_retriable(error.code) || error.code == code::UNKNOWN_PARTITION {
            if !std::mem::replace(&mut self.reading.said, true) {
                self.log(LogLine::warning(format!(
                    "where reading begins is not known yet, it is asked again: {error}"
                )));
            }
            self.reading.look_at = Some(Instant::now() + TRY_AGAIN);
        } else {
            self.reading.waiting.drain(..).for_each(|reply| reply.send(Err(error.clone())));
            // Topics that are read already are looked after.
            self.reading.look_at = (!self.reading.known.is_empty()).then(|| Instant::now() + self.limits.look);
        }
    }

    /// Returns what the files do not know yet.
    fn take_up(&mut self, found: Found) -> Result<New> {
        let Found { known, gone, come, new } = found;
        if !gone.is_empty() || !come.is_empty() {
            // Before the receiver hears of it.
            *self.shared.topic_ids.lock() =
                known.iter().map(|(name, known)| (name.clone(), known.id.clone())).collect();
        }
        let keys = self.assignment.keys().into_iter();
        let going = keys.filter(|key| gone.contains(&**self.assignment.name(key.0)));
        let going: Vec<_> =
            going.collect::<Vec<_>>().into_iter().map(|key| (key, self.assignment.new_epoch())).collect();
        if !going.is_empty() {
            self.tell_rebalance(0, RebalanceKind::Lost, &going);
            let list = self.assignment.list(going.iter().map(|(key, _)| (*key, logical::INVALID)))?;
            self.client.incremental_unassign(&list)?;
            self.forget(&going);
        }
        for name in &gone {
            let what = match known.get(name) {
                Some(known) if known.id.is_empty() => {
                    "was deleted: it is read from its first message when it is made again"
                }
                Some(_) => "was deleted and made anew: it is read from its first message",
                None => continue, // not wanted any more
            };
            self.log(LogLine::warning(format!("topic '{name}' {what}")));
        }
        let mut coming = Vec::new();
        for at in &come {
            let key = (self.assignment.topic(&at.topic), at.partition);
            let epoch = self.assignment.new_epoch();
            coming.push(self.coming(key, epoch, at.offset)?);
        }
        if !coming.is_empty() {
            self.assignment.add(&coming, self.handover.next_batch, Client::incremental_assign)?;
            let placed = coming.iter().filter(|come| come.offset >= 0);
            let placed = placed.map(|come| (self.named(come.key, come.epoch), come.offset)).collect();
            let coming: Vec<_> = coming.into_iter().map(|come| (come.key, come.epoch)).collect();
            self.tell_rebalance(0, RebalanceKind::Assign, &coming);
            (self.sink)(GroupEvent::Advanced(placed));
            self.publish();
            self.move_on();
        }
        self.reading.known = known;
        Ok(new)
    }
}

fn check_wanted(topic: &str) -> Result<()> {
    match Pattern::of(topic)? {
        Some(_) => Ok(()),
        None => crate::lookup::check_topic(topic),
    }
}

/// The wanted topics, their patterns compiled once a look.
struct Wants<'a>(Vec<(&'a Wanted, Option<Pattern>)>);

impl<'a> Wants<'a> {
    fn new(wanted: &'a [Wanted]) -> Result<Self> {
        let compiled = wanted.iter().map(|wanted| Ok((wanted, Pattern::of(&wanted.reading.topic)?)));
        compiled.collect::<Result<_>>().map(Self)
    }

    /// The name or pattern that says where a topic begins.
    fn first_for(&self, topic: &str) -> Option<&'a Wanted> {
        first_for(topic, &self.0, |(wanted, pattern)| (&wanted.reading.topic, pattern.as_ref()))
            .map(|(wanted, _)| *wanted)
    }
}

/// Blocks.
fn look(
    client: &Arc<Client>,
    there: HashMap<String, Known>,
    wants: &Wants<'_>,
    before: HashMap<String, Known>,
    files: Option<&Files>,
) -> Result<Found> {
    let now = Instant::now();
    let known = known_now(there, &before, wants, now);
    let is_gone = |name: &String, old: &Known| known.get(name).is_none_or(|known| known.id != old.id);
    let gone = before.iter().filter(|(name, old)| is_gone(name, old)).map(|(name, _)| name.clone());
    let mut gone: HashSet<String> = gone.collect();
    let mut anew = HashSet::new();
    let mut come: Vec<TopicPartitionOffset> = Vec::new();
    for (name, known) in &known {
        let old = before.get(name);
        let same = old.filter(|old| old.id == known.id);
        // When a topic was made anew, offsets of a file or of an earlier reader are of the old topic.
        let is_anew = match old {
            Some(_) => same.is_none(),
            None => {
                wants.first_for(name).and_then(|wanted| wanted.reading.id.as_ref()).is_some_and(|id| *id != known.id)
            }
        };
        if is_anew {
            anew.insert(name.clone());
        }
        let offset = if is_anew { logical::BEGIN } else { logical::INVALID };
        let first = same.map_or(0, |same| same.partitions);
        come.extend((first..known.partitions).map(|partition| TopicPartitionOffset::new(name, partition, offset)));
    }
    come.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    let mut new = New::default();
    if let Some(files) = files {
        files.open(&mut come, logical::INVALID)?;
        new.identities = mark_changed(files, &known, &mut come, &mut anew)?;
    }
    // All but those whose file says an offset that counts.
    let are_new: Vec<_> = come.iter().map(|at| at.offset < 0).collect();
    let mut times = HashMap::new();
    for (i, at) in come.iter_mut().enumerate().filter(|(_, at)| at.offset == logical::INVALID) {
        let from = wants.first_for(&at.topic).filter(|wanted| !wanted.settled && !before.contains_key(&at.topic));
        at.offset = match from.map_or(&Start::Beginning, |wanted| &wanted.reading.from) {
            Start::Beginning => logical::BEGIN,
            Start::End => logical::END,
            Start::At(places) => {
                let place = places.iter().find(|place| place.topic == at.topic && place.partition == at.partition);
                place.map_or(logical::BEGIN, |place| place.offset)
            }
            Start::Time(ms) => {
                times.insert(i, *ms);
                logical::END
            }
        };
    }
    // The ends first: where no message has the time yet, it begins with what came since they were asked for.
    ask_for(client, come.iter_mut().filter(|at| at.offset == logical::END).map(|at| (at, logical::END)).collect())?;
    let timed = come.iter_mut().enumerate().filter_map(|(i, at)| times.get(&i).map(|ms| (at, *ms)));
    ask_for(client, timed.collect())?;
    new.places = come.iter().zip(are_new).filter(|(_, new)| *new).map(|(at, _)| at.clone()).collect();
    gone.extend(anew);
    Ok(Found { known, gone, come, new })
}

/// Marks, by the files' identities, what changed while nobody read: a topic that was made anew, and partitions that were added, begin with
/// their first message, whatever a file of that name says. Returns the identities that are to be written.
fn mark_changed(
    files: &Files,
    known: &HashMap<String, Known>,
    come: &mut [TopicPartitionOffset],
    anew: &mut HashSet<String>,
) -> Result<Vec<(String, Identity)>> {
    let mut identities = Vec::new();
    for places in come.chunk_by_mut(|a, b| a.topic == b.topic) {
        let topic = places[0].topic.clone();
        let Known { id, partitions, .. } = &known[&topic];
        // The files of this topic are those of the partitions below.
        let own = match files.identity(&topic)? {
            None => *partitions,
            Some(before) if before.id != *id => {
                anew.insert(topic.clone());
                0
            }
            Some(before) if before.partitions >= *partitions => continue,
            Some(before) => before.partitions,
        };
        places.iter_mut().filter(|at| at.partition >= own).for_each(|at| at.offset = logical::BEGIN);
        identities.push((topic, Identity { id: id.clone(), partitions: *partitions }));
    }
    Ok(identities)
}

/// Topics that are known behind an answer, which can be older than what is known.
fn known_now(
    mut there: HashMap<String, Known>,
    before: &HashMap<String, Known>,
    wants: &Wants<'_>,
    now: Instant,
) -> HashMap<String, Known> {
    for (name, old) in before.iter().filter(|(name, _)| wants.first_for(name).is_some()) {
        let known = match there.get(name) {
            Some(found) if found.id == old.id => {
                Known { partitions: found.partitions.max(old.partitions), missing: None, ..old.clone() }
            }
            Some(found) if !old.id.is_empty() && old.past.contains(&found.id) => old.clone(),
            Some(found) => {
                let past = old.past.iter().chain([&old.id]).cloned().collect();
                Known { past, ..found.clone() }
            }
            None if old.id.is_empty() => old.clone(),
            None => {
                let since = old.missing.unwrap_or(now);
                match now - since >= MISSING {
                    true => Known { id: String::new(), partitions: 0, missing: None, past: Vec::new() },
                    false => Known { missing: Some(since), ..old.clone() },
                }
            }
        };
        there.insert(name.clone(), known);
    }
    there
}

/// The topics that there are: those named, and those that a pattern matches and that are not Kafka's own.
fn describe(client: &Arc<Client>, shared: &Shared, wants: &Wants<'_>) -> Result<HashMap<String, Known>> {
    let (patterns, names): (Vec<_>, Vec<_>) = wants.0.iter().partition(|(_, pattern)| pattern.is_some());
    let names: Vec<&String> = names.iter().map(|(wanted, _)| &wanted.reading.topic).collect();
    let mut wanted: Vec<String> = names.iter().map(|name| (*name).clone()).collect();
    if !patterns.is_empty() {
        let all = client.topics(QUESTION)?.into_iter().map(|(name, _)| name);
        wanted.extend(all.filter(|name| !names.contains(&name) && wants.first_for(name).is_some()));
    }
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let mut there = HashMap::new();
    let request = DescribeTopics { topics: wanted };
    let described = match shared.questions.open() {
        true => shared.questions.ask(request, QUESTION)?,
        false => client.ask(&request, QUESTION)?,
    };
    for topic in described {
        match topic.result {
            Ok(TopicDescription { internal: true, .. }) if !names.contains(&&topic.name) => {}
            Ok(TopicDescription { id, partitions, .. }) => {
                let known = Known { id, partitions: partitions.len() as i32, past: Vec::new(), missing: None };
                there.insert(topic.name, known);
            }
            Err(error) if error.code == code::UNKNOWN_TOPIC_OR_PART => {}
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

/// Puts each where its log has a time, if it has, or where it ends now.
fn ask_for(client: &Arc<Client>, places: Vec<(&mut TopicPartitionOffset, i64)>) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let list = ffi::Partitions::list(places.iter().map(|(at, time)| (&*at.topic, at.partition, *time)))?;
    let found = client.offsets_for_times(&list, QUESTION)?;
    let found = places.into_iter().zip(found).filter(|(_, found)| found.offset >= 0);
    found.for_each(|((at, _), found)| at.offset = found.offset);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(list: &[(&str, i32)]) -> HashMap<String, Known> {
        let known = |id: &str, partitions| Known { id: id.into(), partitions, past: Vec::new(), missing: None };
        list.iter().map(|(id, partitions)| (id[..1].to_owned(), known(id, *partitions))).collect()
    }

    #[test]
    fn a_broker_that_is_behind_takes_nothing_back() {
        let wanted = [Wanted { reading: Reading::new("t", Start::End), settled: true }];
        let wants = Wants::new(&wanted).unwrap();
        let start = Instant::now();
        let mut known = topics(&[("t1", 3)]);
        let mut say = |answer: &[(&str, i32)], after: Duration| {
            known = known_now(topics(answer), &known, &wants, start + after);
            known.get("t").map(|known| (known.id.clone(), known.partitions))
        };
        let (none, later) = (Duration::ZERO, MISSING);
        let is = |id: &str, partitions| Some((id.to_owned(), partitions));
        assert_eq!(say(&[("t1", 2)], none), is("t1", 3), "partitions are never fewer");
        assert_eq!(say(&[], none), is("t1", 3), "one that does not know the topic yet");
        assert_eq!(say(&[("t1", 3)], later), is("t1", 3));
        assert_eq!(say(&[], later), is("t1", 3), "it is missing since now");
        assert_eq!(say(&[("t2", 1)], later), is("t2", 1), "made anew");
        assert_eq!(say(&[("t1", 3)], later), is("t2", 1), "the old one comes no more");
        assert_eq!(say(&[], later), is("t2", 1));
        assert_eq!(say(&[], later * 2), is("", 0), "deleted");
        assert_eq!(say(&[], later * 4), is("", 0));
        assert_eq!(say(&[("t3", 1)], later * 4), is("t3", 1), "made again");
        let unwanted = known_now(topics(&[]), &topics(&[("t1", 3)]), &Wants(Vec::new()), start);
        assert!(unwanted.is_empty());
    }
}
