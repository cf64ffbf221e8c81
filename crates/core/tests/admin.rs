//! The admin against the real Kafka.

mod support;

use kafka_native::admin::*;
use kafka_native::{Error, Reply, Result};
use support::kafka::{brokers, made, topic, Cluster};
use support::*;

fn admin() -> Admin {
    Admin::new(brokers(), &[]).unwrap()
}

/// Until brokers have heard of what the controller has already.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + LONG;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn code<T: std::fmt::Debug>(result: &Result<T>) -> String {
    result.as_ref().err().map_or_else(|| format!("{result:?}"), Error::name)
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

fn offset(topic: &str, partition: i32, offset: i64) -> TopicPartitionOffset {
    TopicPartitionOffset { topic: topic.into(), partition, offset }
}

#[test]
fn every_topic_of_a_request_has_its_own_result() {
    let (admin, new) = (admin(), topic("each"));
    let old = made("old", 1);
    let topics = vec![
        NewTopic::new(&new, 2).config("retention.ms", 60_000),
        NewTopic::new(&old, 1),
        NewTopic::new("a/b", 1),
        NewTopic::new(topic("copies"), 1).replication(9),
        NewTopic::new(topic("config"), 1).config("no.such.property", 1),
    ];
    let results = admin.request(CreateTopics { topics, validate_only: false }, LONG).unwrap();
    let codes: Vec<_> = results.iter().map(|topic| code(&topic.result)).collect();
    assert_eq!(
        codes,
        ["Ok(())", "TOPIC_ALREADY_EXISTS", "TOPIC_EXCEPTION", "INVALID_REPLICATION_FACTOR", "INVALID_CONFIG"]
    );
    assert_eq!(results[1].result.as_ref().unwrap_err().topic.as_ref(), Some(&old));

    let only_asked = topic("asked");
    let request = CreateTopics { topics: vec![NewTopic::new(&only_asked, 1)], validate_only: true };
    assert_eq!(code(&admin.request(request, LONG).unwrap()[0].result), "Ok(())");

    let more = |topic: &str, total| MorePartitions { topic: topic.into(), total, replicas: vec![] };
    let topics = vec![more(&new, 4), more(&old, 1), more("nowhere", 3)];
    let results = admin.request(CreatePartitions { topics, validate_only: false }, LONG).unwrap();
    let codes: Vec<_> = results.iter().map(|topic| code(&topic.result)).collect();
    assert_eq!(codes, ["Ok(())", "INVALID_PARTITIONS", "UNKNOWN_TOPIC_OR_PART"]);

    let described = eventually("four partitions", || {
        let topics = vec![new.clone(), "nowhere".into()];
        let described = admin.request(DescribeTopics { topics }, LONG).unwrap();
        described[0].result.as_ref().is_ok_and(|topic| topic.partitions.len() == 4).then_some(described)
    });
    let found = described[0].result.as_ref().unwrap();
    assert_eq!((found.id.len(), found.internal), (22, false));
    assert!(found.partitions.iter().all(|p| p.leader == Some(p.replicas[0]) && p.in_sync == p.replicas));
    assert_eq!(code(&described[1].result), "UNKNOWN_TOPIC_OR_PART");

    let names = admin.list_topics(LONG).unwrap();
    assert!(names.contains(&new) && names.contains(&old) && !names.contains(&only_asked));

    let results = admin.request(DeleteTopics { topics: vec![new, "nowhere".into()] }, LONG).unwrap();
    let codes: Vec<_> = results.iter().map(|topic| code(&topic.result)).collect();
    assert_eq!(codes, ["Ok(())", "UNKNOWN_TOPIC_OR_PART"]);
}

#[test]
fn an_alteration_leaves_what_it_does_not_name() {
    let admin = admin();
    let topic = made("configs", 1);
    let resource = |name: &str| ConfigResource { kind: ConfigKind::Topic, name: name.into() };
    let entry = |name: &str, operation, value: Option<&str>| Alteration {
        name: name.into(),
        operation,
        value: value.map(str::to_owned),
    };
    let alter = |entries| {
        let resources = vec![
            AlteredResource { resource: resource(&topic), entries },
            AlteredResource { resource: resource("nowhere"), entries: vec![] },
        ];
        let results = admin.request(AlterConfigs { resources, validate_only: false }, LONG).unwrap();
        results.iter().map(|altered| code(&altered.item.result)).collect::<Vec<_>>()
    };
    let value = |name: &str| {
        let resources = vec![resource(&topic), resource("nowhere")];
        let described = admin.request(DescribeConfigs { resources }, LONG).unwrap();
        assert_eq!(code(&described[1].item.result), "UNKNOWN_TOPIC_OR_PART");
        let entries = described[0].item.result.clone().unwrap();
        entries.into_iter().find(|entry| entry.name == name).map(|entry| (entry.value.unwrap(), entry.source)).unwrap()
    };
    use ConfigOperation::*;
    let set = vec![entry("retention.ms", Set, Some("60000")), entry("cleanup.policy", Append, Some("compact"))];
    assert_eq!(alter(set), ["Ok(())", "UNKNOWN_TOPIC_OR_PART"]);
    let both = |policy: &str| policy.split(',').count() == 2;
    eventually("the policies", || both(&value("cleanup.policy").0).then_some(()));
    assert_eq!(alter(vec![entry("cleanup.policy", Subtract, Some("delete"))])[0], "Ok(())");
    eventually("the policy", || (value("cleanup.policy").0 == "compact").then_some(()));
    assert_eq!(value("retention.ms"), ("60000".into(), ConfigSource::Topic), "not named, not altered");
    assert_eq!(alter(vec![entry("retention.ms", Delete, None)])[0], "Ok(())");
    eventually("the default", || (value("retention.ms").1 != ConfigSource::Topic).then_some(()));
    assert_eq!(alter(vec![entry("retention.ms", Set, Some("soon"))])[0], "INVALID_CONFIG");
}

#[test]
fn offsets_of_a_log_are_found_by_meaning_and_by_time() {
    let admin = admin();
    let topic = made("offsets", 2);
    fill(brokers(), &topic, 0, 0..100);
    assert_eq!(admin.delete_records(&topic, 0, 40, LONG).unwrap(), 40);
    let ask = |partition, spec| {
        let offsets = vec![OffsetQuery { topic: topic.clone(), partition, at: spec }];
        admin.request(ListOffsets { offsets, read_committed: false }, LONG).unwrap().remove(0)
    };
    let found = |partition, spec| ask(partition, spec).result.unwrap().offset;
    assert_eq!(found(0, OffsetSpec::Earliest), Some(40));
    assert_eq!(found(0, OffsetSpec::Latest), Some(100));
    assert_eq!(found(0, OffsetSpec::Timestamp(0)), Some(40));
    assert_eq!(found(0, OffsetSpec::Timestamp(i64::MAX / 2)), None);
    assert!(ask(0, OffsetSpec::MaxTimestamp).result.unwrap().timestamp.is_some());
    assert_eq!(found(1, OffsetSpec::MaxTimestamp), None);
    let unknown = ask(7, OffsetSpec::Latest);
    assert_eq!((unknown.partition, code(&unknown.result)), (7, "UNKNOWN_TOPIC_OR_PART".into()));

    let before = vec![offset(&topic, 0, 101), offset(&topic, 1, -1), offset(&topic, 7, 0)];
    let results = admin.request(DeleteRecords { before }, LONG).unwrap();
    let codes: Vec<_> = results.iter().map(|place| (place.partition, code(&place.result))).collect();
    assert_eq!(codes[0], (0, "OFFSET_OUT_OF_RANGE".into()));
    assert_eq!(codes[1], (1, "Ok(0)".into()));
    assert_eq!(codes[2].0, 7);
    assert!(results[2].result.is_err());
}

#[test]
fn what_a_group_committed_is_listed_altered_and_forgotten() {
    let admin = admin();
    let (topic, group) = (made("group", 3), topic("a-group"));
    let list = |partitions| {
        let mut offsets = admin.request(ListGroupOffsets { group: group.clone(), partitions }, LONG).unwrap();
        offsets.sort_by_key(|place| place.partition);
        offsets.into_iter().map(|place| (place.partition, place.result.unwrap().offset)).collect::<Vec<_>>()
    };
    eventually("the coordinator knows the topic", || {
        let offsets = vec![offset(&topic, 0, 5), offset(&topic, 1, 6)];
        let results = admin.request(AlterGroupOffsets { group: group.clone(), offsets }, LONG).unwrap();
        results.iter().all(|place| place.result.is_ok()).then_some(())
    });
    assert_eq!(list(None), [(0, Some(5)), (1, Some(6))]);
    assert_eq!(list(Some(vec![at(&topic, 1), at(&topic, 2)])), [(1, Some(6)), (2, None)]);

    let listed = admin.request(ListGroups {}, LONG).unwrap();
    let mine = listed.groups.iter().find(|listing| listing.group == group).expect("listed");
    assert_eq!((mine.state, mine.kind, listed.errors.len()), (GroupState::Empty, GroupKind::Classic, 0));
    let described = admin.request(DescribeGroups { groups: vec![group.clone()] }, LONG).unwrap();
    let described = described[0].result.as_ref().unwrap();
    assert_eq!((described.state, described.members.len()), (GroupState::Empty, 0));
    assert!(described.coordinator.is_some());

    let forget = DeleteGroupOffsets { group: group.clone(), partitions: vec![at(&topic, 0)] };
    assert_eq!(code(&admin.request(forget, LONG).unwrap()[0].result), "Ok(())");
    assert_eq!(list(None), [(1, Some(6))]);
    let groups = vec![group.clone(), "nobody".into()];
    let results = admin.request(DeleteGroups { groups }, LONG).unwrap();
    let codes: Vec<_> = results.iter().map(|group| code(&group.result)).collect();
    assert_eq!(codes, ["Ok(())", "GROUP_ID_NOT_FOUND"]);
}

#[test]
fn requests_run_side_by_side() {
    let admin = admin();
    let (tx, answers) = std::sync::mpsc::channel();
    for _ in 0..50 {
        let tx = tx.clone();
        let reply = kafka_native::Reply::new(move |answer: Result<ClusterDescription>| drop(tx.send(answer)));
        admin.request_with(DescribeCluster {}, LONG, reply);
    }
    for _ in 0..50 {
        let cluster = answers.recv_timeout(LONG).unwrap().unwrap();
        assert_eq!((cluster.brokers.len(), cluster.controller), (1, Some(cluster.brokers[0].id)));
        assert!(!cluster.id.is_empty());
    }
}

#[test]
fn an_admin_may_end_in_the_moment_of_an_answer() {
    let topic = made("moment", 1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let topic = &topic;
            scope.spawn(move || {
                for round in 0..500 {
                    let admin = admin();
                    admin.connect(LONG).unwrap();
                    let [cluster, topics] = [0; 2].map(|_| std::sync::mpsc::channel());
                    let (tell_cluster, tell_topics) = (cluster.0, topics.0);
                    let describe = DescribeTopics { topics: vec![topic.clone()] };
                    admin.request_with(
                        DescribeCluster {},
                        LONG,
                        Reply::new(move |answer| tell_cluster.send(answer.is_ok()).unwrap()),
                    );
                    admin.request_with(
                        describe,
                        LONG,
                        Reply::new(move |answer| tell_topics.send(answer.is_ok()).unwrap()),
                    );
                    std::thread::sleep(std::time::Duration::from_micros((round * 37 + thread * 5) % 1500));
                    drop(admin);
                    // Answered, by the cluster or by the admin's end.
                    assert!(cluster.1.recv().is_ok() && topics.1.recv().is_ok());
                }
            });
        }
    });
}

#[test]
fn a_request_is_a_future_and_a_name_with_json_as_well() {
    let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
    let asynchronous = kafka_native::tokio::AsyncAdmin::with_events(AdminConfig::new(brokers()), |_| ()).unwrap();
    let cluster = runtime.block_on(async {
        asynchronous.connect(LONG).await.unwrap();
        let (cluster, topics) =
            ::tokio::join!(asynchronous.request(DescribeCluster {}, LONG), asynchronous.list_topics(LONG));
        topics.unwrap();
        cluster.unwrap()
    });
    let admin = admin();
    let ask = |name: &str, fields: &str| {
        let (tx, rx) = std::sync::mpsc::channel();
        let reply = kafka_native::Reply::new(move |answer: Result<String>| tx.send(answer).unwrap());
        admin.request_json(name, fields, LONG, reply);
        rx.recv().unwrap().map(|json| serde_json::from_str::<serde_json::Value>(&json).unwrap())
    };
    assert_eq!(ask("DescribeCluster", "{}").unwrap()["id"], cluster.id.as_str());
    let described = ask("DescribeTopics", r#"{"topics":["nowhere"]}"#).unwrap();
    let error = &described[0]["result"]["Err"];
    assert_eq!(
        (&error["name"], &error["code"], &error["topic"]),
        (&"UNKNOWN_TOPIC_OR_PART".into(), &3.into(), &"nowhere".into())
    );
    assert!(error.get("partition").is_none(), "{error}");
    assert_eq!(code(&ask("NoSuchRequest", "{}")), "_INVALID_ARG");
    let wrong = ask("AlterUsers", r#"{"alterations":[{"user":"u","mechanism":1,"password":5}]}"#).unwrap_err();
    assert_eq!(wrong.code, kafka_native::code::INVALID_ARG);
    assert_eq!(code(&admin.request(DeleteTopics { topics: vec!["a\0b".into()] }, LONG)), "_INVALID_ARG");
}

#[test]
fn nobody_who_answers_is_a_time_out_with_its_cause() {
    let admin = Admin::new("127.0.0.1:1", &[]).unwrap();
    let error = admin.request(DescribeCluster {}, std::time::Duration::from_millis(300)).unwrap_err();
    assert_eq!((error.kind, error.name()), (kafka_native::ErrorKind::Timeout, "_TIMED_OUT".into()));
    assert_eq!(error.cause.expect("a cause").name(), "_TRANSPORT");
}

#[test]
fn rights_and_users_are_made_found_and_taken_away() {
    let cluster = Cluster::start(&["--acls"]);
    let admin = Admin::new(&cluster.brokers(), &[]).unwrap();
    let acl = Acl {
        resource: ResourceKind::Topic,
        name: "orders".into(),
        pattern: PatternKind::Prefixed,
        principal: "User:alice".into(),
        host: "*".into(),
        operation: AclOperation::Read,
        permission: AclPermission::Allow,
    };
    let wrong = Acl { principal: "alice".into(), ..acl.clone() };
    let results = admin.request(CreateAcls { acls: vec![acl.clone(), wrong] }, LONG).unwrap();
    assert_eq!(results[0], Ok(()));
    assert!(results[1].is_err());
    let filter = |name: Option<&str>| AclFilter {
        resource: ResourceKind::Topic,
        name: name.map(str::to_owned),
        pattern: PatternKind::Match,
        principal: None,
        host: None,
        operation: AclOperation::Any,
        permission: AclPermission::Any,
    };
    let find = |name| admin.request(DescribeAcls { filter: filter(Some(name)) }, LONG).unwrap();
    assert_eq!(eventually("the ACL", || find("orders-2").pop()), acl);
    assert_eq!(find("other"), []);
    let deleted = admin.request(DeleteAcls { filters: vec![filter(None)] }, LONG).unwrap();
    assert_eq!(deleted[0].as_ref().unwrap()[0], DeletedAcl { acl, result: Ok(()) });

    let alter = |user: &str, password: Option<&str>, iterations| {
        let alteration = UserAlteration {
            user: user.into(),
            mechanism: ScramMechanism::Sha256,
            password: password.map(str::to_owned),
            iterations,
        };
        assert!(!format!("{alteration:?}").contains("secret"));
        code(&admin.request(AlterUsers { alterations: vec![alteration] }, LONG).unwrap()[0].result)
    };
    assert_eq!(alter("carol", Some("secret"), 4096), "Ok(())");
    assert_eq!(alter("carol", Some("secret"), 1), "UNACCEPTABLE_CREDENTIAL");
    let found = eventually("the user", || {
        let users = admin.request(DescribeUsers { users: vec!["carol".into()] }, LONG).unwrap();
        users.into_iter().find_map(|user| user.result.ok())
    });
    assert_eq!(found, [ScramCredential { mechanism: ScramMechanism::Sha256, iterations: 4096 }]);
    assert_eq!(alter("carol", None, 4096), "Ok(())");
    assert_eq!(alter("dave", None, 4096), "RESOURCE_NOT_FOUND");
}
