//! The daemon dies at every write, before AWS has it, before it knows the answer, and after. Promises R1, R25, R26.

use crate::proxy::{Fault, Hook, Point, Proxy, Rule};
use crate::support::small::{self, IMAGE, NEXT_IMAGE, behind_proxy, end_state, file, revisions, table};
use crate::support::{Account, Daemon, Options, Repository};
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const AT_ONCE: usize = 12;

/// The writes of the first convergence, and of a new image.
const FIRST: [&str; 2] = ["RegisterTaskDefinition", "CreateService"];
const NEXT: [&str; 3] = ["RegisterTaskDefinition", "UpdateService", "TagResource"];
const POINTS: [Point; 3] = [Point::Sent, Point::Applied, Point::Answered];

/// One place at which the daemon dies.
#[derive(Debug, Clone, Copy)]
struct Row {
    write: &'static str,
    first: bool,
    point: Point,
}

fn rows() -> Vec<Row> {
    let writes = FIRST.iter().map(|write| (*write, true)).chain(NEXT.iter().map(|write| (*write, false)));
    writes.flat_map(|(write, first)| POINTS.map(|point| Row { write, first, point })).collect()
}

/// Sends a signal to a process that is not known yet when the rule is made.
#[derive(Clone, Default)]
struct Trap {
    pid: Arc<AtomicU32>,
    sprung: Arc<AtomicBool>,
}

impl Trap {
    fn hook(&self, signal: &'static str) -> Hook {
        let Self { pid, sprung } = self.clone();
        Hook::new(move || {
            // The daemon may write before the test knows its process id.
            while pid.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            let pid = pid.load(Ordering::SeqCst).to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
            sprung.store(true, Ordering::SeqCst);
            if signal == "-TERM" {
                // The answer goes back when the process has had time to notice: the kernel delivers a signal later than
                // `kill` returns, and what is begun in between was begun before it.
                std::thread::sleep(Duration::from_millis(500));
            }
        })
    }

    fn aim(&self, daemon: &mut Daemon) {
        self.pid.store(daemon.pid(), Ordering::SeqCst);
    }

    fn is_sprung(&self) -> bool {
        self.sprung.load(Ordering::SeqCst)
    }
}

/// Waits for the end of a daemon; gives its exit code, and how long it took.
#[track_caller]
fn end_of(mut daemon: Daemon, trap: &Trap) -> (Option<i32>, Duration) {
    let limit = Instant::now() + Duration::from_secs(60);
    let mut signalled = None;
    loop {
        if trap.is_sprung() {
            signalled.get_or_insert_with(Instant::now);
        }
        if let Some(status) = daemon.ended() {
            return (status.code(), signalled.map(|at| at.elapsed()).unwrap_or_default());
        }
        assert!(Instant::now() < limit, "the daemon goes on (signalled: {signalled:?}):\n{}", daemon.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Brings the service to the state before the row's write, springs the trap there, and says how the daemon ended.
fn die(
    account: &Account,
    row: Row,
    name: &str,
    signal: &'static str,
) -> (Repository, Proxy, Options, Option<i32>, Duration) {
    let repository = small::repository(&[name]);
    let (proxy, options) = behind_proxy(account);
    let trap = Trap::default();
    let rule = || proxy.rule(Rule::on(row.write, Fault::At(row.point, trap.hook(signal))));
    if row.first {
        rule();
    }
    let mut daemon = Daemon::start(account, &repository, &options);
    trap.aim(&mut daemon);
    if !row.first {
        daemon.wait("the first commit is live", |status| status.all("live"));
        rule();
        repository.edit(&file(name), IMAGE, NEXT_IMAGE);
        repository.commit("The next image");
    }
    let (code, took) = end_of(daemon, &trap);
    (repository, proxy, options, code, took)
}

/// A new daemon with nothing of the old one's; the same end, and nothing twice.
#[track_caller]
fn recover(account: &Account, row: Row, name: &str, repository: &Repository, proxy: &Proxy, options: &Options) {
    let again = Daemon::start(account, repository, options);
    if row.first {
        again.wait("the first commit is live", |status| status.all("live"));
        repository.edit(&file(name), IMAGE, NEXT_IMAGE);
        repository.commit("The next image");
    }
    let commit = repository.git(&["rev-parse", "HEAD"]);
    again.wait("the next image is live", |status| status.all_live_on(&commit));
    assert_eq!(end_state(account, name), reference(account), "{row:?}");
    // Asked of the account: what a killed process had sent may have been done without the proxy having seen the answer.
    let done = |operation: &str, field: &str| {
        let ledger = account.ledger();
        let same = ledger.iter().filter(|e| e.operation == operation && e.status == 200 && e.input[field] == name);
        same.count()
    };
    assert_eq!(
        (done("CreateService", "serviceName"), done("UpdateService", "service")),
        (1, 1),
        "{row:?}\n{}",
        again.log()
    );
    let made = revisions(account, name);
    // At most one for the crash, and none where the answer of the family shows what was made (R1).
    assert_eq!(made, 2, "{row:?}\n{}", again.log());
    let (before, began) = (proxy.forwarded().iter().filter(|f| is_write(&f.call.operation)).count(), again.passes());
    again.until("three more passes", || again.passes() >= began + 3);
    let after = proxy.forwarded().iter().filter(|f| is_write(&f.call.operation)).count();
    assert_eq!(after, before, "{row:?}: written although nothing had changed\n{}", again.log());
    again.stop();
}

fn is_write(operation: &str) -> bool {
    FIRST.contains(&operation) || NEXT.contains(&operation)
}

/// What the service comes to where nobody dies: made once for an account, under its own name.
fn reference(account: &Account) -> Value {
    end_state(account, "reference")
}

fn make_reference(account: &Account) {
    let repository = small::repository(&["reference"]);
    repository.edit(&file("reference"), IMAGE, NEXT_IMAGE);
    repository.commit("At once");
    let daemon = Daemon::start(account, &repository, &Options::default());
    daemon.wait("the reference is live", |status| status.all("live"));
    daemon.stop();
}

#[test]
fn a_crash_at_any_write_changes_nothing_of_the_end() {
    let account = small::account();
    make_reference(&account);
    let rows = rows();
    let failed = table(rows.len(), AT_ONCE, |index| {
        let (row, name, began) = (rows[index], format!("crash-{index}"), Instant::now());
        let (repository, proxy, options, code, _) = die(&account, row, &name, "-KILL");
        assert_eq!(code, None, "a signal ended it: {row:?}");
        recover(&account, row, &name, &repository, &proxy, &options);
        println!("{row:?}: {:.1} s", began.elapsed().as_secs_f64());
    });
    assert!(failed.is_empty(), "rows that failed: {failed:?}");
}

#[test]
fn sigterm_at_any_write_ends_it_in_time_and_nothing_is_lost() {
    let account = small::account();
    make_reference(&account);
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.point == Point::Applied).collect();
    let failed = table(rows.len(), AT_ONCE, |index| {
        let (row, name, began) = (rows[index], format!("term-{index}"), Instant::now());
        let (repository, proxy, options, code, took) = die(&account, row, &name, "-TERM");
        assert_eq!(code, Some(0), "{row:?}");
        assert!(took < Duration::from_secs(20), "{row:?}: {took:?}");
        let last = proxy.forwarded().into_iter().rfind(|f| is_write(&f.call.operation)).unwrap();
        assert_eq!(last.call.operation, row.write, "no write is begun after the signal");
        recover(&account, row, &name, &repository, &proxy, &options);
        println!("{row:?}: ended after {took:?}, {:.1} s", began.elapsed().as_secs_f64());
    });
    assert!(failed.is_empty(), "rows that failed: {failed:?}");
}
