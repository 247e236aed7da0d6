//! What people do and ask on the command line while a daemon runs, as one story: each command is the real program, and what
//! the daemon then shows is looked at. And the errors of a person in a hurry.

use crate::support::simulated::{Served, account};
use crate::support::{Output, Page, Repository, Simulated, Status, driftless_with, small};
use driftless::sim::Account;
use driftless::sim::policy::Policy;
use driftless::sim::world::ecs::images::Behaviour;
use serde_json::{Value, json};

/// How much faster than ours the account's time runs.
const SPEED: f64 = 120.0;
/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

const BREAKER: &str = "deploymentCircuitBreaker: { enable: true, rollback: true }";

/// `app` is blue/green and asks for an approval; `web` is a rolling update.
fn repository() -> Repository {
    let web = small::service("web")
        .replace("desiredCount: 2", &format!("desiredCount: 2, deploymentConfiguration: {{ {BREAKER} }}"));
    let app = small::service("app").replace(
        "desiredCount: 2",
        &format!("desiredCount: 1, deploymentConfiguration: {{ strategy: BLUE_GREEN, {BREAKER} }}"),
    ) + "rollout: { approval: { stage: POST_SCALE_UP, timeout: 48h, onTimeout: rollback } }\n";
    Repository::of_files(&[
        ("environment.yaml", small::ENVIRONMENT),
        (&small::file("web"), &web),
        (&small::file("app"), &app),
    ])
}

fn prepared() -> Account {
    let account = account("123456789012", SPEED);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    account
}

/// Both services are live, `app` with its first approval.
fn both_live(person: &Person<'_>) {
    person.daemon.wait_until("the first one waits", |status| status.service("app")["state"] == "waiting");
    assert!(person.told(&["approve", "app"]).starts_with("Approved: app, deployment "));
    person.daemon.wait_until("all are live", |status| status.all("live") && status.services().len() == 2);
}

/// A person with a shell, beside a daemon.
struct Person<'a> {
    served: Served,
    account: &'a Account,
    repository: &'a Repository,
    daemon: &'a Simulated,
}

impl Person<'_> {
    /// A command about the repository.
    fn types(&self, arguments: &[&str]) -> Output {
        let path = self.repository.path().display().to_string();
        driftless_with(&self.served.env, &[arguments, &["--repo", &path, "--path", "env"]].concat())
    }

    /// What a command prints that does what it should, with the repository's folder as REPO.
    #[track_caller]
    fn told(&self, arguments: &[&str]) -> String {
        self.types(arguments).assert_status(0).stdout.replace(&self.repository.path().display().to_string(), "REPO")
    }

    /// What a command says that ends with `status`.
    #[track_caller]
    fn refused(&self, arguments: &[&str], status: i32) -> String {
        let before = self.writes();
        let said = self.types(arguments).assert_status(status);
        assert_eq!((said.stdout.as_str(), self.writes()), ("", before), "{arguments:?} does nothing");
        said.stderr
    }

    /// What a command says that asks the daemon.
    #[track_caller]
    fn asks(&self, arguments: &[&str]) -> String {
        let here = ["--address", self.daemon.address()];
        driftless_with(&self.served.env, &[arguments, &here].concat()).assert_status(0).stdout
    }

    /// The newest line of what people did to a service, by `history`, when the daemon has seen it.
    #[track_caller]
    fn newest_act(&self, service: &str, expected: &str) {
        self.daemon.wait_until(&format!("{service}'s newest act is {expected}"), |_| {
            let said = self.asks(&["history", service]);
            let acts = said.split_once("Beside git:\n").map(|(_, acts)| acts.to_owned()).unwrap_or_default();
            acts.lines().next().is_some_and(|line| line.starts_with("  today ") && line.ends_with(expected))
        });
    }

    fn writes(&self) -> usize {
        self.account.ledger().iter().filter(|entry| entry.writes() && entry.status == 200).count()
    }

    fn is(&self, service: &str, state: &str, image: &str) -> Status {
        self.daemon.wait_until(&format!("{service} is {state} with {image}"), |status| {
            let seen = status.service(service);
            seen["state"] == state && seen["images"] == json!([format!("public.ecr.aws/small/web:{image}")])
        })
    }

    fn merges(&self, service: &str, from: &str, to: &str) -> String {
        let tag = |tag: &str| format!("public.ecr.aws/small/web:{tag}");
        self.repository.edit(&small::file(service), &tag(from), &tag(to));
        self.repository.commit(&format!("{service} {to}"))
    }

    /// The page of all services, and that of one, have these words.
    #[track_caller]
    fn page_says(&self, service: &str, words: &[&str]) {
        for path in ["/".to_owned(), format!("/services/small/{service}")] {
            // Slashes are escaped in HTML, as quotes are.
            let page = self.daemon.page(&path).replace("&#34;", "\"").replace("&#39;", "'");
            let page = page.replace(&self.repository.path().display().to_string(), "REPO");
            for word in words {
                assert!(page.contains(word), "{path}: {word}\n{page}");
            }
        }
    }

    fn gauge(&self, name: &str, service: &str) -> u64 {
        self.daemon.series(name, &[&format!("service=\"{service}\"")])
    }
}

#[test]
fn eight_commands_and_what_the_daemon_makes_of_them() {
    let (account, repository) = (prepared(), repository());
    let daemon = Simulated::start(account.clone(), &repository);
    let person =
        Person { served: Served::start(&account), account: &account, repository: &repository, daemon: &daemon };
    let first = repository.git(&["rev-parse", "--short=7", "HEAD"]);
    both_live(&person);

    // status and history, asked of the daemon and read from AWS.
    let said = person.asks(&["status", "--exit-status"]);
    assert!(said.starts_with(&format!("source test: {first} The first one; git was read ")), "{said}");
    assert!(said.contains("small/web  live   2/2    web:1") && said.ends_with("\n\n2 live\n"), "{said}");
    let said = person.told(&["status", "--exit-status"]);
    assert!(said.contains("✓ web      live       2/2    web:1  web:1\n") && said.ends_with("\n\n2 live\n"), "{said}");
    let said = person.asks(&["history", "web"]);
    assert!(said.lines().nth(1).is_some_and(|line| line.starts_with("1  today ") && line.contains("✓ live")), "{said}");
    assert!(!said.contains("Beside git"), "{said}");

    // pause and resume.
    let said = person.told(&["pause", "web", "--reason", "database move", "--for", "2h"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("Paused: web by driftless until 20") && lines[0].ends_with("Z: \"database move\""),
        "{said}"
    );
    assert_eq!(lines[1..], ["Next: driftless resume web --repo REPO --path env"]);
    daemon.wait_until("it is paused", |status| status.service("web")["state"] == "paused");
    assert_eq!(
        (person.gauge("driftless_service_paused", "web"), person.gauge("driftless_service_paused", "app")),
        (1, 0)
    );
    person.page_says(
        "web",
        &["database move", "<dt>ends</dt><dd>in 1h 59m", "driftless resume web --repo REPO --path env"],
    );
    person.newest_act("web", "paused by driftless: \"database move\"");
    let said = person.told(&["pause", "web", "--reason", "it takes longer", "--for", "4h"]);
    assert!(
        said.contains("\nIt was paused before, by driftless until 20") && said.contains(": \"database move\"\n"),
        "{said}"
    );
    person.newest_act("web", "paused by driftless: \"it takes longer\"");
    person.merges("web", "1", "2");
    daemon.wait_until("the commit waits", |status| status.service("web")["sync"] == "pending");
    assert!(person.told(&["status"]).contains("‖ web      paused"), "a paused service is paused to everybody");
    assert_eq!(person.told(&["resume", "web"]), "Resumed: web\n");
    person.is("web", "live", "2");
    assert_eq!(person.gauge("driftless_service_paused", "web"), 0);
    person.newest_act("web", "resumed by driftless");
    assert_eq!(person.told(&["resume", "web"]), "web is not paused\n");

    // rollback, and retry that ends it.
    let second = repository.git(&["rev-parse", "--short=7", "HEAD"]);
    let said = person.told(&["rollback", "web", "--reason", "500s", "--address", daemon.address()]);
    let expected = format!(
        "web rolled back to {first} by driftless: \"500s\"\n  to       {first} \"The first one\" by Ana Souza (#1 was live)\n  \
         held     {second} until a newer commit changes web, or: driftless retry web --repo REPO --path env\n\
         The daemon does it with its next look; without one: driftless apply --service web --repo REPO --path env\n"
    );
    assert_eq!(said, expected);
    let status = person.is("web", "held", "1");
    assert_eq!(status.service("web")["rolledBack"]["why"], json!("500s"));
    assert_eq!(person.gauge("driftless_service_held", "web"), 1);
    let said = person.asks(&["status"]);
    assert!(said.contains(&format!("small/web  held   2/2    web:1  {first}  ")), "{said}");
    person.page_says(
        "web",
        &[&format!("rolled back to {first} by driftless: \"500s\""), "driftless retry web --repo REPO --path env"],
    );
    person.newest_act("web", &format!("rolled back by driftless: \"to {first}: 500s\""));
    let said = person.told(&["retry", "web"]);
    assert_eq!(said, format!("web follows git again; it was rolled back to {first} by driftless: \"500s\"\n"));
    person.is("web", "live", "2");
    person.newest_act("web", "retried by driftless");
    let said = person.told(&["retry", "web"]);
    assert_eq!(said, "web is not rolled back, and not known to have failed: nothing is done unless it has\n");
    daemon.pass(3);
    person.is("web", "live", "2");

    // retry of what failed.
    person.merges("web", "2", "3-crash-1");
    daemon.wait_until("3 has failed", |status| status.service("web")["state"] == "failed");
    person.is("web", "failed", "2");
    daemon.pass(2);
    person.page_says(
        "web",
        &["circuit breaker", "<dt>serves now</dt><dd>web:2", "driftless retry web --repo REPO --path env"],
    );
    let ended = |result: &str| {
        daemon.series("driftless_deployments_total", &["service=\"web\"", &format!("result=\"{result}\"")])
    };
    assert_eq!((ended("rolled_back"), ended("failed")), (1, 0));
    let said = person.asks(&["status"]);
    assert!(said.contains("small/web  failed  2/2    web:2") && said.ends_with("\n\n1 failed, 1 live\n"), "{said}");
    person.types(&["status", "--exit-status"]).assert_status(1);
    account.world(|world| world.ecs.images.set("public.ecr.aws/small/web:3-crash-1", Behaviour::default()));
    assert_eq!(person.told(&["retry", "web"]), "web is tried again as git says it\n");
    person.is("web", "live", "3-crash-1");

    // approve and reject.
    for (from, to, verb, done, state, runs) in
        [("1", "2", "reject", "Rejected", "failed", "1"), ("2", "4", "approve", "Approved", "live", "4")]
    {
        person.merges("app", from, to);
        daemon.wait_until("it waits", |status| status.service("app")["state"] == "waiting");
        let id = deployment(&account, "app");
        let command = format!("driftless {verb} app --deployment {id} --repo REPO --path env");
        person.page_says(
            "app",
            &[
                &command,
                "the new tasks run, without traffic (POST_SCALE_UP)",
                "<dt>unanswered</dt><dd>it is rolled back in ",
            ],
        );
        let said = person.refused(&[verb, "app", "--deployment", "0123456789abcdef"], 1);
        assert_eq!(said, format!("error: deployment \"0123456789abcdef\" does not wait; {id} does\n"));
        let said = person.refused(&[verb, "app", "--deployment", ""], 1);
        assert_eq!(said, format!("error: deployment \"\" does not wait; {id} does\n"));
        assert_eq!(person.told(&[verb, "app", "--deployment", &id]), format!("{done}: app, deployment {id}\n"));
        person.is("app", state, runs);
        person.newest_act("app", &format!("{} by driftless: \"deployment {id}\"", done.to_lowercase()));
    }

    // Without a daemon: what ECS and the tags know.
    let rebuilt = person.types(&["history", "web"]).assert_status(0);
    assert!(rebuilt.stderr.contains("No daemon was asked"), "{}", rebuilt.stderr);
    assert!(
        rebuilt.stdout.contains("✓ live") && rebuilt.stdout.contains("\nBeside git:\n  today "),
        "{}",
        rebuilt.stdout
    );
    assert!(rebuilt.stdout.ends_with("retried by driftless\n"), "the newest act alone: {}", rebuilt.stdout);
    let folder = repository.environment().display().to_string();
    let status =
        driftless_with(&person.served.env, &["status", "--path", &folder, "--output", "json"]).assert_status(0);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert!(status["services"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] == "live")), "{status}");
}

/// The end of the ARN of a service's newest service deployment.
fn deployment(account: &Account, service: &str) -> String {
    let listed =
        account.call("ecs", "ListServiceDeployments", json!({ "cluster": "small", "service": service })).unwrap();
    let arn = listed["serviceDeployments"][0]["serviceDeploymentArn"].as_str().unwrap();
    arn.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn a_person_in_a_hurry_is_told_what_was_wrong() {
    let (account, repository) = (prepared(), repository());
    let daemon = Simulated::start(account.clone(), &repository);
    let person =
        Person { served: Served::start(&account), account: &account, repository: &repository, daemon: &daemon };
    both_live(&person);
    let refused =
        |arguments: &[&str], status: i32| driftless_with(&person.served.env, arguments).assert_status(status).stderr;

    // Nobody listens, or not for that service.
    for asked in [&["status"][..], &["history", "web"]] {
        let said = refused(&[asked, &["--address", NOBODY]].concat(), 1);
        assert!(said.starts_with("error: 127.0.0.1:1 does not answer: Connection refused"), "{said}");
        assert!(
            said.contains("help: --address HOST:PORT says where a daemon listens; without one --path DIR"),
            "{said}"
        );
    }
    let said = refused(&["history", "wbe", "--address", daemon.address()], 1);
    assert!(said.contains("follows no service wbe, did you mean web?: there are app, web; of one that left"), "{said}");

    // Nobody in particular.
    let endpoint = ["AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED"];
    let env = person.served.env.iter().filter(|(name, _)| endpoint.contains(&name.as_str()));
    let env = env.map(|(name, value)| (name.clone(), value.clone())).collect();
    let folder = repository.environment().display().to_string();
    let said = driftless_with(&env, &["resume", "web", "--path", &folder]).assert_status(5).stderr;
    assert!(said.starts_with("error: no AWS credentials were found: set AWS_PROFILE, or"), "{said}");

    // No service of that name, nothing to be about, no reason.
    for verb in ["pause", "resume", "approve", "reject", "retry", "rollback"] {
        let reason: &[&str] = if matches!(verb, "pause" | "rollback") { &["--reason", "why"] } else { &[] };
        let said = person.refused(&[&[verb, "wbe"], reason].concat(), 1);
        assert_eq!(said, "error: no service is called wbe, did you mean web?: there are app, web\n", "{verb}");
        let said = person.refused(&[&[verb, "web", "--service", "app"], reason].concat(), 64);
        assert!(said.contains("cannot be used with"), "{said}");
        if verb == "rollback" {
            let said = refused(&["rollback", "web", "--reason", "why"], 1);
            assert!(said.starts_with("error: name the repository with --repo: "), "{said}");
            continue;
        }
        let nowhere = tempfile::tempdir().unwrap();
        let said = refused(&[&[verb, "web", "--path", &nowhere.path().display().to_string()], reason].concat(), 1);
        assert!(said.contains("E0103") && said.contains("no environment.yaml"), "{verb}: {said}");
        if !reason.is_empty() {
            assert!(person.refused(&[verb, "web"], 64).contains("--reason <TEXT>"));
            assert!(
                person.refused(&[verb, "web", "--reason", " "], 1).starts_with("error: --reason is empty: say why")
            );
        }
    }
    assert!(person.refused(&["pause", "web", "--reason", "why", "--for", "2"], 64).contains("with its unit"));
    for verb in ["approve", "reject"] {
        let said = person.refused(&[verb, "app"], 1);
        assert_eq!(said, "error: no rollout of app waits for approval: none is under way\n");
    }
    let said = person.refused(&["rollback", "web", "--reason", "why", "--address", NOBODY], 1);
    assert_eq!(said, "error: none of the last 1 commits of the branch says anything else of web\n");

    // What the credentials may not do.
    let but = |action: &str| {
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Effect": "Deny", "Action": action, "Resource": "*" },
        ]});
        account.enforce(Some(Policy::read(&policy.to_string()).unwrap()));
    };
    but("ecs:TagResource");
    for acts in [&["pause", "web", "--reason", "why"][..], &["retry", "web"]] {
        let said = person.refused(acts, 5);
        assert!(said.contains("ecs:TagResource") || said.contains("TagResource"), "{said}");
    }
    but("ecs:DescribeServices");
    for acts in [&["pause", "web", "--reason", "why"][..], &["resume", "web"], &["approve", "app"]] {
        let said = person.refused(acts, 5);
        assert!(said.contains("DescribeServices"), "{said}");
    }
    account.enforce(None);
}
