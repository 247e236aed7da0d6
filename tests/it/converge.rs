//! Each example from nothing to live and on to the next commit, with every request counted.

use crate::support::{Account, Daemon, Options, Repository, Writes, assert_quiet, driftless};
use serde_json::Value;
use std::collections::BTreeMap;

/// What AWS shows at once is seen in the pass after it; a mistake that needs several passes to show has them here.
const QUIET_PASSES: u64 = 20;

/// A release of one service of an example, as its team makes it.
struct Release {
    example: &'static str,
    /// How many services the example has.
    services: usize,
    /// Every call that makes it, with how many there are: AWS's service, the operation.
    made: &'static [(&'static str, &'static str, usize)],
    /// The service whose image changes.
    service: &'static str,
    /// The image of the new task definition, or its end.
    image: &'static str,
    /// Makes the commit, and gives its id.
    commit: fn(&Repository, &Daemon) -> String,
}

#[test]
fn a_line_in_a_file_releases_convergence_website() {
    first_and_next(&Release {
        example: "convergence-website",
        services: 2,
        made: &[
            ("elasticloadbalancing", "CreateListener", 2),
            ("elasticloadbalancing", "CreateTargetGroup", 2),
            ("elasticloadbalancing", "ModifyTargetGroupAttributes", 2),
            ("elasticloadbalancing", "CreateRule", 2),
            ("logs", "CreateLogGroup", 2),
            ("logs", "PutRetentionPolicy", 2),
            ("servicediscovery", "CreateService", 2),
            ("ecs", "RegisterTaskDefinition", 2),
            ("ecs", "CreateService", 2),
            ("application-autoscaling", "RegisterScalableTarget", 1),
            ("application-autoscaling", "PutScalingPolicy", 2),
            ("monitoring", "PutMetricAlarm", 2),
            // That all of a scaled service is done.
            ("ecs", "TagResource", 1),
        ],
        service: "prod-api",
        image: "convergence-prod-api:2.1.1",
        commit: |repository, _| {
            repository.edit("services/prod-api.yaml", "prod-api:2.1.0", "prod-api:2.1.1");
            repository.commit("api: 2.1.1")
        },
    });
}

#[test]
fn a_line_in_a_file_releases_phoenix() {
    first_and_next(&Release {
        example: "phoenix",
        services: 2,
        made: &[
            ("elasticloadbalancing", "CreateListener", 1),
            ("elasticloadbalancing", "CreateTargetGroup", 1),
            ("elasticloadbalancing", "ModifyTargetGroupAttributes", 1),
            ("elasticloadbalancing", "CreateRule", 1),
            ("logs", "CreateLogGroup", 2),
            ("logs", "PutRetentionPolicy", 2),
            ("servicediscovery", "CreateService", 1),
            ("ecs", "RegisterTaskDefinition", 2),
            ("ecs", "CreateService", 2),
            ("application-autoscaling", "RegisterScalableTarget", 1),
            ("application-autoscaling", "PutScalingPolicy", 1),
            ("ecs", "TagResource", 1),
        ],
        service: "phoenixKataService",
        image: "phoenix-kata:1.1.0",
        commit: |repository, _| {
            repository.edit("services/phoenix-kata.yaml", "phoenix-kata:latest", "phoenix-kata:1.1.0");
            repository.commit("kata: 1.1.0")
        },
    });
}

#[test]
fn any_commit_releases_messenger() {
    first_and_next(&Release {
        example: "messenger",
        services: 1,
        made: &[
            ("elasticloadbalancing", "CreateListener", 1),
            ("elasticloadbalancing", "CreateTargetGroup", 1),
            ("elasticloadbalancing", "ModifyTargetGroupAttributes", 1),
            ("elasticloadbalancing", "CreateRule", 1),
            ("logs", "CreateLogGroup", 1),
            ("logs", "PutRetentionPolicy", 1),
            ("ecs", "RegisterTaskDefinition", 1),
            ("ecs", "RunTask", 1),
            // That it has ended well.
            ("ecs", "TagResource", 1),
            ("ecs", "CreateService", 1),
        ],
        service: "messenger-api",
        image: "messenger-api:${commit}",
        commit: |repository, _| repository.commit("Whatever it is, the image is named after it"),
    });
}

#[test]
fn a_tag_releases_connections() {
    first_and_next(&Release {
        example: "connections",
        services: 1,
        made: &[
            ("elasticloadbalancing", "CreateListener", 3),
            ("elasticloadbalancing", "CreateTargetGroup", 2),
            ("elasticloadbalancing", "ModifyTargetGroupAttributes", 2),
            ("elasticloadbalancing", "CreateRule", 2),
            ("logs", "CreateLogGroup", 1),
            ("logs", "PutRetentionPolicy", 1),
            ("ecs", "RegisterTaskDefinition", 1),
            ("ecs", "RunTask", 1),
            // That it has ended well.
            ("ecs", "TagResource", 1),
            ("ecs", "CreateService", 1),
        ],
        service: "connections",
        image: "connections:v1.2.4",
        commit: |repository, _| tagged(repository, "v1.2.4"),
    });
}

#[test]
fn a_tag_that_comes_after_its_commit_releases_windingtree() {
    first_and_next(&Release {
        example: "windingtree",
        services: 1,
        made: &[
            ("elasticloadbalancing", "CreateListener", 2),
            ("elasticloadbalancing", "AddListenerCertificates", 1),
            ("elasticloadbalancing", "CreateTargetGroup", 1),
            ("elasticloadbalancing", "ModifyTargetGroupAttributes", 1),
            ("elasticloadbalancing", "CreateRule", 1),
            ("ecs", "RegisterTaskDefinition", 1),
            ("ecs", "CreateService", 1),
        ],
        service: "playground-wt-demo-app",
        image: "wt-demo-app:v1.2.4-playground",
        commit: |repository, daemon| {
            let commit = repository.commit("The next one");
            daemon.wait("the commit is live, with the tag before it", |status| status.all_live_on(&commit));
            repository.tag("v1.2.4");
            commit
        },
    });
}

/// A commit that reaches the branch together with its tag.
fn tagged(repository: &Repository, tag: &str) -> String {
    repository.git(&["switch", "--quiet", "--create", "release"]);
    let commit = repository.commit("The next one");
    repository.tag(tag);
    repository.git(&["branch", "--force", "main", "release"]);
    commit
}

/// The story of every example: `apply` on an empty account, nothing left to plan, a daemon that finds nothing to do, a
/// release of one service with one registration and one update, and quiet after it.
fn first_and_next(release: &Release) {
    let (account, repository) = (Account::start(release.example), Repository::of_example(release.example));
    let folder = repository.environment();
    let folder = folder.to_str().unwrap();

    driftless(&account, &["apply", "--path", folder]).assert_status(0);
    let made = account.writes();
    assert_made(release, &made);

    driftless(&account, &["plan", "--detailed-exitcode", "--path", folder]).assert_status(0);
    assert_eq!(account.writes().since(made.len()).text(), "", "a plan writes nothing");

    let daemon = Daemon::start(&account, &repository, &Options::default());
    let first = repository.git(&["rev-parse", "HEAD"]);
    daemon.wait("the daemon finds everything live", |status| status.all_live_on(&first));
    assert_eq!(account.writes().since(made.len()).text(), "", "the daemon finds what apply left");

    let commit = (release.commit)(&repository, &daemon);
    let image = release.image.replace("${commit}", &commit);
    let runs = |service: &Value| service["images"][0].as_str().is_some_and(|runs| runs.ends_with(&image));
    let status = daemon.wait(&format!("{image} is live"), |status| {
        status.all_live_on(&commit) && runs(status.service(release.service))
    });
    assert_released(release, &image, &account.writes().since(made.len()));
    assert_page_says_live(&daemon, release.services, status.service(release.service), &image);

    assert_quiet(&account, &daemon, QUIET_PASSES);
    daemon.stop();
}

/// Exactly the calls of the table, none of them refused, and each thing made once.
#[track_caller]
fn assert_made(release: &Release, made: &Writes) {
    let text = made.text();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for write in &made.0 {
        assert_eq!(write.status, 200, "{write:?}");
        *counts.entry((&write.service, &write.operation)).or_default() += 1;
    }
    let expected: BTreeMap<(&str, &str), usize> =
        release.made.iter().map(|(service, operation, count)| ((*service, *operation), *count)).collect();
    assert_eq!(counts, expected, "\n{text}");
}

/// One registration with the new image, one update that carries nothing but it, and no more than a tag beside them; before
/// it the task that the example declares.
#[track_caller]
fn assert_released(release: &Release, image: &str, writes: &Writes) {
    let text = writes.text();
    let [register] = writes.of("RegisterTaskDefinition")[..] else { panic!("not one registration:\n{text}") };
    let registered = register.input["containerDefinitions"][0]["image"].as_str().unwrap_or_default();
    assert!(registered.ends_with(image), "{registered} is not {image}");
    let [update] = writes.of("UpdateService")[..] else { panic!("not one update:\n{text}") };
    assert_eq!(update.input["service"], release.service);
    assert_eq!(update.fields(), ["cluster", "service", "taskDefinition"]);
    // With a task before the rollout, and a tag with its end.
    let before = usize::from(release.made.iter().any(|(_, operation, _)| *operation == "RunTask"));
    assert_eq!(writes.count("RunTask"), before, "{text}");
    let position = |operation: &str| writes.0.iter().position(|write| write.operation == operation);
    assert!(position("RunTask") < position("UpdateService"), "{text}");
    let tags = writes.count("TagResource");
    assert!((before..=before + 1).contains(&tags), "{text}");
    assert_eq!(writes.len(), 2 + before + tags, "nothing else:\n{text}");
    assert!(writes.0.iter().all(|write| write.status == 200), "{text}");
}

/// People and programs are told the same.
#[track_caller]
fn assert_page_says_live(daemon: &Daemon, services: usize, service: &Value, image: &str) {
    let (code, page) = daemon.get("/");
    assert_eq!(code, 200);
    assert!(page.contains(&format!("All {services} services are live")), "{page}");
    assert!(page.contains("what the services share"), "{page}");
    let shared = daemon.status().service("(shared)").clone();
    assert_eq!((&shared["shared"], &shared["state"], &shared["tasks"]), (&true.into(), &"live".into(), &Value::Null));
    let (code, page) = daemon.get(&format!(
        "/services/{}/{}",
        service["cluster"].as_str().unwrap(),
        service["service"].as_str().unwrap()
    ));
    assert_eq!(code, 200);
    assert!(page.contains(image), "{page}");
    assert_eq!((&service["sync"], &service["health"]), (&"in_sync".into(), &"healthy".into()));
    assert_eq!(service["rollout"]["rollout"], "completed");
    assert_eq!(service["shared"], false);
}
