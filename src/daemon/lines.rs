//! The last lines of what failed, where git allows that they are read (`rollout.logLines`). They are kept: ECS shows
//! stopped tasks for an hour only.

use super::engine::followed;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::before::End;
use crate::core::desired::Desired;
use crate::core::id::{Arn, Kind, ResourceId, ServiceName};
use crate::core::log_lines::{LogLines, LogStream};
use crate::core::observed::{Facts, Snapshot};
use crate::core::plan::Memory;
use crate::core::rollout::Rollout;
use crate::core::stopped::StoppedTask;
use std::collections::BTreeMap;

/// Reads them for the services whose rollout has failed, once for each attempt at a revision.
pub async fn keep_last_lines(
    observer: &Observer,
    desired: &Desired,
    wanted: &BTreeMap<ServiceName, Option<Arn>>,
    memory: &mut BTreeMap<ServiceName, Memory>,
    snapshot: &mut Snapshot,
) {
    for (name, revision) in wanted {
        let Some(declared) = desired.services.get(name).filter(|declared| declared.follow.log_lines > 0) else {
            continue;
        };
        let (Some(revision), Some(memory)) = (revision, memory.get_mut(name)) else { continue };
        let failed = matches!(followed(snapshot, Some(declared), name, Some(revision)), Some(Rollout::Failed { .. }));
        if !failed || memory.last_lines.as_ref().is_some_and(|(known, _)| known == revision) {
            continue;
        }
        let Some(stream) = of_newest(observer, name, revision, snapshot).await else { continue };
        let read = observer.last_lines(stream, declared.follow.log_lines, Priority::Drift).await;
        if let Err(error) = &read {
            tracing::warn!(event = "log_not_read", service = %name, %error, "the last lines of a task that failed could not be read");
            // What may pass is asked again with the next pass.
            if !error.class().is_alarming() {
                continue;
            }
        }
        memory.last_lines = Some((revision.clone(), read.ok().flatten()));
    }
}

/// The last lines of a task before a rollout, at most so many.
pub async fn lines_of(observer: &Observer, end: &End, most: u8, snapshot: &Snapshot) -> Option<LogLines> {
    let revision = snapshot.live(&end.note.target).filter(|_| most > 0)?;
    let region = observer.scope.region.as_str();
    let stream = LogStream::of(&revision.document, &end.container, end.task.short(), region)?;
    match observer.last_lines(stream, most, Priority::Drift).await {
        Ok(lines) => lines,
        Err(error) => {
            tracing::warn!(event = "log_not_read", task = end.task.as_str(), %error, "the last lines of a task that failed could not be read");
            None
        }
    }
}

/// Where the task of a revision has written that failed last.
async fn of_newest(
    observer: &Observer,
    name: &ServiceName,
    revision: &Arn,
    snapshot: &mut Snapshot,
) -> Option<LogStream> {
    let stopped = snapshot.live(&ResourceId::new(Kind::StoppedTasks, name.as_str())).cloned();
    let Facts::Stopped(tasks) = &stopped.as_ref()?.facts else { return None };
    let task = StoppedTask::newest(tasks, revision)?;
    let id = ResourceId::new(Kind::TaskDefinitionRevision, revision.as_str());
    if snapshot.get(&id).is_none() {
        observer.observe(&[id.clone()].into(), Priority::Drift, snapshot).await;
    }
    let region = observer.scope.region.as_str();
    LogStream::of(&snapshot.live(&id)?.document, task.container()?, &task.id, region)
}
