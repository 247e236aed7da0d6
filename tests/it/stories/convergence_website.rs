//! 000: a release is a commit; what goes bad goes back by itself; the rollback that was "TBD"; and the common mistake,
//! updating a prod-app service with a prod-api task, is refused.

use super::{Stage, crashes, is_live, reason, runs};
use crate::support::{Page, Repository, Simulated, Status};
use serde_json::{Value, json};

const API: &str = "services/prod-api.yaml";
const APP: &str = "services/prod-app.task.json";

fn stage() -> Stage {
    let repository = Repository::of_example_with("convergence-website", |repository| {
        repository.edit(API, "convergence-prod-api:2.1.0", "convergence-prod-api:2.0.1");
    });
    let more = [
        ("discovery", "CreatePrivateDnsNamespace", json!({ "Name": "local", "Vpc": "vpc-0a1b2c3d4e5f60001" })),
        ("secretsmanager", "CreateSecret", json!({ "Name": "prod/database-url", "SecretString": "never read" })),
    ];
    let names = ("prod-convergence-website", "convergence-website");
    let stage = Stage::new(repository, ("620197346831", "us-east-1"), names, &more);
    for (tag, letter) in [("2.0.1", 'a'), ("2.1.0", 'b'), ("2.1.1", 'c'), ("2.2.0", 'd'), ("2.3.0", 'e')] {
        stage.push("convergence-prod-api", tag, letter);
    }
    stage.push("convergence-prod-app", "2.0.1", 'f');
    stage
}

/// What a person sees of the two things beside the image: who is let in, and how far it scales.
fn around(stage: &Stage) -> (bool, Value) {
    let weights = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.weights(443, "v2.convergence")));
    let targets = json!({ "ServiceNamespace": "ecs", "ResourceIds": ["service/prod-convergence-website/prod-api"] });
    let targets = stage.account.call("autoscaling", "DescribeScalableTargets", targets).unwrap();
    (weights.is_ok(), targets["ScalableTargets"][0]["MaxCapacity"].clone())
}

fn api(status: &Status) -> &Value {
    status.service("prod-api")
}

#[test]
fn a_bad_release_goes_back_and_the_wrong_task_is_refused() {
    let stage = stage();
    stage.does("convergence-prod-api:2.1.0", crashes());
    let daemon = stage.follow(&json!({ "branch": "main" }));
    daemon.wait_until("all is live", |status| status.all("live"));
    let since = stage.mark();

    // "2.0.1 to 2.1.0", which was fifteen clicks, and turns out to be bad.
    stage.repository.edit(API, "convergence-prod-api:2.0.1", "convergence-prod-api:2.1.0");
    stage.repository.commit("prod-api 2.1.0");
    let status = daemon.wait_until("it has failed, and 2.0.1 serves", |status| {
        let api = api(status);
        api["state"] == "failed" && runs(api, "convergence-prod-api:2.0.1") && api["tasks"]["running"] == 1
    });
    let why = reason(api(&status));
    assert!(why.contains("container api exited with code 1") && why.contains("circuit breaker"), "{why}");
    daemon.pass(5);
    let writes = ["RegisterTaskDefinition 1", "TagResource 2", "UpdateService 1"];
    assert_eq!(stage.writes(&daemon, "prod-api", since), writes, "once, and held:\n{}", daemon.log());
    assert!(
        stage.rows(&daemon, "prod-api")[0].starts_with("2 rolled_back convergence-prod-api:2.1.0 \"prod-api 2.1.0\"")
    );

    // The common mistake, in one commit with a good release of the API.
    stage.repository.edit(APP, "\"family\": \"prod-app-task\"", "\"family\": \"prod-api-task\"");
    stage.repository.edit(API, "convergence-prod-api:2.1.0", "convergence-prod-api:2.1.1");
    stage.repository.commit("prod-api 2.1.1, and a slip");
    let since = stage.mark();
    let status = daemon.wait_until("the API goes on", |status| is_live(api(status), "convergence-prod-api:2.1.1"));
    let app = status.service("prod-app");
    assert_eq!((&app["broken"], &app["state"]), (&json!(true), &json!("pending")), "{app}");
    assert!(runs(app, "convergence-prod-app:2.0.1"), "{app}");
    let problems = status.0["sources"][0]["problems"].to_string();
    let line = stage.repository.read(APP).lines().position(|line| line.contains("\"family\"")).unwrap() + 1;
    assert!(problems.contains("prod-app would run the task family prod-api-task, as prod-api does"), "{problems}");
    assert!(problems.contains(&format!("prod-app.task.json\",\"line\":{line}")), "line {line}: {problems}");
    daemon.pass(5);
    assert_eq!(stage.writes(&daemon, "prod-app", since), Vec::<String>::new(), "{}", daemon.log());
    assert_eq!(stage.live("prod-app")["deployments"].as_array().map(Vec::len), Some(1));
    // Said before it is merged, too, by who has no account.
    let folder = stage.repository.environment().display().to_string();
    let said = crate::support::driftless_with(&stage.served.env, &["validate", "--path", &folder]).assert_status(1);
    assert!(said.stderr.contains(&format!("prod-app.task.json:{line}:")), "{}", said.stderr);
    stage.repository.edit(APP, "\"family\": \"prod-api-task\"", "\"family\": \"prod-app-task\"");
    stage.repository.commit("The app's own task");
    daemon.wait_until("all is live", |status| status.all("live"));
    assert_eq!(stage.writes(&daemon, "prod-app", since), Vec::<String>::new(), "{}", daemon.log());
}

#[test]
fn a_rollback_takes_image_rule_and_scaling_back_together() {
    let stage = stage();
    let daemon = stage.follow(&json!({ "branch": "main" }));
    daemon.wait_until("all is live", |status| status.all("live"));
    assert_eq!(around(&stage), (false, json!(2)));
    stage.repository.edit(API, "convergence-prod-api:2.0.1", "convergence-prod-api:2.2.0");
    stage.repository.edit(
        API,
        "[api.convergence.example.com]",
        "[api.convergence.example.com, v2.convergence.example.com]",
    );
    stage.repository.edit(API, "maxCapacity: 2", "maxCapacity: 4");
    stage.repository.commit("prod-api 2.2.0 with its host and more room");
    daemon.wait_until("it is live", |status| is_live(api(status), "convergence-prod-api:2.2.0"));
    assert_eq!(around(&stage), (true, json!(4)));

    let since = stage.mark();
    stage.command(&["rollback", "prod-api", "--reason", "500s since 14:02"]).assert_status(0);
    let back = |status: &Status| api(status)["state"] == "held" && runs(api(status), "convergence-prod-api:2.0.1");
    let status = daemon.wait_until("it is back", back);
    let why = reason(api(&status));
    assert!(why.contains("rolled back to") && why.contains("500s since 14:02"), "{why}");
    assert_eq!(around(&stage), (false, json!(2)), "all three");
    daemon.pass(5);
    let writes = stage.writes(&daemon, "prod-api", since);
    assert!(writes.contains(&"UpdateService 1".to_owned()), "{writes:?}");
    assert!(!writes.iter().any(|write| write.starts_with("RegisterTaskDefinition")), "the old revision: {writes:?}");
    let rows = stage.ended_rows(&daemon, "prod-api");
    assert!(rows[0].starts_with("3 live convergence-prod-api:2.0.1 \"rollback: \"500s since 14:02\"\""), "{rows:?}");
    is_quiet(&stage, &daemon);

    // The next commit ends it.
    stage.repository.edit(API, "convergence-prod-api:2.2.0", "convergence-prod-api:2.3.0");
    stage.repository.commit("prod-api 2.3.0");
    daemon.wait_until("it is live", |status| is_live(api(status), "convergence-prod-api:2.3.0"));
    assert_eq!(around(&stage), (true, json!(4)));
}

fn is_quiet(stage: &Stage, daemon: &Simulated) {
    let before = daemon.writes().len();
    daemon.pass(5);
    assert_eq!(daemon.writes().len(), before, "{}: {}", stage.cluster, daemon.log());
}
