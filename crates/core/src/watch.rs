//! Requests that brokers have answered, for who watches them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// A request of a client, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredRequest {
    /// `host:port`
    pub broker: String,
    /// Kafka's number of the request: 0 is Produce, 1 is Fetch.
    pub api_key: i16,
    /// The version of it that was used.
    pub api_version: i16,
    /// Bytes of the answer.
    pub size: usize,
    /// From when the request was sent until its answer came.
    pub round_trip: Duration,
}

/// Hears of each request of its clients that a broker has answered, while that is wanted.
#[derive(Clone)]
pub struct RequestWatch(Arc<Watch>);

struct Watch {
    wanted: AtomicBool,
    hear: Box<dyn Fn(AnsweredRequest) + Send + Sync>,
}

impl RequestWatch {
    /// Hears nothing before [`want`](Self::want). `hear` is called on a thread of librdkafka's, which talks with the broker: it must not
    /// block.
    pub fn new(hear: impl Fn(AnsweredRequest) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Watch { wanted: AtomicBool::new(false), hear: Box::new(hear) }))
    }

    /// Whether requests are told from now on. Costs nothing while they are not.
    pub fn want(&self, wanted: bool) {
        self.0.wanted.store(wanted, Ordering::Relaxed);
    }

    pub(crate) fn wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }

    pub(crate) fn hear(&self, request: AnsweredRequest) {
        (self.0.hear)(request);
    }
}

impl fmt::Debug for RequestWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestWatch").field("wanted", &self.wanted()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::{MockCluster, Producer, ProducerConfig};

    #[test]
    fn requests_are_told_while_they_are_wanted() {
        let cluster = MockCluster::new(1).unwrap();
        let (tx, rx) = channel();
        let tx = parking_lot::Mutex::new(tx);
        let watch = RequestWatch::new(move |request| tx.lock().send(request).unwrap());
        let broker = cluster.brokers();
        let producer = Producer::new(ProducerConfig::new(&broker).request_watch(watch.clone())).unwrap();
        producer.connect(Duration::from_secs(30)).unwrap();
        assert_eq!(rx.try_iter().count(), 0);
        watch.want(true);
        producer.partitions("t", crate::Retry { max_tries: 30, interval: Duration::from_millis(500) }).unwrap();
        let mut told = std::iter::from_fn(|| rx.recv_timeout(Duration::from_secs(30)).ok());
        let metadata = told.find(|request| request.api_key == 3).unwrap();
        assert_eq!(metadata.broker, broker);
        assert!(metadata.size > 0 && metadata.api_version > 0, "{metadata:?}");
    }
}
