//! 003: a tag is a release; the new version is looked at beside the old one, and production goes to it when a person has
//! said yes.

use super::{Stage, is_live, reason, runs};
use crate::support::{Page, Repository, Status};
use serde_json::{Value, json};

const SERVICE: &str = "connections";
const HOST: &str = "connections.example.com";
/// Half an hour of the account is a second of ours.
const BAKING: f64 = 1800.0;

fn backend(status: &Status) -> &Value {
    status.service(SERVICE)
}

#[test]
fn production_follows_when_somebody_has_looked_and_approved() {
    let secret = json!({ "Name": "SECRET_DATABASE_URL", "SecretString": "postgresql://never-read" });
    let stage = Stage::new(
        Repository::of_example("connections"),
        ("333344445555", "ap-southeast-1"),
        ("cursive-team-connections", "cursive-team-connections"),
        &[("secretsmanager", "CreateSecret", secret)],
    );
    // A migration goes before each release (`rollout.before`); its end is a tag of the revision.
    let release = |tag: &str, letter: char| {
        stage.repository.commit(&format!("What {tag} brings"));
        stage.repository.tag(tag);
        stage.push("connections", tag, letter);
    };
    stage.push("connections", "v1.2.3", 'a');
    let daemon = stage.follow(&json!({ "semver": ">=0.1.0" }));
    daemon.wait_until("v1.2.3 is live", |status| is_live(backend(status), "connections:v1.2.3"));
    let (blue, green) = ("connections-blue".to_owned(), "connections-green".to_owned());
    let goes = |port: u64| {
        let weights = stage.weights(port, HOST);
        weights.into_iter().filter(|(_, weight)| *weight == 100).map(|(group, _)| group).collect::<Vec<_>>()
    };
    assert_eq!(goes(443), std::slice::from_ref(&blue));

    let waits = |status: &Status, image: &str| backend(status)["state"] == "waiting" && runs(backend(status), image);
    let since = stage.mark();
    release("v1.3.0", 'b');
    let status = daemon.wait_until("v1.3.0 waits", |status| waits(status, "connections:v1.3.0"));
    let why = reason(backend(&status));
    assert!(why.starts_with("waits for approval at post test traffic shift; it is rolled back at 20"), "{why}");
    assert!(why.contains("driftless approve"), "{why}");
    assert_eq!((goes(443), goes(8443)), (vec![blue.clone()], vec![green.clone()]), "the team looks, users do not");
    daemon.pass(5);
    let said = stage.command(&["approve", SERVICE]).assert_status(0);
    assert!(said.stdout.contains("Approved: connections, deployment "), "{}", said.stdout);
    daemon.wait_until("users see it", |_| goes(443) == [green.clone()]);
    // The old version stays for half an hour: this is not over.
    let status = daemon.wait_until("it bakes", |status| reason(backend(status)).contains("bake time"));
    assert_eq!(backend(&status)["state"], "deploying");
    stage.account.set_speed(BAKING);
    daemon.wait_until("v1.3.0 is live", |status| is_live(backend(status), "connections:v1.3.0"));
    stage.account.set_speed(super::SPEED);
    daemon.pass(3);
    // The second tag says who approved.
    let writes =
        ["ContinueServiceDeployment 1", "RegisterTaskDefinition 1", "RunTask 1", "TagResource 2", "UpdateService 1"];
    assert_eq!(stage.writes(&daemon, SERVICE, since), writes, "{}", daemon.log());

    let since = stage.mark();
    release("v1.4.0", 'c');
    daemon.wait_until("v1.4.0 waits", |status| waits(status, "connections:v1.4.0"));
    assert_eq!((goes(443), goes(8443)), (vec![green.clone()], vec![blue]), "the colours have changed places");
    stage.command(&["reject", SERVICE]).assert_status(0);
    let back = |status: &Status| backend(status)["state"] == "failed" && runs(backend(status), "connections:v1.3.0");
    let status = daemon.wait_until("v1.3.0 stays", back);
    assert!(reason(backend(&status)).contains("rolled back by a person"), "{status}");
    assert_eq!((goes(443), goes(8443)), (vec![green.clone()], vec![green]));
    daemon.pass(5);
    let writes =
        ["ContinueServiceDeployment 1", "RegisterTaskDefinition 1", "RunTask 1", "TagResource 3", "UpdateService 1"];
    assert_eq!(stage.writes(&daemon, SERVICE, since), writes, "{}", daemon.log());
    let rows: Vec<String> = stage.rows(&daemon, SERVICE);
    let ends: Vec<&str> = rows.iter().map(|row| row.split('"').next().unwrap_or_default().trim_end()).collect();
    let expected = ["3 rolled_back connections:v1.4.0", "2 live connections:v1.3.0", "1 live connections:v1.2.3"];
    assert_eq!(ends, expected);
    assert!(stage.account.ledger().iter().all(|entry| entry.operation != "GetSecretValue"), "no secret is read");
}
