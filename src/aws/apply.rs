//! [`Action`] -> one call. Deciding never calls, calling never decides: there is no `if` about state here.

use super::call::{Error, Operation, WithInput};
use super::clients::Clients;
use super::pace::Priority;
use super::wire::{Wire, decode};
use crate::core::action::Action;
use crate::core::id::Arn;
use crate::core::retry::Class;
use aws_sdk_ecs::operation::create_service::CreateServiceInput;
use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
use aws_sdk_ecs::operation::update_service::UpdateServiceInput;
use aws_sdk_ecs::types::Tag;
use serde_json::Value;

/// Carries out one action with its completed input; gives the ARN of what it made or changed.
///
/// # Errors
/// An error whose class is `Ambiguous` leaves the outcome unknown: read before anything else is done.
pub async fn apply(clients: &Clients, action: &Action, input: Value, priority: Priority) -> Result<Option<Arn>, Error> {
    let ecs = &clients.ecs;
    match action {
        Action::RegisterTaskDefinition { .. } => {
            const OPERATION: Operation = Operation::write("ecs", "RegisterTaskDefinition");
            let input = WithInput(typed::<RegisterTaskDefinitionInput>(OPERATION, &input)?);
            let request = ecs.register_task_definition().customize().interceptor(input);
            let answer = clients.calls.call(OPERATION, priority, request.send()).await?;
            Ok(answer.task_definition().and_then(|made| made.task_definition_arn()).map(Arn::from))
        }
        Action::CreateService { .. } => {
            const OPERATION: Operation = Operation::write("ecs", "CreateService");
            let input = WithInput(typed::<CreateServiceInput>(OPERATION, &input)?);
            let request = ecs.create_service().customize().interceptor(input);
            let answer = clients.calls.call(OPERATION, priority, request.send()).await?;
            Ok(answer.service().and_then(|made| made.service_arn()).map(Arn::from))
        }
        Action::UpdateService { .. } => {
            const OPERATION: Operation = Operation::write("ecs", "UpdateService");
            let input = WithInput(typed::<UpdateServiceInput>(OPERATION, &input)?);
            let request = ecs.update_service().customize().interceptor(input);
            let answer = clients.calls.call(OPERATION, priority, request.send()).await?;
            Ok(answer.service().and_then(|changed| changed.service_arn()).map(Arn::from))
        }
        Action::Tag { target: _, arn, tags } => {
            const OPERATION: Operation = Operation::write("ecs", "TagResource");
            let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
            let request = ecs.tag_resource().resource_arn(arn.as_str()).set_tags(Some(tags));
            clients.calls.call(OPERATION, priority, request.send()).await?;
            Ok(Some(arn.clone()))
        }
    }
}

/// The SDK's input of a document. What was checked while reading fits; anything else is named, not sent.
fn typed<T: Wire>(operation: Operation, document: &Value) -> Result<T, Error> {
    decode(document).map_err(|mismatches| {
        let all: Vec<_> = mismatches.iter().map(|m| format!("{}: {}", m.pointer, m.message)).collect();
        Error::local(operation, Class::Terminal, all.join("; "))
    })
}
