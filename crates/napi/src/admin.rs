//! `NativeAdmin`

use kafka_native::admin::{Admin, AdminConfig, AdminEvent};
use kafka_native::Error;
use napi_derive::napi;

use crate::events::{none, text, Events, Kind, OnEvent};
use crate::tokens::Tokens;
use crate::{millis, refused, thrown, Properties, Thrown};

#[napi(object)]
pub struct AdminOptions {
    pub properties: Properties,
    pub tokens: Option<bool>,
}

#[napi]
pub struct NativeAdmin {
    admin: Option<Admin>,
    events: Events,
    tokens: Tokens,
}

#[napi]
impl NativeAdmin {
    #[napi(constructor)]
    pub fn new(options: AdminOptions, on_event: OnEvent<'_>) -> Result<Self, Thrown> {
        let events = Events::new(&on_event).map_err(refused)?;
        let properties = options.properties.into_iter();
        let mut config = properties.fold(AdminConfig::default(), |config, (name, value)| config.set(name, value));
        let tokens = Tokens::default();
        if options.tokens == Some(true) {
            config = config.token_provider(tokens.provider(&events));
        }
        let told = events.clone();
        let admin = Admin::with_events(config, move |event| match event {
            AdminEvent::Error(error) => told.error(error),
            AdminEvent::Log(line) => told.log(line),
            AdminEvent::Stats(json) => told.tell(Kind::Stats, [text(json), none(), none(), none()]),
        });
        Ok(Self { admin: Some(admin.map_err(thrown)?), events, tokens })
    }

    fn open(&self) -> Result<&Admin, Thrown> {
        self.admin.as_ref().ok_or_else(|| thrown(Error::wrong_state("the admin was closed")))
    }

    #[napi]
    pub fn connect(&self, request: u32, timeout_ms: u32) -> Result<(), Thrown> {
        self.open()?.connect_with(millis(timeout_ms), self.events.reply(request, |()| none()));
        Ok(())
    }

    #[napi]
    pub fn request(&self, request: u32, name: String, fields: String, timeout_ms: u32) -> Result<(), Thrown> {
        self.open()?.request_json(&name, &fields, millis(timeout_ms), self.events.reply(request, text));
        Ok(())
    }

    #[napi]
    pub fn set_token(&self, value: String, expires_ms: f64, principal: String, extensions: Vec<String>) {
        self.tokens.set(value, expires_ms, principal, &extensions);
    }

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
