//! What people do to a service beside git, with who and why: the newest act stands as a tag on the ECS service, written
//! together with what it does; the daemon keeps each that it sees.

use super::tag;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The tag of the newest act: `TIME WORD WHO WHY…`.
pub const ACT_TAG: &str = "driftless:act";

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// `driftless pause`.
    Paused,
    /// `driftless resume`.
    Resumed,
    /// `driftless rollback`.
    RolledBack,
    /// `driftless retry`.
    Retried,
    /// `driftless approve`.
    Approved,
    /// `driftless reject`.
    Rejected,
}

impl Deed {
    const ALL: [Self; 6] =
        [Self::Paused, Self::Resumed, Self::RolledBack, Self::Retried, Self::Approved, Self::Rejected];

    /// As tags say it, in one word.
    fn word(self) -> &'static str {
        match self {
            Deed::Paused => "paused",
            Deed::Resumed => "resumed",
            Deed::RolledBack => "rolled-back",
            Deed::Retried => "retried",
            Deed::Approved => "approved",
            Deed::Rejected => "rejected",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Deed::RolledBack => "rolled back",
            other => other.word(),
        }
    }
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// When, by the clock of who did it.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
    /// Who.
    pub by: String,
    /// Why, and to what; may be empty.
    pub why: String,
}

impl Act {
    /// The newest act that a service's tags hold. What somebody wrote there by hand in another form is none.
    pub fn of(tags: &BTreeMap<String, String>) -> Option<Self> {
        let mut words = tags.get(ACT_TAG)?.splitn(4, ' ');
        let (at, word, by) = (words.next()?.parse().ok()?, words.next()?, words.next()?.to_owned());
        let deed = Deed::ALL.into_iter().find(|deed| deed.word() == word)?;
        Some(Self { at, deed, by, why: words.next().unwrap_or_default().to_owned() })
    }

    /// The tag's value. Characters that ECS does not take in tags become blanks.
    pub fn tag_value(&self) -> String {
        let Self { at, deed, by, why } = self;
        tag::value(&format!("{at:.0} {}", deed.word()), by, why)
    }
}

/// `paused by marc: "database move"`.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at: _, deed, by, why } = self;
        write!(f, "{} by {by}", deed.words())?;
        if why.is_empty() { Ok(()) } else { write!(f, ": \"{why}\"") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for deed in Deed::ALL {
            let act = Act {
                at: "2026-11-25T14:02:11Z".parse().unwrap(),
                deed,
                by: "ana souza".into(),
                why: "500s, since 14:02".into(),
            };
            let tags = BTreeMap::from([(ACT_TAG.to_owned(), act.tag_value())]);
            let read = Act::of(&tags).unwrap();
            assert_eq!(read, Act { by: "anasouza".into(), why: "500s  since 14:02".into(), ..act });
            assert_eq!(read.to_string(), format!("{} by anasouza: \"500s  since 14:02\"", deed.words()));
        }
        for value in
            ["", "yes", "2026-11-25T14:02:11Z", "2026-11-25T14:02:11Z paused", "2026-11-25T14:02:11Z danced ana"]
        {
            assert_eq!(Act::of(&BTreeMap::from([(ACT_TAG.to_owned(), value.to_owned())])), None, "{value}");
        }
    }
}
