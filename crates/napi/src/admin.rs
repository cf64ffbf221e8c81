//! `NativeAdmin`

use std::time::Duration;

use kafka_native::{Admin, Error};
use napi_derive::napi;

use crate::events::{none, number, numbers, Events, OnEvent};
use crate::{thrown, Properties, Thrown};

#[napi]
pub struct NativeAdmin {
    admin: Option<Admin>,
    events: Events,
}

#[napi]
impl NativeAdmin {
    #[napi(constructor)]
    pub fn new(broker: String, properties: Properties, on_event: OnEvent<'_>) -> Result<Self, Thrown> {
        let events =
            Events::new(&on_event).map_err(|error| napi::Error::new("_FAIL".to_owned(), error.reason.clone()))?;
        Ok(Self { admin: Some(Admin::new(&broker, &properties).map_err(thrown)?), events })
    }

    fn with(&self, call: impl FnOnce(&Admin, &Events)) -> Result<(), Thrown> {
        match &self.admin {
            Some(admin) => {
                call(admin, &self.events);
                Ok(())
            }
            None => Err(thrown(Error::wrong_state("the admin was closed"))),
        }
    }

    #[napi]
    pub fn create_topic(
        &self,
        request: u32,
        topic: String,
        partitions: i32,
        replication: i32,
        config: Properties,
        timeout_ms: u32,
    ) -> Result<(), Thrown> {
        self.with(|admin, events| {
            admin.create_topic_with(
                &topic,
                partitions,
                replication,
                config,
                millis(timeout_ms),
                events.reply(request, |()| none()),
            );
        })
    }

    #[napi]
    pub fn delete_topic(&self, request: u32, topic: String, timeout_ms: u32) -> Result<(), Thrown> {
        self.with(|admin, events| {
            admin.delete_topic_with(&topic, millis(timeout_ms), events.reply(request, |()| none()))
        })
    }

    #[napi]
    pub fn create_partitions(&self, request: u32, topic: String, total: u32, timeout_ms: u32) -> Result<(), Thrown> {
        self.with(|admin, events| {
            admin.create_partitions_with(
                &topic,
                total as usize,
                millis(timeout_ms),
                events.reply(request, |()| none()),
            );
        })
    }

    #[napi]
    pub fn delete_records(
        &self,
        request: u32,
        topic: String,
        partition: i32,
        offset: f64,
        timeout_ms: u32,
    ) -> Result<(), Thrown> {
        self.with(|admin, events| {
            let reply = events.reply(request, |low: i64| number(low as f64));
            admin.delete_records_with(&topic, partition, offset as i64, millis(timeout_ms), reply);
        })
    }

    #[napi]
    pub fn watermarks(&self, request: u32, topic: String, partition: i32, timeout_ms: u32) -> Result<(), Thrown> {
        self.with(|admin, events| {
            let reply = events.reply(request, |(low, high): (i64, i64)| numbers(vec![low as f64, high as f64]));
            admin.watermarks_with(&topic, partition, millis(timeout_ms), reply);
        })
    }

    /// Ends on a thread of its own: a call that is under way is waited for.
    #[napi]
    pub fn close(&mut self) {
        let admin = self.admin.take();
        let _ = std::thread::Builder::new().name("kafka-admin-end".into()).spawn(move || drop(admin));
    }
}

impl Drop for NativeAdmin {
    fn drop(&mut self) {
        self.close();
    }
}

fn millis(timeout_ms: u32) -> Duration {
    Duration::from_millis(timeout_ms.into())
}
