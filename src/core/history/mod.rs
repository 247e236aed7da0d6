//! What was done to each service and what came of it: one row for each intent, be it a commit's change or the correction
//! of drift. [`History`] makes the rows of events; [`listed`] adds what only the rows around one show.

mod fold;
mod rebuilt;

use super::id::{Arn, Revision, ServiceId, SourceName};
use super::log_lines::LogLines;
use super::plan::Cause;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use fold::History;
pub use rebuilt::{KnownRevision, StillKnown};

/// The most changes that a row keeps; beyond them it says how many more there were.
pub const CHANGES_MAX: usize = 50;
/// The most characters of one change, and of the reason.
pub const TEXT_CHARS_MAX: usize = 400;
/// How much of a digest tells images apart in a table.
const DIGEST_CHARS: usize = 7;
/// The most steps that a row keeps.
pub const STEPS_MAX: usize = 100;

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// The service, or what services share.
    #[serde(flatten)]
    pub service: ServiceId,
    /// From 1, each service for itself.
    pub number: u64,
    /// The source that declares it.
    pub source: SourceName,
    /// The commit; `None` where a rebuilt row does not know it.
    pub commit: Option<Commit>,
    /// The beginning of the declaration's digest, by which a row is continued; empty where a rebuilt row does not know it.
    pub declaration: String,
    /// Why it was done; `None` where a rebuilt row does not know it.
    pub cause: Option<Cause>,
    /// When the plan was made that it began with.
    pub started_at: Timestamp,
    /// When it was seen to have ended.
    pub ended_at: Option<Timestamp>,
    /// When the commit was made, where it is the commit that this brings: not of drift, of a rollback, or of an image
    /// whose tag moved after the commit was live.
    #[serde(default)]
    pub merged_at: Option<Timestamp>,
    /// What came of it; `None` while it is under way.
    pub result: Option<Outcome>,
    /// Why it failed, or what keeps it.
    pub reason: Option<String>,
    /// What the last task wrote that failed, where that was read.
    #[serde(default)]
    pub last_lines: Option<LogLines>,
    /// The revision that the service was to run.
    pub task_definition: Option<Arn>,
    /// The images of that revision, as it names them.
    pub images: Vec<String>,
    /// The digests that ran of those images, by image, where they are known.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// What was changed, live → desired, with the effect; secrets are masked. And what had moved, where it was deployed anew.
    pub changes: Vec<String>,
    /// How the one-off tasks before its rollout ended, in order.
    #[serde(default)]
    pub before: Vec<String>,
    /// AWS's names of the operations that were done, in order.
    pub steps: Vec<String>,
    /// Whether a step replaced or started tasks.
    pub restarts: bool,
    /// Whether the row was made from what ECS still knew, after the history was lost.
    pub rebuilt: bool,
}

/// The commit of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The commit id.
    pub revision: Revision,
    /// The first line of its message; empty where a rebuilt row does not know it.
    pub subject: String,
    /// Who wrote it; empty where a rebuilt row does not know it.
    pub author: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was live.
    Live,
    /// Drift was put right.
    Corrected,
    /// ECS could not bring it up.
    Failed,
    /// ECS could not bring it up, and went back to the revision before.
    RolledBack,
    /// Something newer came before its end.
    Superseded,
}

impl Outcome {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Live => "live",
            Outcome::Corrected => "corrected",
            Outcome::Failed => "failed",
            Outcome::RolledBack => "rolled back",
            Outcome::Superseded => "superseded",
        }
    }

    /// A mark that does not need colour.
    pub fn mark(self) -> &'static str {
        match self {
            Outcome::Live => "✓",
            Outcome::Corrected => "≠",
            Outcome::Failed => "✕",
            Outcome::RolledBack => "↩",
            Outcome::Superseded => "»",
        }
    }
}

impl Deployment {
    /// Mark and words of its result; of one that is under way too.
    pub fn outcome(&self) -> (&'static str, &'static str) {
        self.result.map_or(("▶", "under way"), |result| (result.mark(), result.words()))
    }

    /// What it runs, as people say it: the images without their registries, each with the beginning of the digest that its
    /// tag stood for, as `api:2.1.0@9c41aa7`; or the revision.
    pub fn runs(&self) -> String {
        let image = |image: &String| {
            let name = image.rsplit('/').next().unwrap_or(image);
            let digest = self.digests.get(image).filter(|_| !image.contains('@'));
            let hex = digest.and_then(|digest| digest.split_once(':')?.1.get(..DIGEST_CHARS));
            hex.map_or_else(|| name.to_owned(), |hex| format!("{name}@{hex}"))
        };
        let images: Vec<String> = self.images.iter().map(image).collect();
        match (images.is_empty(), &self.task_definition) {
            (false, _) => images.join(", "),
            (true, Some(arn)) => arn.short().to_owned(),
            (true, None) => "-".to_owned(),
        }
    }
}

impl Deployment {
    /// Its commit with what it says; of drift what was put right.
    pub fn what(&self) -> String {
        let commit = self.commit.as_ref();
        let words = match (self.cause, self.changes.as_slice()) {
            (Some(Cause::Drift), [change]) => change.clone(),
            (Some(Cause::Drift), [first, more @ ..]) => format!("{first} and {} more", more.len()),
            _ => commit.map(|commit| commit.subject.clone()).unwrap_or_default(),
        };
        let short = commit.map_or("-", |commit| commit.revision.short());
        format!("{short} {words}").trim_end().to_owned()
    }

    /// How the tasks before its rollout ended, but for what its reason says already.
    pub fn ran_before(&self) -> impl Iterator<Item = &str> {
        let told = |text: &&String| self.reason.as_ref() != Some(*text);
        self.before.iter().filter(told).map(String::as_str)
    }

    /// Who is behind it: the author of the commit, `drift`, or `rebuilt` where nobody knows.
    pub fn by(&self) -> &str {
        match (&self.commit, self.cause) {
            (_, Some(Cause::Drift)) => "drift",
            _ if self.rebuilt => "rebuilt",
            (Some(commit), _) => &commit.author,
            (None, _) => "-",
        }
    }
}

/// A row with what the rows around it show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The row.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// From its plan to its end, in seconds; `None` while it is under way.
    pub took_seconds: Option<i64>,
    /// How long it was what was live, in seconds; `None` for what never was.
    pub live_seconds: Option<i64>,
    /// Whether it still is what was live last.
    pub live_now: bool,
}

impl Listed {
    /// `4m10s`, or `-`.
    pub fn took(&self) -> String {
        self.took_seconds.map_or_else(|| "-".to_owned(), span)
    }

    /// `2d 5h, now`, `16h`, or `-`.
    pub fn live_for(&self) -> String {
        let now = if self.live_now { ", now" } else { "" };
        self.live_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{}{now}", span(seconds)))
    }
}

/// A time of the past in UTC, as people say it: `today 14:04Z`, `19 Nov 09:12Z`, `19 Nov 2025 09:12Z`.
pub fn when(at: Timestamp, now: Timestamp) -> String {
    let same = |form: &str| at.strftime(form).to_string() == now.strftime(form).to_string();
    let form = match (same("%Y-%m-%d"), same("%Y")) {
        (true, _) => "today %H:%MZ",
        (false, true) => "%-d %b %H:%MZ",
        (false, false) => "%-d %b %Y %H:%MZ",
    };
    at.strftime(form).to_string()
}

/// A length of time by its two largest units: `3s`, `4m10s`, `16h`, `2d 5h`.
pub fn span(seconds: i64) -> String {
    let two = |large: i64, unit: &str, small: i64, rest: String| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{rest}"),
    };
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => two(seconds / 60, "m", seconds % 60, format!("{:02}s", seconds % 60)),
        seconds @ 3_600..86_400 => {
            let minutes = seconds % 3_600 / 60;
            two(seconds / 3_600, "h", minutes, format!(" {minutes}m"))
        }
        seconds => {
            let hours = seconds % 86_400 / 3_600;
            two(seconds / 86_400, "d", hours, format!(" {hours}h"))
        }
    }
}

/// Rows, newest first, with what they show of each other. What is newer than one of them must be among them.
pub fn listed(rows: Vec<Deployment>, now: Timestamp) -> Vec<Listed> {
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).max(SignedDuration::ZERO).as_secs();
    // When the next newer row of the service became live.
    let mut replaced: BTreeMap<ServiceId, Timestamp> = BTreeMap::new();
    let list = |deployment: Deployment| {
        let live = deployment.ended_at.filter(|_| deployment.result == Some(Outcome::Live));
        let until = live.and_then(|at| replaced.insert(deployment.service.clone(), at));
        Listed {
            took_seconds: deployment.ended_at.map(|at| seconds(deployment.started_at, at)),
            live_seconds: live.map(|at| seconds(at, until.unwrap_or(now))),
            live_now: live.is_some() && until.is_none(),
            deployment,
        }
    };
    rows.into_iter().map(list).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-19T{text}Z").parse().unwrap()
    }

    fn row(number: u64, result: Option<Outcome>, started: &str, ended: Option<&str>) -> Deployment {
        Deployment {
            service: ServiceId { cluster: "c".into(), service: "s".into() },
            number,
            source: "prod".into(),
            commit: None,
            declaration: String::new(),
            cause: None,
            started_at: at(started),
            ended_at: ended.map(at),
            merged_at: None,
            result,
            reason: None,
            last_lines: None,
            task_definition: None,
            images: Vec::new(),
            digests: BTreeMap::new(),
            changes: Vec::new(),
            before: Vec::new(),
            steps: Vec::new(),
            restarts: false,
            rebuilt: false,
        }
    }

    #[test]
    fn what_is_live_is_live_until_the_next_one_is() {
        let rows = vec![
            row(5, None, "14:00:00", None),
            row(4, Some(Outcome::RolledBack), "13:00:00", Some("13:04:10")),
            row(3, Some(Outcome::Live), "12:00:00", Some("12:02:00")),
            row(2, Some(Outcome::Corrected), "11:00:00", Some("11:00:03")),
            row(1, Some(Outcome::Live), "10:00:00", Some("10:01:00")),
        ];
        let shown: Vec<_> = listed(rows, at("15:02:00"))
            .into_iter()
            .map(|row| (row.deployment.number, row.took_seconds, row.live_seconds, row.live_now))
            .collect();
        let expected = [
            (5, None, None, false),
            (4, Some(250), None, false),
            (3, Some(120), Some(3 * 3600), true),
            (2, Some(3), None, false),
            (1, Some(60), Some(2 * 3600 + 60), false),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let spans = [0, 59, 60, 250, 3_600, 57_600, 58_020, 86_400, 190_800].map(span);
        assert_eq!(spans, ["0s", "59s", "1m", "4m10s", "1h", "16h", "16h 7m", "1d", "2d 5h"]);
        let now = at("15:00:00");
        assert_eq!(when(at("14:04:59"), now), "today 14:04Z");
        assert_eq!(when("2026-11-09T09:12:00Z".parse().unwrap(), now), "9 Nov 09:12Z");
        assert_eq!(when("2025-11-19T09:12:00Z".parse().unwrap(), now), "19 Nov 2025 09:12Z");
    }

    #[test]
    fn what_and_by_whom() {
        let commit = Commit { revision: "71bd0e9aaaa".into(), subject: "api: 2.0.1".into(), author: "Marc".into() };
        let plain = Deployment { commit: Some(commit), ..row(1, None, "14:00:00", None) };
        assert_eq!((plain.what().as_str(), plain.by()), ("71bd0e9 api: 2.0.1", "Marc"));
        let drift = Deployment {
            cause: Some(Cause::Drift),
            changes: vec!["a: 4 → 2".into(), "b".into(), "c".into()],
            ..plain.clone()
        };
        assert_eq!((drift.what().as_str(), drift.by()), ("71bd0e9 a: 4 → 2 and 2 more", "drift"));
        let rebuilt = Deployment { rebuilt: true, ..row(1, None, "14:00:00", None) };
        assert_eq!((rebuilt.what().as_str(), rebuilt.by()), ("-", "rebuilt"));
        let images = Deployment { images: vec!["r.io/a/b:1".into(), "c".into()], ..rebuilt.clone() };
        let revision = Deployment { task_definition: Some("arn:x/web:4".into()), ..rebuilt };
        let digests = BTreeMap::from([("r.io/a/b:1".to_owned(), "sha256:9c41aa7fff".to_owned())]);
        let digested = Deployment { digests, ..images.clone() };
        assert_eq!(digested.runs(), "b:1@9c41aa7, c");
        assert_eq!((images.runs().as_str(), revision.runs().as_str()), ("b:1, c", "web:4"));
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let row = row(5, Some(Outcome::RolledBack), "14:00:00", None);
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains(r#""cluster":"c","service":"s","number":5"#) && text.contains("rolled_back"), "{text}");
        assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), row);
    }
}
