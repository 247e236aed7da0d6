//! Independent emulators as an account: `tests/emulator/run`, for as long as a test needs it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
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

/// Running emulators; they end when this is dropped.
pub struct Emulator {
    run: Child,
    folder: tempfile::TempDir,
    _place: Place,
}

impl Emulator {
    /// Starts them with everything that the environment in a folder refers to, and variables that they know; gives the
    /// variables that lead a child process there. Takes 3 s, and waits for its turn.
    pub fn start(environment: &Path, variables_of_its_own: &[(&str, &str)]) -> (Self, BTreeMap<String, String>) {
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
        let emulator = Self { run, folder, _place: place };
        assert_eq!(line, "up\n", "the emulator did not start: {}", fs::read_to_string(log).unwrap_or_default());
        (emulator, variables_of(&fs::read_to_string(variables).unwrap()))
    }

    /// Where every request is written down.
    pub fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }
}

impl Drop for Emulator {
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
