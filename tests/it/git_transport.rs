//! git over real ssh, http and TLS: `tests/emulator/git-server` against the public face of `driftless::git`.
//!
//! Servers that hang, refuse, redirect and lie are in `src/git/tests/server.rs`; here the server is an honest one.

use driftless::core::id::RepoPath;
use driftless::core::source::Files;
use driftless::git::{Auth, CommitFiles, Error, Reference, Source, Tip, fetch};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Set in the process that [`a_certificate_of_an_installed_authority`] starts.
const INNER_FOLDER: &str = "DRIFTLESS_TEST_GIT_FOLDER";

/// A repository with one commit, and a server for it that ends with this value.
struct World {
    folder: TempDir,
    server: Child,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let work = folder.path().join("work");
        std::fs::create_dir_all(work.join("prod")).expect("a folder");
        std::fs::write(work.join("prod/environment.yaml"), "environment: prod\n").expect("written");
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        git(&work, &["add", "."]);
        git(&work, &["commit", "--quiet", "--message=The first"]);
        let mut server = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/emulator/git-server"))
            .args([work.join(".git"), folder.path().join("served")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/emulator/git-server");
        let mut line = String::new();
        let stdout = server.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "the server's own words are above");
        Self { folder, server }
    }

    fn served(&self) -> Served {
        Served { folder: self.folder.path().join("served") }
    }

    fn commit(&self) {
        git(&self.folder.path().join("work"), &["commit", "--quiet", "--allow-empty", "--message=Another"]);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It ends by itself when its input does; this is for one that does not.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// git without the settings of the machine and of the person who runs the tests.
fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .env_remove("GIT_DIR")
        .status();
    assert!(done.expect("git").success(), "git {arguments:?}");
}

/// What the server wrote about itself.
struct Served {
    folder: PathBuf,
}

impl Served {
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Fetches the branch `main` into the state folder `state` beside the server's files.
    fn fetch(&self, url: &str, state: &str, auth: Auth) -> Result<Tip, Error> {
        let reference = Reference::Branch("main".into());
        let source = Source { url: url.to_owned(), reference, path: RepoPath::new("prod"), auth };
        fetch(&source, &self.folder.join(state), TIMEOUT)
    }

    fn fetch_ssh(&self, key: &str, known_hosts: &str) -> Result<Tip, Error> {
        let file = self.folder.join("known_hosts_of_the_test");
        std::fs::write(&file, known_hosts).expect("written");
        let auth = Auth { ssh_key: Some(self.folder.join(key)), known_hosts: Some(file), token: None };
        self.fetch(&self.text("ssh_url"), "state-ssh", auth)
    }

    fn fetch_with_token(&self, scheme: &str, token: &str) -> Result<Tip, Error> {
        let auth = Auth { token: Some(self.folder.join(token)), ..Auth::default() };
        self.fetch(&self.text(&format!("{scheme}_url")), &format!("state-{scheme}"), auth)
    }
}

/// The commit that was fetched can be read.
#[track_caller]
fn reads(tip: &Tip) {
    let files = CommitFiles::open(&tip.mirror, &tip.revision).expect("the commit");
    let text = files.read(&RepoPath::new("prod/environment.yaml")).expect("the file");
    assert_eq!(text.as_deref(), Some("environment: prod\n"));
}

#[test]
fn over_ssh() {
    let world = World::new();
    let served = world.served();
    let known = served.text("known_hosts");
    let tip = served.fetch_ssh("key", &known).expect("a tip");
    assert!(tip.fetched);
    reads(&tip);
    assert!(!served.fetch_ssh("key", &known).expect("a tip").fetched);
    world.commit();
    let next = served.fetch_ssh("key", &known).expect("a tip");
    assert!(next.fetched && next.revision != tip.revision);
    assert_eq!(served.text("users").lines().next(), Some("git"));

    let says = |key: &str, known: &str| served.fetch_ssh(key, known).expect_err("an error").to_string();
    let unknown = says("key", "");
    assert!(unknown.contains("does not list it") && unknown.contains("SHA256:"), "{unknown}");
    let changed: String = known.lines().map(|line| format!("{}AAAA\n", line.trim_end())).collect();
    let changed = says("key", &changed);
    assert!(changed.contains("lists another key"), "{changed}");
    let revoked = says("key", &format!("@revoked {known}"));
    assert!(revoked.contains("revokes its key"), "{revoked}");
    let refused = says("other_key", &known);
    assert!(refused.contains("the server refused the key of auth.sshKey"), "{refused}");
    let missing = says("no_key", &known);
    assert!(missing.contains("no_key cannot be read"), "{missing}");
}

#[test]
fn over_http_with_a_token() {
    let world = World::new();
    let served = world.served();
    let tip = served.fetch_with_token("http", "token").expect("a tip");
    reads(&tip);
    assert!(!served.fetch_with_token("http", "token").expect("a tip").fetched);
    assert!(served.text("users").lines().all(|user| user == "x-access-token"), "{}", served.text("users"));

    let refused = served.fetch_with_token("http", "known_hosts").expect_err("an error");
    assert!(refused.to_string().contains("refused the token"), "{refused}");
    let none = served.fetch(&served.text("http_url"), "state-http", Auth::default()).expect_err("an error");
    assert!(none.to_string().contains("asks for a login"), "{none}");
    let elsewhere = served.text("http_url").replace("deploy", "other");
    let auth = Auth { token: Some(served.folder.join("token")), ..Auth::default() };
    let nothing = served.fetch(&elsewhere, "state-http", auth).expect_err("an error");
    assert!(matches!(nothing, Error::NoRepository { .. }), "{nothing:?}");
    // What failed took nothing away.
    reads(&tip);
}

#[test]
fn a_certificate_of_nobody_is_refused() {
    let world = World::new();
    let served = world.served();
    let error = served.fetch_with_token("https", "token").expect_err("an error");
    assert!(matches!(error, Error::Certificate { .. }), "{error:?}");
    assert!(!served.folder.join("users").exists(), "the token was sent to a server that is not the one");
}

/// Which authorities OpenSSL trusts is a matter of the process's environment, so this runs itself once more.
#[test]
fn a_certificate_of_an_installed_authority() {
    if let Some(folder) = std::env::var_os(INNER_FOLDER) {
        let served = Served { folder: folder.into() };
        return reads(&served.fetch_with_token("https", "token").expect("a tip"));
    }
    let world = World::new();
    let served = world.served();
    let inner = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "git_transport::a_certificate_of_an_installed_authority", "--nocapture"])
        .env("SSL_CERT_FILE", served.folder.join("certificate.pem"))
        .env(INNER_FOLDER, &served.folder)
        .output()
        .expect("this program");
    let said = format!("{}{}", String::from_utf8_lossy(&inner.stdout), String::from_utf8_lossy(&inner.stderr));
    assert!(inner.status.success() && said.contains("1 passed"), "{said}");
    assert!(served.text("users").lines().all(|user| user == "x-access-token"));
}
