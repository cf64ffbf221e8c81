//! SASL/OAUTHBEARER with tokens from a file that somebody renews, such as a projected service account token of Kubernetes.
//!
//! ```sh
//! KAFKA_BROKER=broker:9094 cargo run --release --example tokens -- clicks /var/run/secrets/kafka/token
//! ```

use std::time::{Duration, SystemTime};

use kafka_native::{Error, Producer, ProducerConfig, Record, Retry, Token, TokenProvider};

/// How long a token of the file is good for at least.
const GOOD_FOR: Duration = Duration::from_secs(600);

fn tokens(path: String) -> TokenProvider {
    // Called on a thread of librdkafka's, again before each token ends. A file is read in no time; what takes longer belongs on
    // a thread of its own, which sends the reply when it has the token.
    TokenProvider::new(move |reply| {
        let token = std::fs::read_to_string(&path).map(|value| Token {
            value: value.trim().to_owned(),
            principal: "service".into(),
            expires: SystemTime::now() + GOOD_FOR,
            extensions: Vec::new(),
        });
        reply.send(token.map_err(|error| Error::no_token(format!("{path}: {error}"))));
    })
}

fn main() -> kafka_native::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(topic), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err(Error::wrong_state("usage: tokens <topic> <file with a token>"));
    };
    let broker = std::env::var("KAFKA_BROKER").unwrap_or_else(|_| "localhost:9092".into());
    let protocol = std::env::var("KAFKA_PROTOCOL").unwrap_or_else(|_| "sasl_ssl".into());
    let config = ProducerConfig::new(&broker)
        .set("security.protocol", protocol)
        .set("sasl.mechanism", "OAUTHBEARER")
        .token_provider(tokens(path));
    let producer = Producer::new(config)?;
    producer.connect(Duration::from_secs(10))?; // a token that is refused fails here, at once
    producer.partition_count(&topic, Retry::default())?;
    producer.send(&topic, -1, &[Record::value("signed in")]);
    let left = producer.stop(Duration::from_secs(10))?;
    println!("sent with a token, {left} left behind");
    Ok(())
}
