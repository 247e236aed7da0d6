//! The command line as scripts see it: exit codes, what is on stdout, JSON, help; and that no secret is ever printed.

use crate::proxy::{Fault, Rule};
use crate::support::small::{self, IMAGE, behind_proxy, ecs, file, running_definition};
use crate::support::{Account, Daemon, Options, Output, Repository, driftless, driftless_with};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs a command on the environment of a repository as it lies on the disk.
fn on(account: &Account, repository: &Repository, command: &str, more: &[&str]) -> Output {
    let folder = repository.environment();
    let arguments: Vec<&str> =
        [command, "--path", folder.to_str().unwrap()].into_iter().chain(more.iter().copied()).collect();
    driftless(account, &arguments)
}

fn nowhere(arguments: &[&str]) -> Output {
    driftless_with(&BTreeMap::new(), arguments)
}

#[track_caller]
fn json_of(output: &Output) -> Value {
    let value: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stdout));
    assert_eq!(value["schemaVersion"], 1, "{value:#}");
    value
}

#[test]
fn a_wrong_command_line_is_64_and_never_2() {
    for arguments in
        [&[][..], &["pln"], &["plan", "--no-such-flag"], &["plan", "--output", "xml"], &["plan", "--ref", "main"]]
    {
        let output = nowhere(arguments).assert_status(64);
        assert_eq!(output.stdout, "", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_is_data_and_every_command_has_an_example() {
    let help = nowhere(&["--help"]).assert_status(0);
    assert!(help.stdout.contains("Exit codes: 0 ok, 1 error, 2 changes"), "{}", help.stdout);
    assert_eq!(help.stderr, "");
    let commands = help.stdout.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands: Vec<&str> =
        commands.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = nowhere(&[command, "--help"]).assert_status(0);
        let examples = help.stdout.split_once("Example").map(|(_, examples)| examples).unwrap_or_default();
        assert!(examples.contains(&format!("driftless {command} ")), "no example of {command}:\n{}", help.stdout);
    }
}

#[test]
fn validate_says_what_is_wrong_on_stderr_and_in_json() {
    let repository = small::repository(&["web", "api"]);
    let folder = repository.environment();
    let validate = |more: &[&str]| {
        let arguments: Vec<&str> =
            ["validate", "--path", folder.to_str().unwrap()].into_iter().chain(more.iter().copied()).collect();
        nowhere(&arguments)
    };
    let output = validate(&[]).assert_status(0);
    assert_eq!((output.stdout.lines().count(), output.stderr.as_str()), (1, ""), "{}", output.stdout);
    repository.edit(&file("web"), "desiredCount", "desired_count");
    let output = validate(&[]).assert_status(1);
    assert!(
        output.stderr.contains("env/services/web.yaml:") && output.stderr.contains("error[E0107]"),
        "{}",
        output.stderr
    );
    assert_eq!(output.stdout, "1 errors, 0 warnings: 1 services are valid (3 files read, no AWS calls)\n");
    let document = json_of(&validate(&["--output", "json"]).assert_status(1));
    assert_eq!((&document["valid"], &document["services"]), (&json!(false), &json!(1)), "{document:#}");
    let problem = &document["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["severity"], &problem["service"]),
        (&json!("E0107"), &json!("error"), &json!("web"))
    );
    assert_eq!(validate(&["--repo", "/nowhere"]).assert_status(1).stdout, "");
}

#[test]
fn plan_and_apply_end_as_scripts_expect() {
    let (account, repository) = (small::account(), small::repository(&["web"]));
    let plan = |more: &[&str]| on(&account, &repository, "plan", more);
    assert!(plan(&[]).assert_status(0).stdout.contains("+ web  CREATE"));
    plan(&["--detailed-exitcode"]).assert_status(2);
    let document = json_of(&plan(&["--output", "json", "--detailed-exitcode"]).assert_status(2));
    assert_eq!(document["services"].as_array().map(Vec::len), Some(1), "{document:#}");
    assert_eq!(account.writes().len(), 0, "a plan writes nothing");

    let output = on(&account, &repository, "apply", &["--timeout", "1m"]).assert_status(0);
    assert!(output.stdout.ends_with("Applied: 1 live\n"), "{}", output.stdout);
    plan(&["--detailed-exitcode"]).assert_status(0);
    let written = account.writes().len();
    on(&account, &repository, "apply", &[]).assert_status(0);
    assert_eq!(account.writes().len(), written, "the second apply writes nothing");

    let output = plan(&["--service", "wbe"]).assert_status(1);
    assert!(
        output.stderr.contains("no service is called wbe, did you mean web?: there are web")
            && output.stdout.is_empty(),
        "{output:?}"
    );
    repository.edit(&file("web"), IMAGE, "public.ecr.aws/small/web:crash-0.1");
    let output = on(&account, &repository, "apply", &["--timeout", "3s"]).assert_status(4);
    assert!(output.stderr.contains("the rollouts go on"), "{}", output.stderr);
    repository.edit(&file("web"), "desiredCount", "desired_count");
    plan(&["--detailed-exitcode"]).assert_status(1);
}

#[test]
fn who_may_not_ends_with_5() {
    let (account, repository) = (small::account(), small::repository(&["web"]));
    let folder = repository.environment();
    let arguments = ["plan", "--path", folder.to_str().unwrap()];
    let (proxy, options) = behind_proxy(&account);
    let mut env = account.env().clone();
    env.extend(options.env);
    proxy.rule(Rule::on("GetCallerIdentity", Fault::Denied).always());
    let output = driftless_with(&env, &arguments).assert_status(5);
    assert!(output.stdout.is_empty() && output.stderr.contains("AccessDenied"), "{output:?}");
    env.retain(|name, _| !name.contains("ACCESS_KEY"));
    driftless_with(&env, &arguments).assert_status(5);

    repository.edit("environment.yaml", "123456789012", "210987654321");
    let output = driftless(&account, &arguments).assert_status(5);
    let words = ["123456789012", "210987654321", "use the right profile or role"];
    assert!(words.iter().all(|word| output.stderr.contains(word)), "{}", output.stderr);
    // An endpoint that is away is no question of permission.
    let mut env = account.env().clone();
    env.insert("AWS_ENDPOINT_URL".into(), "http://127.0.0.1:1".into());
    driftless_with(&env, &arguments).assert_status(1);
}

#[test]
fn healthcheck_tells_a_daemon_from_none() {
    let (account, repository) = (small::account(), small::repository(&["web"]));
    let daemon = Daemon::start(&account, &repository, &Options::default());
    let address = daemon.address().to_owned();
    nowhere(&["healthcheck", "--address", &address]).assert_status(0);
    daemon.stop();
    let output = nowhere(&["healthcheck", "--address", &address]).assert_status(1);
    assert!(output.stderr.contains(&address) && output.stdout.is_empty(), "{output:?}");
}

/// Texts that stand where secrets stand; none of them may come out anywhere.
const CANARIES: [&str; 5] = ["canary-password", "canary-in-url", "canary-live", "canary-token", "canary-key"];

#[track_caller]
fn assert_no_canary(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary} in {what}:\n{text}");
    }
}

/// A repository with secrets in every place where people leave them, and a live service with another one.
fn planted() -> (Account, Repository) {
    let (account, repository) = (small::account(), small::repository(&["web"]));
    let more = "environment: [{ name: DB_PASSWORD, value: canary-password }, \
                { name: DATABASE_URL, value: \"postgres://app:canary-in-url@db/app\" }, ";
    repository.edit(&file("web"), "environment: [", more);
    repository.commit("Secrets");
    on(&account, &repository, "apply", &["--timeout", "1m"]).assert_status(0);
    let mut definition = running_definition(&account, "web");
    let environment = definition["containerDefinitions"][0]["environment"].as_array_mut().unwrap();
    environment.retain(|variable| variable["name"] != "DB_PASSWORD");
    environment.push(json!({ "name": "DB_PASSWORD", "value": "canary-live" }));
    environment.push(json!({ "name": "STRIPE_API_KEY", "value": "canary-key" }));
    let fields = ["family", "networkMode", "requiresCompatibilities", "cpu", "memory", "containerDefinitions"];
    let input: Value = fields
        .iter()
        .map(|field| ((*field).to_owned(), definition[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let made = ecs(&account, "RegisterTaskDefinition", &input);
    let arn = &made["taskDefinition"]["taskDefinitionArn"];
    ecs(&account, "UpdateService", &json!({ "cluster": "small", "service": "web", "taskDefinition": arn }));
    (account, repository)
}

#[test]
fn no_secret_is_printed_by_any_command() {
    let (account, repository) = planted();
    let commands: [&[&str]; 4] =
        [&["plan"], &["plan", "--output", "json"], &["validate"], &["apply", "--timeout", "1m"]];
    for command in commands {
        let output = on(&account, &repository, command[0], &command[1..]).assert_status(0);
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(text.contains("DB_PASSWORD") || command[0] != "plan", "the difference is shown by its name:\n{text}");
        assert_no_canary(&command.join(" "), &text);
    }
    let remote = "https://ana:canary-token@127.0.0.1:1/deploy.git";
    let output = driftless(&account, &["plan", "--repo", remote]).assert_status(1);
    assert_no_canary("a remote that cannot be reached", &format!("{}{}", output.stdout, output.stderr));
}

#[test]
fn no_secret_is_shown_by_the_daemon() {
    let (account, repository) = planted();
    repository.edit(&file("web"), "sync: { minInterval: 0s }", "sync: { drift: report }");
    repository.commit("Drift is shown");
    let more = "webhook: null\n";
    let options = Options { settings: more.into(), debug: true, ..Options::default() };
    let daemon = Daemon::start(&account, &repository, &options);
    daemon.wait("the difference is shown", |status| {
        status.service("web")["held"] == true || status.service("web")["state"] == "live"
    });
    let paths =
        ["/", "/services/small/web", "/api/v1/services", "/api/v1/services/small/web/diff", "/metrics", "/readyz"];
    let shown: Vec<String> = paths.iter().map(|path| daemon.get(path).1).collect();
    assert!(shown[1].contains("DB_PASSWORD"), "the difference is shown by its name:\n{}", shown[1]);
    for (path, text) in paths.iter().zip(&shown) {
        assert_no_canary(path, text);
    }
    assert_no_canary("the log", &daemon.log());
    daemon.stop();
}

#[test]
fn a_token_in_the_remote_s_url_stays_inside() {
    let account = small::account();
    let options = Options {
        url: Some("https://ana:canary-token@127.0.0.1:1/deploy.git".into()),
        debug: true,
        ..Options::default()
    };
    let daemon = Daemon::start(&account, &small::repository(&["web"]), &options);
    daemon.wait("git cannot be reached", |status| !status.0["sources"][0]["error"].is_null());
    for path in ["/", "/api/v1/services", "/metrics", "/readyz"] {
        assert_no_canary(path, &daemon.get(path).1);
    }
    assert_no_canary("the log", &daemon.log());
    daemon.stop();
}
