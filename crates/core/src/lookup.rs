//! Finding the cluster, and out what partitions a topic has: on the helper thread, again and again while it can heal.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::code;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{Client, PartitionMetadata};
use crate::helper::{deadline, Closing, Helper, Retry};
use crate::reply::{closed, Reply};
use crate::requests::CreateTopics;
use crate::trouble::{Guarded, Troubles};

/// The times that one question to the cluster is given; a client that closes waits for the one under way.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(3);

/// Kafka's own limit for a topic's name.
const LONGEST_TOPIC: usize = 249;

/// Refuses what no broker takes for a topic's name.
pub(crate) fn check_topic(topic: &str) -> Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match matches!(topic, "" | "." | "..") || topic.len() > LONGEST_TOPIC || !topic.bytes().all(legal) {
        true => Err(Error::config(format!(
            "topic {topic:?} is not a topic name: use 1 to {LONGEST_TOPIC} of the characters a-z, A-Z, 0-9, '.', '_' and \
             '-', and not '.' or '..' alone"
        ))),
        false => Ok(()),
    }
}

/// The time of one question out of a longer time.
pub(crate) fn under(timeout: Duration) -> Duration {
    timeout.min(LEAST)
}

/// Asks once for the numbers of the partitions.
pub(crate) fn partitions_once(client: &Arc<Client>, topic: &str, timeout: Duration) -> Result<Vec<i32>> {
    metadata_once(client, topic, timeout).map(|partitions| partitions.iter().map(|partition| partition.id).collect())
}

fn metadata_once(client: &Arc<Client>, topic: &str, timeout: Duration) -> Result<Vec<PartitionMetadata>> {
    let handle = client.topic(topic)?;
    hurry(client, timeout)?;
    let metadata = client.metadata(&handle, timeout).and_then(|metadata| match metadata.error {
        0 => Ok(metadata),
        code => Err(Error::of(code)),
    });
    metadata.map(|metadata| metadata.partitions).map_err(|mut error| {
        error.topic = Some(topic.to_owned());
        error
    })
}

/// Asks until there is an answer, one try at a time, so that others are asked for in between. Only what can heal is tried
/// again; the last failure says what stood in the way.
pub(crate) struct Lookup {
    topic: String,
    retry: Retry,
    begin: Instant,
    tries: u32,
}

impl Lookup {
    pub(crate) fn new(topic: &str, retry: Retry) -> Self {
        Self { topic: topic.to_owned(), retry, begin: Instant::now(), tries: 0 }
    }

    /// The next try: breaks with the answer, or continues with the time of the one after it.
    pub(crate) fn attempt<T: Send + 'static>(
        &mut self,
        client: &Arc<Client>,
        troubles: &Troubles,
        closing: &Closing,
        waiting: &Guarded<T>,
    ) -> ControlFlow<Result<Vec<PartitionMetadata>>, Instant> {
        let Self { topic, retry, .. } = self;
        if self.tries > 0 && (waiting.answered() || closing.begun()) {
            return ControlFlow::Break(Err(closed()));
        }
        let next = deadline(retry.interval);
        let error = match metadata_once(client, topic, retry.interval.clamp(LEAST, MOST)) {
            Ok(partitions) => {
                troubles.healed(|healthy, partition| healthy == topic && partition.is_none());
                return ControlFlow::Break(Ok(partitions));
            }
            Err(error) => error,
        };
        self.tries += 1;
        if !code::is_retriable(error.code) {
            return ControlFlow::Break(Err(error));
        }
        if waiting.answered() || closing.begun() {
            return ControlFlow::Break(Err(closed()));
        }
        // A lost connection is what this call saw; why it was lost came on the side, maybe before this call.
        let lost = code::is_lost_connection(error.code);
        if let Some(refusal) = troubles.refusal().filter(|_| lost) {
            return ControlFlow::Break(Err(refusal));
        }
        if self.tries >= retry.max_tries {
            let cause = troubles.last().filter(|_| lost).unwrap_or(error);
            let text = format!(
                "topic '{topic}' could not be looked up in {} tries over {:.1} s",
                self.tries,
                self.begin.elapsed().as_secs_f64()
            );
            return ControlFlow::Break(Err(Error::new(ErrorKind::Timeout, code::TIMED_OUT, text).because(cause)));
        }
        ControlFlow::Continue(next)
    }
}

/// Blocks until a broker answers, `timeout` at most.
///
/// A new client asks the first broker that it connects to for the others and the cluster's id, by itself: that is waited for. Our
/// own `rd_kafka_metadata` would ask for every topic of the cluster, so only who has had that answer before asks again.
pub(crate) fn reach(client: &Arc<Client>, timeout: Duration) -> Result<()> {
    reach_again(client, &mut false, timeout)
}

/// One of several tries to `reach`. `new`: the first answer is waited for, which may come between two tries.
fn reach_again(client: &Arc<Client>, new: &mut bool, timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let left = || deadline.saturating_duration_since(Instant::now());
    *new |= hurry(client, timeout)?;
    if *new {
        loop {
            // The answer can come between librdkafka's look and its wait, and is seen by the next look then.
            let (begin, look) = (Instant::now(), left().min(LOOK));
            if client.knows_cluster(look) {
                return Ok(());
            }
            if left().is_zero() {
                return Err(Error::of(code::TRANSPORT)); // no answer yet
            }
            if begin.elapsed() < look / 2 {
                break; // a broker has answered that tells no id
            }
        }
    }
    client.ask_brokers(left())
}

/// How long `reach` waits for an answer before it looks again.
const LOOK: Duration = Duration::from_millis(50);

/// Makes a new client connect at once: to any broker, and when that has told them, to the controller. librdkafka gives the first
/// connection up then, with what was asked through it, and makes the next 11 ms after the first at the earliest, but for one
/// that has to go somewhere. Returns whether the client is new.
///
/// To create no topics is a request for the controller that librdkafka refuses when it is connected, and never sends.
fn hurry(client: &Arc<Client>, timeout: Duration) -> Result<bool> {
    if client.knows_cluster(Duration::ZERO) {
        return Ok(false);
    }
    let unread = client.new_queue();
    client.start(&CreateTopics { topics: Vec::new(), validate_only: true }, timeout, &unread, 0)?;
    Ok(true)
}

/// Answers when any broker does: then the connection works, and so do its credentials. A refusal answers at once, what can
/// heal is tried again until the time is over.
pub(crate) fn connect<S: Send + Sync + 'static>(
    helper: &Arc<Helper>,
    shared: &Arc<S>,
    side: fn(&S) -> (&Troubles, &Closing),
    timeout: Duration,
    reply: Reply<()>,
) {
    let reply = side(shared).0.guard(reply);
    let (shared, mut reach) = (shared.clone(), Reach::new(timeout));
    helper.run_again(move |client| {
        let (troubles, closing) = side(&shared);
        match reach.attempt(client, troubles, closing, &reply) {
            ControlFlow::Continue(at) => return Some(at),
            ControlFlow::Break(answer) => reply.send(answer),
        }
        None
    });
}

/// Asks until any broker answers.
struct Reach {
    deadline: Instant,
    begin: Instant,
    new: bool,
}

impl Reach {
    fn new(timeout: Duration) -> Self {
        Self { deadline: deadline(timeout), begin: Instant::now(), new: false }
    }

    /// The next try: breaks with the answer, or continues with the time of the one after it. A refusal answers `waiting`
    /// by itself, while the try still blocks.
    fn attempt(
        &mut self,
        client: &Arc<Client>,
        troubles: &Troubles,
        closing: &Closing,
        waiting: &Guarded<()>,
    ) -> ControlFlow<Result<()>, Instant> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let error = match reach_again(client, &mut self.new, left.min(LEAST)) {
            Ok(()) => return ControlFlow::Break(Ok(())),
            Err(error) => error,
        };
        if waiting.answered() || closing.begun() {
            return ControlFlow::Break(Err(closed()));
        }
        if let Some(refusal) = troubles.refusal() {
            return ControlFlow::Break(Err(refusal));
        }
        if Instant::now() >= self.deadline {
            let cause = troubles.last().unwrap_or(error);
            let mut text = format!("no broker answered within {:.1} s", self.begin.elapsed().as_secs_f64());
            if cause.code == code::ALL_BROKERS_DOWN {
                // Nothing was told but that: a broker that hangs up on what it does not understand.
                text.push_str("; where they end the connection, TLS or SASL may not fit their listener");
            }
            let timeout = Error::new(ErrorKind::Timeout, code::TIMED_OUT, text);
            return ControlFlow::Break(Err(timeout.because(cause)));
        }
        ControlFlow::Continue(Instant::now() + PAUSE)
    }
}

/// Between two tries that fail at once.
const PAUSE: Duration = Duration::from_millis(50);
