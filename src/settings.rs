//! The daemon's own settings: one YAML file, every key of which an environment variable can set.

use crate::core::id::{RepoPath, Revision, SourceName};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What went wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or not readable.
    #[error("the settings file {0} cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file says something that is not a setting.
    #[error("{path}: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
}

/// Everything that the daemon is told. The defaults are safe: loopback, read-only, nothing pruned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What is followed.
    pub sources: Vec<Source>,
    /// The page, the API and the metrics.
    #[serde(default)]
    pub http: Http,
    /// Hints from the git host. Not used by this version.
    #[serde(default)]
    pub webhook: Option<Value>,
    /// Where the git mirrors and the history are kept.
    #[serde(default)]
    pub state: State,
    /// How AWS is called.
    #[serde(default)]
    pub aws: Aws,
    /// Who is told. Not used by this version.
    #[serde(default)]
    pub notifications: Vec<Value>,
}

/// One environment that is followed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Source {
    /// Unique among the sources; a part of a file name.
    pub name: SourceName,
    /// https, ssh, or a local path.
    pub url: String,
    /// What is followed.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// The folder that holds environment.yaml; the root of the repository when left out.
    #[serde(default)]
    pub path: String,
    /// How often git is asked. At least 1 s.
    #[serde(default = "interval", deserialize_with = "duration")]
    pub interval: Duration,
    /// How often AWS is compared although git has not changed. At least 1 s.
    #[serde(default = "interval", deserialize_with = "duration")]
    pub drift_interval: Duration,
    /// Whose signatures a commit must carry. Not used by this version: refused, so that nobody relies on it.
    #[serde(default)]
    pub verify: Option<Value>,
    /// How git is asked.
    #[serde(default)]
    pub auth: Auth,
    /// The role that is taken on for this source's account.
    #[serde(default)]
    pub assume_role: Option<AssumeRole>,
    /// The environment variables that documents may use as `env.NAME`.
    #[serde(default)]
    pub env: Vec<String>,
}

/// What of a repository is followed: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// The newest commit of a branch.
    Branch(String),
    /// A tag, wherever it points to.
    Tag(String),
    /// The highest tag that is in this range.
    Semver(String),
    /// One commit.
    Commit(Revision),
}

/// How git is asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Auth {
    /// The file of a private key.
    pub ssh_key: Option<PathBuf>,
    /// The file of the hosts' keys: without it no ssh host is trusted.
    pub known_hosts: Option<PathBuf>,
    /// The file of a token for https.
    pub token: Option<PathBuf>,
}

/// A role to take on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssumeRole {
    /// The role's ARN.
    pub role_arn: String,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
}

/// The page, the API and the metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Http {
    /// Where they are served.
    pub listen: SocketAddr,
    /// Who may act. Not used by this version: everything that is served is read-only.
    pub tokens: Option<PathBuf>,
}

/// Where the git mirrors and the history are kept. Everything in it may be lost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct State {
    /// A folder; made with mode 0700 where it is missing.
    pub path: PathBuf,
}

/// How AWS is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Aws {
    /// Another endpoint for all services, for tests; `AWS_ENDPOINT_URL` does the same.
    pub endpoint_url: Option<String>,
    /// The share of each of AWS's request rates that background work may use, above 0 and at most 1.
    pub share: f64,
}

fn interval() -> Duration {
    // A merge is live within minutes; AWS's read rates allow this for hundreds of services.
    Duration::from_secs(60)
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), tokens: None }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { path: PathBuf::from("/var/lib/driftless") }
    }
}

impl Default for Aws {
    fn default() -> Self {
        Self { endpoint_url: None, share: 0.25 }
    }
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::core::document::check::duration(&text).ok_or_else(|| {
        serde::de::Error::custom(format!("expected a duration with its unit, as 60s or 5m, found {text:?}"))
    })
}

impl Source {
    /// The configured folder as a path inside the repository; `None` when it leaves it.
    pub fn root(&self) -> Option<RepoPath> {
        RepoPath::new("").join(&self.path)
    }
}

/// The shortest time between two looks at git or at AWS: below it a small mistake becomes a flood.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

impl Settings {
    /// Reads the file and lays the environment variables `DRIFTLESS_...` over it (`DRIFTLESS_HTTP__LISTEN` is
    /// `http.listen`).
    pub fn read(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::Unreadable(path.to_owned(), error))?;
        let invalid = |message: String| Error::Invalid { path: path.to_owned(), message };
        // Read once typed, for errors with their line; once more as values where a variable changes something.
        let typed = serde_saphyr::from_str::<Self>(&text);
        let variables: Vec<_> = env.filter_map(|(name, value)| Some((setting(&name)?, value))).collect();
        let settings = if variables.is_empty() {
            typed.map_err(|error| invalid(error.to_string()))?
        } else {
            let mut value: Value = serde_saphyr::from_str(&text).map_err(|error| invalid(error.to_string()))?;
            for (keys, text) in &variables {
                set(&mut value, keys, scalar(text));
            }
            Self::deserialize(value).map_err(|error| invalid(format!("{error} (with the DRIFTLESS_ variables)")))?
        };
        settings.check().map_err(invalid)?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        if self.sources.is_empty() {
            return Err("`sources` is empty: there is nothing to follow".into());
        }
        for (index, source) in self.sources.iter().enumerate() {
            let name = &source.name;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.as_str().is_empty() || name.as_str().starts_with('.') || !name.as_str().chars().all(plain) {
                return Err(format!("the source name {name:?} must be letters, digits, `-`, `_` and `.`"));
            }
            if self.sources[..index].iter().any(|other| other.name == *name) {
                return Err(format!("two sources are called {name}"));
            }
            if source.interval < INTERVAL_MIN || source.drift_interval < INTERVAL_MIN {
                return Err(format!("source {name}: the intervals must be at least {INTERVAL_MIN:?}"));
            }
            if source.root().is_none() {
                return Err(format!("source {name}: path {:?} leaves the repository", source.path));
            }
            if source.verify.is_some() {
                return Err(format!(
                    "source {name}: this version cannot verify signatures; take `verify` away only if any commit may be applied"
                ));
            }
        }
        if !(self.aws.share > 0.0 && self.aws.share <= 1.0) {
            return Err("aws.share must be above 0 and at most 1".into());
        }
        Ok(())
    }
}

/// `DRIFTLESS_AWS__ENDPOINT_URL` -> `["aws", "endpointUrl"]`. Other variables with the prefix have no `__` or are no
/// settings.
fn setting(variable: &str) -> Option<Vec<String>> {
    const SECTIONS: [&str; 4] = ["http", "state", "aws", "webhook"];
    let rest = variable.strip_prefix("DRIFTLESS_")?;
    let keys: Vec<String> = rest.split("__").map(camel).collect();
    (keys.len() > 1 && SECTIONS.contains(&keys[0].as_str())).then_some(keys)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_').map(str::to_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text
    })
}

fn scalar(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(number) => serde_json::json!(number),
        Err(_) => Value::String(text.to_owned()),
    }
}

fn set(value: &mut Value, keys: &[String], new: Value) {
    let Some((first, rest)) = keys.split_first() else {
        *value = new;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(map) = value {
        set(map.entry(first.clone()).or_insert(Value::Null), rest, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Settings::read(file.path(), env).map_err(|error| error.to_string())
    }

    const SOURCE: &str =
        "sources: [{ name: prod, url: /srv/deploy, ref: { branch: main }, path: environments/prod }]\n";

    #[test]
    fn the_defaults_are_safe() {
        let settings = read(SOURCE, &[]).unwrap();
        assert!(settings.http.listen.ip().is_loopback());
        assert_eq!(settings.sources[0].interval, Duration::from_secs(60));
        assert_eq!(settings.sources[0].reference, Reference::Branch("main".into()));
        assert_eq!(settings.aws.share, 0.25);
    }

    #[test]
    fn variables_are_laid_over_the_file() {
        let env =
            [("DRIFTLESS_HTTP__LISTEN", "127.0.0.1:9"), ("DRIFTLESS_AWS__SHARE", "0.5"), ("DRIFTLESS_OTHER", "x")];
        let settings = read(SOURCE, &env).unwrap();
        assert_eq!(settings.http.listen.port(), 9);
        assert_eq!(settings.aws.share, 0.5);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("sources: []\n", "nothing to follow"),
            ("sources: [{ name: a, url: /x, ref: { branch: m }, intervall: 5s }]\n", "intervall"),
            ("sources: [{ name: a, url: /x, ref: { branch: m }, interval: 5 }]\n", "duration"),
            ("sources: [{ name: a, url: /x, ref: { branch: m }, path: ../x }]\n", "leaves the repository"),
            ("sources: [{ name: ../a, url: /x, ref: { branch: m } }]\n", "source name"),
            ("sources: [{ name: a, url: /x, ref: { branch: m }, verify: { ssh: /k } }]\n", "cannot verify"),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
