//! From options to librdkafka's configuration.

use std::fmt;

use crate::error::{Error, Result};
use crate::ffi::{is_secret, Conf};
use crate::token::TokenProvider;
use crate::watch::RequestWatch;

/// Properties that the engine owns: its promises rest on them.
const OWNED: &[(&str, &str)] = &[
    ("enable.auto.commit", "offsets are recorded when messages are processed"),
    ("auto.commit.enable", "offsets are recorded when messages are processed"),
    ("enable.auto.offset.store", "offsets are recorded when messages are processed"),
    ("offset.store.method", "offsets are recorded when messages are processed"),
    ("enable.partition.eof", "the end of a partition is no event"),
    ("delivery.report.only.error", "every report counts against the queue's length"),
    ("log.queue", "log lines come through the logger"),
];

/// librdkafka properties in the order in which they are set: a later one wins.
#[derive(Clone, Default)]
pub(crate) struct Properties {
    list: Vec<(String, String)>,
    tokens: Option<TokenProvider>,
    watch: Option<RequestWatch>,
}

/// Milliseconds between two tries to reach a broker that is away.
const RECONNECT_MAX: u64 = 500;

impl fmt::Debug for Properties {
    /// Without passwords and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.list.iter().map(|(name, value)| (name, if is_secret(name) { "***" } else { value.as_str() })))
            .finish()
    }
}

impl Properties {
    /// Properties of every client unless `user` says something else.
    pub(crate) fn defaults(user: &Properties) -> Self {
        let mut defaults = Self::default();
        defaults.set("enable.metrics.push", false);
        // The pause between two connections is half of this, at least 11 ms: start-up needs two.
        defaults.set("reconnect.backoff.ms", 20);
        // librdkafka's 10 s is how late a client may notice that a broker is back. Each try costs a packet, two a second, client
        // and broker that is away; a member without a coordinator asks those it began with more often, whatever this says. It
        // must not be below the first pause.
        let first = user.get("reconnect.backoff.ms").and_then(|ms| ms.parse::<u64>().ok()).unwrap_or(0);
        defaults.set("reconnect.backoff.max.ms", first.max(RECONNECT_MAX));
        defaults
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl ToString) {
        self.list.push((name.into(), value.to_string()));
    }

    /// Whom a client with `sasl.mechanism=OAUTHBEARER` asks for tokens.
    pub(crate) fn tokens(&mut self, provider: TokenProvider) {
        self.tokens = Some(provider);
    }

    /// The watch that hears of answered requests.
    pub(crate) fn watch(&mut self, watch: RequestWatch) {
        self.watch = Some(watch);
    }

    /// Removes a property that the engine translates; the last value wins.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let value = self.list.iter().rfind(|(n, _)| n == name).map(|(_, value)| value.clone());
        self.list.retain(|(n, _)| n != name);
        value
    }

    /// Like `take`, for a whole number within bounds.
    pub(crate) fn take_number(&mut self, name: &str, min: u64, max: u64) -> Result<Option<u64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(Error::config(format!(
                "property '{name}' must be a whole number from {min} to {max}, not '{value}'"
            ))),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.list.iter().rfind(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Removes what the engine owns; one warning for all of it.
    pub(crate) fn refuse_owned(&mut self) -> Option<String> {
        let mut ignored = Vec::new();
        for (name, reason) in OWNED {
            if self.take(name).is_some() {
                ignored.push(format!("{name} ({reason})"));
            }
        }
        (!ignored.is_empty()).then(|| format!("ignored, because the engine owns it: {}", ignored.join(", ")))
    }

    /// An error that names the first property that the engine owns.
    pub(crate) fn reject_owned(&self) -> Result<()> {
        match OWNED.iter().find(|(name, _)| self.get(name).is_some()) {
            Some((name, reason)) => Err(Error::config(format!("property '{name}' is the engine's: {reason}"))),
            None => Ok(()),
        }
    }

    /// These first, then the others: the others win.
    pub(crate) fn then(mut self, others: &Properties) -> Self {
        self.list.extend(others.list.iter().cloned());
        self.tokens = others.tokens.clone().or(self.tokens);
        self.watch = others.watch.clone().or(self.watch);
        self
    }

    /// TLS without a word of whom to trust: then it is the system's authorities. The vendored OpenSSL would look for them
    /// where it was built, unless its environment variables say where; Windows has a store, which librdkafka uses.
    fn trusts_nobody(&self, openssl: bool) -> bool {
        const NAMED: &[&str] = &["ssl.ca.location", "ssl.ca.pem", "ssl.ca.certificate.stores"];
        let tls = self.get("security.protocol").is_some_and(|protocol| protocol.to_ascii_lowercase().contains("ssl"));
        let named = NAMED.iter().any(|name| self.get(name).is_some());
        tls && !named && !openssl && cfg!(not(windows))
    }

    /// Brokers are named, but none is among the names.
    fn names_no_broker(&self) -> bool {
        let mut lists =
            ["bootstrap.servers", "metadata.broker.list"].iter().filter_map(|name| self.get(name)).peekable();
        lists.peek().is_some() && lists.all(|list| list.split(',').all(|broker| broker.trim().is_empty()))
    }

    /// The first address that cannot be one, and why not.
    fn refused_address(&self) -> Option<String> {
        let lists = ["bootstrap.servers", "metadata.broker.list"].iter().filter_map(|name| self.get(name));
        let mut addresses = lists.flat_map(|list| list.split(',')).map(str::trim);
        addresses.find_map(|address| refused(address).map(|why| format!("broker '{address}' must be host:port, {why}")))
    }

    /// librdkafka's judgement on every one of them.
    pub(crate) fn into_conf(self, events: i32) -> Result<Conf> {
        if self.names_no_broker() {
            return Err(Error::config(
                "no broker is named: give host:port of one broker or several, separated by commas (bootstrap.servers)",
            ));
        }
        if let Some(refusal) = self.refused_address() {
            return Err(Error::config(refusal));
        }
        let mut conf = Conf::new();
        for (name, value) in &self.list {
            conf.set(name, value)?;
        }
        // OpenSSL reads these itself, unless it is told where to look.
        let openssl = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
        if self.trusts_nobody(openssl) {
            conf.set("ssl.ca.location", "probe")?;
        }
        if self.get("enable.ssl.certificate.verification") != Some("false") {
            conf.verify();
        }
        if let Some(provider) = self.tokens {
            conf.tokens(provider);
        }
        if let Some(watch) = self.watch {
            conf.watch(watch);
        }
        conf.events(events);
        Ok(conf)
    }
}

/// librdkafka skips an address with a scheme that it does not know, and reads 99999 as port 34463.
fn refused(address: &str) -> Option<&'static str> {
    const PROTOCOLS: &[&str] = &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    let place = match address.split_once("://") {
        Some((scheme, place)) if PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(scheme)) => place,
        Some(_) => return Some("without a scheme (TLS is security.protocol)"),
        None => address,
    };
    let (host, port) = place.split('/').next()?.rsplit_once(':')?;
    let bare_ipv6 = host.contains(':') && !host.ends_with(']');
    let valid = matches!(port.parse::<u16>(), Ok(1..));
    (!bare_ipv6 && !valid).then_some("with a port from 1 to 65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_owns_is_ignored_with_one_warning() {
        let mut properties = Properties::default();
        properties.set("enable.auto.commit", true);
        properties.set("log.queue", false);
        properties.set("client.id", "c");
        let warning = properties.refuse_owned().unwrap();
        assert!(warning.contains("enable.auto.commit") && warning.contains("log.queue"), "{warning}");
        assert_eq!(properties.list.len(), 1);
        assert!(properties.refuse_owned().is_none());
    }

    #[test]
    fn tls_without_a_word_of_whom_to_trust_trusts_the_system() {
        let with = |list: &[(&str, &str)]| {
            let mut properties = Properties::default();
            list.iter().for_each(|(name, value)| properties.set(*name, value));
            properties.trusts_nobody(false)
        };
        assert!(with(&[("security.protocol", "SASL_SSL")]));
        assert!(!with(&[("security.protocol", "sasl_plaintext")]));
        assert!(!with(&[("security.protocol", "ssl"), ("ssl.ca.pem", "...")]));
        assert!(!with(&[]));
    }

    #[test]
    fn a_broker_that_is_back_is_found_within_half_a_second_unless_the_user_wants_longer_pauses() {
        let with = |list: &[(&str, &str)]| {
            let mut user = Properties::default();
            list.iter().for_each(|(name, value)| user.set(*name, value));
            let all = Properties::defaults(&user).then(&user);
            all.get("reconnect.backoff.max.ms").map(str::to_owned)
        };
        assert_eq!(with(&[]).as_deref(), Some("500"));
        assert_eq!(with(&[("reconnect.backoff.ms", "2000")]).as_deref(), Some("2000"));
        assert_eq!(with(&[("reconnect.backoff.max.ms", "9")]).as_deref(), Some("9"));
    }

    #[test]
    fn passwords_and_keys_are_not_shown() {
        let mut properties = Properties::default();
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.assertion.private.key.pem",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "SASL.Password",
        ] {
            properties.set(name, "hunter2");
        }
        properties.set("sasl.username", "me");
        let shown = [
            format!("{properties:?}"),
            format!("{:?}", crate::GroupConfig::new("b:1", "g").set("sasl.password", "hunter2")),
            format!("{:?}", crate::ProducerConfig::new("b:1").set("sasl.password", "hunter2")),
            format!("{:?}", crate::admin::AdminConfig::new("b:1").set("sasl.password", "hunter2")),
        ];
        assert!(shown.iter().all(|shown| !shown.contains("hunter2") && shown.contains("sasl.password")), "{shown:?}");
        assert!(shown[0].contains("me"), "{shown:?}");
    }

    #[test]
    fn a_client_without_a_broker_is_refused() {
        for brokers in ["", "  ", ",", " , "] {
            let refusals = [
                crate::Producer::new(crate::ProducerConfig::new(brokers)).err(),
                crate::Consumer::new(crate::ConsumerConfig::new(brokers, "t")).err(),
                crate::GroupConsumer::new(crate::GroupConfig::new(brokers, "g")).err(),
                crate::admin::Admin::new(brokers, &[]).err(),
            ];
            for refusal in refusals {
                let refusal = refusal.unwrap_or_else(|| panic!("'{brokers}' was taken"));
                assert!(refusal.message.contains("bootstrap.servers"), "{refusal}");
            }
        }
        let other = crate::ProducerConfig::new("").set("metadata.broker.list", "127.0.0.1:9");
        assert!(crate::Producer::with_events(other, |_| ()).is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        let refusal = |brokers: &str| crate::admin::Admin::new(brokers, &[]).err().map(|error| error.message);
        for (brokers, why) in [
            ("http://b:80", "scheme"),
            ("kafka://b:9092", "scheme"),
            ("a:9092, localhost:99999", "'localhost:99999'"),
            ("b:0", "port"),
            ("b:", "port"),
            ("b:nine", "port"),
            ("[::1]:65536", "port"),
        ] {
            let refusal = refusal(brokers).unwrap_or_else(|| panic!("'{brokers}' was taken"));
            assert!(refusal.contains(why), "{refusal}");
        }
        for brokers in ["127.0.0.1", "127.0.0.1:9,", "::1", "[::1]:9", "PLAINTEXT://127.0.0.1:9/", "127.0.0.1:9/"] {
            assert_eq!(refusal(brokers), None, "{brokers}");
        }
    }

    #[test]
    fn the_last_value_wins() {
        let mut properties = Properties::default();
        properties.set("linger.ms", 5);
        properties.set("linger.ms", 0);
        assert_eq!(properties.get("linger.ms"), Some("0"));
        assert_eq!(properties.take("linger.ms").as_deref(), Some("0"));
        assert_eq!(properties.get("linger.ms"), None);
    }
}
