//! Rows of a service whose history was lost, as far as ECS and its tags still know them.

use super::fold::shortened;
use super::{Commit, Deployment, Outcome};
use crate::core::id::{Arn, Revision, ServiceId, SourceName};
use crate::core::observed::ServiceDeployment;
use crate::core::plan::Applied;
use std::collections::BTreeMap;

/// What AWS still knows of a service's deployments. ECS keeps them for 90 days (ListServiceDeployments).
#[derive(Debug, Clone, Default)]
pub struct StillKnown {
    /// Its service deployments, newest first.
    pub deployments: Vec<ServiceDeployment>,
    /// What its tag says of the declaration that it was last brought up to date from.
    pub applied: Option<Applied>,
    /// Whether ECS could not bring that declaration up.
    pub failed: bool,
    /// The revision that it is set to run.
    pub runs: Option<Arn>,
    /// What is known of the revisions that the deployments were to bring up.
    pub revisions: BTreeMap<Arn, KnownRevision>,
    /// What git says of their commits, as far as it still has them.
    pub commits: BTreeMap<Revision, Commit>,
}

/// What is known of a task definition revision.
#[derive(Debug, Clone, Default)]
pub struct KnownRevision {
    /// The commit that it was registered for, by its tag.
    pub commit: Option<Revision>,
    /// The images of its containers, by the containers' names in their order.
    pub images: Vec<(String, String)>,
}

/// The rows, oldest first.
pub fn rows(id: &ServiceId, source: &SourceName, known: &StillKnown) -> Vec<Deployment> {
    let mut rows: Vec<Deployment> = known
        .deployments
        .iter()
        .enumerate()
        .filter_map(|(newer, deployment)| row(id, source, known, newer, deployment))
        .collect();
    rows.reverse();
    for (row, number) in rows.iter_mut().zip(1..) {
        row.number = number;
    }
    rows
}

/// One row; `newer` is how many deployments are newer.
fn row(
    id: &ServiceId,
    source: &SourceName,
    known: &StillKnown,
    newer: usize,
    deployment: &ServiceDeployment,
) -> Option<Deployment> {
    let result = match deployment.status.as_str() {
        "SUCCESSFUL" => Some(Outcome::Live),
        "ROLLBACK_SUCCESSFUL" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_REQUESTED" => Some(Outcome::RolledBack),
        "STOPPED" if newer > 0 => Some(Outcome::Superseded),
        "STOPPED" | "ROLLBACK_FAILED" => Some(Outcome::Failed),
        // Of several that go on the newest one is what ECS works on.
        _ if newer > 0 => Some(Outcome::Superseded),
        _ => None,
    };
    let is_run = known.runs.is_some() && deployment.task_definition == known.runs;
    let good = matches!(result, Some(Outcome::Live) | None);
    // The service's tag is about the newest one, if that came to what the tag says.
    let applied = known.applied.as_ref();
    let applied = applied.filter(|_| newer == 0 && if known.failed { !good } else { good && is_run });
    let revision = deployment.task_definition.as_ref().and_then(|arn| known.revisions.get(arn));
    let applied_from = applied.and_then(|applied| applied.commit.as_deref()).map(Revision::from);
    let commit = applied_from.or_else(|| revision?.commit.clone());
    let images = revision.map(|revision| revision.images.as_slice()).unwrap_or_default();
    let digest =
        |(container, image): &(String, String)| Some((image.clone(), deployment.images.get(container)?.clone()));
    Some(Deployment {
        service: id.clone(),
        number: 0,
        source: source.clone(),
        commit: commit.map(|revision| match known.commits.get(&revision) {
            Some(commit) => commit.clone(),
            None => Commit { revision, subject: String::new(), author: String::new() },
        }),
        declaration: applied.map(|applied| applied.digest.clone()).unwrap_or_default(),
        cause: None,
        started_at: deployment.created_at?,
        ended_at: result.and(deployment.finished_at),
        merged_at: None,
        result,
        reason: deployment.reason.clone().filter(|_| !good).map(shortened),
        last_lines: None,
        task_definition: deployment.task_definition.clone(),
        images: images.iter().map(|(_, image)| image.clone()).collect(),
        digests: images.iter().filter_map(digest).collect(),
        changes: Vec::new(),
        before: Vec::new(),
        steps: Vec::new(),
        restarts: true,
        rebuilt: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn revision(number: &str) -> Arn {
        Arn::from(format!("arn:aws:ecs:eu-west-1:1:task-definition/web:{number}").as_str())
    }

    fn deployment(number: &str, status: &str, created: i64, finished: Option<i64>) -> ServiceDeployment {
        ServiceDeployment {
            arn: Arn::from("arn:of:a:deployment"),
            status: status.into(),
            reason: Some("ECS said".into()),
            task_definition: Some(revision(number)),
            sources: Vec::new(),
            images: BTreeMap::from([(
                "web".to_owned(),
                format!("sha256:{number}{number}{number}{number}{number}{number}{number}"),
            )]),
            stage: None,
            production_percent: None,
            hooks: vec![],
            created_at: Timestamp::from_second(created).ok(),
            finished_at: finished.and_then(|at| Timestamp::from_second(at).ok()),
        }
    }

    #[test]
    fn what_ecs_still_knows_becomes_rows() {
        let known = |number: &str| {
            let images = vec![("web".to_owned(), format!("registry/web:v{number}"))];
            (revision(number), KnownRevision { commit: Some(format!("c{number}").as_str().into()), images })
        };
        let of = |newest: &str| StillKnown {
            deployments: vec![
                deployment("4", newest, 400, (newest != "IN_PROGRESS").then_some(450)),
                deployment("3", "ROLLBACK_SUCCESSFUL", 300, Some(350)),
                deployment("2", "STOPPED", 200, Some(210)),
                deployment("1", "SUCCESSFUL", 100, Some(150)),
            ],
            applied: Applied::of(&BTreeMap::from([(
                "driftless:applied".to_owned(),
                "aaaaaaaaaaaaaaaa bbbb".to_owned(),
            )])),
            failed: newest == "ROLLBACK_SUCCESSFUL",
            runs: Some(revision("4")),
            revisions: [known("4"), known("3"), known("1")].into(),
            commits: BTreeMap::new(),
        };
        let id = ServiceId { cluster: "c".into(), service: "web".into() };
        let text = |row: &Deployment| {
            let commit = row.commit.as_ref().map_or("?", |commit| commit.revision.as_str());
            let (mark, words) = row.outcome();
            format!("{} {commit} {} {mark} {words} {}", row.number, row.runs(), row.reason.as_deref().unwrap_or("-"))
        };
        let expected = [
            "1 c1 web:v1@1111111 ✓ live -",
            "2 ? web:2 » superseded ECS said",
            "3 c3 web:v3@3333333 ↩ rolled back ECS said",
            "4 bbbb web:v4@4444444 ✓ live -",
        ];
        let found = rows(&id, &"prod".into(), &of("SUCCESSFUL"));
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), expected);
        assert!(found.iter().all(|row| row.rebuilt));
        let newest = |status: &str| rows(&id, &"prod".into(), &of(status)).last().map(text).unwrap_or_default();
        assert_eq!(newest("ROLLBACK_SUCCESSFUL"), "4 bbbb web:v4@4444444 ↩ rolled back ECS said");
        assert_eq!(newest("IN_PROGRESS"), "4 bbbb web:v4@4444444 ▶ under way -");
        // The service's tag is of another deployment: the revision's own tag says the commit.
        let other = StillKnown { runs: Some(revision("3")), ..of("SUCCESSFUL") };
        assert_eq!(rows(&id, &"prod".into(), &other).last().map(text).as_deref(), Some("4 c4 web:v4@4444444 ✓ live -"));
    }
}
