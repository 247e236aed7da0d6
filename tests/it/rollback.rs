//! Going back, from every phase of a rollout and in one act: what is called for it, and what it comes to. On the simulated
//! account, a service for each phase; the acts are the commands themselves.

use crate::support::simulated::{Served, account};
use crate::support::told::{golden, told};
use crate::support::{Output, Page, Repository, Simulated, Status, driftless_with, small};
use driftless::sim::Account;
use driftless::sim::ledger::Entry;
use driftless::sim::policy::Policy;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How much faster than ours the account's time runs.
const SPEED: f64 = 120.0;

const SYNC: &str = "sync: { minInterval: 0s }\n";
const FIRST: &str = "public.ecr.aws/small/web:1";

/// A service behind the load balancer; `more` are lines of its file.
fn service(name: &str, priority: usize, strategy: &str, more: &str) -> String {
    let (advanced, second, weights) = match strategy {
        "ROLLING" => (String::new(), String::new(), format!("{{ targetGroup: {name}-a, weight: 100 }}")),
        _ => (
            format!(
                ", advancedConfiguration: {{ alternateTargetGroup: {name}-b, productionListenerRule: \"lb:80/{priority}\", roleArn: ecs }}"
            ),
            format!("  {name}-b: *group\n"),
            format!("{{ targetGroup: {name}-a, weight: 100 }}, {{ targetGroup: {name}-b, weight: 0 }}"),
        ),
    };
    let steps = match strategy {
        "CANARY" => ", canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 60 }",
        "LINEAR" => ", linearConfiguration: { stepPercent: 20, stepBakeTimeInMinutes: 60 }",
        _ => "",
    };
    format!(
        "name: {name}\n\
         taskDefinition:\n  family: {name}\n  networkMode: awsvpc\n  requiresCompatibilities: [FARGATE]\n  cpu: 256\n  memory: 512\n  \
         executionRoleArn: ecsTaskExecutionRole\n  \
         containerDefinitions:\n    - name: web\n      image: {FIRST}\n      portMappings: [{{ containerPort: 80 }}]\n\
         service:\n  desiredCount: 1\n  healthCheckGracePeriodSeconds: 5\n  \
         loadBalancers: [{{ targetGroup: {name}-a, containerName: web, containerPort: 80{advanced} }}]\n  \
         deploymentConfiguration: {{ strategy: {strategy}{steps}, deploymentCircuitBreaker: {{ enable: true, rollback: true }} }}\n\
         targetGroups:\n  {name}-a: &group {{ protocol: HTTP, port: 80, targetType: ip, vpcId: vpc-1, healthCheckIntervalSeconds: 10, healthCheckTimeoutSeconds: 5, \
         unhealthyThresholdCount: 2, attributes: {{ deregistration_delay.timeout_seconds: \"5\" }} }}\n{second}\
         rules:\n  - listener: lb:80\n    priority: {priority}\n    \
         conditions: [{{ field: host-header, hostHeaderConfig: {{ values: [{name}.example.com] }} }}]\n    \
         actions: [{{ type: forward, forwardConfig: {{ targetGroups: [{weights}] }} }}]\n{more}{SYNC}"
    )
}

fn repository(services: &[(&str, String)]) -> Repository {
    let files: Vec<(String, &str)> = services.iter().map(|(name, text)| (small::file(name), text.as_str())).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), *text)).collect();
    let environment = small::balanced_environment();
    files.push(("environment.yaml", &environment));
    Repository::of_files(&files)
}

/// A command about a service.
fn command(served: &Served, repository: &Repository, arguments: &[&str]) -> Output {
    let path = repository.path().display().to_string();
    driftless_with(&served.env, &[arguments, &["--repo", &path, "--path", "env"]].concat())
}

/// How many UpdateService, StopServiceDeployment and ContinueServiceDeployment were about a service.
fn counts(account: &Account, service: &str) -> [usize; 3] {
    let of = |entry: &Entry| {
        let deployment = entry.input["serviceDeploymentArn"].as_str().unwrap_or_default();
        entry.input["service"] == service || deployment.contains(&format!("/small/{service}/"))
    };
    let all: Vec<Entry> = account.ledger().into_iter().filter(|entry| entry.status == 200 && of(entry)).collect();
    ["UpdateService", "StopServiceDeployment", "ContinueServiceDeployment"]
        .map(|name| all.iter().filter(|entry| entry.operation == name).count())
}

/// A phase in which somebody goes back.
struct Phase {
    /// The service.
    name: &'static str,
    /// The words in the tag of the second image.
    words: &'static str,
    /// Lines of its file.
    more: &'static str,
    /// What else the second commit changes.
    changes: &'static [(&'static str, &'static str)],
    /// Its state and what is said of it, when the phase has come.
    when: (&'static str, &'static str),
    /// The calls for the second commit and for going back, with a rolling update and with blue/green.
    calls: [Option<[usize; 3]>; 2],
}

const APPROVAL: &str = "rollout: { approval: { stage: POST_TEST_TRAFFIC_SHIFT, timeout: 48h, onTimeout: rollback } }\n";
const WINDOW: (&str, &str) =
    ("minInterval: 0s }", "minInterval: 0s, windows: [{ deny: \"00:00-12:00\" }, { deny: \"12:00-24:00\" }] }");

const PHASES: &[Phase] = &[
    // The rule is ECS's while the deployment is under way: it goes back behind it.
    Phase {
        name: "under-way",
        words: "slow-3600",
        more: "",
        changes: &[("under-way.example.com", "other.example.com")],
        when: ("deploying", "0 of 1 new tasks run"),
        calls: [Some([2, 0, 0]), Some([1, 1, 0])],
    },
    Phase {
        name: "baking",
        words: "x",
        more: "",
        changes: &[],
        when: ("deploying", ""),
        calls: [None, Some([1, 1, 0])],
    },
    // Only where traffic moves in steps.
    Phase {
        name: "shifting",
        words: "x",
        more: "",
        changes: &[],
        when: ("deploying", " % of production traffic"),
        calls: [None, Some([1, 1, 0])],
    },
    Phase {
        name: "asking",
        words: "x",
        more: APPROVAL,
        changes: &[],
        when: ("waiting", "at post test traffic shift"),
        calls: [None, Some([1, 0, 1])],
    },
    Phase {
        name: "held",
        words: "x",
        more: "",
        changes: &[WINDOW],
        when: ("pending", "deploy window closed"),
        calls: [Some([0, 0, 0]), Some([0, 0, 0])],
    },
    Phase {
        name: "unpushed",
        words: "",
        more: "",
        changes: &[],
        when: ("pending", "waits for image"),
        calls: [Some([0, 0, 0]), Some([0, 0, 0])],
    },
    Phase {
        name: "live",
        words: "x",
        more: "scaling: { minCapacity: 1, maxCapacity: 2 }\n",
        changes: &[
            ("live.example.com", "other-live.example.com"),
            ("healthCheckGracePeriodSeconds: 5", "healthCheckGracePeriodSeconds: 9"),
            ("maxCapacity: 2", "maxCapacity: 4"),
        ],
        when: ("live", ""),
        calls: [Some([2, 0, 0]), Some([2, 0, 0])],
    },
    Phase {
        name: "failed",
        words: "crash-1",
        more: "",
        changes: &[],
        when: ("failed", "circuit breaker"),
        calls: [Some([1, 0, 0]), Some([1, 0, 0])],
    },
];

fn second(phase: &Phase) -> String {
    match phase.name {
        "unpushed" => "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:2".to_owned(),
        _ => format!("public.ecr.aws/small/web:2-{}", phase.words),
    }
}

/// From some phases of a strategy; `which` picks the column of calls. Few at once: load balancing answers ten calls a second
/// of an account.
fn from_phases(strategy: &str, which: usize, names: &[&str]) {
    let phases: Vec<&Phase> = PHASES.iter().filter(|phase| names.contains(&phase.name)).collect();
    let files: Vec<(&str, String)> = phases
        .iter()
        .enumerate()
        .map(|(at, phase)| {
            let text = service(phase.name, at + 1, strategy, phase.more);
            let baked = format!("strategy: {strategy}, bakeTimeInMinutes: 120,");
            let text =
                if phase.name == "baking" { text.replace(&format!("strategy: {strategy},"), &baked) } else { text };
            (phase.name, text)
        })
        .collect();
    let (account, repository) = (small::balanced(SPEED), repository(&files));
    let served = Served::start(&account);
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("all are live", |status| status.all("live") && status.services().len() > phases.len());
    let since = account.ledger().len();
    for phase in &phases {
        repository.edit(&small::file(phase.name), FIRST, &second(phase));
        phase.changes.iter().for_each(|(from, to)| repository.edit(&small::file(phase.name), from, to));
    }
    repository.commit("2");
    for phase in &phases {
        let name = phase.name;
        let runs_second = |service: &Value| name != "live" || service["images"] == json!([second(phase)]);
        daemon.wait_until(&format!("{name} is in its phase"), |status| {
            let service = status.service(name);
            let baking = name != "baking" || service["reason"].as_str().is_some_and(|why| why.contains("bake time"));
            service["state"] == phase.when.0
                && service["reason"].as_str().is_some_and(|why| why.contains(phase.when.1))
                && runs_second(service)
                && baking
        });
        let said = command(&served, &repository, &["rollback", name, "--reason", "500s"]).assert_status(0).stdout;
        assert!(said.contains("rolled back to ") && said.contains("ECS completed a rollout of"), "{name}: {said}");
    }
    let back = |status: &Status, name: &str| {
        let service = status.service(name);
        service["state"] == "held" && service["images"] == json!([FIRST]) && service["tasks"]["running"] == 1
    };
    daemon.wait_until("all are back", |status| phases.iter().all(|phase| back(status, phase.name)));
    daemon.pass(5);
    let mut wrong = String::new();
    for phase in &phases {
        let found = counts(&account, phase.name);
        if Some(found) != phase.calls[which] || !back(&daemon.seen(), phase.name) {
            let _ = writeln!(wrong, "{}: {found:?}: {:#}", phase.name, daemon.seen().service(phase.name));
        }
    }
    assert!(wrong.is_empty(), "{strategy}:\n{wrong}\n{}", daemon.log());
    let told: Vec<String> = phases.iter().map(|phase| told(&daemon, "small", phase.name, since)).collect();
    let file = format!("rollback/{}-{}.txt", strategy.to_lowercase().replace('_', "-"), names.join("-"));
    golden(&file, &told.join("\n"));
    if names.contains(&"live") {
        together(&account);
    }
    // A newer commit ends it, in whatever phase it began.
    for phase in phases.iter().filter(|phase| phase.name != "held") {
        repository.edit(&small::file(phase.name), &second(phase), "public.ecr.aws/small/web:3");
    }
    repository.commit("3");
    daemon.wait_until("3 goes on", |status| {
        let moved = |phase: &&Phase| status.service(phase.name)["rolledBack"] == json!(null);
        phases.iter().filter(|phase| phase.name != "held").all(moved)
    });
}

/// Settings, rules and scaling of what was live went back with the task definition.
fn together(account: &Account) {
    let services = json!({ "cluster": "small", "services": ["live"] });
    let live = account.call("ecs", "DescribeServices", services).unwrap()["services"][0].clone();
    assert_eq!(live["healthCheckGracePeriodSeconds"], 5);
    let balancer = account.call("elbv2", "DescribeLoadBalancers", json!({})).unwrap();
    let listeners = json!({ "LoadBalancerArn": balancer["LoadBalancers"][0]["LoadBalancerArn"] });
    let listener =
        account.call("elbv2", "DescribeListeners", listeners).unwrap()["Listeners"][0]["ListenerArn"].clone();
    let rules = account.call("elbv2", "DescribeRules", json!({ "ListenerArn": listener })).unwrap().to_string();
    assert!(!rules.contains("other") && rules.contains("live.example.com"), "{rules}");
    let targets = json!({ "ServiceNamespace": "ecs", "ResourceIds": ["service/small/live"] });
    let targets = account.call("autoscaling", "DescribeScalableTargets", targets).unwrap();
    assert_eq!(targets["ScalableTargets"][0]["MaxCapacity"], 2);
}

#[test]
fn from_phases_before_and_after_a_rolling_update() {
    from_phases("ROLLING", 0, &["held", "unpushed", "failed"]);
}

#[test]
fn from_a_rolling_update_under_way_and_from_a_live_one() {
    from_phases("ROLLING", 0, &["under-way", "live"]);
}

#[test]
fn from_phases_of_a_blue_green_deployment() {
    from_phases("BLUE_GREEN", 1, &["under-way", "baking", "asking"]);
}

#[test]
fn from_the_middle_of_a_canary() {
    from_phases("CANARY", 1, &["under-way", "shifting", "asking"]);
}

#[test]
fn from_the_middle_of_a_linear_shift() {
    from_phases("LINEAR", 1, &["under-way", "shifting", "asking"]);
}

#[test]
fn from_phases_before_and_after_a_blue_green_deployment() {
    from_phases("BLUE_GREEN", 1, &["held", "unpushed", "failed"]);
}

#[test]
fn from_a_blue_green_deployment_that_is_live() {
    from_phases("BLUE_GREEN", 1, &["live"]);
}

/// The account waits for whoever may approve; whoever goes back has done so.
#[test]
fn going_back_is_its_own_approval_and_goes_past_a_closed_window() {
    let files = [("web", service("web", 1, "BLUE_GREEN", APPROVAL))];
    let (account, repository) = (small::balanced(SPEED), repository(&files));
    let served = Served::start(&account);
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("1 is live", |status| status.all("live") && status.services().len() == 2);
    let next = "public.ecr.aws/small/web:2";
    repository.edit(&small::file("web"), FIRST, next);
    repository.commit("2");
    daemon.wait_until("2 waits", |status| status.service("web")["state"] == "waiting");
    command(&served, &repository, &["approve", "web"]).assert_status(0);
    daemon.wait_until("2 is live", |status| status.all("live") && status.service("web")["images"] == json!([next]));
    repository.edit(&small::file("web"), WINDOW.0, WINDOW.1);
    repository.commit("A freeze");
    // A freeze is nothing that the service is: the bad commit is the one before it.
    let said = command(&served, &repository, &["rollback", "web", "--reason", "500s"]).assert_status(0).stdout;
    assert!(said.contains("\"The first one\" by Ana Souza"), "{said}");
    let refused = command(&served, &repository, &["rollback", "web", "--reason", "500s"]).assert_status(1);
    assert!(refused.stderr.contains("already; further back: --to COMMIT"), "{}", refused.stderr);
    daemon.wait_until("1 is back", |status| {
        status.service("web")["state"] == "held" && status.service("web")["images"] == json!([FIRST])
    });
    daemon.pass(3);
    assert_eq!(counts(&account, "web"), [2, 0, 2], "one approval by us, one by the rollback:\n{}", daemon.log());
}

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn where_to_is_a_row_a_commit_or_the_newest_that_is_not_known_to_have_failed() {
    let repository = small::repository(&["web"]);
    let breaker = "service: { desiredCount: 2, deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } }";
    repository.edit(&small::file("web"), "service: { desiredCount: 2 }", breaker);
    let first = repository.commit("1");
    let account = account("123456789012", SPEED);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let served = Served::start(&account);
    let daemon = Simulated::start(account.clone(), &repository);
    let tag = |tag: &str| format!("public.ecr.aws/small/web:{tag}");
    let is = |status: &Status, state: &str, runs: &str| {
        status.service("web")["state"] == state && status.service("web")["images"] == json!([tag(runs)])
    };
    let follow = |from: &str, to: &str, state: &str, runs: &str| {
        repository.edit(&small::file("web"), &tag(from), &tag(to));
        let commit = repository.commit(to);
        daemon.wait_until(&format!("{to} is {state}"), |status| is(status, state, runs));
        commit
    };
    let rollback = |more: &[&str], status: i32| {
        let said = command(&served, &repository, &[&["rollback", "web", "--reason", "500s"], more].concat());
        let Output { stdout, stderr, .. } = said.assert_status(status);
        if status == 0 { stdout } else { stderr }
    };
    let here = daemon.address().to_owned();
    daemon.wait_until("1 is live", |status| is(status, "live", "1"));
    let crashed = follow("1", "2-crash-1", "failed", "1");
    let third = follow("2-crash-1", "3", "live", "3");
    daemon.pass(2);

    for (more, expected) in [
        (&["--to", "2", "--address", &here][..], "is known to have failed: #2 failed, and was rolled back by ECS: "),
        (&["--to", "99", "--address", &here], "has no row #99 of web among its newest 3: driftless history web"),
        (
            &["--to", "1", "--address", NOBODY],
            "--to 1 is the number of a row, and no daemon says which (127.0.0.1:1 does not",
        ),
        (
            &["--to", &crashed, "--address", NOBODY],
            "circuit breaker threshold was exceeded; choose another, or --force",
        ),
        (&["--to", &third[..12]], "says the same of web as git does now"),
        (&["--to", "0000000000"], "of the branch is 0000000000"),
    ] {
        let said = rollback(more, 1);
        assert!(said.contains(expected), "{more:?}: {said}");
    }
    rollback(&["--force"], 64);
    assert_eq!(daemon.seen().service("web")["rolledBack"], json!(null), "what was refused has written nothing");

    // ECS alone knows what failed.
    let said = rollback(&["--address", NOBODY], 0);
    let skipped = format!("  skipped  {}: its rollout failed: ", &crashed[..7]);
    assert!(
        said.contains(&format!("  to       {} \"1\" by Ana Souza (ECS completed a rollout of web:1", &first[..7])),
        "{said}"
    );
    assert!(said.contains(&skipped) && said.contains("circuit breaker"), "{said}");
    daemon.wait_until("1 is held", |status| is(status, "held", "1"));
    command(&served, &repository, &["retry", "web"]).assert_status(0);
    daemon.wait_until("3 is live again", |status| is(status, "live", "3"));

    // The daemon's rows, by number; and what is asked of it.
    let said = rollback(&["--to", "1", "--address", &here], 0);
    assert!(said.contains(&format!("  to       {} \"1\" by Ana Souza (#1 was live)", &first[..7])), "{said}");
    let status = daemon.wait_until("1 is held again", |status| is(status, "held", "1"));
    let asked = driftless_with(&served.env, &["status", "--address", &here]).assert_status(0).stdout;
    let reason = status.service("web")["reason"].as_str().unwrap();
    assert!(asked.contains(reason) && asked.contains("small/web  held   2/2    web:1"), "{asked}");
    assert!(asked.starts_with(&format!("source test: {} 3; git was read ", &third[..7])), "{asked}");
    driftless_with(&served.env, &["status", "--address", &here, "--path", "env"]).assert_status(64);

    // What was left once is not gone back to by itself.
    follow("3", "4", "live", "4");
    let said = rollback(&["--address", &here], 0);
    let left = format!(
        "  skipped  {}: it was left before, rolled back to {} by driftless: \"500s\"",
        &third[..7],
        &first[..7]
    );
    assert!(said.contains(&left) && said.contains("(#6 was live)") && said.contains("#2 failed"), "{said}");
    daemon.wait_until("1 is held a third time", |status| is(status, "held", "1"));
    daemon.pass(3);

    // Without a daemon the rows are those of ECS.
    let folder = repository.environment().display().to_string();
    let rebuilt = driftless_with(&served.env, &["history", "web", "--path", &folder]).assert_status(0);
    assert!(rebuilt.stderr.contains("No daemon was asked"), "{}", rebuilt.stderr);
    let lines: Vec<&str> = rebuilt.stdout.lines().collect();
    assert!(lines[1].starts_with(" 8 ") || lines[1].starts_with("8 "), "{}", rebuilt.stdout);
    assert!(lines[1].contains("✓ live") && lines[1].contains(&first[..7]), "the tag's: {}", rebuilt.stdout);
    assert!(rebuilt.stdout.contains("↩ rolled back"), "{}", rebuilt.stdout);
    let json = driftless_with(&served.env, &["history", "web", "--path", &folder, "--output", "json", "--limit", "2"]);
    let json: Value = serde_json::from_str(&json.assert_status(0).stdout).unwrap();
    assert_eq!(json["deployments"].as_array().map(Vec::len), Some(2));

    // What failed is tried again where somebody insists.
    let before = counts(&account, "web");
    let said = rollback(&["--to", &crashed, "--force", "--address", NOBODY], 0);
    assert!(said.contains("(although its rollout failed: "), "{said}");
    daemon.wait_until("it is tried, and fails", |_| counts(&account, "web")[0] == before[0] + 1);
    daemon.wait_until("it has failed again", |status| is(status, "failed", "1"));
}

#[test]
fn what_is_of_another_cluster_is_not_gone_back_to_and_what_depends_on_it_goes_on() {
    let repository = small::repository(&["web", "other"]);
    let elsewhere = small::ENVIRONMENT.replace("cluster: small", "cluster: elsewhere");
    repository.write("environment.yaml", &elsewhere);
    repository.edit(&small::file("other"), "sync: {", "dependsOn: [web]\nsync: {");
    let first = repository.commit("In the old cluster");
    repository.write("environment.yaml", small::ENVIRONMENT);
    repository.commit("In the new cluster");
    let account = account("123456789012", SPEED);
    for cluster in ["small", "elsewhere"] {
        account.call("ecs", "CreateCluster", json!({ "clusterName": cluster })).unwrap();
    }
    let served = Served::start(&account);
    let updates = || counts(&account, "web")[0];
    {
        let daemon = Simulated::start(account.clone(), &repository);
        daemon.wait_until("1 is live", |status| status.all("live"));
        repository.edit(&small::file("web"), small::IMAGE, small::NEXT_IMAGE);
        repository.commit("2");
        daemon.wait_until("2 is live", |status| {
            status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
        });
        let rollback = ["rollback", "web", "--reason", "500s", "--to", &first];
        let refused = command(&served, &repository, &rollback).assert_status(1).stderr;
        let expected = format!(
            "commit {} is for account 123456789012, us-east-1, cluster elsewhere; git is for account 123456789012, us-east-1, \
             cluster small now",
            &first[..7]
        );
        assert!(refused.contains(&expected), "{refused}");
        command(&served, &repository, &rollback[..4]).assert_status(0);
        daemon.wait_until("1 is back", |status| status.service("web")["state"] == "held");
    }
    assert_eq!(updates(), 2);
    // What it depends on is live, as it is followed: also where only the other one is looked at.
    repository.edit(&small::file("other"), small::IMAGE, small::NEXT_IMAGE);
    repository.commit("Another image of other");
    let plan = command(&served, &repository, &["plan", "--service", "other"]).assert_status(0).stdout;
    assert!(plan.contains("step: update service other") && !plan.contains("waits until web"), "{plan}");
    // Somebody has written such a tag by hand.
    let described = json!({ "cluster": "small", "services": ["web"], "include": ["TAGS"] });
    let service = account.call("ecs", "DescribeServices", described).unwrap()["services"][0].take();
    let tags = service["tags"].as_array().cloned().unwrap_or_default();
    let tag = tags.iter().find(|tag| tag["key"] == "driftless:rolled-back").unwrap();
    let held = tag["value"].as_str().unwrap().split(' ').nth(1).unwrap().to_owned();
    let value = format!("{first} {held} ana by hand");
    let tags = json!([{ "key": "driftless:rolled-back", "value": value }]);
    account.call("ecs", "TagResource", json!({ "resourceArn": service["serviceArn"], "tags": tags })).unwrap();
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("it is refused", |status| {
        status.service("web")["reason"].as_str().is_some_and(|why| why.contains("is for account 123456789012"))
    });
    daemon.pass(3);
    assert_eq!(updates(), 2, "{}", daemon.log());
}

/// Scaling may not be written: a plan with a difference there never comes to its end.
const BUT_SCALING: &str = r#"{ "Statement": [
    { "Effect": "Allow", "Action": "*", "Resource": "*" },
    { "Effect": "Deny", "Action": "application-autoscaling:RegisterScalableTarget", "Resource": "*" }
] }"#;

#[test]
fn what_was_never_finished_is_left_at_once() {
    let (account, repository) = (account("123456789012", SPEED), small::repository(&["web"]));
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    repository.edit(&small::file("web"), "sync: {", "scaling: { minCapacity: 1, maxCapacity: 2 }\nsync: {");
    repository.commit("1");
    let served = Served::start(&account);
    {
        let daemon = Simulated::start(account.clone(), &repository);
        daemon.wait_until("1 is live", |status| status.all("live"));
        account.enforce(Some(Policy::read(BUT_SCALING).unwrap()));
        // Without a circuit breaker ECS tries for ever; and nobody writes down that 2 was applied.
        repository.edit(&small::file("web"), small::IMAGE, "public.ecr.aws/small/web:2-crash-1");
        repository.edit(&small::file("web"), "maxCapacity: 2", "maxCapacity: 4");
        repository.commit("2");
        daemon.wait_until("2 is begun", |_| counts(&account, "web")[0] == 1);
    }
    command(&served, &repository, &["rollback", "web", "--reason", "500s"]).assert_status(0);
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("1 is back", |status| {
        status.service("web")["state"] == "held" && status.service("web")["images"] == json!([small::IMAGE])
    });
    assert_eq!(counts(&account, "web"), [2, 0, 0], "{}", daemon.log());
}
