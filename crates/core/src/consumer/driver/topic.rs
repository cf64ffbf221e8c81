//! Whether the topic is there, and has grown. On the client's thread.

use super::*;

/// How long a broker may take to hear of a topic that another one has made.
const DOUBT: Duration = Duration::from_secs(2);

/// A broker does not know the topic: it was deleted, or it is so new that not every broker has heard of it. Told if it lasts.
pub(super) struct Doubt {
    pub(super) judged_at: Instant,
    newest: Instant,
    error: Error,
}

impl Driver {
    pub(super) fn on_error(&mut self, error: Error) {
        if !matches!(error.code, code::UNKNOWN_TOPIC_OR_PART | code::UNKNOWN_TOPIC_ID) {
            return self.tell(error);
        }
        let now = Instant::now();
        match &mut self.doubt {
            Some(doubt) => doubt.newest = now,
            None => {
                self.log(LogLine::warning(error.to_string()));
                self.doubt = Some(Doubt { judged_at: now + DOUBT, newest: now, error });
            }
        }
    }

    /// Tells of a topic that is still unknown: the errors went on coming, or the cluster says so.
    pub(super) fn judge(&self, doubt: Doubt) {
        if doubt.judged_at.saturating_duration_since(doubt.newest) < DOUBT / 2 {
            return self.tell(doubt.error);
        }
        let topic = self.topic.clone();
        self.ask(move |client| {
            let unknown = lookup::partitions_once(client, &topic, QUESTION).err();
            unknown.filter(|error| error.code == code::UNKNOWN_TOPIC_OR_PART).map(Command::Gone)
        });
    }

    /// Asks whether the topic has grown, and takes the offsets of what is new and ours.
    pub(super) fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        let (topic, shared, commands) = (self.topic.clone(), self.shared.clone(), self.commands.clone());
        let (slot, slots, known) = (self.slot, self.slots, self.places.partitions());
        self.refreshing = self.ask(move |client| {
            let found = match lookup::partitions_once(client, &topic, QUESTION) {
                Ok(found) => found,
                // Out of reach is told by the connections' own errors.
                Err(error) => {
                    let quiet = matches!(error.code, code::TRANSPORT | code::TIMED_OUT);
                    return Some(Command::Refreshed(if quiet { Ok(()) } else { Err(error) }));
                }
            };
            let new: Vec<i32> = found.into_iter().filter(|p| p % slots == slot && !known.contains(p)).collect();
            if new.is_empty() {
                return Some(Command::Refreshed(Ok(())));
            }
            let waker = shared.waker.clone();
            shared.recorder.open(new.clone(), move |opened| {
                let _ = commands.send(match opened {
                    Ok(offsets) => Command::Added { offsets: new.into_iter().zip(offsets).collect() },
                    Err(error) => Command::Refreshed(Err(error)),
                });
                waker.wake();
            });
            None // the offset thread sends it, so that the next look waits for this one
        });
    }
}
