//! The one-off tasks before rollouts of a service: those that run, and those that ECS still shows.

use super::rollout::{TASKS_MAX, stopped};
use super::{Looked, Observer, PAGES_MAX, endless};
use crate::aws::call::{Error, Operation};
use crate::aws::live::time;
use crate::aws::pace::Priority;
use crate::core::before::{OneOff, started_by};
use crate::core::id::Arn;
use crate::core::observed::{Facts, Live};
use aws_sdk_ecs::types::{self as ecs, DesiredStatus};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which tasks are listed.
#[derive(Clone, Copy)]
enum Which<'w> {
    /// "When you specify startedBy as the filter, it must be the only filter that you use" (ListTasks): those that are to
    /// run.
    StartedBy(&'w str),
    /// The stopped ones of a family.
    Stopped(&'w str),
}

impl Observer {
    /// By `SERVICE/FAMILY`.
    pub(super) async fn one_offs(&self, name: &str, priority: Priority) -> Looked {
        let (service, family) = name.split_once('/').unwrap_or((name, name));
        let by = started_by(service);
        // In this order: what stops meanwhile is in both.
        let running = self.listed(Which::StartedBy(&by), priority).await?;
        let stopped = self.listed(Which::Stopped(family), priority).await?;
        let all: Vec<String> = running.into_iter().chain(stopped).collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = Vec::new();
        for some in all.chunks(TASKS_MAX as usize) {
            let tasks = self.describe_tasks(some, priority).await?;
            found.extend(tasks.iter().filter(|task| task.started_by() == Some(&by)).map(one_off));
        }
        let live = || Arc::new(Live { facts: Facts::OneOffs(found.clone()), ..Live::default() });
        Ok((!found.is_empty()).then(live))
    }

    async fn listed(&self, which: Which<'_>, priority: Priority) -> Result<Vec<String>, Error> {
        const LIST: Operation = Operation::read("ecs", "ListTasks");
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.clients.ecs.list_tasks().cluster(self.scope.cluster.as_str()).max_results(TASKS_MAX);
            let request = match which {
                Which::StartedBy(by) => request.started_by(by),
                Which::Stopped(family) => request.family(family).desired_status(DesiredStatus::Stopped),
            };
            let request = request.set_next_token(token.clone());
            let answer = self.clients.calls.call(LIST, priority, request.send()).await;
            let answer = match answer {
                // The cluster that a service is to be made in is its own look.
                Err(error) if error.code.as_deref() == Some("ClusterNotFoundException") => return Ok(found),
                answer => answer?,
            };
            found.extend(answer.task_arns().iter().cloned());
            match answer.next_token() {
                None => return Ok(found),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(LIST))
    }
}

fn one_off(task: &ecs::Task) -> OneOff {
    OneOff {
        arn: Arn::from(task.task_arn().unwrap_or_default()),
        group: task.group().unwrap_or_default().to_owned(),
        status: task.last_status().unwrap_or_default().to_owned(),
        stopping: task.desired_status() == Some("STOPPED"),
        created_at: task.created_at().and_then(time),
        ended: stopped(task),
    }
}
