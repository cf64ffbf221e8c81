//! Makes a topic if it is missing, and shows the cluster: its brokers, topics, and how far its groups are behind.
//!
//! `cargo run --release --example admin -- TOPIC [BROKERS]`

use std::time::Duration;

use kafka_native::admin::{
    Admin, CreateTopics, DescribeCluster, DescribeTopics, ListGroupOffsets, ListGroups, ListOffsets, NewTopic,
    OffsetQuery, OffsetSpec,
};

const SOON: Duration = Duration::from_secs(10);

fn main() -> kafka_native::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let topic = arguments.next();
    let brokers = arguments.next().or_else(|| std::env::var("KAFKA_BROKER").ok());
    let (Some(topic), Some(brokers)) = (topic, brokers) else {
        eprintln!("usage: admin TOPIC [BROKERS]\n\nThe brokers may be in KAFKA_BROKER. The embedded cluster has no admin calls.");
        std::process::exit(2);
    };
    let admin = Admin::new(&brokers, &[])?;

    let cluster = admin.request(DescribeCluster {}, SOON)?;
    println!("cluster {} with {} brokers", cluster.id, cluster.brokers.len());

    // A failure of the request as a whole is the error of the call; what became of each topic is in the answer.
    let topics = vec![NewTopic::new(&topic, 4).config("retention.ms", 3_600_000)];
    for made in admin.request(CreateTopics { topics, validate_only: false }, SOON)? {
        match made.result {
            Ok(()) => println!("{} was made", made.name),
            Err(error) if error.name() == "TOPIC_ALREADY_EXISTS" => println!("{} is there", made.name),
            Err(error) => return Err(error),
        }
    }

    for topic in admin.request(DescribeTopics { topics: admin.list_topics(SOON)? }, SOON)? {
        match topic.result {
            Ok(described) => println!("topic {}: {} partitions", topic.name, described.partitions.len()),
            Err(error) => println!("topic {}: {error}", topic.name), // brokers hear of a new one a moment later
        }
    }

    for group in admin.request(ListGroups {}, SOON)?.groups {
        println!("group {}: {:?}, {} messages behind", group.group, group.state, lag(&admin, &group.group)?);
    }
    Ok(())
}

/// How many messages there are behind what a group committed.
fn lag(admin: &Admin, group: &str) -> kafka_native::Result<i64> {
    let committed = admin.request(ListGroupOffsets { group: group.to_owned(), partitions: None }, SOON)?;
    let ends = committed.iter().map(|place| OffsetQuery {
        topic: place.topic.clone(),
        partition: place.partition,
        at: OffsetSpec::Latest,
    });
    let request = ListOffsets { offsets: ends.collect(), read_committed: false };
    let ends = admin.request(request, SOON)?;
    let behind = committed.iter().map(|place| {
        let end = ends.iter().find(|end| (&end.topic, end.partition) == (&place.topic, place.partition));
        let end = end.and_then(|end| end.result.as_ref().ok()?.offset);
        let next = place.result.as_ref().ok().and_then(|committed| committed.offset);
        end.zip(next).map_or(0, |(end, next)| (end - next).max(0))
    });
    Ok(behind.sum())
}
