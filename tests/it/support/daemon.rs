//! `driftless run` on an account and a repository, and what it shows.

use super::account::Ledger;
use super::{Account, Page, Repository, Simulated, program};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long something may take to become true.
const WAIT_LIMIT: Duration = Duration::from_secs(150);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// The daemon promises to stop within 20 s of SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// So many passes over everything that is live must be quiet before a daemon is stopped. What AWS shows at once is seen in
/// the pass after it; a mistake that needs several passes to show has them here.
const QUIET_PASSES: u64 = 20;

/// What differs from the usual daemon of a test.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Variables laid over the account's: another endpoint, wrong credentials.
    pub env: BTreeMap<String, String>,
    /// More lines of the settings file.
    pub settings: String,
    /// Where the mirrors are kept: to give a second daemon the first one's. A new folder when `None`.
    pub state: Option<PathBuf>,
    /// Another remote than the repository.
    pub url: Option<String>,
    /// Whether everything is logged.
    pub debug: bool,
    /// Whether other daemons write to the account meanwhile: whether this one is quiet at its end is not known then.
    pub among_others: bool,
}

/// A daemon that follows `env` on the branch `main` of a repository, and looks at git and AWS every second.
pub struct Daemon {
    body: Body,
    address: String,
    /// The account's; `None` among others.
    ledger: Option<Ledger>,
    /// How many writes and passes there were when a write was last seen: since then it is quiet.
    quiet_since: Cell<(usize, u64)>,
}

/// What runs.
enum Body {
    Process { child: Child, folder: tempfile::TempDir, _stdout: BufReader<ChildStdout> },
    Inside(Simulated),
}

/// What `/api/v1/services` answered.
#[derive(Debug, Clone)]
pub struct Status(pub Value);

impl Status {
    /// The services.
    pub fn services(&self) -> &[Value] {
        self.0["services"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// One service; null when it is not there.
    pub fn service(&self, name: &str) -> &Value {
        self.services().iter().find(|service| service["service"] == name).unwrap_or(&Value::Null)
    }

    /// Whether there are services, and all are in this state.
    pub fn all(&self, state: &str) -> bool {
        !self.services().is_empty() && self.services().iter().all(|service| service["state"] == state)
    }

    /// Whether there are ECS services, and all are in this state, whatever they share is in.
    pub fn all_services(&self, state: &str) -> bool {
        let mut services = self.services().iter().filter(|service| service["shared"] == false).peekable();
        services.peek().is_some() && services.all(|service| service["state"] == state)
    }

    /// Whether all are live on this commit.
    pub fn all_live_on(&self, commit: &str) -> bool {
        self.all("live") && self.services().iter().all(|service| service["commit"]["revision"] == commit)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl Daemon {
    /// Starts it; returns when it listens.
    pub fn start(account: &Account, repository: &Repository, options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (state, log) = (options.state.clone().unwrap_or(folder.path().join("state")), folder.path().join("log"));
        let settings = format!(
            "sources: [{{ name: test, url: {:?}, ref: {{ branch: main }}, path: env, interval: 1s, driftInterval: 1s }}]\n\
             http: {{ listen: 127.0.0.1:0 }}\nstate: {{ path: {state:?} }}\naws: {{ share: 1.0 }}\n{}",
            options.url.clone().unwrap_or_else(|| repository.path().display().to_string()),
            options.settings
        );
        let file = folder.path().join("driftless.yaml");
        fs::write(&file, settings).unwrap();
        let mut child = program(account.env())
            .envs(&options.env)
            .env("HOME", folder.path())
            .env("DRIFTLESS_LOG", if options.debug { "debug" } else { "info" })
            .arg("run")
            .arg("--config")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (mut stdout, mut line) = (BufReader::new(child.stdout.take().unwrap()), String::new());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).map(str::to_owned);
        let address = address.unwrap_or_else(|| {
            let _ = child.wait();
            panic!("no address, but {line:?}: {}", fs::read_to_string(log).unwrap_or_default())
        });
        let ledger = (!options.among_others).then(|| account.book());
        let body = Body::Process { child, folder, _stdout: stdout };
        Self { body, address, ledger, quiet_since: Cell::default() }
    }

    /// The same in this process, on a simulated account: it looks at AWS several times a second, so that many passes are
    /// soon done. For tests that need neither signals nor the log.
    pub fn inside(account: &Account, repository: &Repository) -> Self {
        let simulated = account.simulator().expect("a simulated account").clone();
        let daemon = Simulated::start(simulated, repository);
        let address = Page::address(&daemon).to_owned();
        Self { body: Body::Inside(daemon), address, ledger: Some(account.book()), quiet_since: Cell::default() }
    }

    #[track_caller]
    fn child(&mut self) -> &mut Child {
        match &mut self.body {
            Body::Process { child, .. } => child,
            Body::Inside(_) => panic!("it is no process of its own"),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process.
    pub fn pid(&mut self) -> u32 {
        self.child().id()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child().try_wait().unwrap()
    }

    /// What GET answers: the code and the body.
    pub fn get(&self, path: &str) -> (u16, String) {
        http(&self.address, "GET", path)
    }

    /// A JSON document.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let (code, body) = self.get(path);
        assert_eq!(code, 200, "GET {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// All services as the daemon sees them now.
    pub fn status(&self) -> Status {
        Status(self.json("/api/v1/services"))
    }

    /// The plan of one service as the daemon sees it now: changes, holds, notes.
    pub fn plan(&self, service: &str) -> Value {
        let cluster = self.status().service(service)["cluster"].as_str().unwrap_or_default().to_owned();
        self.json(&format!("/api/v1/services/{cluster}/{service}/diff"))
    }

    /// Waits until `is` is true of the status, and gives that status; after a while it panics with everything.
    #[track_caller]
    pub fn wait(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let mut last = self.status();
        self.until(what, || {
            last = self.status();
            is(&last)
        });
        last
    }

    /// Waits until `is` is true; after a while it panics with the last status and the log.
    #[track_caller]
    pub fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        self.note_writes();
        let until = Instant::now() + WAIT_LIMIT;
        while !is() {
            assert!(Instant::now() < until, "waited in vain until {what}:\n{}\n{}", self.status(), self.log());
            std::thread::sleep(LOOK);
        }
        self.note_writes();
    }

    /// Begins to count quiet passes anew where something was written since the last look.
    fn note_writes(&self) {
        let Some(ledger) = &self.ledger else { return };
        let count = ledger.writes().len();
        if count != self.quiet_since.get().0 {
            self.quiet_since.set((count, self.passes()));
        }
    }

    /// What is live stays untouched: [`QUIET_PASSES`] passes over each service write nothing. Those are counted that have
    /// gone by since the last write, so that a test which has waited does not wait again.
    #[track_caller]
    fn assert_quiet_end(&self) {
        let (Some(ledger), status) = (&self.ledger, self.status()) else { return };
        if !status.all("live") {
            return;
        }
        self.note_writes();
        let (count, since) = self.quiet_since.get();
        let enough = since + QUIET_PASSES * status.services().len() as u64;
        self.until(&format!("{QUIET_PASSES} quiet passes are done"), || self.passes() >= enough);
        let written = ledger.writes().since(count);
        assert_eq!(written.len(), 0, "written although nothing had changed:\n{}{}", written.text(), self.log());
    }

    /// Passes over one service so far, all services together, whatever came of them.
    pub fn passes(&self) -> u64 {
        self.metric("driftless_reconciles_total")
    }

    /// The sum of a metric over all of its labels.
    pub fn metric(&self, name: &str) -> u64 {
        let (code, text) = self.get("/metrics");
        assert_eq!(code, 200, "{text}");
        let of_it = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        text.lines().filter(of_it).filter_map(value).sum::<f64>() as u64
    }

    /// What it has logged; inside this process, what it has written.
    pub fn log(&self) -> String {
        match &self.body {
            Body::Process { folder, .. } => fs::read_to_string(folder.path().join("log")).unwrap_or_default(),
            Body::Inside(daemon) => daemon.log(),
        }
    }

    /// SIGTERM: it must end in time, and with code 0. Where everything is live it must have been quiet before.
    #[track_caller]
    pub fn stop(mut self) {
        self.assert_quiet_end();
        if let Body::Inside(_) = self.body {
            // Dropped, it has to end well.
            return;
        }
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "it had ended before: {}", self.log());
        let until = Instant::now() + STOP_LIMIT;
        let ended: ExitStatus = loop {
            match self.ended() {
                Some(ended) => break ended,
                None => assert!(Instant::now() < until, "still there {STOP_LIMIT:?} after SIGTERM: {}", self.log()),
            }
            std::thread::sleep(LOOK);
        };
        assert_eq!(ended.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Body::Process { child, .. } = &mut self.body {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a page answers: the code and the body.
#[track_caller]
pub fn http(address: &str, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {method} {path}: {answer:?}"));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or_else(|| panic!("{method} {path}: {head}")), body.to_owned())
}

/// Waits for `passes` passes over every service, and proves that none of them wrote anything.
#[track_caller]
pub fn assert_quiet(account: &Account, daemon: &Daemon, passes: u64) {
    let (before, began) = (account.writes().len(), daemon.passes());
    let services = daemon.status().services().len() as u64;
    assert!(services > 0, "no services: quiet means nothing");
    daemon.until(&format!("{passes} passes are done"), || daemon.passes() >= began + passes * services);
    let written = account.writes().since(before);
    assert_eq!(written.len(), 0, "written although nothing had changed:\n{}{}", written.text(), daemon.log());
}
