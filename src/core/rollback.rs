//! A rollback of one service: it follows an earlier commit until git says something new of it. It stands as a tag on the ECS
//! service, so that it survives the loss of this process and of its disk, and no loop undoes it.

use super::id::Revision;
use super::tag;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The tag of a rollback: `COMMIT HELD WHO WHY…`.
pub const ROLLED_BACK_TAG: &str = "driftless:rolled-back";

/// Which commit a service follows, instead of which declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The commit whose files are followed for this service.
    pub to: Revision,
    /// The beginning of the digest of the declaration that is held: as soon as git declares another one, this is over.
    pub held: String,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

impl RolledBack {
    /// The rollback that a service's tags hold against this declaration; `digest` is its whole digest.
    pub fn of(tags: &BTreeMap<String, String>, digest: &str) -> Option<Self> {
        let mut words = tags.get(ROLLED_BACK_TAG)?.splitn(4, ' ');
        let (to, held, by) = (words.next()?, words.next()?, words.next()?);
        let is_commit = to.len() == 40 && to.bytes().all(|byte| byte.is_ascii_hexdigit());
        let why = words.next().unwrap_or_default().to_owned();
        (is_commit && !held.is_empty() && digest.starts_with(held)).then(|| Self {
            to: Revision::from(to),
            held: held.to_owned(),
            by: by.to_owned(),
            why,
        })
    }

    /// Whether the tag names this commit: it is followed for the service.
    pub fn goes_to(tags: &BTreeMap<String, String>, commit: &Revision) -> bool {
        tags.get(ROLLED_BACK_TAG).and_then(|tag| tag.split(' ').next()) == Some(commit.as_str())
    }

    /// The tag's value. Characters that ECS does not take in tags become blanks.
    pub fn tag_value(&self) -> String {
        let Self { to, held, by, why } = self;
        tag::value(&format!("{to} {held}"), by, why)
    }

    /// The value that says that no rollback is in force any more.
    pub fn ended() -> String {
        "-".to_owned()
    }
}

/// `rolled back to 71bd0e9 by ana: "500s"`.
impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, held: _, by, why } = self;
        write!(f, "rolled back to {} by {by}", to.short())?;
        if why.is_empty() { Ok(()) } else { write!(f, ": \"{why}\"") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_and_over() {
        let rolled = RolledBack {
            to: Revision::from("8f3c2a1bd0e95210c6a1f4e7d2b3a4958677fedc"),
            held: "0123456789abcdef".into(),
            by: "ana".into(),
            why: "500s, since 14:02".into(),
        };
        let tags = BTreeMap::from([(ROLLED_BACK_TAG.to_owned(), rolled.tag_value())]);
        let read = RolledBack::of(&tags, "0123456789abcdef0123").unwrap();
        assert_eq!(read.to_string(), "rolled back to 8f3c2a1 by ana: \"500s  since 14:02\"");
        assert!(RolledBack::goes_to(&tags, &rolled.to) && !RolledBack::goes_to(&tags, &Revision::from("8f3c2a1")));
        assert_eq!(RolledBack::of(&tags, "fedcba9876543210fedc"), None, "git says something new");
        for other in ["", "-", "8f3c2a1 0123 ana", &RolledBack::ended()] {
            let tags = BTreeMap::from([(ROLLED_BACK_TAG.to_owned(), other.to_owned())]);
            assert_eq!(RolledBack::of(&tags, "0123456789abcdef0123"), None, "{other}");
        }
    }
}
