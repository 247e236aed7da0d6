//! A pause of one service: nothing of it is changed until its time is over. It stands as a tag on the ECS service, so that
//! it survives the loss of this process and of its disk.

use super::tag;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The tag that pauses a service: `UNTIL WHO WHY…`.
pub const PAUSED_TAG: &str = "driftless:paused";

/// Who paused a service, until when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// When it ends by itself.
    pub until: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

impl Pause {
    /// The pause that a service's tags hold, while it lasts. What somebody wrote there by hand in another form pauses
    /// nothing.
    pub fn of(tags: &BTreeMap<String, String>, now: Timestamp) -> Option<Self> {
        let (until, rest) = tags.get(PAUSED_TAG)?.split_once(' ')?;
        let until: Timestamp = until.parse().ok()?;
        let (by, why) = rest.split_once(' ').unwrap_or((rest, ""));
        (now < until).then(|| Self { until, by: by.to_owned(), why: why.to_owned() })
    }

    /// The tag's value. Characters that ECS does not take in tags become blanks.
    pub fn tag_value(&self) -> String {
        let Self { until, by, why } = self;
        tag::value(&format!("{until:.0}"), by, why)
    }
}

/// `by marc until 2026-11-25T18:00:00Z: "database move"`.
impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { until, by, why } = self;
        write!(f, "by {by} until {until:.0}")?;
        if why.is_empty() { Ok(()) } else { write!(f, ": \"{why}\"") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn there_and_back() {
        let now: Timestamp = "2026-11-25T14:00:00Z".parse().unwrap();
        let pause = Pause {
            until: now + SignedDuration::from_hours(4),
            by: "ana souza".into(),
            why: "move of the \"database\" (2,3)".into(),
        };
        let value = pause.tag_value();
        assert_eq!(value, "2026-11-25T18:00:00Z anasouza move of the  database   2 3");
        let tags = BTreeMap::from([(PAUSED_TAG.to_owned(), value)]);
        let read = Pause::of(&tags, now).unwrap();
        assert_eq!(read.to_string(), "by anasouza until 2026-11-25T18:00:00Z: \"move of the  database   2 3\"");
        assert_eq!(Pause::of(&tags, now + SignedDuration::from_hours(4)), None, "it ends by itself");
    }

    #[test]
    fn other_forms_pause_nothing() {
        for value in ["", "yes", "tomorrow marc why", "2026-11-25T18:00:00Z"] {
            let tags = BTreeMap::from([(PAUSED_TAG.to_owned(), value.to_owned())]);
            assert_eq!(Pause::of(&tags, Timestamp::UNIX_EPOCH), None, "{value}");
        }
    }
}
