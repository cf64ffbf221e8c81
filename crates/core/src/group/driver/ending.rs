//! The end of a member. On the client's thread.

use super::*;

pub(super) struct Stopping {
    pub(super) deadline: Instant,
    replies: Vec<Reply<()>>,
    leaving: bool,
}

impl Driver {
    /// Commits what is done, then leaves.
    pub(super) fn stop(&mut self, deadline: Instant, reply: Reply<()>) {
        if let Some(stopping) = &mut self.stopping {
            return stopping.replies.push(reply);
        }
        self.stopping = Some(Stopping { deadline, replies: vec![reply], leaving: false });
        let done = if self.limits.auto_commit.is_some() { self.done(|_| true) } else { Vec::new() };
        self.commit(&done, Committing::Stop);
    }

    /// Begins to leave the group. Events of the meantime come through a queue of their own.
    pub(super) fn leave(&mut self) {
        let Some(stopping) = &mut self.stopping else { return };
        // Leaving can crash when the coordinator is gone; then the group notices by itself that the member is.
        let unreachable = self.shared.troubles.last().is_some_and(|error| error.code == code::ALL_BROKERS_DOWN);
        let out = self.subscriptions.is_empty() && self.leaving.is_none();
        if !self.limits.in_group || out || unreachable {
            stopping.deadline = Instant::now();
            return;
        }
        let queue = Arc::new(self.client.new_queue());
        match self.client.leave(&queue) {
            Ok(()) => {
                stopping.leaving = true;
                self.shared.waker.watch(vec![queue.clone()]);
                self.handover.events = queue;
            }
            Err(_) => stopping.deadline = Instant::now(), // a fatal error: the member is out already
        }
    }

    pub(super) fn left(&self) -> bool {
        self.stopping
            .as_ref()
            .is_some_and(|stopping| (stopping.leaving && self.client.left()) || stopping.deadline <= Instant::now())
    }

    /// Gives back everything of librdkafka, then answers.
    pub(super) fn close(self) {
        let Self { client, helper, shared, incoming, sink, handover, assignment, leaving, stopping, files, .. } = self;
        let stopping = stopping.expect("only a stop ends the thread");
        let left = stopping.deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
        shared.waker.retire();
        helper.end(left);
        shared.troubles.close();
        shared.questions.end();
        drop(shared.client.lock().take());
        drop((handover, assignment));
        let_go(client, left);
        let written = files.map_or(Ok(()), |files| files.close(left));
        sink(GroupEvent::Stopped);
        for command in incoming.try_iter() {
            if let Command::Stop { reply, .. } = command {
                reply.send(written.clone());
            }
        }
        for reply in stopping.replies {
            reply.send(written.clone());
        }
        leaving.into_iter().flat_map(|leaving| leaving.replies).for_each(|reply| reply.send(Ok(())));
    }
}
