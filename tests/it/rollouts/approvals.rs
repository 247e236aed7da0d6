//! Approvals: given, refused, run out, overtaken.

use super::{FIRST, SPEED, Service, answer, is_told, repository, second, updates};
use crate::support::{Page, Simulated, Status, small};
use serde_json::json;

#[test]
fn an_approval_is_given_refused_runs_out_or_is_overtaken() {
    let rows = [
        ("given", "48h", "rollback"),
        ("refused", "48h", "continue"),
        ("overtaken", "48h", "rollback"),
        // 20 minutes of the account are ten seconds.
        ("rolled-back", "20m", "rollback"),
        ("gone-on", "20m", "continue"),
    ];
    let approvals = rows.map(|(_, timeout, then)| {
        format!(
            "rollout: {{ approval: {{ stage: POST_TEST_TRAFFIC_SHIFT, timeout: {timeout}, onTimeout: {then} }} }}\n"
        )
    });
    let services: Vec<Service<'_>> = rows
        .iter()
        .zip(&approvals)
        .map(|((name, ..), more)| Service { more, ..Service::new(name, "BLUE_GREEN") })
        .collect();
    let (account, repository) = (small::balanced(SPEED), repository(&services));
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    let since = account.ledger().len();
    for (name, ..) in rows {
        repository.edit(&small::file(name), FIRST, &second("x"));
    }
    repository.commit("The second one");
    for (name, ..) in &rows[..3] {
        let status = daemon.wait_until("it waits", |status| status.service(name)["state"] == "waiting");
        let reason = status.service(name)["reason"].as_str().unwrap_or_default().to_owned();
        let then = if *name == "refused" { "goes on" } else { "is rolled back" };
        assert!(reason.contains(&format!("at post test traffic shift; it {then} at 20")), "{reason}");
    }
    // Another process that knows nothing sees the same, and writes nothing.
    let before = daemon.writes().len();
    let other = Simulated::start(account.clone(), &repository);
    other.wait_until("it waits there, too", |status| status.service("given")["state"] == "waiting");
    drop(other);
    assert_eq!(daemon.writes().len(), before, "{}", daemon.log());
    answer(&account, "given", "CONTINUE");
    answer(&account, "refused", "ROLLBACK");
    let third = "public.ecr.aws/small/web:3";
    repository.edit(&small::file("overtaken"), &second("x"), third);
    repository.commit("The third of one of them");
    let is = |status: &Status, name: &str, state: &str, image: &str| {
        status.service(name)["state"] == state && status.service(name)["images"] == json!([image])
    };
    daemon.wait_until("each has its end", |status| {
        is(status, "given", "live", &second("x"))
            && is(status, "gone-on", "live", &second("x"))
            && is(status, "refused", "failed", FIRST)
            && is(status, "rolled-back", "failed", FIRST)
    });
    daemon.wait_until("3 is what waits", |status| is(status, "overtaken", "waiting", third));
    answer(&account, "overtaken", "CONTINUE");
    let status = daemon.wait_until("3 is live", |status| is(status, "overtaken", "live", third));
    for (name, words) in [("refused", "rolled back by a person"), ("rolled-back", "ran out")] {
        let reason = status.service(name)["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(words), "{name}: {reason}");
    }
    daemon.pass(5);
    is_told("approvals", &daemon, &rows.map(|(name, ..)| name), since);
    let counts = rows.map(|(name, ..)| updates(&daemon, name));
    assert_eq!(counts, [1, 1, 2, 1, 1], "one deployment for one intent:\n{}", daemon.log());
}
