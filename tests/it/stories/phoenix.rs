//! 002: the pipeline ends with `docker push`; the number of tasks is the autoscaler's; a server that crashes comes back.

use super::{Stage, digest, is_live};
use crate::support::{Page, Repository, Status};
use driftless::sim::world::ecs::tasks;
use serde_json::{Value, json};

const SERVICE: &str = "phoenixKataService";
const IMAGE: &str = "phoenix-kata:latest";

#[test]
fn a_push_is_a_release_and_a_crash_is_none() {
    let namespace = json!({ "Name": "local", "Vpc": "vpc-0c1d2e3f405160001" });
    let stage = Stage::new(
        Repository::of_example("phoenix"),
        ("222233334444", "eu-central-1"),
        ("phoenix-cluster", "phoenix-alb"),
        &[("discovery", "CreatePrivateDnsNamespace", namespace)],
    );
    fn kata(status: &Status) -> &Value {
        status.service(SERVICE)
    }
    let image = format!("{}/{IMAGE}", stage.registry);
    let serves = |status: &Status, letter: char| {
        is_live(kata(status), IMAGE) && kata(status)["digests"][&image] == digest(letter)
    };
    stage.push("phoenix-kata", "latest", 'a');
    stage.push("phoenix-mongo-db", "latest", 'd');
    let daemon = stage.follow(&json!({ "branch": "main" }));
    daemon.wait_until("all is live", |status| status.all("live") && serves(status, 'a'));
    // The database came first.
    let created: Vec<Value> = daemon
        .writes()
        .iter()
        .filter(|entry| entry.service == "ecs" && entry.operation == "CreateService")
        .map(|entry| entry.input["serviceName"].clone())
        .collect();
    assert_eq!(created, ["phoenix-mongo-db-service", SERVICE]);
    let since = stage.mark();

    // The load asks for three.
    let three = json!({ "cluster": stage.cluster, "service": SERVICE, "desiredCount": 3 });
    stage.account.call("ecs", "UpdateService", three).unwrap();
    let three = |status: &Status| kata(status)["tasks"]["running"] == 3;
    daemon.wait_until("three run", |status| three(status) && serves(status, 'a'));
    daemon.pass(5);
    assert_eq!(stage.writes(&daemon, SERVICE, since), Vec::<String>::new(), "{}", daemon.log());

    // docker push.
    stage.push("phoenix-kata", "latest", 'b');
    daemon.wait_until("the new image is live", |status| three(status) && serves(status, 'b'));
    daemon.pass(10);
    assert_eq!(stage.writes(&daemon, SERVICE, since), ["UpdateService 1"], "{}", daemon.log());
    assert_eq!(stage.live(SERVICE)["desiredCount"], 3, "the autoscaler's");
    let short = |letter: char| digest(letter)[..19].to_owned();
    let page = daemon.page(&format!("/services/{}/{SERVICE}", stage.cluster));
    assert!(page.contains(&format!("{IMAGE} ({})", short('b'))), "{page}");
    let rows = stage.ended_rows(&daemon, SERVICE);
    assert_eq!(rows.len(), 2, "{rows:?}");
    let all = daemon.page(&format!("/api/v1/services/{}/{SERVICE}/deployments", stage.cluster));
    let moved = format!("tag latest: {} → {}", short('a'), short('b'));
    assert!(all.contains(&moved), "{moved}: {all}");
    assert!(page.contains(&moved), "{page}");

    // Somebody tries /crash: "the server will go down and recover".
    let since = stage.mark();
    let listed = json!({ "cluster": stage.cluster, "serviceName": SERVICE });
    let running = stage.account.call("ecs", "ListTasks", listed.clone()).unwrap()["taskArns"].clone();
    let crashed = running[0].as_str().unwrap().to_owned();
    let why = "Essential container in task exited".to_owned();
    stage.account.world(|world| tasks::stop(world, &crashed, "EssentialContainerExited", why));
    let mut seen = Vec::new();
    daemon.wait_until("another one runs in its place", |status| {
        seen.push(kata(status)["state"].as_str().unwrap_or_default().to_owned());
        let now = stage.account.call("ecs", "ListTasks", listed.clone()).unwrap()["taskArns"].clone();
        let replaced = now.as_array().is_some_and(|all| all.len() == 3 && !all.contains(&json!(crashed)));
        replaced && three(status) && serves(status, 'b')
    });
    daemon.pass(5);
    seen.dedup();
    assert!(seen.iter().all(|state| matches!(state.as_str(), "live" | "deploying")), "no drift, no failure: {seen:?}");
    assert_eq!(stage.writes(&daemon, SERVICE, since), Vec::<String>::new(), "{}", daemon.log());
    assert_eq!(stage.rows(&daemon, SERVICE), rows, "no deployment");
    assert_eq!(daemon.series("driftless_drift_detected_total", &[SERVICE]), 0);
}
