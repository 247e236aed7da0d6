//! Secrets Manager: which secrets there are. Their values are not kept, and GetSecretValue is not simulated: nobody
//! here needs one.

use crate::sim::wire::time;
use crate::sim::world::input::{Pages, flag, list, number, required, set_tags, text};
use crate::sim::world::{Answer, Refusal, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Secrets Manager adds these to a secret's name in its ARN (CreateSecret, Name).
const SUFFIX: usize = 6;
const SUFFIX_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const RECOVERY_DAYS: i64 = 30;

/// A secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// As DescribeSecret answers it, without `VersionIdsToStages`.
    document: Value,
    /// Its versions with their stages.
    versions: Map<String, Value>,
    /// When they were made.
    made: BTreeMap<String, Timestamp>,
}

impl Secret {
    fn arn(&self) -> &str {
        text(&self.document, "ARN").unwrap_or_default()
    }

    /// AWSCURRENT moves to the new version, AWSPREVIOUS to the one that had it. (The one that had AWSPREVIOUS is then
    /// deprecated: it is listed only when that is asked for.)
    fn version(&mut self, id: &str, now: Timestamp) {
        let current = json!(["AWSCURRENT"]);
        self.versions.retain(|_, stages| *stages == current);
        for stages in self.versions.values_mut() {
            *stages = json!(["AWSPREVIOUS"]);
        }
        self.versions.insert(id.to_owned(), current);
        self.made.insert(id.to_owned(), now);
        self.document["LastChangedDate"] = time(now);
    }
}

/// Answers an operation.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateSecret" => create(world, input),
        "DescribeSecret" => describe(world, input),
        "UpdateSecret" => update(world, input),
        "PutSecretValue" => put(world, input),
        "DeleteSecret" => delete(world, input),
        "ListSecretVersionIds" => list_versions(world, input),
        _ => return None,
    })
}

fn has_value(input: &Value) -> bool {
    ["SecretString", "SecretBinary"].iter().any(|name| input.get(name).is_some_and(|value| !value.is_null()))
}

/// The version's id: the caller's token, as the SDKs send one.
fn version_id(world: &mut World, input: &Value) -> String {
    text(input, "ClientRequestToken").map_or_else(|| world.uuid(), str::to_owned)
}

/// CreateSecret. Without a value it has no version.
fn create(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "Name", "InvalidParameterException")?;
    if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "/_+=.@-".contains(letter)) {
        let message =
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(Refusal::new("ValidationException", message));
    }
    if let Some(known) = world.names.secrets.get(name) {
        return Err(if known.document.get("DeletedDate").is_some() {
            let message =
                "You can't create this secret because a secret with this name is already scheduled for deletion.";
            Refusal::new("InvalidRequestException", message)
        } else {
            Refusal::new(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            )
        });
    }
    let letter = |at: u64| char::from(SUFFIX_LETTERS[at as usize % SUFFIX_LETTERS.len()]);
    let suffix: String = (0..SUFFIX).map(|_| letter(world.chance() >> 8)).collect();
    let (now, arn) = (world.now(), world.arn("secretsmanager", &format!("secret:{name}-{suffix}")));
    let mut document = json!({ "ARN": arn, "Name": name, "LastChangedDate": time(now), "CreatedDate": time(now) });
    for member in ["Description", "KmsKeyId"] {
        if let Some(given) = text(input, member) {
            document[member] = json!(given);
        }
    }
    let mut tags = Vec::new();
    set_tags(&mut tags, list(input, "Tags"), ("Key", "Value"));
    if !tags.is_empty() {
        document["Tags"] = json!(tags);
    }
    let mut secret = Secret { document, versions: Map::new(), made: BTreeMap::new() };
    let mut answer = json!({ "ARN": arn, "Name": name });
    if has_value(input) {
        let id = version_id(world, input);
        secret.version(&id, now);
        answer["VersionId"] = json!(id);
    }
    world.names.secrets.insert(name.to_owned(), secret);
    Ok(answer)
}

/// By name, by ARN, or by ARN without the suffix (SecretId).
fn find<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Secret, Refusal> {
    let id = required(input, "SecretId", "InvalidParameterException")?;
    let name = id.split(":secret:").last().unwrap_or(id).to_owned();
    let mut secrets = world.names.secrets.values_mut();
    secrets
        .find(|secret| named(secret, &name, id.starts_with("arn:")))
        .ok_or_else(|| Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret."))
}

/// Whether a name means the secret; in an ARN it may have the suffix.
fn named(secret: &Secret, name: &str, in_arn: bool) -> bool {
    secret.document["Name"] == name || (in_arn && secret.arn().rsplit(':').next() == Some(name))
}

fn alive<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Secret, Refusal> {
    let secret = find(world, input)?;
    if secret.document.get("DeletedDate").is_some() {
        let message = "You can't perform this operation on the secret because it was marked for deletion.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    Ok(secret)
}

/// DescribeSecret, also of one that is scheduled for deletion.
fn describe(world: &mut World, input: &Value) -> Answer {
    let secret = find(world, input)?;
    let mut shown = secret.document.clone();
    if !secret.versions.is_empty() {
        shown["VersionIdsToStages"] = json!(secret.versions);
    }
    Ok(shown)
}

/// ListSecretVersionIds: those with stages, also of a secret that is scheduled for deletion; the deprecated ones too when
/// they are asked for.
fn list_versions(world: &mut World, input: &Value) -> Answer {
    let deprecated = flag(input, "IncludeDeprecated") == Some(true);
    let secret = find(world, input)?;
    let version = |(id, at): (&String, &Timestamp)| {
        let mut version = json!({ "VersionId": id, "CreatedDate": time(*at) });
        match secret.versions.get(id) {
            Some(stages) => version["VersionStages"] = stages.clone(),
            None if deprecated => {}
            None => return None,
        }
        Some(version)
    };
    let (arn, name) = (secret.document["ARN"].clone(), secret.document["Name"].clone());
    let versions = secret.made.iter().filter_map(version).collect();
    let (token, size, code) = ("NextToken", "MaxResults", "InvalidNextTokenException");
    let mut answer =
        Pages { into: "Versions", token, next: token, size, usual: 100, most: 100, code }.page(versions, input)?;
    answer["ARN"] = arn;
    answer["Name"] = name;
    Ok(answer)
}

/// UpdateSecret: description and key, and a new version when there is a value.
fn update(world: &mut World, input: &Value) -> Answer {
    let (now, id) = (world.now(), version_id(world, input));
    let secret = alive(world, input)?;
    for member in ["Description", "KmsKeyId"] {
        if let Some(given) = input.get(member).filter(|given| given.is_string()) {
            secret.document[member] = given.clone();
        }
    }
    secret.document["LastChangedDate"] = time(now);
    let mut answer = json!({ "ARN": secret.arn(), "Name": secret.document["Name"] });
    if has_value(input) {
        secret.version(&id, now);
        answer["VersionId"] = json!(id);
    }
    Ok(answer)
}

/// PutSecretValue: always AWSCURRENT; other stages are not simulated.
fn put(world: &mut World, input: &Value) -> Answer {
    let (now, id) = (world.now(), version_id(world, input));
    if !has_value(input) {
        let message = "You must provide either SecretString or SecretBinary.";
        return Err(Refusal::new("InvalidParameterException", message));
    }
    let secret = alive(world, input)?;
    secret.version(&id, now);
    let (arn, name) = (secret.arn(), &secret.document["Name"]);
    Ok(json!({ "ARN": arn, "Name": name, "VersionId": id, "VersionStages": ["AWSCURRENT"] }))
}

/// DeleteSecret: at once when it is forced, else after 7 to 30 days, as many as asked for; until then it is described
/// with its DeletedDate, but cannot be used.
fn delete(world: &mut World, input: &Value) -> Answer {
    let now = world.now();
    let secret = find(world, input)?;
    let (arn, name) = (secret.arn().to_owned(), text(&secret.document, "Name").unwrap_or_default().to_owned());
    let days = number(input, "RecoveryWindowInDays");
    let forced = flag(input, "ForceDeleteWithoutRecovery") == Some(true);
    if forced && days.is_some() || days.is_some_and(|days| !(7..=RECOVERY_DAYS).contains(&days)) {
        let message = "RecoveryWindowInDays must be between 7 and 30 days (inclusive), and goes without \
             ForceDeleteWithoutRecovery.";
        return Err(Refusal::new("InvalidParameterException", message));
    }
    if forced {
        world.names.secrets.remove(&name);
        return Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": time(now) }));
    }
    secret.document["DeletedDate"] = time(now);
    let gone = now + SignedDuration::from_hours(24 * days.unwrap_or(RECOVERY_DAYS));
    Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": time(gone) }))
}

/// Gives a secret the six characters that its ARN ends with, as they stand in a document that is older than it.
pub fn set_suffix(world: &mut World, name: &str, suffix: &str) {
    let arn = world.arn("secretsmanager", &format!("secret:{name}-{suffix}"));
    if let Some(secret) = world.names.secrets.get_mut(name) {
        secret.document["ARN"] = json!(arn);
    }
}

/// Whether ECS can use a secret: `rest` is what stands behind the name in its ARN, json key, version stage and version
/// id.
pub fn usable(world: &World, name: &str, rest: &[&str]) -> bool {
    let mut secrets = world.names.secrets.values();
    let Some(secret) = secrets.find(|secret| named(secret, name, true)) else { return false };
    let asked = |at: usize| rest.get(at).copied().filter(|asked| !asked.is_empty());
    let fits = |(id, stages): (&String, &Value)| {
        asked(2).is_none_or(|asked| asked == id)
            && stages.as_array().is_some_and(|stages| match asked(1) {
                Some(stage) => stages.contains(&json!(stage)),
                None => asked(2).is_some() || stages.contains(&json!("AWSCURRENT")),
            })
    };
    secret.document.get("DeletedDate").is_none() && secret.versions.iter().any(fits)
}
