//! Events -> rows.

use super::*;
use crate::core::action::Action;
use crate::core::before::Before;
use crate::core::diff::{Path, change};
use crate::core::history::StillKnown;
use crate::core::id::{Kind, ResourceId, StepId};
use crate::core::observed::ServiceDeployment;
use crate::core::plan::{Applied, Step};
use serde_json::json;

fn id() -> ServiceId {
    ServiceId { cluster: "c".into(), service: "web".into() }
}

fn revision(number: &str) -> Arn {
    Arn::from(format!("arn:aws:ecs:r:1:task-definition/web:{number}"))
}

/// A plan as `CAUSE DECLARATION REVISION`; `deploy` and `create` register that revision, `scale` and `drift` change
/// what needs no restart, `redo` is drift that replaces tasks, `note` only tags. `failed` is a hold.
fn plan(cause: &str, declaration: &str, wanted: &str) -> ServicePlan {
    let step = |call, document, effect| {
        let target = ResourceId::new(Kind::Service, "web");
        Step { id: StepId::new("s"), action: Action::new(call, target, document), effect, after: vec![], against: None }
    };
    let image = json!({ "containerDefinitions": [{ "image": format!("registry/web:{wanted}") }] });
    let register = || step(Call::RegisterTaskDefinition, image.clone(), Effect::NoRestart);
    let update = |effect| step(Call::UpdateService, json!({}), effect);
    let (cause_of, steps) = match cause {
        "deploy" => (Cause::Deploy, vec![register(), update(Effect::RollingRestart)]),
        "create" => (Cause::Create, vec![register(), step(Call::CreateService, json!({}), Effect::Create)]),
        "scale" => (Cause::Deploy, vec![update(Effect::NoRestart)]),
        "drift" => (Cause::Drift, vec![update(Effect::NoRestart)]),
        "redo" => (Cause::Drift, vec![update(Effect::RollingRestart)]),
        "note" => (Cause::Deploy, vec![step(Call::TagEcs, json!({}), Effect::NoRestart)]),
        "failed" => (Cause::Deploy, vec![update(Effect::RollingRestart)]),
        "shown" => (Cause::Drift, vec![]),
        _ => (Cause::InSync, vec![]),
    };
    let changes = match cause {
        "sync" | "note" | "shown" => vec![],
        _ => vec![(change(Path::section("service").field("image"), Some("a"), Some(wanted)), Effect::NoRestart)],
    };
    let holds = match cause {
        "failed" => vec![Hold::RolloutFailed { reason: "circuit breaker".into() }],
        _ => vec![],
    };
    ServicePlan {
        id: id(),
        file: "services/web.yaml".into(),
        cause: cause_of,
        changes,
        steps,
        holds,
        notes: vec![],
        same: 0,
        digest: declaration.repeat(20),
        task_definition: (!matches!(cause, "deploy" | "create")).then(|| revision(wanted)),
        paused: None,
        rolled_back: None,
        before: Before::default(),
        chores: vec![],
        act: None,
    }
}

fn tasks(runs: &str, rollout: &str) -> Tasks {
    Tasks {
        desired: 1,
        running: 1,
        pending: 0,
        task_definition: Some(revision(runs)),
        images: vec![format!("registry/web:{runs}")],
        digests: BTreeMap::new(),
        rollout: match rollout {
            "completed" => Rollout::Completed,
            "gave-up" => Rollout::Failed { reason: "gave up".into(), rolled_back: false },
            "goes-back" => Rollout::Failed { reason: "gave up".into(), rolled_back: true },
            _ => Rollout::InProgress { running: 0, desired: 1, failed: 0, note: None },
        },
        events: vec![],
        last_lines: None,
    }
}

/// Events, one a line: `plan CAUSE DECLARATION REVISION runs REVISION ROLLOUT`, `absent …` for a service that is not
/// there, `done [OPERATION [REVISION]]`, `refused`, `left`, `restart`. Gives one line a row.
fn rows_of(lines: &str) -> Vec<String> {
    let mut history = History::default();
    let mut rows: BTreeMap<u64, Deployment> = BTreeMap::new();
    for (second, line) in lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let what = match words[..] {
            ["plan", cause, declaration, wanted, "runs", runs, rollout] => {
                planned(plan(cause, declaration, wanted), declaration, Some(tasks(runs, rollout)))
            }
            ["absent", cause, declaration, wanted] => planned(plan(cause, declaration, wanted), declaration, None),
            ["done"] => done("UpdateService", Effect::NoRestart, None),
            ["done", "register", made] => done("RegisterTaskDefinition", Effect::NoRestart, Some(revision(made))),
            ["done", "roll"] => done("UpdateService", Effect::RollingRestart, None),
            ["refused"] => What::Failed {
                service: id(),
                why: "denied".into(),
                class: crate::core::retry::Class::Denied,
                again_at: Timestamp::UNIX_EPOCH,
            },
            ["left"] => What::Left { service: id() },
            ["restart"] => {
                history = History::load(rows.values().last().cloned());
                continue;
            }
            _ => panic!("{line}"),
        };
        let at = Timestamp::from_second(second as i64).unwrap();
        for row in history.apply(&Event { at, source: "prod".into(), what }) {
            rows.insert(row.number, row);
        }
    }
    rows.values().map(row_text).collect()
}

fn planned(plan: ServicePlan, commit: &str, tasks: Option<Tasks>) -> What {
    let commit = source::Commit {
        revision: commit.repeat(40).into(),
        branch: None,
        tag: None,
        subject: format!("commit {commit}"),
        author: "ana".into(),
        committed_at: Timestamp::UNIX_EPOCH,
    };
    What::Planned { plan: Arc::new(plan), commit, changed_by: None, tasks: tasks.map(Box::new) }
}

fn done(operation: &'static str, effect: Effect, arn: Option<Arn>) -> What {
    What::Done { service: id(), operation, cause: Cause::Deploy, effect, arn }
}

fn row_text(row: &Deployment) -> String {
    let (ended, reason) = (row.ended_at.map(|at| at.as_second()), row.reason.as_deref().unwrap_or("-"));
    let commit = row.commit.as_ref().map_or("?", |commit| commit.revision.as_str().get(..1).unwrap_or("?"));
    format!(
        "{} {commit} {} {} {}..{} steps {} {reason}",
        row.number,
        row.runs(),
        row.outcome().1,
        row.started_at.as_second(),
        ended.map_or("".to_owned(), |at| at.to_string()),
        row.steps.len(),
    )
}

#[test]
fn events_become_rows() {
    let deployed = "plan deploy a 2 runs 1 completed\n done register 2\n done roll\n";
    let rows: &[(&str, &[&str])] = &[
        // Nothing is done: no row.
        ("plan sync a 1 runs 1 completed\n plan deploy b 2 runs 1 completed\n", &[]),
        ("plan note a 1 runs 1 completed\n done\n", &[]),
        ("done roll\n left\n refused\n", &[]),
        // A commit that comes up.
        (deployed, &["1 a web:2 under way 0.. steps 2 -"]),
        (
            &format!("{deployed} plan sync a 2 runs 2 rolling\n plan sync a 2 runs 2 completed"),
            &["1 a web:2 live 0..4 steps 2 -"],
        ),
        // A new service.
        (
            "absent create a 1\n done register 1\n done roll\n plan sync a 1 runs 1 rolling\n plan sync a 1 runs 1 completed",
            &["1 a web:1 live 0..4 steps 2 -"],
        ),
        // AWS shows the state before for a while: no end, and no second row.
        (
            &format!(
                "{deployed} plan deploy a 2 runs 1 gave-up\n plan sync a 2 runs 2 rolling\n plan sync a 2 runs 2 completed"
            ),
            &["1 a web:2 live 0..5 steps 2 -"],
        ),
        // ECS gives up: before it goes back, and after.
        (&format!("{deployed} plan sync a 2 runs 2 gave-up"), &["1 a web:2 failed 0..3 steps 2 gave up"]),
        (&format!("{deployed} plan sync a 2 runs 2 goes-back"), &["1 a web:2 rolled back 0..3 steps 2 gave up"]),
        (
            &format!("{deployed} plan failed a 2 runs 1 gave-up\n plan failed a 2 runs 1 completed"),
            &["1 a web:2 rolled back 0..3 steps 2 circuit breaker"],
        ),
        (
            &format!("{deployed} plan failed a 2 runs 2 gave-up\n plan failed a 2 runs 1 gave-up"),
            &["1 a web:2 rolled back 0..3 steps 2 circuit breaker"],
        ),
        // A newer commit comes first.
        (
            &format!(
                "{deployed} plan deploy b 3 runs 2 rolling\n done register 3\n done roll\n plan sync b 3 runs 3 completed"
            ),
            &["1 a web:2 superseded 0..4 steps 2 commit bbbbbbb came before its end", "2 b web:3 live 3..6 steps 2 -"],
        ),
        // A newer commit that changes nothing of it.
        (
            &format!("{deployed} plan sync b 2 runs 2 rolling\n plan sync b 2 runs 2 completed"),
            &["1 a web:2 live 0..4 steps 2 -"],
        ),
        // A step is refused, then not.
        ("plan deploy a 2 runs 1 completed\n done register 2\n refused", &["1 a web:2 under way 0.. steps 1 denied"]),
        (
            "plan deploy a 2 runs 1 completed\n done register 2\n refused\n plan failed a 2 runs 1 completed",
            &["1 a web:2 rolled back 0..3 steps 1 circuit breaker"],
        ),
        // What needs no restart.
        ("plan scale a 1 runs 1 completed\n done\n plan sync a 1 runs 1 completed", &["1 a web:1 live 0..2 steps 1 -"]),
        // The next commit takes it back, while nobody looked.
        (
            "plan scale a 1 runs 1 completed\n done\n refused\n plan sync b 1 runs 1 completed",
            &["1 a web:1 superseded 0..3 steps 1 -"],
        ),
        // It left git.
        (&format!("{deployed} left"), &["1 a web:2 superseded 0..3 steps 2 it left git"]),
        // A stop between any two of them.
        (
            &format!("{deployed} restart\n plan sync a 2 runs 2 rolling\n restart\n plan sync a 2 runs 2 completed"),
            &["1 a web:2 live 0..6 steps 2 -"],
        ),
        (
            "plan deploy a 2 runs 1 completed\n done register 2\n restart\n plan deploy a 2 runs 1 completed\n done roll\n plan sync a 2 runs 2 completed",
            &["1 a web:2 live 0..5 steps 2 -"],
        ),
        (
            &format!("{deployed} restart\n plan failed a 2 runs 1 completed"),
            &["1 a web:2 rolled back 0..4 steps 2 circuit breaker"],
        ),
        // Git and AWS went back together while nobody looked.
        (&format!("{deployed} restart\n plan sync b 1 runs 1 completed"), &["1 a web:2 superseded 0..4 steps 2 -"]),
    ];
    for (events, expected) in rows {
        assert_eq!(rows_of(events), *expected, "{events}");
    }
}

#[test]
fn drift_has_rows_of_its_own() {
    let rows: &[(&str, &[&str])] = &[
        // It need not wait for a rollout that it did not begin.
        (
            "plan drift a 1 runs 1 completed\n done\n plan sync a 1 runs 1 rolling",
            &["1 a web:1 corrected 0..2 steps 1 -"],
        ),
        (
            "plan redo a 1 runs 2 completed\n done roll\n plan sync a 1 runs 1 rolling\n plan sync a 1 runs 1 completed",
            &["1 a web:1 corrected 0..3 steps 1 -"],
        ),
        // What is only shown does not keep it.
        (
            "plan drift a 1 runs 1 completed\n done\n plan shown a 1 runs 1 completed",
            &["1 a web:1 corrected 0..2 steps 1 -"],
        ),
        // Drift during a rollout is a part of it; after it, a row.
        (
            "plan deploy a 2 runs 1 completed\n done roll\n plan drift a 2 runs 2 rolling\n done\n plan sync a 2 runs 2 completed\n plan drift a 2 runs 2 completed\n done\n plan sync a 2 runs 2 completed",
            &["1 a web:2 live 0..4 steps 2 -", "2 a web:2 corrected 5..7 steps 1 -"],
        ),
    ];
    for (events, expected) in rows {
        assert_eq!(rows_of(events), *expected, "{events}");
    }
}

#[test]
fn what_never_came_to_its_rollout_has_failed_and_was_not_rolled_back() {
    let failed =
        || ServicePlan { before: Before { open: true, failed: true, ends: Vec::new() }, ..plan("failed", "a", "2") };
    let end = |failed: Option<&str>| What::Ran {
        service: id(),
        end: Box::new(End {
            name: "migrate".into(),
            container: "web".into(),
            task: "arn:aws:ecs:r:1:task/c/5f1c0a2b3c4d".into(),
            exit: Some(i32::from(failed.is_some())),
            failed: failed.map(str::to_owned),
            note: Action::new(Call::TagEcs, ResourceId::new(Kind::TaskDefinitionRevision, "web:2"), json!({})),
        }),
        lines: failed.map(|_| LogLines { group: "g".into(), stream: "s".into(), lines: vec!["no table".into()] }),
    };
    // Whether the service is there, and runs the revision before, or is still to be made.
    for runs in [Some(tasks("1", "completed")), None] {
        let mut history = History::default();
        let mut apply = |what| history.apply(&Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what });
        apply(planned(plan("deploy", "a", "2"), "a", runs.clone()));
        apply(done("RegisterTaskDefinition", Effect::NoRestart, Some(revision("2"))));
        apply(done("RunTask", Effect::NoRestart, None));
        apply(end(None));
        apply(end(Some("migrate exited with code 1")));
        let rows = apply(planned(failed(), "a", runs.clone()));
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.result, row.reason.as_deref()), (Some(Outcome::Failed), Some("circuit breaker")));
        let ran = ["migrate exited with code 0 (task 5f1c0a2b)", "migrate exited with code 1 (task 5f1c0a2b)"];
        assert_eq!(row.before, ran);
        assert_eq!(row.last_lines.as_ref().map(|log| log.lines.as_slice()), Some(&["no table".to_owned()][..]));
        assert_eq!(apply(planned(failed(), "a", runs)), [], "it stays that");
    }
}

#[test]
fn a_rollback_is_a_row_with_who_and_why() {
    let rolled = RolledBack { to: "c".repeat(40).into(), held: "b".into(), by: "marc".into(), why: "500s".into() };
    let back = ServicePlan { rolled_back: Some(rolled), ..plan("deploy", "c", "1") };
    let mut history = History::default();
    let mut apply = |what| history.apply(&Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what });
    apply(planned(plan("deploy", "b", "2"), "b", None));
    apply(done("UpdateService", Effect::RollingRestart, None));
    apply(planned(back, "b", None));
    let rows = apply(done("UpdateService", Effect::RollingRestart, None));
    assert_eq!(rows[0].reason.as_deref(), Some("rolled back to ccccccc by marc: \"500s\""));
    assert_eq!((rows[1].what().as_str(), rows[1].by()), ("ccccccc rollback: \"500s\"", "marc"));
}

#[test]
fn only_what_a_commit_brings_has_its_time() {
    let mut history = History::default();
    let mut merged = |cause: &str, declaration: &str, revision: &str, runs: &str| {
        let mut apply = |what| history.apply(&Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what });
        apply(planned(plan(cause, declaration, revision), declaration, Some(tasks(runs, "completed"))));
        let rows = apply(done("UpdateService", Effect::RollingRestart, None));
        apply(planned(plan("sync", declaration, revision), declaration, Some(tasks(revision, "completed"))));
        rows.last().and_then(|row| row.merged_at).is_some()
    };
    assert!(merged("deploy", "a", "2", "1"), "a commit");
    assert!(!merged("redo", "a", "2", "2"), "drift");
    assert!(!merged("failed", "a", "2", "2"), "the same once more, as for a tag that moved");
    assert!(merged("deploy", "b", "3", "2"), "the next commit");
}

#[test]
fn what_is_kept_of_a_row_is_bounded() {
    let mut large = plan("deploy", "a", "2");
    for number in 0..200 {
        let path = Path::section("service").field("x").key(number.to_string());
        large.changes.push((change(path, None, Some(&"ü".repeat(5000))), Effect::NoRestart));
    }
    let mut history = History::default();
    let event = |what| Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what };
    history.apply(&event(planned(large, "a", None)));
    let mut rows = Vec::new();
    for _ in 0..300 {
        rows = history.apply(&event(done("UpdateService", Effect::NoRestart, None)));
    }
    let row = &rows[0];
    assert_eq!((row.changes.len(), row.steps.len()), (CHANGES_MAX + 1, STEPS_MAX));
    assert_eq!(row.changes.last().map(String::as_str), Some("and more"));
    assert!(row.changes.iter().all(|change| change.chars().count() <= TEXT_CHARS_MAX + 1));
}

#[test]
fn what_was_rebuilt_is_continued() {
    let newest = ServiceDeployment {
        arn: Arn::from("arn:of:a:deployment"),
        status: "IN_PROGRESS".into(),
        reason: None,
        task_definition: Some(revision("4")),
        sources: Vec::new(),
        images: BTreeMap::new(),
        stage: None,
        production_percent: None,
        hooks: vec![],
        created_at: Timestamp::from_second(400).ok(),
        finished_at: None,
    };
    let known = StillKnown {
        deployments: vec![newest],
        applied: Applied::of(&BTreeMap::from([("driftless:applied".to_owned(), "aaaaaaaaaaaaaaaa bbbb".to_owned())])),
        runs: Some(revision("4")),
        ..StillKnown::default()
    };
    let mut history = History::default();
    let event = |what| Event { at: Timestamp::from_second(500).unwrap(), source: "prod".into(), what };
    let past = || What::Rebuilt { service: id(), known: Box::new(known.clone()) };
    assert_eq!(history.apply(&event(past())).len(), 1);
    let rows = history.apply(&event(planned(plan("sync", "a", "4"), "a", Some(tasks("4", "completed")))));
    assert_eq!(rows.iter().map(row_text).collect::<Vec<_>>(), ["1 b web:4 live 400..500 steps 0 -"]);
    assert_eq!(history.apply(&event(past())), [], "only where there is nothing");
}
