//! Each example from nothing to live and on to the next commit, with every request counted.

use crate::support::{Account, Daemon, Options, Repository, assert_quiet, driftless};

#[test]
fn phoenix() {
    let (account, repository) = (Account::start("phoenix"), Repository::of_example("phoenix"));
    driftless(&account, &["apply", "--path", repository.environment().to_str().unwrap()]).assert_status(0);
    let daemon = Daemon::start(&account, &repository, &Options::default());
    daemon.wait("live", |status| status.all("live"));
    assert_quiet(&account, &daemon, 3);
    daemon.stop();
}
