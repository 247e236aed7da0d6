//! The url of a source: which forms are taken, and the same url without its credentials.

use super::Error;
use secrecy::SecretString;
use std::borrow::Cow;
use std::net::IpAddr;

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Over TLS, or in plain text to this machine only.
    Http,
    /// Over ssh.
    Ssh,
    /// A folder on this machine.
    Local,
}

/// A url that may be fetched from.
#[derive(Debug)]
pub(super) struct Address {
    /// How it is reached.
    pub way: Way,
    /// What libgit2 is given, and what messages show: without credentials.
    pub url: String,
    /// Empty for local paths; in lower case.
    pub host: String,
    /// The scheme's own port where the url names none.
    pub port: u16,
    /// The user of the url.
    pub user: Option<String>,
    /// The password of the url, for https only.
    pub password: Option<SecretString>,
}

impl Address {
    /// Reads a url; everything that could mean something else than "fetch from there" is refused.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let refuse = |why| Err(Error::Url { url: masked(url).into_owned(), why });
        if url.is_empty() {
            return refuse("it is empty");
        }
        if url.chars().any(char::is_control) {
            return refuse("it contains a newline or another control character");
        }
        if url.starts_with('-') {
            return refuse("it starts with '-', as an option does");
        }
        let before_slash = url.split('/').next().unwrap_or(url);
        if before_slash.contains("::") {
            return refuse("remote helpers (name::…) are programs, and none is run; use https, ssh or a path");
        }
        let parsed = match url.split_once("://") {
            Some((scheme, rest)) => Self::with_scheme(scheme, rest),
            None if before_slash.contains(':') => Self::scp(url),
            None => Ok(Self::local(url)),
        };
        parsed.or_else(refuse)
    }

    fn with_scheme(scheme: &str, rest: &str) -> Result<Self, &'static str> {
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" {
            return match rest.starts_with('/') {
                true => Ok(Self::local(&format!("file://{rest}"))),
                false => Err("a file url has three slashes: file:///path"),
            };
        }
        let (way, standard_port) = match scheme.as_str() {
            "https" => (Way::Http, 443),
            "http" => (Way::Http, 80),
            "ssh" => (Way::Ssh, 22),
            _ => return Err("only https, ssh and local paths are fetched from"),
        };
        let (authority, path) = rest.split_once('/').ok_or("it has no path")?;
        // Readers of urls do not agree on what a backslash means, and so not on which part is the host.
        if authority.contains('\\') {
            return Err("it contains a backslash");
        }
        if way == Way::Http && path.contains(['?', '#']) {
            return Err("it has a query; give a token with auth.token instead");
        }
        let (info, host_port) = match authority.rsplit_once('@') {
            Some((info, host_port)) => (Some(info), host_port),
            None => (None, authority),
        };
        let (user, password) = user_and_password(info)?;
        let (host, port) = host_and_port(host_port, standard_port)?;
        if scheme == "http" && !is_loopback(&host) {
            return Err("plain http can be read and changed on its way; use https");
        }
        if way == Way::Ssh && password.is_some() {
            return Err("a password for ssh is not supported; use auth.sshKey");
        }
        let shown_user =
            if way == Way::Ssh { info.map(|info| format!("{info}@")).unwrap_or_default() } else { String::new() };
        let url = format!("{scheme}://{shown_user}{host_port}/{path}");
        Ok(Self { way, url, host, port, user, password })
    }

    /// `user@host:path`, as ssh and scp write it.
    fn scp(url: &str) -> Result<Self, &'static str> {
        let (before, path) = match url.find("]:") {
            Some(end) => (&url[..=end], &url[end + 2..]),
            None => url.split_once(':').ok_or("it has no path")?,
        };
        let (info, host) = match before.rsplit_once('@') {
            Some((info, host)) => (Some(info), host),
            None => (None, before),
        };
        if info.is_some_and(|info| info.contains(':')) || path.starts_with('-') || path.is_empty() {
            return Err("it is no url of the form user@host:path");
        }
        let (user, _) = user_and_password(info)?;
        let (host, port) = host_and_port(host, 22)?;
        Ok(Self { way: Way::Ssh, url: url.to_owned(), host, port, user, password: None })
    }

    fn local(url: &str) -> Self {
        Self { way: Way::Local, url: url.to_owned(), host: String::new(), port: 0, user: None, password: None }
    }

    /// Whether `url`, as libgit2 gives it to the credentials callback, is on the host and port that were configured.
    /// A token is for that host only, whatever a redirect says.
    pub fn is_same_host(&self, url: &str) -> bool {
        Address::parse(url).is_ok_and(|other| {
            (self.way, &self.host, self.port) == (other.way, &other.host, other.port)
                && self.url.split("://").next() == other.url.split("://").next()
        })
    }
}

fn user_and_password(info: Option<&str>) -> Result<(Option<String>, Option<SecretString>), &'static str> {
    let Some(info) = info else { return Ok((None, None)) };
    let (user, password) = match info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (info, None),
    };
    let user = decoded(user).ok_or("its user is not written in UTF-8")?;
    if user.starts_with('-') {
        return Err("its user starts with '-', as an option does");
    }
    let password = match password {
        Some(password) => Some(SecretString::from(decoded(password).ok_or("its password is not written in UTF-8")?)),
        None => None,
    };
    Ok(((!user.is_empty()).then_some(user), password))
}

fn host_and_port(text: &str, standard: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("its host has no closing ']'")?;
            (host, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| "its port is not a number from 0 to 65535")?,
        None => standard,
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || host.starts_with('-') || !host.chars().all(good) {
        return Err("its host is not a host name");
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `%41` -> `A`; `None` when the result is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) if byte == b'%' => {
                out.push(code);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// Any text that was given as a url, fit to be shown: no credentials, no query, no control characters. The user of an
/// ssh url stays, as it belongs to the address.
pub fn masked(url: &str) -> Cow<'_, str> {
    let clean = url.split(['?', '#']).next().unwrap_or(url);
    let (scheme, rest) = match clean.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), clean),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let authority = match authority.rsplit_once('@') {
        Some((info, host)) if !info.contains(':') && (scheme.is_empty() || scheme == "ssh://") => {
            format!("{info}@{host}")
        }
        Some((_, host)) => host.to_owned(),
        None => authority.to_owned(),
    };
    let shown = format!("{scheme}{authority}{path}");
    if shown == url && !url.chars().any(char::is_control) {
        return Cow::Borrowed(url);
    }
    Cow::Owned(shown.replace(char::is_control, "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_are_taken() {
        for (url, way, shown, host, port, user) in [
            (
                "https://github.com/acme/deploy.git",
                Way::Http,
                "https://github.com/acme/deploy.git",
                "github.com",
                443,
                None,
            ),
            (
                "https://me:p%40ss@Git.acme.io:8443/d",
                Way::Http,
                "https://Git.acme.io:8443/d",
                "git.acme.io",
                8443,
                Some("me"),
            ),
            ("http://127.0.0.1:8080/d", Way::Http, "http://127.0.0.1:8080/d", "127.0.0.1", 8080, None),
            ("http://[::1]:8080/d", Way::Http, "http://[::1]:8080/d", "::1", 8080, None),
            ("ssh://git@acme.io:2222/d.git", Way::Ssh, "ssh://git@acme.io:2222/d.git", "acme.io", 2222, Some("git")),
            (
                "git@github.com:acme/deploy.git",
                Way::Ssh,
                "git@github.com:acme/deploy.git",
                "github.com",
                22,
                Some("git"),
            ),
            ("/srv/git/deploy.git", Way::Local, "/srv/git/deploy.git", "", 0, None),
            ("file:///srv/git/deploy.git", Way::Local, "file:///srv/git/deploy.git", "", 0, None),
            ("../deploy", Way::Local, "../deploy", "", 0, None),
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!((address.way, address.url.as_str()), (way, shown), "{url}");
            assert_eq!((address.host.as_str(), address.port, address.user.as_deref()), (host, port, user), "{url}");
        }
    }

    #[test]
    fn forms_that_are_refused() {
        for url in [
            "",
            "ext::sh -c id",
            "ext::https://a/b",
            "git://github.com/a/b",
            "ftp://a/b",
            "-oProxyCommand=id",
            "http://github.com/a/b",
            "https://github.com/a\nHost: evil",
            "ssh://-oProxyCommand=id/x",
            "ssh://-l@host/x",
            "-l@host:x",
            "host:-x",
            "ssh://git:CANARY@host/x",
            "https://host",
            "https://host:99999/x",
            "https://h/x?private_token=CANARY",
            "file://host/x",
            "https://evil\\@good/x",
            "http://127.0.0.1.evil.com/x",
            "http://localhost@evil.com/x",
            "HTTP://CANARY:x@evil.com/x",
        ] {
            let error = Address::parse(url).expect_err(url).to_string();
            assert!(!error.contains("CANARY"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_token_is_for_one_host() {
        let address = Address::parse("https://github.com/acme/deploy.git").expect("a url");
        for (url, same) in [
            ("https://github.com/acme/other", true),
            ("https://GitHub.com:443/", true),
            ("https://github.com:8443/acme", false),
            ("https://evil.com/acme/deploy.git", false),
            ("http://github.com/acme/deploy.git", false),
            ("https://github.com@evil.com/acme", false),
        ] {
            assert_eq!(address.is_same_host(url), same, "{url}");
        }
    }
}
