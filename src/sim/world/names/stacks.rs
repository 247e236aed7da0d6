//! CloudFormation: stacks with their outputs.

use crate::sim::wire::time;
use crate::sim::world::input::{Pages, text};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Value, json};

/// A stack with these outputs is there from now on, instead of the one that had its name.
pub fn stack(world: &mut World, name: &str, outputs: &[(&str, &str)]) {
    let arn = world.arn("cloudformation", &format!("stack/{name}/"));
    let id = match world.names.stacks.get(name) {
        Some(known) => known["StackId"].clone(),
        None => json!(format!("{arn}{}", world.uuid())),
    };
    let outputs: Vec<_> =
        outputs.iter().map(|(key, value)| json!({ "OutputKey": key, "OutputValue": value })).collect();
    let stack = json!({
        "StackId": id, "StackName": name, "CreationTime": time(world.now()), "StackStatus": "CREATE_COMPLETE",
        "DisableRollback": false, "NotificationARNs": [], "Capabilities": [], "Outputs": outputs, "Tags": [],
        "EnableTerminationProtection": false, "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
    });
    world.names.stacks.insert(name.to_owned(), stack);
}

/// DescribeStacks: one by its name or id, or all.
pub fn describe(world: &World, input: &Value) -> Answer {
    let stacks = &world.names.stacks;
    let asked = text(input, "StackName");
    let fits = |stack: &&Value| asked.is_none_or(|asked| stack["StackName"] == asked || stack["StackId"] == asked);
    let found: Vec<_> = stacks.values().filter(fits).cloned().collect();
    if let Some(asked) = asked.filter(|_| found.is_empty()) {
        return Err(Refusal::new("ValidationError", format!("Stack with id {asked} does not exist")));
    }
    let (token, code) = ("NextToken", "ValidationError");
    // "MaxResults" is none of its members: pages are as long as AWS makes them.
    Pages { into: "Stacks", token, next: token, size: "MaxResults", usual: 100, most: 100, code }.page(found, input)
}
