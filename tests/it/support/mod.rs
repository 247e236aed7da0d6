//! What the tests with the real program share: an account of their own, a repository, the real program.
//!
//! ```no_run
//! let account = Account::start("phoenix");                   // an AWS account for config/examples/phoenix
//! let repository = Repository::of_example("phoenix");        // its files in env/, committed, tagged v1.2.3
//! let daemon = Daemon::start(&account, &repository, &Options::default());
//! daemon.wait("everything is live", |status| status.all("live"));
//! assert_eq!(account.writes().count("CreateService"), 2);    // the ledger: what driftless really sent
//! assert_quiet(&account, &daemon, 20);                       // and then nothing more
//! daemon.stop();                                             // quiet to the end, SIGTERM, and exit code 0
//! ```
//!
//! Nothing is shared between tests, and everything ends with them, also when they panic or are killed.

mod account;
mod daemon;
mod emulator;
mod page;
mod repository;
pub mod simulated;
pub mod small;
pub mod told;

pub use account::{Account, Entry, Writes};
pub use daemon::{Daemon, Options, Status, assert_quiet, http};
pub use page::Page;
pub use repository::{Repository, example};
pub use simulated::Simulated;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Output {
    /// The exit code; -1 when a signal ended it.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Panics with everything that the command said unless it ended with `status`.
    #[track_caller]
    pub fn assert_status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\n{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs the real program to its end, with the account's variables and nothing else of this process' environment.
pub fn driftless(account: &Account, arguments: &[&str]) -> Output {
    driftless_with(account.env(), arguments)
}

/// The same with other variables: an endpoint that misbehaves, credentials that are wrong.
pub fn driftless_with(env: &BTreeMap<String, String>, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(env);
    finished(command.env("HOME", home.path()).args(arguments))
}

/// The program in a sealed environment: PATH, and `env`. HOME is the caller's to give.
fn program(env: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(env);
    command
}

/// Runs a command to its end, without input.
pub fn finished(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { status: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}
