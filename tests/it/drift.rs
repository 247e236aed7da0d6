//! What somebody changes in the console is put back where git declares it, once, and left alone where it does not.

mod change;
mod live;
mod others;
mod walk;

use crate::support::{Account, Daemon, Options, Repository, Writes, assert_quiet, driftless};
use serde_json::{Value, json};

/// What was put back stays so, and nothing else is found.
const QUIET_PASSES: u64 = 3;

/// An example that is live, with a daemon that corrects drift at once.
struct Stage {
    account: Account,
    repository: Repository,
    daemon: Daemon,
    cluster: String,
}

impl Stage {
    fn of(example: &str) -> Self {
        Self::of_changed(example, |repository| repository.sync("{ minInterval: 1s }"))
    }

    /// On a simulated account: what driftless does about what somebody else has done.
    fn of_changed(example: &str, change: impl FnOnce(&Repository)) -> Self {
        Self::on(Account::simulated_example(example), example, change)
    }

    fn on(account: Account, example: &str, change: impl FnOnce(&Repository)) -> Self {
        let repository = Repository::of_example_with(example, change);
        let folder = repository.environment();
        driftless(&account, &["apply", "--path", folder.to_str().unwrap()]).assert_status(0);
        let daemon = match account.simulator() {
            Some(_) => Daemon::inside(&account, &repository),
            None => Daemon::start(&account, &repository, &Options::default()),
        };
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

    /// The ECS services of the example.
    fn services(&self) -> Vec<String> {
        let status = self.daemon.status();
        let services = status.services().iter().filter(|service| service["shared"] == false);
        services.map(|service| service["service"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the daemon has made as many calls and everything is live again; gives what it has written since
    /// `before`.
    fn put_back(&self, what: &str, calls: usize, before: usize) -> Writes {
        self.daemon.until(&format!("{what} is put back"), || self.account.writes().since(before).len() >= calls);
        // The write comes from a pass that has shown the drift: live means that a later pass has seen it gone.
        self.daemon.wait(&format!("everything is live after {what}"), |status| status.all("live"));
        self.account.writes().since(before)
    }
}

#[test]
fn a_revision_from_outside_gives_way_to_the_one_that_is_there_already() {
    let stage = Stage::of("convergence-website");
    let ours = stage.live("prod-api")["taskDefinition"].as_str().unwrap().to_owned();
    let answer = stage.account.aws(&["ecs", "describe-task-definition", "--task-definition", &ours]);
    let container = "/containerDefinitions/0";
    stage.account.push("convergence-prod-api", "hotfix");
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
    let (stage, service) = (Stage::of("windingtree"), "playground-wt-demo-app");
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
    let status = stage.daemon.wait("both are drifted", |status| status.all_services("drifted"));
    for (service, why) in [("prod-api", "sync.drift is report"), ("prod-app", "sync.mode is detect")] {
        let reason = status.service(service)["reason"].as_str().unwrap();
        assert!(reason.starts_with(why), "{service}: {reason}");
        let change = &stage.daemon.plan(service)["changes"][0];
        assert_eq!((&change["from"], &change["to"]), (&json!(17), &json!(300)), "{change}");
    }
    assert_quiet(&stage.account, &stage.daemon, 10);
    assert_eq!(stage.account.writes().len(), before);
    assert!(stage.daemon.status().all_services("drifted"));
    stage.daemon.stop();
}
