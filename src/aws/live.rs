//! The SDK's answers -> what the core calls live: the document for comparing, the typed facts for judging.

use super::wire::encode;
use crate::core::id::Arn;
use crate::core::observed::{Deployment, EVENTS_MAX, Facts, Live, ServiceFacts};
use aws_sdk_ecs::types::{Service, Tag, TaskDefinition, TaskDefinitionStatus};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A service as DescribeServices answers it.
pub fn service(service: &Service) -> Live {
    let facts = ServiceFacts {
        status: service.status().unwrap_or_default().to_owned(),
        desired: service.desired_count(),
        running: service.running_count(),
        pending: service.pending_count(),
        task_definition: service.task_definition().map(Arn::from),
        deployments: service.deployments().iter().map(deployment).collect(),
        events: service.events().iter().take(EVENTS_MAX).filter_map(|e| e.message().map(str::to_owned)).collect(),
    };
    // Up to a hundred events come with every answer; they are facts, and none of them is a setting.
    let settings = service.clone();
    let mut document = encode(&settings);
    if let serde_json::Value::Object(map) = &mut document {
        map.remove("events");
    }
    Live {
        arn: service.service_arn().map(Arn::from),
        document,
        tags: tags(service.tags()),
        facts: Facts::Service(facts),
        ..Live::default()
    }
}

fn deployment(deployment: &aws_sdk_ecs::types::Deployment) -> Deployment {
    Deployment {
        id: deployment.id().unwrap_or_default().to_owned(),
        status: deployment.status().unwrap_or_default().to_owned(),
        task_definition: deployment.task_definition().map(Arn::from),
        rollout_state: deployment.rollout_state().map(|state| state.as_str().to_owned()),
        reason: deployment.rollout_state_reason().map(str::to_owned),
        desired: deployment.desired_count(),
        running: deployment.running_count(),
        pending: deployment.pending_count(),
        failed: deployment.failed_tasks(),
        created_at: deployment.created_at().and_then(time),
    }
}

/// A time as AWS answers it, to the nanosecond.
pub fn time(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), at.subsec_nanos().try_into().ok()?).ok()
}

/// A revision as DescribeTaskDefinition answers it, with its tags beside it.
pub fn task_definition(definition: &TaskDefinition, revision_tags: &[Tag]) -> Live {
    Live {
        arn: definition.task_definition_arn().map(Arn::from),
        document: encode(definition),
        tags: tags(revision_tags),
        facts: Facts::Revision { active: definition.status() == Some(&TaskDefinitionStatus::Active) },
        ..Live::default()
    }
}

fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(pair).collect()
}
