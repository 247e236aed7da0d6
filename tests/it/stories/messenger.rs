//! 004: the task definition of the GitHub action is used as it is; with 0 and 200 percent the only task may stop before the
//! new one runs, and that is not called live.

use super::{Stage, is_live};
use crate::support::{Page, Repository, Status, example};
use driftless::sim::world::ecs::images::Behaviour;
use driftless::sim::world::names;
use serde_json::{Value, json};

const SERVICE: &str = "messenger-api";
const TASK: &str = "services/messenger-api.task.json";

fn api(status: &Status) -> &Value {
    status.service(SERVICE)
}

#[test]
fn the_team_s_own_file_is_deployed_and_a_gap_is_said() {
    let more = [
        ("secretsmanager", "CreateSecret", json!({ "Name": "messenger/dev/jwt", "SecretString": "never read" })),
        ("secretsmanager", "CreateSecret", json!({ "Name": "messenger/dev/rds", "SecretString": "{}" })),
        ("ssm", "PutParameter", json!({ "Name": "/messenger/dev/DB_HOST", "Value": "x", "Type": "String" })),
        ("ssm", "PutParameter", json!({ "Name": "/messenger/dev/DB_NAME", "Value": "x", "Type": "String" })),
    ];
    let stage = Stage::new(
        Repository::of_example("messenger"),
        ("444455556666", "us-east-2"),
        ("messenger-dev", "messenger-dev-alb"),
        &more,
    );
    stage.account.world(|world| {
        names::set_suffix(world, "messenger/dev/rds", "Qm3xT7");
        names::set_suffix(world, "messenger/dev/jwt", "a8ZkP1");
    });
    let first = stage.repository.git(&["rev-parse", "HEAD"]);
    // A migration goes before each release (`rollout.before`); its end is a tag of the revision, which has the
    // family's name.
    stage.push("messenger-api", &first, 'a');
    let daemon = stage.follow(&json!({ "branch": "main" }));
    daemon.wait_until("it is live", |status| is_live(api(status), &format!("messenger-api:{first}")));
    let since = stage.mark();

    // The action builds; the next image takes its time to start.
    let next = stage.repository.commit("The next one");
    let image = format!("messenger-api:{next}");
    stage.does(&image, Behaviour { pull: 300.0, ..Behaviour::default() });
    stage.push("messenger-api", &next, 'b');
    let (mut gap, mut lies) = (false, Vec::new());
    daemon.wait_until("the next one is live", |status| {
        let (service, ecs) = (api(status), stage.live(SERVICE));
        let nothing_runs = service["tasks"]["running"] == 0;
        gap |= nothing_runs && ecs["runningCount"] == 0;
        if nothing_runs && (service["state"] == "live" || service["health"] == "healthy") {
            lies.push(service.clone());
        }
        is_live(service, &image)
    });
    assert!(gap, "the only task stopped first");
    assert!(lies.is_empty(), "{lies:?}");
    daemon.pass(3);
    let writes = ["RegisterTaskDefinition 1", "RunTask 1", "TagResource 1", "UpdateService 1"];
    assert_eq!(stage.writes(&daemon, SERVICE, since), writes, "{}", daemon.log());

    // The file is the team's, byte for byte, and what runs is what it says.
    let bytes = |folder: &std::path::Path| std::fs::read(folder.join(TASK)).unwrap();
    assert_eq!(bytes(&stage.repository.environment()), bytes(&example("messenger")));
    let file: Value = serde_json::from_slice(&bytes(&stage.repository.environment())).unwrap();
    let definition = json!({ "taskDefinition": stage.live(SERVICE)["taskDefinition"] });
    let live = stage.account.call("ecs", "DescribeTaskDefinition", definition).unwrap()["taskDefinition"].clone();
    let set_by_aws =
        ["taskDefinitionArn", "revision", "status", "registeredAt", "registeredBy", "tags", "compatibilities"];
    for (key, said) in file.as_object().unwrap().iter().filter(|(key, _)| !set_by_aws.contains(&key.as_str())) {
        let mut said = said.clone();
        if key == "containerDefinitions" {
            said[0]["image"] = json!(format!("{}/{image}", stage.registry));
        }
        assert_eq!(unordered(&live[key]), unordered(&said), "{key}");
    }
}

/// ECS keeps no order of secrets, variables and attributes.
fn unordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(unordered).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> =
                members.iter().map(|(key, value)| (key.clone(), unordered(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}
