//! An AWS account of its own for each test, its ledger, and the AWS CLI for changes from outside.

use super::emulator::Emulator;
use super::simulated::{self, Served};
use super::{example, finished};
use driftless::sim::{self, ledger};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An account that exists only for one test: of independent emulators where the story is what AWS makes of our calls, a
/// simulated one where it is about driftless, and AWS is the background.
pub struct Account {
    counterpart: Counterpart,
    env: BTreeMap<String, String>,
}

enum Counterpart {
    Emulator(Emulator),
    Simulated { account: sim::Account, _served: Served },
}

/// How much faster than ours the time of a simulated example runs.
const SPEED: f64 = 60.0;

/// Where the requests of an account are written down.
pub enum Ledger {
    /// Of emulators: a line each.
    File(PathBuf),
    /// Of a simulated account.
    Simulated(sim::Account),
}

impl Ledger {
    /// Every request so far, in the order of arrival.
    pub fn entries(&self) -> Vec<Entry> {
        let file = match self {
            Self::File(file) => file,
            Self::Simulated(account) => return account.ledger().into_iter().map(Entry::from).collect(),
        };
        let text = fs::read_to_string(file).unwrap();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// Every request of driftless that can change something, whatever was answered.
    pub fn writes(&self) -> Writes {
        Writes(self.entries().into_iter().filter(|entry| entry.is_write() && !entry.is_from_outside()).collect())
    }
}

/// One request that the account answered.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// The signing name: `ecs`, `elasticloadbalancing`, …; our short name in a simulated account: `elbv2`.
    pub service: String,
    pub operation: String,
    /// A simulated account has read the forms of ELB: `Actions` is a list there, not `Actions.member.1`.
    pub input: Value,
    /// The HTTP status of the answer; 0 where none came.
    pub status: u16,
    /// The user agent.
    client: String,
}

impl From<ledger::Entry> for Entry {
    fn from(entry: ledger::Entry) -> Self {
        let ledger::Entry { service, operation, input, status, agent, .. } = entry;
        Self { service: service.to_owned(), operation, input, status, client: agent }
    }
}

impl Entry {
    /// Whether it can change anything.
    pub fn is_write(&self) -> bool {
        self.service != "sts" && !ledger::is_read(&self.operation)
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
    /// Emulators with everything that an example refers to: `Account::start("phoenix")`.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The same, where a rollout is done as soon as its tasks run: for tests that are not about rollouts.
    pub fn start_brisk(name: &str) -> Self {
        Self::start_with(name, &[("DRIFTLESS_EMULATOR_STEADY_SECONDS", "0.1")])
    }

    fn start_with(name: &str, variables: &[(&str, &str)]) -> Self {
        let (emulator, env) = Emulator::start(&example(name), variables);
        Self { counterpart: Counterpart::Emulator(emulator), env }
    }

    /// A simulated account with everything that an example refers to, where a rollout takes some seconds.
    pub fn simulated_example(name: &str) -> Self {
        Self::simulated(simulated::of_example(name, SPEED))
    }

    /// The build pushes an image. Emulators have every image of a repository that exists.
    pub fn push(&self, repository: &str, tag: &str) {
        if let Some(account) = self.simulator() {
            simulated::push(account, repository, tag);
        }
    }

    /// What answers, where it is a simulated account.
    pub fn simulator(&self) -> Option<&sim::Account> {
        match &self.counterpart {
            Counterpart::Emulator(_) => None,
            Counterpart::Simulated { account, .. } => Some(account),
        }
    }

    /// A simulated account, served on a port.
    pub fn simulated(account: sim::Account) -> Self {
        let served = Served::start(&account);
        let mut env = served.env.clone();
        let region = account.world(|world| world.region.clone());
        let more = [
            ("AWS_ENDPOINT_URL_ECS", env["AWS_ENDPOINT_URL"].clone()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        env.extend(more.map(|(name, value)| (name.to_owned(), value)));
        Self { counterpart: Counterpart::Simulated { account, _served: served }, env }
    }

    /// The variables that lead a child process to this account, and to no other.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Where its requests are written down.
    pub fn book(&self) -> Ledger {
        match &self.counterpart {
            Counterpart::Emulator(emulator) => Ledger::File(emulator.ledger()),
            Counterpart::Simulated { account, .. } => Ledger::Simulated(account.clone()),
        }
    }

    /// Every request so far, in the order of arrival.
    pub fn ledger(&self) -> Vec<Entry> {
        self.book().entries()
    }

    /// Every request of driftless that can change something, whatever was answered.
    pub fn writes(&self) -> Writes {
        self.book().writes()
    }

    /// What somebody else does to the account: the AWS CLI with these arguments, its answer as JSON.
    #[track_caller]
    pub fn aws(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/aws"));
        // HOME is where its virtual environment is found; the account's variables keep it from everything else of it.
        let output = finished(command.args(arguments).args(["--output", "json"]).envs(&self.env)).assert_status(0);
        serde_json::from_str(&output.stdout).unwrap_or(Value::Null)
    }

    /// The same for many commands, one after the other in one process, which takes a fraction of the time.
    #[track_caller]
    pub fn aws_all(&self, commands: &[Vec<String>]) -> Vec<Value> {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/aws"));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(json!(commands).to_string().as_bytes()).unwrap();
        file.rewind().unwrap();
        let output = command.arg("--many").envs(&self.env).stdin(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
