//! A rollback of one service: it follows an earlier commit until git says something new of it. It stands as a tag on the ECS
//! service, so that it survives the loss of this process and of its disk, and no loop undoes it.

use super::history::{Deployment, Outcome};
use super::id::{Arn, Revision};
use super::observed::ServiceDeployment;
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
        Self::last(tags).filter(|rolled| rolled.holds(digest))
    }

    /// The last rollback of a service, in force or not.
    pub fn last(tags: &BTreeMap<String, String>) -> Option<Self> {
        let mut words = tags.get(ROLLED_BACK_TAG)?.splitn(4, ' ');
        let (to, held, by) = (words.next()?, words.next()?, words.next()?);
        let is_commit = to.len() == 40 && to.bytes().all(|byte| byte.is_ascii_hexdigit());
        let why = words.next().unwrap_or_default().to_owned();
        (is_commit && !held.is_empty()).then(|| Self {
            to: Revision::from(to),
            held: held.to_owned(),
            by: by.to_owned(),
            why,
        })
    }

    /// Whether it holds the declaration with this whole digest.
    pub fn holds(&self, digest: &str) -> bool {
        digest.starts_with(&self.held)
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

/// What is known of a declaration that might be gone back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It was live.
    Healthy {
        /// How that is known.
        by: String,
    },
    /// It did not come up, or somebody left it.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// Nobody knows.
    Nothing,
}

impl Known {
    /// What the rows of a daemon's history say of the declaration with this digest, newest first.
    pub fn to_history(rows: &[Deployment], digest: &str) -> Self {
        let of_it = rows.iter().filter(|row| !row.declaration.is_empty() && digest.starts_with(&row.declaration));
        of_it.map(Self::to_row).find(|known| *known != Known::Nothing).unwrap_or(Known::Nothing)
    }

    /// What one row says.
    pub fn to_row(row: &Deployment) -> Self {
        let number = row.number;
        match row.result {
            Some(Outcome::Live | Outcome::Corrected) => Known::Healthy { by: format!("#{number} was live") },
            Some(result @ (Outcome::Failed | Outcome::RolledBack)) => {
                let why = row.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                let what = if result == Outcome::Failed { "failed" } else { "failed, and was rolled back by ECS" };
                Known::Failed { why: format!("#{number} {what}{why}") }
            }
            Some(Outcome::Superseded) | None => Known::Nothing,
        }
    }

    /// What ECS's service deployments say of a task definition, newest first; `shared` where what is left runs it as well:
    /// then a failure may be that of other settings.
    pub fn to_ecs(deployments: &[ServiceDeployment], task_definition: &Arn, shared: bool) -> Self {
        let of_it =
            deployments.iter().filter(|deployment| deployment.task_definition.as_ref() == Some(task_definition));
        for deployment in of_it {
            match deployment.status.as_str() {
                "SUCCESSFUL" => {
                    let at = deployment.finished_at.map(|at| format!(" {at:.0}")).unwrap_or_default();
                    return Known::Healthy {
                        by: format!("ECS completed a rollout of {}{at}", task_definition.short()),
                    };
                }
                status if status.starts_with("ROLLBACK") && !shared => {
                    let why = deployment.reason.as_deref().unwrap_or("ECS rolled it back");
                    return Known::Failed { why: why.trim_end_matches('.').to_owned() };
                }
                // One that was stopped, or goes on, says nothing.
                _ => {}
            }
        }
        Known::Nothing
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

    #[test]
    fn what_is_known_of_an_earlier_declaration() {
        let arn = |revision: u32| Arn::new(format!("arn:aws:ecs:r:1:task-definition/f:{revision}"));
        let deployment = |revision: u32, status: &str| ServiceDeployment {
            arn: Arn::from("arn"),
            status: status.into(),
            reason: (status != "SUCCESSFUL").then(|| "alarm.".into()),
            task_definition: Some(arn(revision)),
            sources: Vec::new(),
            images: BTreeMap::new(),
            stage: None,
            production_percent: None,
            hooks: Vec::new(),
            created_at: None,
            finished_at: None,
        };
        let all = [
            deployment(4, "IN_PROGRESS"),
            deployment(3, "ROLLBACK_SUCCESSFUL"),
            deployment(2, "STOPPED"),
            deployment(2, "SUCCESSFUL"),
            deployment(3, "SUCCESSFUL"),
        ];
        let healthy = |revision: u32| Known::Healthy { by: format!("ECS completed a rollout of f:{revision}") };
        assert_eq!(Known::to_ecs(&all, &arn(2), false), healthy(2), "one that made way says nothing");
        assert_eq!(Known::to_ecs(&all, &arn(3), false), Known::Failed { why: "alarm".into() }, "the newest counts");
        assert_eq!(Known::to_ecs(&all, &arn(3), true), healthy(3), "what failed may be the other settings");
        assert_eq!(Known::to_ecs(&all, &arn(4), false), Known::Nothing);
        assert_eq!(Known::to_ecs(&all, &arn(1), false), Known::Nothing);
    }
}
