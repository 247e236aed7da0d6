//! ECS: what the operations of its control plane share.

use crate::sim::world::input::{Pages, list, text};
use crate::sim::world::{Refusal, World};
use serde_json::{Map, Value};

/// What ECS calls a parameter that it does not take.
pub const INVALID: &str = "InvalidParameterException";

/// A parameter that ECS does not take.
pub fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(INVALID, message)
}

/// ECS's other error of the caller: most of what RegisterTaskDefinition refuses, and definitions that cannot be run.
pub fn client(message: impl Into<String>) -> Refusal {
    Refusal::new("ClientException", message)
}

/// A member that is null is a member that is left out.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The members of a request; none of what is no object.
pub fn members(value: &Value) -> Map<String, Value> {
    match without_nulls(value) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Absent, null, `[]`, `{}` and `""` say the same.
pub fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

/// A list of at most so many; the words are ECS's ("service names can have at most 10 items").
///
/// # Errors
/// There are more.
pub fn at_most(input: &Value, field: &str, called: &str, most: usize) -> Result<(), Refusal> {
    if list(input, field).len() > most {
        return Err(invalid(format!("{called} can have at most {most} items.")));
    }
    Ok(())
}

/// A text that is one of a few, when it is there.
///
/// # Errors
/// It is another.
pub fn one_of(input: &Value, field: &str, known: &[&str]) -> Result<(), Refusal> {
    match text(input, field) {
        Some(value) if !known.contains(&value) => {
            Err(invalid(format!("Invalid {field} {value:?}. Valid values are: {}", known.join(", "))))
        }
        _ => Ok(()),
    }
}

/// "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens" (CreateService, CreateCluster,
/// RegisterTaskDefinition).
pub fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=255).contains(&name.len()) && name.bytes().all(allowed)
}

/// The last part of an ARN, or the name itself.
pub fn short(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Who calls, as `createdBy` and `registeredBy` name it.
pub fn principal(world: &World) -> String {
    format!("arn:aws:iam::{}:role/driftless", world.account)
}

/// The pages of ECS's lists: 1 to 100 items.
pub fn pages(into: &str, usual: usize) -> Pages<'_> {
    Pages { into, token: "nextToken", next: "nextToken", size: "maxResults", usual, most: 100, code: INVALID }
}

/// The order in which ECS returns what it keeps in a hash: neither as it was sent nor sorted (recorded answers).
pub fn in_hash_order(items: &mut [Value], key: impl Fn(&Value) -> String) {
    items.sort_by_cached_key(|item| hash(&key(item)));
}

/// FNV-1a, with a last mix: without it, names that differ in their last letter stay in order.
fn hash(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
