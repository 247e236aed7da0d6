//! One connection to one server: credentials, host keys, caps and the deadline.

use super::address::{Address, Way};
use super::known_hosts::{self, Verdict};
use super::reference::Advertised;
use super::{Auth, Error};
use git2::cert::Cert;
use git2::{
    AutotagOption, CertificateCheckStatus, Cred, CredentialType, Direction, ErrorClass, ErrorCode, FetchOptions,
    FetchPrune, Progress, ProxyOptions, RemoteCallbacks, RemoteConnection, RemoteRedirect, Repository,
};
use secrecy::{ExposeSecret, SecretString};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

/// The most bytes of one fetch. A repository of YAML files is a thousandth of it.
const RECEIVED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The most objects of one fetch.
const OBJECTS_MAX: usize = 500_000;
/// The most references that a server may advertise.
const REFERENCES_MAX: usize = 200_000;
/// The largest token, key or known_hosts file.
const AUTH_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The user of a token, where the url names none. GitHub ignores it, GitLab and others take any.
const TOKEN_USER: &str = "x-access-token";
/// The user of ssh, where the url names none: every git host uses it.
const SSH_USER: &str = "git";

/// What one fetch needs to know while it talks to the server.
pub(super) struct Session<'a> {
    address: &'a Address,
    auth: &'a Auth,
    token: Option<SecretString>,
    limit: Duration,
    deadline: Instant,
    /// How often credentials were asked for since the connection was made: a second time means that they were refused.
    asked: Cell<u32>,
    /// Why a callback stopped libgit2, which itself can only say that one did.
    fault: RefCell<Option<Error>>,
}

impl<'a> Session<'a> {
    /// Reads the token; the limit is for everything from here on.
    pub fn new(address: &'a Address, auth: &'a Auth, limit: Duration, deadline: Instant) -> Result<Self, Error> {
        let token = match &auth.token {
            Some(path) if address.way == Way::Http => Some(token(path)?),
            _ => None,
        };
        Ok(Self { address, auth, token, limit, deadline, asked: Cell::new(0), fault: RefCell::new(None) })
    }

    /// Connects, lists the references, and lets `then` decide what to fetch over the same connection.
    pub fn run<T>(
        &self,
        repository: &Repository,
        then: impl FnOnce(&Advertised, &mut dyn FnMut(&[String]) -> Result<(), Failure>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut remote = repository.remote_anonymous(&self.address.url).map_err(|error| self.explain(error))?;
        let connection = remote.connect_auth(Direction::Fetch, Some(self.callbacks()), self.proxy());
        let mut connection = connection.map_err(|error| self.explain(error))?;
        let advertised = self.list(&connection)?;
        then(&advertised, &mut |refspecs| self.fetch(&mut connection, refspecs))
    }

    fn list(&self, connection: &RemoteConnection<'_, '_, '_>) -> Result<Advertised, Failure> {
        let heads = connection.list().map_err(|error| self.explain(error))?;
        if heads.len() > REFERENCES_MAX {
            return Err(self.too_large(format!("{REFERENCES_MAX} references")).into());
        }
        // `name^{}` is what the annotated tag `name` leads to; the mirror knows that by itself.
        let plain = heads.iter().filter(|head| !head.name().ends_with("^{}"));
        Ok(plain.map(|head| (head.name().to_owned(), head.oid())).collect())
    }

    fn fetch(&self, connection: &mut RemoteConnection<'_, '_, '_>, refspecs: &[String]) -> Result<(), Failure> {
        self.asked.set(0);
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(self.callbacks())
            .prune(FetchPrune::On)
            .update_fetchhead(false)
            .download_tags(AutotagOption::None)
            .follow_redirects(RemoteRedirect::None);
        if let Some(proxy) = self.proxy() {
            options.proxy_options(proxy);
        }
        connection.remote().fetch(refspecs, Some(&mut options), None).map_err(|error| {
            let ours = self.fault.borrow().is_some() || is_of_the_network(&error);
            if ours { Failure::Final(self.explain(error)) } else { Failure::Mirror(error) }
        })
    }

    fn callbacks<'s>(&'s self) -> RemoteCallbacks<'s> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks
            .credentials(|url, user, allowed| self.credentials(url, user, allowed))
            .certificate_check(|certificate, _| self.certificate(certificate))
            .transfer_progress(|progress| self.may_go_on(&progress))
            .sideband_progress(|_| self.is_in_time())
            .update_tips(|_, _, _| self.is_in_time());
        callbacks
    }

    /// Companies reach GitHub through the proxy that `https_proxy` names; this machine is reached directly.
    fn proxy(&self) -> Option<ProxyOptions<'static>> {
        self.address.url.starts_with("https://").then(|| {
            let mut options = ProxyOptions::new();
            options.auto();
            options
        })
    }

    fn credentials(&self, url: &str, user: Option<&str>, allowed: CredentialType) -> Result<Cred, git2::Error> {
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(self.address.user.as_deref().unwrap_or(SSH_USER));
        }
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() > 1 {
            return Err(self.stop(self.not_authenticated(true)));
        }
        if self.address.way == Way::Ssh && allowed.contains(CredentialType::SSH_KEY) {
            let user = user.or(self.address.user.as_deref()).unwrap_or(SSH_USER);
            let Some(key) = &self.auth.ssh_key else { return Cred::ssh_key_from_agent(user) };
            // libssh2 says nothing useful about a file that is not there.
            if let Err(source) = fs::File::open(key) {
                return Err(self.stop(Error::AuthFile { key: "auth.sshKey", path: key.clone(), source }));
            }
            return Cred::ssh_key(user, None, key, None);
        }
        let secret = self.token.as_ref().or(self.address.password.as_ref());
        match secret {
            Some(secret) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) && self.address.is_same_host(url) => {
                let user = self.address.user.as_deref().unwrap_or(TOKEN_USER);
                Cred::userpass_plaintext(user, secret.expose_secret())
            }
            _ => Err(self.stop(self.not_authenticated(false))),
        }
    }

    /// Host keys of ssh are checked here; certificates of TLS by OpenSSL, whose word is kept.
    fn certificate(&self, certificate: &Cert<'_>) -> Result<CertificateCheckStatus, git2::Error> {
        let Some(key) = certificate.as_hostkey() else { return Ok(CertificateCheckStatus::CertificatePassthrough) };
        let checked = match key.hostkey() {
            Some(key) => known_hosts_text(self.auth).and_then(|(path, text)| self.trusts(key, &path, &text)),
            None => Err(self.untrusted("unknown", "it presented no key".into(), "check the server".into())),
        };
        match checked {
            Ok(()) => Ok(CertificateCheckStatus::CertificateOk),
            Err(error) => Err(self.stop(error)),
        }
    }

    /// Whether known_hosts has this key.
    fn trusts(&self, key: &[u8], path: &Path, text: &str) -> Result<(), Error> {
        let Address { host, port, .. } = self.address;
        let (file, print) = (path.display(), known_hosts::fingerprint(key));
        let add = format!(
            "compare the fingerprint with the one the host publishes, then add the output of `ssh-keyscan -p {port} {host}` to {file}"
        );
        match known_hosts::check(text, host, *port, key) {
            Verdict::Trusted => Ok(()),
            Verdict::Unknown => Err(self.untrusted(&print, format!("{file} does not list it"), add)),
            Verdict::OtherTypes(types) => {
                Err(self.untrusted(&print, format!("{file} lists only its keys of type {}", types.join(", ")), add))
            }
            Verdict::Revoked => {
                Err(self.untrusted(&print, format!("{file} revokes its key"), "ask who runs the host".into()))
            }
            Verdict::Changed => Err(self.untrusted(
                &print,
                format!("{file} lists another key, so the key was changed or this is another machine"),
                format!("if the host announced a new key, remove its old line from {file}, then {add}"),
            )),
        }
    }

    fn may_go_on(&self, progress: &Progress<'_>) -> bool {
        if progress.received_bytes() > RECEIVED_BYTES_MAX {
            self.stop(self.too_large(format!("{} MiB in one fetch", RECEIVED_BYTES_MAX / 1024 / 1024)));
            return false;
        }
        if progress.total_objects() > OBJECTS_MAX {
            self.stop(self.too_large(format!("{OBJECTS_MAX} objects in one fetch")));
            return false;
        }
        self.is_in_time()
    }

    fn is_in_time(&self) -> bool {
        let in_time = Instant::now() < self.deadline;
        if !in_time {
            self.stop(self.timed_out());
        }
        in_time
    }

    /// Keeps the reason and gives libgit2 an error to stop with. The first reason counts.
    fn stop(&self, error: Error) -> git2::Error {
        self.fault.borrow_mut().get_or_insert(error);
        git2::Error::new(ErrorCode::User, ErrorClass::Callback, "stopped")
    }

    fn explain(&self, error: git2::Error) -> Error {
        if let Some(fault) = self.fault.take() {
            return fault;
        }
        let url = self.address.url.clone();
        let message = error.message();
        let says = |text: &str| message.contains(text);
        match (error.code(), error.class()) {
            (ErrorCode::Timeout, _) => self.timed_out(),
            _ if says("imed out") || says("imeout") => self.timed_out(),
            (ErrorCode::Auth, _) => self.not_authenticated(self.asked.get() > 0),
            _ if says("status code: 401") || says("status code: 403") => self.not_authenticated(self.asked.get() > 0),
            (ErrorCode::Certificate, _) | (_, ErrorClass::Ssl) if self.address.way == Way::Http => {
                Error::Certificate { url, source: error }
            }
            _ if says("cannot redirect") => Error::Redirect { url, source: error },
            _ if says("status code: 404")
                || says("not found")
                || says("does not exist")
                || says("not appear to be a git") =>
            {
                Error::NoRepository { url, source: error }
            }
            _ if self.address.way == Way::Local => Error::NoRepository { url, source: error },
            _ => Error::Unreachable { url, why: first_line(message), source: error },
        }
    }

    fn not_authenticated(&self, refused: bool) -> Error {
        let help = match (self.address.way, refused) {
            (Way::Http, true) => "the server refused the token: give one that may read the repository with auth.token",
            (Way::Http, false) => "the server asks for a login: give a token with auth.token",
            (Way::Ssh, _) if self.auth.ssh_key.is_some() => {
                "the server refused the key of auth.sshKey: is it a deploy key of the repository, and without a passphrase?"
            }
            (Way::Ssh, _) => "the ssh agent has no key that the server takes: give one with auth.sshKey",
            (Way::Local, _) => "check the permissions of the folder",
        };
        Error::Authentication { url: self.address.url.clone(), help }
    }

    fn untrusted(&self, fingerprint: &str, why: String, help: String) -> Error {
        Error::HostKey { host: self.address.host.clone(), fingerprint: fingerprint.to_owned(), why, help }
    }

    fn timed_out(&self) -> Error {
        Error::TimedOut { url: self.address.url.clone(), limit: self.limit }
    }

    fn too_large(&self, what: String) -> Error {
        Error::TooLarge { url: self.address.url.clone(), what }
    }
}

/// Why a session ended: what is to be told, or what a new mirror may mend.
pub(super) enum Failure {
    /// The server, the settings or a limit: a new mirror would end the same.
    Final(Error),
    /// The mirror, or what was delivered into it.
    Mirror(git2::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

fn is_of_the_network(error: &git2::Error) -> bool {
    let class = matches!(error.class(), ErrorClass::Net | ErrorClass::Http | ErrorClass::Ssh | ErrorClass::Ssl);
    class || matches!(error.code(), ErrorCode::Timeout | ErrorCode::Auth | ErrorCode::Certificate)
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or("no reason given").replace(char::is_control, "\u{fffd}")
}

fn token(path: &Path) -> Result<SecretString, Error> {
    let text = SecretString::from(auth_file("auth.token", path)?);
    let token = text.expose_secret().trim();
    if token.is_empty() || token.chars().any(|c| c.is_control()) {
        let source = std::io::Error::other("it must contain one line with the token");
        return Err(Error::AuthFile { key: "auth.token", path: path.to_owned(), source });
    }
    Ok(SecretString::from(token))
}

/// The known_hosts file of the settings, else OpenSSH's own ones, with the path that messages name.
fn known_hosts_text(auth: &Auth) -> Result<(PathBuf, String), Error> {
    if let Some(path) = &auth.known_hosts {
        return Ok((path.clone(), auth_file("auth.knownHosts", path)?));
    }
    let home = env::home_dir().unwrap_or_default().join(".ssh/known_hosts");
    let own = fs::read_to_string(&home).unwrap_or_default();
    let machine = fs::read_to_string("/etc/ssh/ssh_known_hosts").unwrap_or_default();
    Ok((home, format!("{own}\n{machine}")))
}

fn auth_file(key: &'static str, path: &Path) -> Result<String, Error> {
    let failed = |source| Error::AuthFile { key, path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > AUTH_FILE_BYTES_MAX {
        return Err(failed(std::io::Error::other("it is larger than 1 MiB")));
    }
    fs::read_to_string(path).map_err(failed)
}
