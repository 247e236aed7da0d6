//! `driftless demo`: the six things to try, each to its end, as page, API and metrics tell it; and that it stays on this
//! machine and leaves nothing behind.

use crate::support::{Output, Page, Status, driftless_with, http};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A demo that runs, in a temporary folder of its own.
struct Demo {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Demo {
    /// Starts it with variables that would lead every AWS SDK astray.
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_driftless"))
            .env_clear()
            .env("TMPDIR", folder.path().join("tmp"))
            .env("AWS_PROFILE", "a profile that does not exist")
            .env("AWS_REGION", "eu-nowhere-1")
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            .env("AWS_ACCESS_KEY_ID", "not mine")
            .env("AWS_CONFIG_FILE", "/nonexistent")
            .arg("demo")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        println!("the demo printed its address after {:?}", began.elapsed());
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).map(str::to_owned);
        let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        let address = address.unwrap_or_else(|| panic!("no address, but {line:?}: {}", log()));
        Self { child, address, folder }
    }

    /// Runs a command on the demo's repository and account, as its text on stderr says.
    fn driftless(&self, arguments: &[&str]) -> Output {
        let log = self.log();
        let after = |text: &str| log.split(text).nth(1).and_then(|rest| rest.split([' ', ',', '\n']).next()).unwrap();
        let env = [
            ("AWS_ENDPOINT_URL", after("AWS_ENDPOINT_URL=")),
            ("AWS_ACCESS_KEY_ID", "demo"),
            ("AWS_SECRET_ACCESS_KEY", "demo"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let place = ["--repo", after("Or commit to "), "--path", "environments/prod"];
        driftless_with(&env, &[arguments, &place].concat())
    }

    /// Does a step; gives its sentence.
    #[track_caller]
    fn step(&self, number: usize) -> String {
        let (code, body) = http(&self.address, "POST", &format!("/demo/{number}"));
        assert_eq!(code, 200, "step {number}: {body}");
        body
    }

    /// Page, API and metrics agree on the state of a service; the page says `words`.
    #[track_caller]
    fn assert_shown(&self, service: &str, state: &str, words: &str) {
        let labels = [&*format!("service=\"{service}\""), &*format!("state=\"{state}\"")];
        assert_eq!(self.series("driftless_service_state", &labels), 1, "{}", self.page("/metrics"));
        let page = self.page("/");
        let row = page.lines().find(|line| line.contains(&format!("/{service}\">"))).unwrap_or_default();
        assert!(row.contains(&format!("<tr class=\"{state}\">")) && row.contains(words), "{words}: {row}");
    }

    fn updates(&self, service: &str) -> u64 {
        self.series("driftless_steps_total", &[&format!("service=\"{service}\""), "operation=\"UpdateService\""])
    }
}

impl Page for Demo {
    fn address(&self) -> &str {
        &self.address
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn runs(service: &Value, version: &str) -> bool {
    service["images"][0].as_str().is_some_and(|image| image.ends_with(version))
}

fn is(status: &Status, service: &str, state: &str, version: &str) -> bool {
    status.service(service)["state"] == state && runs(status.service(service), version)
}

#[test]
fn the_six_things_to_try_come_to_their_ends() {
    let demo = Demo::start(&["--speed", "60"]);
    demo.wait_until("both services are live", |status| {
        is(status, "prod-api", "live", ":2.0.1") && is(status, "prod-app", "live", ":2.0.1")
    });
    demo.wait_until("all are live", |status| status.all("live"));
    assert!(demo.page("/").contains("All 2 services are live"));

    // 1: a merge becomes a rollout.
    assert!(demo.step(1).starts_with("committed "));
    demo.wait_until("2.1.0 is live", |status| is(status, "prod-api", "live", ":2.1.0"));
    demo.assert_shown("prod-api", "live", "convergence-prod-api:2.1.0");
    assert_eq!(demo.updates("prod-api"), 1);

    // 2: a change in the console is put back.
    let corrected = || demo.series("driftless_drift_corrected_total", &["service=\"prod-api\""]);
    assert_eq!(corrected(), 0);
    demo.step(2);
    demo.wait_until("the change is put back", |status| corrected() == 1 && status.all("live"));
    demo.pass(3);
    assert_eq!((corrected(), demo.updates("prod-api")), (1, 1), "put back once, and no task replaced for it");

    // 3: an image that crashes ends with ECS's circuit breaker, is told, and is left alone.
    demo.step(3);
    let status = demo.wait_until("2.2.0 has failed", |status| status.service("prod-api")["state"] == "failed");
    let reason = status.service("prod-api")["reason"].as_str().unwrap().to_owned();
    for words in ["3 tasks stopped: container api exited with code 1", "circuit breaker", "not tried again"] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    demo.wait_until("the old version serves", |status| {
        let service = status.service("prod-api");
        runs(service, ":2.1.0") && service["tasks"]["running"] == 1 && service["tasks"]["pending"] == 0
    });
    demo.pass(5);
    assert_eq!(demo.updates("prod-api"), 2, "one deployment for one commit");
    demo.assert_shown("prod-api", "failed", "circuit breaker");
    assert_eq!(demo.seen().service("prod-api")["held"], true);

    // 4: the way back is a commit; what runs already is not deployed again.
    demo.step(4);
    demo.wait_until("2.1.0 is what git says", |status| is(status, "prod-api", "live", ":2.1.0"));
    assert_eq!(demo.updates("prod-api"), 2);

    // 5: blue/green waits for a person.
    demo.step(5);
    let waits = |status: &Status| status.service("prod-app")["state"] == "waiting";
    let status = demo.wait_until("prod-app waits for approval", waits);
    let reason = status.service("prod-app")["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("waits for approval at post test traffic shift; it is rolled back at 20"), "{reason}");
    demo.pass(3);
    demo.assert_shown("prod-app", "waiting", "waits for approval");
    let approved = demo.driftless(&["approve", "prod-app"]).assert_status(0);
    assert!(approved.stdout.starts_with("Approved: prod-app"), "{}", approved.stdout);
    demo.driftless(&["approve", "prod-app"]).assert_status(1);
    demo.wait_until("prod-app 2.1.0 is live", |status| is(status, "prod-app", "live", ":2.1.0"));
    assert_eq!(demo.updates("prod-app"), 1);
    demo.assert_shown("prod-app", "live", "convergence-prod-app:2.1.0");

    // 6: a pause: drift is shown and stays.
    demo.step(6);
    demo.wait_until("prod-api is paused", |status| status.service("prod-api")["state"] == "paused");
    demo.step(2);
    demo.wait_until("the drift is shown", |status| status.service("prod-api")["sync"] == "drifted");
    demo.pass(5);
    assert_eq!(corrected(), 1, "nothing is changed while it is paused");
    demo.assert_shown("prod-api", "paused", "by you until");
    demo.step(6);
    demo.wait_until("all are live", |status| status.all("live") && corrected() == 2);
}

#[test]
fn the_demo_stays_on_this_machine_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&["--speed", "60"]);
    demo.wait_until("all are live", |status| status.all("live"));
    let sockets = sockets(demo.child.id());
    assert!(sockets.len() >= 2, "the page and the account listen: {sockets:?}");
    for socket in &sockets {
        assert!(socket.starts_with("0100007F:"), "a socket beyond loopback: {socket}");
    }
    let (code, _) = http(&demo.address, "POST", "/demo/7");
    assert_eq!(code, 404);
    let inside = |folder: &Path| fs::read_dir(folder).unwrap().count();
    assert_eq!(inside(&demo.folder.path().join("tmp")), 1);
    let sent = Command::new("kill").args(["-INT", &demo.child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(demo.child.wait().unwrap().code(), Some(0), "{}", demo.log());
    assert_eq!(inside(&demo.folder.path().join("tmp")), 0, "Ctrl-C removes everything");
}

/// The local addresses of a process's TCP sockets, as `/proc` writes them: `0100007F:1F90` is 127.0.0.1:8080.
fn sockets(pid: u32) -> Vec<String> {
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        for line in fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.get(9).is_some_and(|inode| inodes.iter().any(|own| own == inode)) {
                found.push(words[1].to_owned());
            }
        }
    }
    found
}
