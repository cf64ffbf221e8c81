//! SASL/OAUTHBEARER against the real Kafka's listeners.

mod support;

use std::sync::mpsc::{channel, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_native::{
    GroupConfig, GroupConsumer, Producer, ProducerConfig, Record, Reset, Subscription, Token, TokenProvider,
};
use support::kafka::Cluster;
use support::*;

/// Far beyond what any test waits: who gets an answer has not waited for it.
const NEVER: Duration = Duration::from_secs(3600);

/// An unsigned JWT, which the brokers of the tests take, that ends in so many seconds.
fn jwt(user: &str, ends_in: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = format!(r#"{{"sub":"{user}","iat":{},"exp":{}}}"#, now - 1000, now + ends_in);
    format!("{}.{}.", base64url(br#"{"alg":"none"}"#), base64url(claims.as_bytes()))
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(|i| char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize])).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

/// Gives tokens on a thread of its own, which librdkafka takes to end in `lasts`, and tells of each.
fn provider(value: impl Fn() -> String + Send + Sync + 'static, lasts: Duration) -> (TokenProvider, Receiver<()>) {
    let (tx, given) = channel();
    let (tx, value) = (Mutex::new(tx), Arc::new(value));
    let provider = TokenProvider::new(move |reply| {
        let (tx, value) = (tx.lock().unwrap().clone(), value.clone());
        std::thread::spawn(move || {
            let expires = SystemTime::now() + lasts;
            reply.send(Ok(Token { value: value(), principal: "carol".into(), expires, extensions: Vec::new() }));
            let _ = tx.send(());
        });
    });
    (provider, given)
}

const OAUTH: [(&str, &str); 2] = [("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "OAUTHBEARER")];

#[test]
fn tokens_open_the_way_for_producers_and_groups_and_are_asked_for_again_before_they_end() {
    let cluster = Cluster::start(&["--security"]);
    let brokers = cluster.get("/listeners/saslPlaintext");
    let (tokens, given) = provider(|| jwt("carol", 600), Duration::from_secs(2));
    let config = OAUTH.into_iter().fold(ProducerConfig::new(&brokers), |config, (k, v)| config.set(k, v));
    let producer = Producer::new(config.token_provider(tokens)).unwrap();
    producer.connect(NEVER).unwrap();
    let delivered = producer.partition_count("t", kafka_native::Retry::default()).unwrap();
    assert!(delivered > 0);
    producer.send("t", 0, &[Record::value("in")]);

    let (tokens, _) = provider(|| jwt("carol", 600), Duration::from_secs(600));
    let config = OAUTH.into_iter().fold(GroupConfig::new(&brokers, "g"), |config, (k, v)| config.set(k, v));
    let consumer = GroupConsumer::new(config.token_provider(tokens)).unwrap();
    consumer.connect(NEVER).unwrap();
    consumer.subscribe(&[Subscription::new("t", Reset::Earliest)]).unwrap();
    let batch = consumer.recv(LONG).unwrap();
    assert_eq!(batch.messages().next().unwrap().value, Some(&b"in"[..]));
    batch.done();
    consumer.stop(LONG).unwrap();

    // Nothing is asked of this client meanwhile, and it has its next token all the same.
    for _ in 0..3 {
        given.recv_timeout(LONG).expect("a token");
    }
    assert_eq!(producer.stop(LONG).unwrap(), 0);
}

#[test]
fn a_token_that_the_broker_refuses_fails_connect_at_once() {
    let cluster = Cluster::start(&["--security"]);
    let brokers = cluster.get("/listeners/saslPlaintext");
    // librdkafka is told that they last.
    for (what, value) in [("over", jwt("carol", -500)), ("none", "x.y.z".to_owned())] {
        let (tokens, _) = provider(move || value.clone(), Duration::from_secs(600));
        let config = OAUTH.into_iter().fold(ProducerConfig::new(&brokers), |config, (k, v)| config.set(k, v));
        let producer = Producer::with_events(config.token_provider(tokens), |_| ()).unwrap();
        let error = producer.connect(NEVER).unwrap_err();
        assert_eq!(error.name(), "_AUTHENTICATION", "{what}: {error}");
    }
}

#[test]
fn the_example_signs_in_with_the_token_of_a_file() {
    let cluster = Cluster::start(&["--security"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let run = || {
        let output = support::example("tokens")
            .arg("t")
            .arg(&file)
            .env("KAFKA_BROKER", cluster.get("/listeners/saslPlaintext"))
            .env("KAFKA_PROTOCOL", "sasl_plaintext")
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert!(run().contains("Failed to acquire SASL OAUTHBEARER token"), "there is no file");
    std::fs::write(&file, jwt("carol", 600)).unwrap();
    let told = run();
    assert!(told.contains("sent with a token, 0 left behind"), "{told}");
}
