//! What containers are given when they start, secrets and parameters, and since when it is what it is.

use super::id::{Arn, Kind, ResourceId};
use super::observed::ServiceFacts;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The stage that ECS takes where a secret's reference names none.
pub const CURRENT: &str = "AWSCURRENT";
/// The stage of the version before, which moves when [`CURRENT`] does.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// The stages of a secret's versions, each with the time since when its version has it; of a parameter the time of its
/// newest version, under an empty name.
pub type Since = BTreeMap<String, Timestamp>;

/// What a container's secret names (ECS API reference, Secret, valueFrom), where that may change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    /// The versions of a secret, by its ARN, or the version of a parameter, by its name or ARN.
    pub id: ResourceId,
    /// The stage of the secret's version; of a parameter the label, and nothing where it is the newest version.
    pub stage: String,
}

impl Given {
    /// Reads a secret's ARN, which may have `:JSON-KEY:STAGE:VERSION` behind it ("Pass Secrets Manager secrets"), a
    /// parameter's ARN, or its name, which may have `:VERSION` or `:LABEL` (Systems Manager, GetParameters, Names). Nothing
    /// for a fixed version.
    pub fn of(value_from: &str) -> Option<Self> {
        let parts: Vec<&str> = value_from.split(':').collect();
        let at = |index: usize| parts.get(index).copied().unwrap_or_default();
        let (kind, name, stage) = match parts.as_slice() {
            ["arn", _, "secretsmanager", ..] => {
                if !at(9).is_empty() {
                    return None;
                }
                let stage = if at(8).is_empty() { CURRENT } else { at(8) };
                (Kind::SecretVersions, parts.get(..7)?.join(":"), stage)
            }
            ["arn", ..] => (Kind::ParameterVersion, parts.get(..6)?.join(":"), at(6)),
            _ => (Kind::ParameterVersion, at(0).to_owned(), at(1)),
        };
        let is_version = kind == Kind::ParameterVersion && stage.parse::<u64>().is_ok();
        (!is_version).then(|| Self { id: ResourceId::new(kind, name), stage: stage.to_owned() })
    }

    /// All that the containers of a revision are given.
    pub fn all(task_definition: &Value) -> BTreeSet<Self> {
        let items = |of: &Value, name: &str| of.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let containers = items(task_definition, "containerDefinitions");
        let secrets = containers.iter().flat_map(|container| items(container, "secrets"));
        secrets.filter_map(|secret| Self::of(secret.get("valueFrom")?.as_str()?)).collect()
    }

    /// The names under which Systems Manager may have a parameter: its ARN has one slash before the name, whether or not the
    /// name begins with one.
    pub fn parameter_names(name_or_arn: &str) -> Vec<String> {
        match name_or_arn.split_once(":parameter/").filter(|_| Arn::is_arn(name_or_arn)) {
            Some((_, name)) => vec![name.to_owned(), format!("/{name}")],
            None => vec![name_or_arn.to_owned()],
        }
    }
}

/// `secret prod/database-url`, `parameter /prod/url`: as people call it.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &*self.id.name;
        if self.id.kind == Kind::ParameterVersion {
            return match Self::parameter_names(name).as_slice() {
                // Names with several parts begin with a slash (PutParameter, Name).
                [plain, path] => write!(f, "parameter {}", if plain.contains('/') { path } else { plain }),
                _ => write!(f, "parameter {name}"),
            };
        }
        let name = name.rsplit(':').next().unwrap_or(name);
        // Secrets Manager adds a hyphen and six characters to the name (CreateSecret, Name).
        let plain = name.rsplit_once('-').filter(|(_, added)| added.len() == 6).map_or(name, |(plain, _)| plain);
        write!(f, "secret {plain}")
    }
}

/// Since when the stages of a secret are what they are: of the stages of each version and when it was made, and of when the
/// last rotation by Secrets Manager was over.
pub fn since<'v>(
    versions: impl IntoIterator<Item = (&'v Vec<String>, Timestamp)>,
    rotated: Option<Timestamp>,
) -> Since {
    let mut since = Since::new();
    for (stages, made) in versions {
        since.extend(stages.iter().map(|stage| (stage.clone(), made)));
    }
    if let Some(current) = since.get_mut(CURRENT) {
        // A rotation makes its version first, tries it, and gives it the stage at the end.
        *current = rotated.map_or(*current, |rotated| rotated.max(*current));
        // The version before got its stage then.
        let current = *current;
        since.entry(PREVIOUS.to_owned()).and_modify(|previous| *previous = current);
    }
    since
}

/// Since when the oldest tasks of a service may run: its deployment was asked for then, and a task is given its secrets
/// when it starts. Nothing where ECS does not say (another deployment controller than ECS).
pub fn started(facts: &ServiceFacts) -> Option<Timestamp> {
    facts.primary()?.created_at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_and_may_change() {
        let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/url-AbCdEf";
        let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/url";
        for (value_from, expected) in [
            (secret.to_owned(), Some((secret, CURRENT, "secret prod/url"))),
            (format!("{secret}:password::"), Some((secret, CURRENT, "secret prod/url"))),
            (format!("{secret}:password:{PREVIOUS}:"), Some((secret, PREVIOUS, "secret prod/url"))),
            (format!("{secret}:::a1b2"), None),
            (parameter.to_owned(), Some((parameter, "", "parameter /prod/url"))),
            (format!("{parameter}:3"), None),
            (format!("{parameter}:blue"), Some((parameter, "blue", "parameter /prod/url"))),
            ("/prod/url".to_owned(), Some(("/prod/url", "", "parameter /prod/url"))),
            ("color:12".to_owned(), None),
        ] {
            let found = Given::of(&value_from);
            let shown = found.as_ref().map(|given| (&*given.id.name, given.stage.as_str(), given.to_string()));
            let expected = expected.map(|(name, stage, shown)| (name, stage, shown.to_owned()));
            assert_eq!(shown, expected, "{value_from}");
        }
        assert_eq!(Given::parameter_names(parameter), ["prod/url", "/prod/url"]);
        assert_eq!(Given::parameter_names("color"), ["color"]);
    }

    #[test]
    fn a_stage_is_as_old_as_its_version_or_the_rotation_that_gave_it() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let stages = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let (first, second, third) = (stages(&[PREVIOUS, "GREEN"]), stages(&[CURRENT]), stages(&["AWSPENDING"]));
        let versions = || [(&first, at(10)), (&second, at(20)), (&third, at(50))];
        for (rotated, current) in [(None, 20), (Some(15), 20), (Some(30), 30)] {
            let found = since(versions(), rotated.map(at));
            let expected = [(CURRENT, current), (PREVIOUS, current), ("GREEN", 10), ("AWSPENDING", 50)];
            assert_eq!(found, expected.map(|(stage, second)| (stage.to_owned(), at(second))).into(), "{rotated:?}");
        }
        assert_eq!(since([(&second, at(20))], None).len(), 1, "no stage is made up");
    }
}
