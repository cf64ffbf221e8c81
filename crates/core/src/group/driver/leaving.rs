//! Subscribing and leaving, one after another. On the client's thread.
//!
//! librdkafka only begins to leave the group when it is told to. Here a member has left when the coordinator has said so: then the
//! next one is not held up by it, and what it joins afterwards is not taken for what it left.

use super::*;

/// How long the cluster may take to say which topics there are.
const TOPICS: Duration = Duration::from_secs(5);
/// How long the coordinator may take. A member that it does not answer is out when its session has timed out.
const LEAVE: Duration = Duration::from_secs(5);

/// A member that has not left yet.
pub(super) struct Leaving {
    pub(super) until: Instant,
    pub(super) replies: Vec<Reply<()>>,
}

impl Driver {
    /// Takes the subscriptions whose turn it is: what follows one that waits for the cluster or the coordinator waits, too.
    pub(super) fn subscribe_next(&mut self) {
        while !self.listing
            && (self.leaving.is_none() || self.to_subscribe.front().is_some_and(|(to, ..)| to.is_empty()))
        {
            let Some((topics, existing, reply)) = self.to_subscribe.pop_front() else { return };
            match &mut self.leaving {
                Some(leaving) => leaving.replies.push(reply),
                None if existing.is_none() && self.limits.in_group && self.subscriptions.want_existing(&topics) => {
                    self.listing = self.list_topics(topics, reply);
                }
                None => self.replace_subscription(topics, existing, reply),
            }
        }
    }

    /// Subscribes when it is known which partitions there are: what comes later is new. Where the cluster does not answer in time, it
    /// subscribes all the same.
    fn list_topics(&self, topics: Vec<Subscription>, reply: Reply<()>) -> bool {
        self.help(move |client| {
            let existing = client.topics(TOPICS).ok().map(|names| Arc::new(names.into_iter().collect()));
            Command::Listed { topics, existing, reply }
        })
    }

    /// Without topics it is answered when the group is left.
    pub(super) fn replace_subscription(&mut self, topics: Vec<Subscription>, existing: Existing, reply: Reply<()>) {
        let leaves = topics.is_empty();
        match self.subscribe(topics, existing) {
            Ok(()) if leaves => {
                self.leaving = Some(Leaving { until: Instant::now(), replies: vec![reply] });
                self.wait_to_leave();
            }
            subscribed => reply.send(subscribed),
        }
    }

    /// A rebalance began or ended: the receiver has as long for it as for any other, then the coordinator has its time.
    pub(super) fn wait_to_leave(&mut self) {
        let hook = if self.pending.is_some() { self.limits.poll * 4 } else { Duration::ZERO };
        self.leaving.iter_mut().for_each(|leaving| leaving.until = Instant::now() + hook + LEAVE);
    }

    /// Answers those who wait for the end of leaving, if it has come. librdkafka yields the queue then, which wakes this thread.
    pub(super) fn look_whether_left(&mut self) {
        let (now, ending) = (Instant::now(), self.stopping.is_some());
        let left = |leaving: &Leaving| leaving.until <= now || (self.pending.is_none() && !self.client.leaving());
        let Some(leaving) = self.leaving.take_if(|leaving| !ending && left(leaving)) else { return };
        if leaving.until <= now {
            self.log(LogLine::warning(
                "the group's coordinator has not said that this consumer is out: the group may wait for it until its session times out",
            ));
        }
        leaving.replies.into_iter().for_each(|reply| reply.send(Ok(())));
        self.subscribe_next();
    }
}
