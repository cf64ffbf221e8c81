//! `NativeProducer`

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use kafka_native::{PackedRecords, Producer, ProducerConfig, ProducerEvent, Reply, Retry};
use napi::bindgen_prelude::{Float64ArraySlice, Int32ArraySlice, Uint8ArraySlice};
use napi::Env;
use napi_derive::napi;

use crate::events::{none, number, text, Arg, Events, FailureData, Kind, OnEvent};
use crate::lifetime::{self, Client};
use crate::tokens::Tokens;
use crate::{thrown, Properties, Thrown};

#[napi(object)]
pub struct ProducerOptions {
    pub broker: String,
    pub max_messages: f64,
    pub statistics_interval_ms: u32,
    pub properties: Properties,
    pub topic_properties: Properties,
    pub tokens: Option<bool>,
}

#[napi(object)]
pub struct SendRefusal {
    pub index: u32,
    pub code: i32,
    pub name: String,
    pub message: String,
}

#[napi(object)]
pub struct SendResult {
    pub enqueued: u32,
    pub queue_length: u32,
    pub errors: Option<Vec<SendRefusal>>,
}

#[napi]
pub struct NativeProducer {
    producer: Arc<Producer>,
    events: Events,
    tokens: Tokens,
}

impl Client for Producer {
    fn signal(&self, _deadline: Duration) {
        self.stop_with(Duration::ZERO, Reply::new(|_| ()));
    }
    fn join(&self, deadline: Duration) {
        Producer::join(self, deadline);
    }
}

#[napi]
impl NativeProducer {
    #[napi(constructor)]
    pub fn new(env: Env, options: ProducerOptions, on_event: OnEvent<'_>) -> Result<Self, Thrown> {
        let refuse = |error: napi::Error| napi::Error::new("_FAIL".to_owned(), error.reason.clone());
        let events = Events::new(&on_event).map_err(refuse)?;
        let interval = Duration::from_millis(options.statistics_interval_ms.into());
        let mut config = ProducerConfig::new(&options.broker)
            .max_messages(options.max_messages as u64)
            .statistics_interval(interval);
        for (name, value) in options.properties.into_iter().chain(options.topic_properties) {
            config = config.set(name, value);
        }
        let tokens = Tokens::default();
        if options.tokens == Some(true) {
            config = config.token_provider(tokens.provider(&events));
        }
        let this: Arc<OnceLock<Weak<Producer>>> = Arc::default();
        let producer = Arc::new(Producer::with_events(config, sink(events.clone(), this.clone())).map_err(thrown)?);
        let _ = this.set(Arc::downgrade(&producer));
        lifetime::register(&env, &producer).map_err(refuse)?;
        Ok(Self { producer, events, tokens })
    }

    #[napi]
    pub fn send(
        &self,
        topic: String,
        partition: i32,
        arena: Uint8ArraySlice<'_>,
        index: Int32ArraySlice<'_>,
        count: u32,
        timestamps: Option<Float64ArraySlice<'_>>,
    ) -> Result<SendResult, Thrown> {
        let index = index.get(..count as usize * 3).unwrap_or_default();
        let used = index.iter().map(|length| (*length).max(0) as usize).sum();
        // Copied before the call returns: JavaScript uses its arena again.
        let records = PackedRecords {
            arena: arena.get(..used).unwrap_or_default().to_vec(),
            index: index.to_vec(),
            timestamps: timestamps
                .and_then(|timestamps| Some(timestamps.get(..count as usize)?.to_vec()))
                .unwrap_or_default(),
        };
        let report = self.producer.send_packed(&topic, partition, records, None).map_err(thrown)?;
        let errors = report.refused.into_iter().map(|refusal| SendRefusal {
            index: refusal.index as u32,
            code: refusal.error.code,
            name: refusal.error.name(),
            message: refusal.error.message,
        });
        let errors: Vec<_> = errors.collect();
        Ok(SendResult {
            enqueued: report.enqueued as u32,
            queue_length: report.queue_length as u32,
            errors: (!errors.is_empty()).then_some(errors),
        })
    }

    #[napi]
    pub fn queue_length(&self) -> u32 {
        self.producer.queue_length() as u32
    }

    #[napi]
    pub fn partition_count(&self, request: u32, topic: String, max_tries: u32, interval_ms: u32) {
        let retry = Retry { max_tries, interval: Duration::from_millis(interval_ms.into()) };
        self.producer.partition_count_with(
            &topic,
            retry,
            self.events.reply(request, |count: i32| number(count.into())),
        );
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
        let timeout = Duration::from_millis(timeout_ms as u64);
        self.producer.stop_with(timeout, self.events.reply(request, |left: usize| number(left as f64)));
    }
}

impl Drop for NativeProducer {
    /// Runs in a finalizer: signals only.
    fn drop(&mut self) {
        self.producer.signal(Duration::ZERO);
    }
}

fn sink(events: Events, this: Arc<OnceLock<Weak<Producer>>>) -> impl Fn(ProducerEvent) + Send + Sync {
    move |event| {
        let producer = this.get().cloned().unwrap_or_default();
        match event {
            ProducerEvent::Failures => events.tell_with(move || {
                let failures = producer.upgrade().map(|producer| producer.take_failures()).unwrap_or_default();
                let failures = failures.into_iter().map(|failure| FailureData {
                    errcode: failure.code,
                    count: failure.count as f64,
                    errstr: failure.message,
                    topic: failure.topic,
                    partition: failure.partition,
                });
                (Kind::Deliveries, [Arg::H(failures.collect()), none(), none(), none()])
            }),
            ProducerEvent::Drained => events.tell(Kind::Drained, [none(), none(), none(), none()]),
            ProducerEvent::Stats(json) => events.tell_with(move || {
                let producer = producer.upgrade();
                let length = producer.as_ref().map_or(0, |producer| producer.queue_length());
                let by_topic = producer.map(|producer| producer.queue_length_by_topic()).unwrap_or_default();
                let by_topic = by_topic.into_iter().map(|(topic, length)| (topic, length as f64)).collect();
                (Kind::Stats, [text(json), number(length as f64), Arg::I(by_topic), none()])
            }),
            ProducerEvent::Error(error) => events.error(error),
            ProducerEvent::Log(line) => events.log(line),
        }
    }
}
