//! How far behind the consumer is. On the client's thread.

use super::*;

/// How long the cluster may take to tell watermarks.
const QUESTION: Duration = Duration::from_secs(1);

impl Driver {
    /// Watermarks go stale when fetching stops, so they are asked for; what does not come in time is taken from the last fetch.
    pub(super) fn ask_for_statistics(&mut self, json: String) {
        if self.asking_stats || self.places.partitions().is_empty() {
            return self.statistics(json, &[], &[]);
        }
        let (topic, partitions) = (self.topic.clone(), self.places.partitions());
        self.asking_stats = self.ask(move |client| {
            let list = |at| {
                let offsets = partitions.iter().map(|p| OffsetQuery { topic: topic.to_string(), partition: *p, at });
                let question = ListOffsets { offsets: offsets.collect(), read_committed: false };
                let listed = client.ask(&question, QUESTION).unwrap_or_default().into_iter();
                listed.filter_map(|place| Some((place.partition, place.result.ok()?.offset?))).collect()
            };
            Some(Command::Stats { json, low: list(OffsetSpec::Earliest), high: list(OffsetSpec::Latest) })
        });
    }

    pub(super) fn statistics(&self, json: String, low: &[(i32, i64)], high: &[(i32, i64)]) {
        let find =
            |list: &[(i32, i64)], partition| list.iter().find(|(p, _)| *p == partition).map(|(_, offset)| *offset);
        let (mut log_size, mut waiting) = (0, 0);
        for (partition, place) in self.places.iter() {
            let cached = self.client.cached_watermarks(&self.topic, partition);
            let high = find(high, partition).or(cached.map(|(_, high)| high)).unwrap_or(0);
            let low = find(low, partition).or(cached.map(|(low, _)| low)).unwrap_or(0).clamp(0, high);
            let next = place.next.unwrap_or(if self.reset == Reset::Latest { high } else { low });
            log_size += (high - low) as u64;
            waiting += (high - next.max(low)).max(0) as u64;
        }
        // `next` is where the newest batch ended; what JavaScript has not begun with waits here.
        let told = self.shared.credit.messages_ahead();
        let fetched = self.handover.fetched();
        let stats = ConsumerStats {
            json,
            waiting_kafka: waiting.saturating_sub(fetched),
            waiting_local: fetched.min(waiting) + told,
            log_size,
        };
        (self.sink)(ConsumerEvent::Stats(stats));
    }
}
