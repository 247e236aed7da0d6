//! The contract: one table of what AWS answers, run against the emulators and against the simulated account, and a tour of
//! the AWS CLI through the port that `driftless demo --endpoint-only` serves.
//!
//! The table is `tests/it/contract`, its runner `tests/emulator/contract.py`; where a counterpart differs from AWS, the
//! table says how, and `docs/emulator-differences.md` lists it.

use super::support::{Account, Output, finished};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Seconds of the account in one of ours: a rollout takes one, and what lasts for seconds is still seen.
const SPEED: &str = "30";

/// The simulated account, served on a port by the program.
struct Served {
    child: Child,
    env: BTreeMap<String, String>,
}

impl Served {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_driftless"))
            .env_clear()
            .args(["demo", "--endpoint-only", "0", "--speed", SPEED])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let endpoint = line.trim().trim_end_matches('/').to_owned();
        let mut served = Self { child, env: BTreeMap::new() };
        assert!(endpoint.starts_with("http://127.0.0.1:"), "{line:?} is no address");
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "contract"),
            ("AWS_SECRET_ACCESS_KEY", "contract"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("NO_PROXY", "127.0.0.1"),
        ];
        served.env = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Runs a script of `tests/emulator`, which finds its virtual environment by HOME, with no AWS variables but these.
fn script(name: &str, arguments: &[&str], env: &BTreeMap<String, String>) -> Output {
    let others = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("AWS_"));
    let mut command = Command::new(root().join("tests/emulator").join(name));
    finished(command.args(arguments).env_clear().envs(others).envs(env))
}

#[test]
fn the_emulators_do_as_the_table_says() {
    let account = Account::start("phoenix");
    script("contract.py", &["emulator"], account.env()).assert_status(0);
}

#[test]
fn the_simulated_account_does_as_the_table_says() {
    script("contract.py", &["simulated"], &Served::start().env).assert_status(0);
}

#[test]
fn the_aws_cli_prints_what_aws_documents() {
    script("cli_tour.py", &["simulated"], &Served::start().env).assert_status(0);
}

#[test]
fn the_aws_cli_prints_it_of_the_emulators_too() {
    let account = Account::start("phoenix");
    script("cli_tour.py", &["emulator"], account.env()).assert_status(0);
}

#[test]
fn the_table_has_every_call_and_its_differences_are_written_down() {
    let (file, policy) = (root().join("docs/emulator-differences.md"), root().join("deploy/iam-policy.json"));
    let arguments = ["--check", file.to_str().unwrap(), policy.to_str().unwrap()];
    script("contract.py", &arguments, &BTreeMap::new()).assert_status(0);
}
