//! An AWS account of its own for each test: `tests/emulator/run`, its ledger, and the AWS CLI for changes from outside.

use super::{example, finished};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many emulators run at once: each is three servers, and the machine may have two cores.
const EMULATORS_MAX: usize = 2;
/// The emulator ends its servers within this time, or is killed.
const END_LIMIT: Duration = Duration::from_secs(20);

/// One of the [`EMULATORS_MAX`] places; waits for a free one, and gives it back when dropped.
struct Place;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Place {
    fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken =
            FREED.wait_while(taken, |taken| *taken >= EMULATORS_MAX).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}

/// An account that exists only for one test.
pub struct Account {
    run: Child,
    env: BTreeMap<String, String>,
    folder: tempfile::TempDir,
    _place: Place,
}

/// One request that the account answered.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// The signing name: `ecs`, `elasticloadbalancing`, …
    pub service: String,
    pub operation: String,
    pub input: Value,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The user agent.
    client: String,
}

impl Entry {
    /// Whether it can change anything.
    pub fn is_write(&self) -> bool {
        let reads = ["Describe", "List", "Get", "BatchGet"];
        self.service != "sts" && !reads.iter().any(|read| self.operation.starts_with(read))
    }

    /// Whether [`Account::aws`] sent it.
    pub fn is_from_outside(&self) -> bool {
        self.client.starts_with("aws-cli")
    }

    /// The names of the input's fields, in alphabetical order.
    pub fn fields(&self) -> Vec<&str> {
        let mut fields: Vec<&str> =
            self.input.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        fields.sort_unstable();
        fields
    }
}

/// Requests of driftless that can change something, in their order.
#[derive(Debug, Clone)]
pub struct Writes(pub Vec<Entry>);

impl Writes {
    /// How many are of this operation.
    pub fn count(&self, operation: &str) -> usize {
        self.of(operation).len()
    }

    /// Those of this operation.
    pub fn of(&self, operation: &str) -> Vec<&Entry> {
        self.0.iter().filter(|entry| entry.operation == operation).collect()
    }

    /// Those behind the first `count`: what was written since then.
    pub fn since(self, count: usize) -> Self {
        Self(self.0.into_iter().skip(count).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One line each, for messages.
    pub fn text(&self) -> String {
        self.0.iter().map(|entry| format!("{} {} {}\n", entry.status, entry.operation, entry.input)).collect()
    }
}

impl Account {
    /// An account with everything that an example refers to: `Account::start("phoenix")`.
    pub fn start(name: &str) -> Self {
        Self::start_for(&example(name), &[])
    }

    /// The same, where a rollout is done as soon as its tasks run: for tests that are not about rollouts.
    pub fn start_brisk(name: &str) -> Self {
        Self::start_for(&example(name), &[("DRIFTLESS_EMULATOR_STEADY_SECONDS", "0.1")])
    }

    /// An account with everything that the environment in a folder refers to, and variables that the emulator knows.
    /// Takes 3 s, and waits for its turn.
    pub fn start_for(environment: &Path, variables_of_its_own: &[(&str, &str)]) -> Self {
        let place = Place::take();
        let folder = tempfile::tempdir().unwrap();
        let (variables, log) = (folder.path().join("variables"), folder.path().join("log"));
        let mut run = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/run"))
            .arg("--environment")
            .arg(environment)
            .arg("--env-file")
            .arg(&variables)
            // Says that the account is there, and stays until its stdin is closed, as it is when this process ends.
            .args(["sh", "-c", "echo up; exec cat"])
            .env("DRIFTLESS_EMULATOR_LEDGER", folder.path().join("ledger"))
            .envs(variables_of_its_own.iter().copied())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut account = Self { run, env: BTreeMap::new(), folder, _place: place };
        assert_eq!(line, "up\n", "the emulator did not start: {}", fs::read_to_string(log).unwrap_or_default());
        account.env = variables_of(&fs::read_to_string(variables).unwrap());
        account
    }

    /// The variables that lead a child process to this account, and to no other.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Where every request is written down.
    pub fn ledger_file(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// Every request so far, in the order of arrival.
    pub fn ledger(&self) -> Vec<Entry> {
        entries(&self.ledger_file())
    }

    /// Every request of driftless that can change something, whatever was answered.
    pub fn writes(&self) -> Writes {
        writes(&self.ledger_file())
    }

    /// What somebody else does to the account: the AWS CLI with these arguments, its answer as JSON.
    #[track_caller]
    pub fn aws(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(&self.env["DRIFTLESS_EMULATOR_AWS"]);
        // HOME is where its virtual environment is found; the account's variables keep it from everything else of it.
        let output = finished(command.args(arguments).args(["--output", "json"]).envs(&self.env)).assert_status(0);
        serde_json::from_str(&output.stdout).unwrap_or(Value::Null)
    }

    /// The same for many commands, one after the other in one process, which takes a fraction of the time.
    #[track_caller]
    pub fn aws_all(&self, commands: &[Vec<String>]) -> Vec<Value> {
        let mut command = Command::new(&self.env["DRIFTLESS_EMULATOR_AWS"]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(json!(commands).to_string().as_bytes()).unwrap();
        file.rewind().unwrap();
        let output = command.arg("--many").envs(&self.env).stdin(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn entries(ledger: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(ledger).unwrap();
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Every request of driftless in a ledger that can change something, whatever was answered.
pub fn writes(ledger: &Path) -> Writes {
    Writes(entries(ledger).into_iter().filter(|entry| entry.is_write() && !entry.is_from_outside()).collect())
}

impl Drop for Account {
    fn drop(&mut self) {
        // The end of its stdin is the end of its command, and so of the servers.
        drop(self.run.stdin.take());
        let until = Instant::now() + END_LIMIT;
        while matches!(self.run.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if matches!(self.run.try_wait(), Ok(None)) {
            // The whole group; the servers go with their parent.
            let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.run.id())]).status();
            let _ = self.run.wait();
        }
    }
}

/// `export NAME=value` or `export NAME='value'`, a line each.
fn variables_of(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    text.lines().map(|line| pair(line).unwrap_or_else(|| panic!("not a variable: {line}"))).collect()
}
