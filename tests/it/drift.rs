//! What somebody changes in the console is put back where git declares it, once, and left alone where it does not.
//!
//! The table of fields is not written here: it is what the examples declare, as `driftless render` prints it.

use crate::support::{Account, Daemon, Entry, Options, Repository, Writes, assert_quiet, driftless};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Declared, and UpdateService has no such member.
const NOT_UPDATABLE: &[&str] = &["launchType"];
/// What was put back stays so, and nothing else is found.
const QUIET_PASSES: u64 = 3;

#[test]
fn every_field_of_connections_is_put_back() {
    every_declared_field("connections", 10);
}

#[test]
fn every_field_of_convergence_website_is_put_back() {
    every_declared_field("convergence-website", 10);
}

#[test]
fn every_field_of_messenger_is_put_back() {
    every_declared_field("messenger", 7);
}

#[test]
fn every_field_of_phoenix_is_put_back() {
    every_declared_field("phoenix", 12);
}

#[test]
fn every_field_of_windingtree_is_put_back() {
    every_declared_field("windingtree", 8);
}

/// An example that is live, with a daemon that corrects drift at once.
struct Stage {
    account: Account,
    repository: Repository,
    daemon: Daemon,
    cluster: String,
}

impl Stage {
    fn of(example: &str, sync: &str) -> Self {
        Self::of_changed(example, |repository| repository.sync(sync))
    }

    fn of_changed(example: &str, change: impl FnOnce(&Repository)) -> Self {
        let account = Account::start_brisk(example);
        let repository = Repository::of_example_with(example, change);
        let folder = repository.environment();
        driftless(&account, &["apply", "--path", folder.to_str().unwrap()]).assert_status(0);
        let daemon = Daemon::start(&account, &repository, &Options::default());
        let status = daemon.wait("everything is live", |status| status.all("live"));
        let cluster = status.services()[0]["cluster"].as_str().unwrap().to_owned();
        Self { account, repository, daemon, cluster }
    }

    /// A service as AWS describes it.
    fn live(&self, service: &str) -> Value {
        let answer = self.account.aws(&["ecs", "describe-services", "--cluster", &self.cluster, "--services", service]);
        answer["services"][0].clone()
    }

    /// What the console's update dialog does: some fields of a service, each whole.
    fn change(&self, service: &str, fields: Value) {
        let mut input = fields;
        input["cluster"] = self.cluster.as_str().into();
        input["service"] = service.into();
        self.account.aws(&["ecs", "update-service", "--cli-input-json", &input.to_string()]);
    }

    /// Waits until the daemon has written and everything is live again; gives what it has written since `before`.
    fn put_back(&self, what: &str, services: usize, before: usize) -> Writes {
        self.daemon.until(&format!("{what} is put back"), || {
            self.account.writes().since(before).count("UpdateService") >= services
        });
        // The write comes from a pass that has shown the drift: live means that a later pass has seen it gone.
        self.daemon.wait(&format!("everything is live after {what}"), |status| status.all("live"));
        self.account.writes().since(before)
    }
}

/// One declared setting of one service.
#[derive(Debug, Clone)]
struct Leaf {
    /// From the service's document, as `/deploymentConfiguration/maximumPercent`.
    pointer: String,
    service: String,
}

impl Leaf {
    /// The member of UpdateService that it is in.
    fn top(&self) -> &str {
        self.pointer.split('/').nth(1).unwrap()
    }
}

/// Every distinct setting that an example declares is changed from outside, in one of the services that declare it, and
/// each is put back by one UpdateService with that field alone.
fn every_declared_field(example: &str, expected: usize) {
    let stage = Stage::of(example, "{ minInterval: 1s }");
    let leaves = declared(&stage);
    assert_eq!(leaves.len(), expected, "{leaves:?}");
    let mut queues: BTreeMap<String, Vec<Leaf>> = BTreeMap::new();
    for leaf in leaves {
        queues.entry(leaf.service.clone()).or_default().push(leaf);
    }
    let before: BTreeMap<String, Value> = queues.keys().map(|name| (name.clone(), stage.live(name))).collect();
    // A round is one change in each of the services, side by side.
    loop {
        let round: Vec<Leaf> = queues.values_mut().filter_map(Vec::pop).collect();
        if round.is_empty() {
            break;
        }
        let written = stage.account.writes().len();
        for leaf in &round {
            let live = &before[&leaf.service];
            let mut changed = json!({ leaf.top(): live[leaf.top()] });
            let value = changed.pointer_mut(&leaf.pointer).unwrap_or_else(|| panic!("{leaf:?} is not in {live:#}"));
            *value = another(&leaf.pointer, value);
            stage.change(&leaf.service, changed);
        }
        let what: Vec<&str> = round.iter().map(|leaf| leaf.pointer.as_str()).collect();
        let writes = stage.put_back(&what.join(" and "), round.len(), written);
        for leaf in &round {
            assert_put_back(leaf, &writes, &before[&leaf.service]);
        }
        assert_eq!(writes.len(), round.len(), "one write for each change:\n{}", writes.text());
    }
    assert_quiet(&stage.account, &stage.daemon, QUIET_PASSES);
    for (service, before) in &before {
        assert_eq!(settings(&stage.live(service)), settings(before), "{service} is as it was");
    }
    stage.daemon.stop();
}

#[track_caller]
fn assert_put_back(leaf: &Leaf, writes: &Writes, before: &Value) {
    let of_service: Vec<&Entry> =
        writes.0.iter().filter(|write| write.input["service"] == leaf.service.as_str()).collect();
    let [update] = of_service[..] else { panic!("{leaf:?}: not one write:\n{}", writes.text()) };
    assert_eq!((update.operation.as_str(), update.status), ("UpdateService", 200));
    let mut expected = ["cluster", leaf.top(), "service"];
    expected.sort_unstable();
    assert_eq!(update.fields(), expected, "{leaf:?}: {}", update.input);
    assert_eq!(update.input.pointer(&leaf.pointer), before.pointer(&leaf.pointer), "{leaf:?}: {}", update.input);
}

/// The settings that an example declares: the leaves of the `service` sections, a list being one leaf. A setting that
/// several services declare is taken from the one that has the fewest so far.
fn declared(stage: &Stage) -> Vec<Leaf> {
    let folder = stage.repository.environment();
    let arguments = ["render", "--path", folder.to_str().unwrap(), "--output", "json"];
    let rendered = driftless(&stage.account, &arguments).assert_status(0);
    let rendered: Value = serde_json::from_str(&rendered.stdout).unwrap();
    let mut by_pointer: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, sections) in rendered["services"].as_object().unwrap() {
        let mut pointers = Vec::new();
        leaves("", &sections["service"], &mut pointers);
        for pointer in pointers {
            by_pointer.entry(pointer).or_default().push(name.clone());
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (pointer, services) in by_pointer {
        let service = services.into_iter().min_by_key(|name| counts.get(name).copied().unwrap_or_default()).unwrap();
        *counts.entry(service.clone()).or_default() += 1;
        chosen.push(Leaf { pointer, service });
    }
    chosen.retain(|leaf| !NOT_UPDATABLE.contains(&leaf.top()));
    chosen
}

fn leaves(at: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(&format!("{at}/{key}"), value, found)),
        _ => found.push(at.to_owned()),
    }
}

/// Another value that AWS takes for the setting.
fn another(pointer: &str, value: &Value) -> Value {
    let name = pointer.rsplit('/').next().unwrap();
    match (name, value) {
        (_, Value::Bool(value)) => json!(!value),
        ("desiredCount" | "bakeTimeInMinutes" | "healthCheckGracePeriodSeconds", value) => {
            json!(value.as_i64().unwrap() + 1)
        }
        ("maximumPercent", _) => json!(150),
        ("minimumHealthyPercent", _) => json!(50),
        ("assignPublicIp", _) | ("availabilityZoneRebalancing", _) => {
            json!(if value == "ENABLED" { "DISABLED" } else { "ENABLED" })
        }
        ("platformVersion", _) => json!("1.3.0"),
        ("strategy", _) => json!("ROLLING"),
        ("subnets", Value::Array(subnets)) => json!(subnets[..1]),
        ("securityGroups", Value::Array(groups)) => {
            groups.iter().cloned().chain([json!("sg-0fedcba9876543210")]).collect()
        }
        ("placementStrategy", Value::Array(strategy)) => strategy.iter().rev().cloned().collect(),
        ("loadBalancers", _) => json!([]),
        _ => panic!("{pointer} is new in the examples: say here what else it could be than {value}"),
    }
}

/// What of a described service is a setting: the rest is counts, times and the history of its deployments.
fn settings(live: &Value) -> Map<String, Value> {
    const MOVING: &[&str] = &[
        "deployments",
        "events",
        "runningCount",
        "pendingCount",
        "currentServiceDeployment",
        "currentServiceRevisions",
    ];
    let settings = live.as_object().unwrap().iter().filter(|(name, _)| !MOVING.contains(&name.as_str()));
    settings.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[test]
fn a_revision_from_outside_gives_way_to_the_one_that_is_there_already() {
    let stage = Stage::of("convergence-website", "{ minInterval: 1s }");
    let ours = stage.live("prod-api")["taskDefinition"].as_str().unwrap().to_owned();
    let answer = stage.account.aws(&["ecs", "describe-task-definition", "--task-definition", &ours]);
    let container = "/containerDefinitions/0";
    for (pointer, value) in [
        (
            format!("{container}/image"),
            json!("620197346831.dkr.ecr.us-east-1.amazonaws.com/convergence-prod-api:hotfix"),
        ),
        (format!("{container}/environment/0/value"), json!("somebody else's")),
        ("/cpu".to_owned(), json!("512")),
    ] {
        let before = stage.account.writes().len();
        let mut theirs = answer["taskDefinition"].clone();
        *theirs.pointer_mut(&pointer).unwrap() = value;
        stage.change("prod-api", json!({ "taskDefinition": register(&stage.account, &theirs) }));
        let writes = stage.put_back(&pointer, 1, before);
        let [update] = &writes.0[..] else { panic!("{pointer}: one update and no registration:\n{}", writes.text()) };
        assert_eq!(update.fields(), ["cluster", "service", "taskDefinition"]);
        assert_eq!(update.input["taskDefinition"], ours.as_str(), "{pointer}");
    }
    assert_quiet(&stage.account, &stage.daemon, QUIET_PASSES);
    stage.daemon.stop();
}

/// Registers a described revision anew; gives its ARN.
fn register(account: &Account, described: &Value) -> String {
    const ANSWERED_ONLY: &[&str] = &[
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
    ];
    let mut input = described.clone();
    input.as_object_mut().unwrap().retain(|name, _| !ANSWERED_ONLY.contains(&name.as_str()));
    let answer = account.aws(&["ecs", "register-task-definition", "--cli-input-json", &input.to_string()]);
    answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}

#[test]
fn what_git_does_not_declare_is_shown_and_never_written() {
    let (stage, service) = (Stage::of("windingtree", "{ minInterval: 1s }"), "playground-wt-demo-app");
    let before = stage.account.writes().len();
    // Beside the declared fields, and inside a block that git declares in part.
    let mut configuration = stage.live(service)["deploymentConfiguration"].clone();
    configuration["bakeTimeInMinutes"] = json!(5);
    stage.change(
        service,
        json!({ "enableExecuteCommand": true, "propagateTags": "SERVICE", "deploymentConfiguration": configuration }),
    );
    let arn = stage.live(service)["serviceArn"].as_str().unwrap().to_owned();
    stage.account.aws(&["ecs", "tag-resource", "--resource-arn", &arn, "--tags", "key=owner,value=ana"]);

    let fields = ["enableExecuteCommand", "propagateTags", "deploymentConfiguration.bakeTimeInMinutes"];
    stage.daemon.until("all three are noted", || {
        let notes = stage.daemon.plan(service)["notes"].to_string();
        fields.iter().all(|field| notes.contains(&format!("set in AWS, not in git: service.{field}")))
    });
    assert_eq!(stage.daemon.status().service(service)["state"], "live", "a note is no drift");
    assert_quiet(&stage.account, &stage.daemon, QUIET_PASSES);

    // Nor is it written along when something beside it is.
    configuration["maximumPercent"] = json!(150);
    stage.change(service, json!({ "deploymentConfiguration": configuration }));
    let writes = stage.put_back("maximumPercent", 1, before);
    assert_eq!(writes.len(), 1, "{}", writes.text());
    assert_eq!(writes.0[0].fields(), ["cluster", "deploymentConfiguration", "service"]);
    let live = stage.live(service);
    assert_eq!(live["deploymentConfiguration"]["maximumPercent"], 200);
    assert_eq!(live["deploymentConfiguration"]["bakeTimeInMinutes"], 5);
    assert_eq!((&live["enableExecuteCommand"], &live["propagateTags"]), (&json!(true), &json!("SERVICE")));
    let tags = stage.account.aws(&["ecs", "list-tags-for-resource", "--resource-arn", &arn]).to_string();
    assert!(tags.contains("owner"), "{tags}");
    stage.daemon.stop();
}

#[test]
fn drift_that_is_only_to_be_reported_is_shown_and_never_written() {
    let stage = Stage::of_changed("convergence-website", |repository| {
        for (service, sync) in [("prod-api", "{ drift: report }"), ("prod-app", "{ mode: detect }")] {
            let file = format!("services/{service}.yaml");
            repository.write(&file, &format!("{}\nsync: {sync}\n", repository.read(&file)));
        }
    });
    let before = stage.account.writes().len();
    for service in ["prod-api", "prod-app"] {
        stage.change(service, json!({ "healthCheckGracePeriodSeconds": 17 }));
    }
    let status = stage.daemon.wait("both are drifted", |status| status.all("drifted"));
    for (service, why) in [("prod-api", "sync.drift is report"), ("prod-app", "sync.mode is detect")] {
        let reason = status.service(service)["reason"].as_str().unwrap();
        assert!(reason.starts_with(why), "{service}: {reason}");
        let change = &stage.daemon.plan(service)["changes"][0];
        assert_eq!((&change["from"], &change["to"]), (&json!(17), &json!(300)), "{change}");
    }
    assert_quiet(&stage.account, &stage.daemon, 10);
    assert_eq!(stage.account.writes().len(), before);
    assert!(stage.daemon.status().all("drifted"));
    stage.daemon.stop();
}
