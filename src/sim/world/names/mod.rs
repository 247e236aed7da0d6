//! What is only looked up: identity (STS), images (ECR), secrets, parameters, outputs of stacks.

mod images;
mod parameters;
mod secrets;
mod stacks;
#[cfg(test)]
mod tests;

pub use images::{Image, image, push};
pub use secrets::set_suffix;
pub use stacks::stack;

use super::{Answer, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Its state in one region.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Repositories of ECR by name.
    repositories: BTreeMap<String, images::Repository>,
    /// Secrets by name. Values are never kept.
    secrets: BTreeMap<String, secrets::Secret>,
    /// Parameters of Systems Manager by name.
    parameters: BTreeMap<String, parameters::Parameter>,
    /// Stacks of CloudFormation as DescribeStacks answers them, by name.
    stacks: BTreeMap<String, Value>,
}

/// Answers an operation.
pub fn answer(world: &mut World, service: &str, operation: &str, input: &Value) -> Option<Answer> {
    match service {
        "sts" => (operation == "GetCallerIdentity").then(|| Ok(identity(world))),
        "ecr" => images::answer(world, operation, input),
        "secretsmanager" => secrets::answer(world, operation, input),
        "ssm" => parameters::answer(world, operation, input),
        "cloudformation" => (operation == "DescribeStacks").then(|| stacks::describe(world, input)),
        _ => None,
    }
}

/// GetCallerIdentity: a role, as a daemon has one.
fn identity(world: &World) -> Value {
    let account = &world.account;
    json!({
        "UserId": "AROAEXAMPLEDRIFTLESS:driftless", "Account": account,
        "Arn": format!("arn:aws:sts::{account}:assumed-role/driftless/driftless"),
    })
}

/// Whether what a container definition's secret names is there (ECS, Secret, valueFrom): a secret by its ARN, with or
/// without the six characters that Secrets Manager adds, and with `:json-key:version-stage:version-id` behind it; a
/// parameter by its name or ARN. What is of another account or region is taken to be there.
pub fn secret_exists(world: &World, value_from: &str) -> bool {
    let parts: Vec<_> = value_from.split(':').collect();
    match parts.as_slice() {
        ["arn", _, _, region, account, ..] if *region != world.region || *account != world.account => true,
        ["arn", _, "secretsmanager", _, _, "secret", name, rest @ ..] => secrets::usable(world, name, rest),
        ["arn", _, "ssm", _, _, name] => {
            name.strip_prefix("parameter/").is_some_and(|name| parameters::find(world, name).is_some())
        }
        ["arn", ..] => false,
        _ => world.names.parameters.contains_key(value_from),
    }
}
