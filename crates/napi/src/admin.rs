//! `NativeAdmin`

use kafka_native::admin::{Admin, AdminConfig, AdminEvent};
use kafka_native::{Error, RequestWatch};
use napi_derive::napi;

use crate::events::{Events, OnEvent, Stats};
use crate::tokens::Tokens;
use crate::watch::watch;
use crate::{millis, refused, thrown, Properties, Thrown};

#[napi(object, js_name = "NativeAdminOptions")]
pub struct AdminOptions {
    pub properties: Properties,
    /// Tokens are asked for with `Event.Token`.
    pub tokens: Option<bool>,
}

#[napi]
pub struct NativeAdmin {
    admin: Option<Admin>,
    events: Events,
    tokens: Tokens,
    watch: RequestWatch,
}

#[napi]
impl NativeAdmin {
    #[napi(constructor)]
    pub fn new(options: AdminOptions, on_event: OnEvent<'_>) -> Result<Self, Thrown> {
        let events = Events::new(&on_event).map_err(refused)?;
        let properties = options.properties.into_iter();
        let mut config = properties.fold(AdminConfig::default(), |config, (name, value)| config.set(name, value));
        let watch = watch(&events);
        config = config.request_watch(watch.clone());
        let tokens = Tokens::default();
        if options.tokens == Some(true) {
            config = config.token_provider(tokens.provider(&events));
        }
        let told = events.clone();
        let admin = Admin::with_events(config, move |event| match event {
            AdminEvent::Error(error) => told.error(error),
            AdminEvent::Log(line) => told.log(line),
            AdminEvent::Stats(json) => told.tell(Stats { json }),
        });
        Ok(Self { admin: Some(admin.map_err(thrown)?), events, tokens, watch })
    }

    fn open(&self) -> Result<&Admin, Thrown> {
        self.admin.as_ref().ok_or_else(|| thrown(Error::wrong_state("the admin was closed")))
    }

    /// Replies nothing when a broker has answered.
    #[napi]
    pub fn connect(&self, request: u32, timeout_ms: u32) -> Result<(), Thrown> {
        self.open()?.connect_with(millis(timeout_ms), self.events.reply(request));
        Ok(())
    }

    /// `fields` and the reply are JSON (AdminRequests); a request that fails as a whole replies an error. Any number at once.
    #[napi]
    pub fn request(
        &self,
        request: u32,
        #[napi(ts_arg_type = "keyof AdminRequests")] name: String,
        fields: String,
        timeout_ms: u32,
    ) -> Result<(), Thrown> {
        self.open()?.request_json(&name, &fields, millis(timeout_ms), self.events.reply(request));
        Ok(())
    }

    /// Whether `Event.Request` tells of each request that a broker has answered.
    #[napi]
    pub fn watch_requests(&self, wanted: bool) {
        self.watch.want(wanted);
    }

    /// `expiresMs`: milliseconds since 1970; `extensions`: names and values by turns. Neither ever throws; a token that librdkafka does not take is a failure, too.
    #[napi]
    pub fn set_token(&self, value: String, expires_ms: f64, principal: String, extensions: Vec<String>) {
        self.tokens.set(value, expires_ms, principal, &extensions);
    }

    /// There is no token: whoever waits for a connection hears `_AUTHENTICATION` with this reason.
    #[napi]
    pub fn set_token_failure(&self, reason: String) {
        self.tokens.fail(reason);
    }

    /// Ends on a thread of its own: what blocks is waited for.
    #[napi]
    pub fn close(&mut self) {
        let Some(admin) = self.admin.take() else { return };
        let _ = std::thread::Builder::new().name("kafka-admin-end".into()).spawn(move || drop(admin));
    }
}

impl Drop for NativeAdmin {
    fn drop(&mut self) {
        self.close();
    }
}
