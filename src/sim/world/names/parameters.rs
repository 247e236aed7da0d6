//! Systems Manager: parameters. The value of a SecureString is not kept.

use crate::sim::wire::time;
use crate::sim::world::input::{Pages, flag, list, required, text, texts};
use crate::sim::world::{Answer, Refusal, World};
use jiff::Timestamp;
use serde_json::{Value, json};

const TYPES: [&str; 3] = ["String", "StringList", "SecureString"];
/// What GetParameter answers for the value of a SecureString that it is not asked to decrypt.
const ENCRYPTED: &str = "AQICAHgexamplecipherexamplecipherexamplecipher";

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// As DescribeParameters answers it.
    document: Value,
    /// By version, the first first.
    values: Vec<(String, Timestamp)>,
}

/// Answers an operation.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "PutParameter" => put(world, input),
        "DescribeParameters" => describe(world, input),
        "GetParameter" => get(world, input),
        _ => return None,
    })
}

/// The parameter that an ARN names: a slash that its name begins with is missing there.
pub fn find<'w>(world: &'w World, name: &str) -> Option<&'w Parameter> {
    let parameters = &world.names.parameters;
    parameters.get(name).or_else(|| parameters.get(&format!("/{name}")))
}

/// PutParameter: a new one needs a type; one that is there is only overwritten when that is asked for.
fn put(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "Name", "ValidationException")?;
    let value = required(input, "Value", "ValidationException")?;
    let known = world.names.parameters.get(name);
    if known.is_some() && flag(input, "Overwrite") != Some(true) {
        let message =
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
        return Err(Refusal::new("ParameterAlreadyExists", message));
    }
    let kind = match (text(input, "Type"), known) {
        (Some(kind), _) if TYPES.contains(&kind) => kind.to_owned(),
        (None, Some(known)) => text(&known.document, "Type").unwrap_or_default().to_owned(),
        (Some(kind), _) => {
            return Err(Refusal::new("UnsupportedParameterType", format!("The type {kind} is not supported.")));
        }
        (None, None) => {
            let message = "A parameter type is required when you create a parameter.";
            return Err(Refusal::new("ValidationException", message));
        }
    };
    let now = world.now();
    let mut values = known.map(|known| known.values.clone()).unwrap_or_default();
    values.push((if kind == "SecureString" { ENCRYPTED } else { value }.to_owned(), now));
    let (version, tier) = (values.len(), text(input, "Tier").unwrap_or("Standard"));
    let mut document = json!({
        "Name": name, "ARN": arn(world, name), "Type": kind, "LastModifiedDate": time(now),
        "LastModifiedUser": format!("arn:aws:iam::{}:root", world.account), "Version": version, "Tier": tier,
        "Policies": [], "DataType": text(input, "DataType").unwrap_or("text"),
    });
    if kind == "SecureString" {
        document["KeyId"] = json!(text(input, "KeyId").unwrap_or("alias/aws/ssm"));
    }
    for member in ["Description", "AllowedPattern"] {
        if let Some(given) = text(input, member) {
            document[member] = json!(given);
        }
    }
    let answer = json!({ "Version": version, "Tier": tier });
    world.names.parameters.insert(name.to_owned(), Parameter { document, values });
    Ok(answer)
}

/// One slash stands before the name, whether or not it begins with one.
fn arn(world: &World, name: &str) -> String {
    world.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

/// DescribeParameters, with the filters Name, Type, KeyId, Tier and DataType; of `Filters`, the older ones, a name's
/// beginning.
fn describe(world: &World, input: &Value) -> Answer {
    let mut found = Vec::new();
    for parameter in world.names.parameters.values() {
        let mut fits = true;
        for filter in list(input, "ParameterFilters") {
            fits &= filtered(&parameter.document, filter, text(filter, "Option").unwrap_or("Equals"))?;
        }
        for filter in list(input, "Filters") {
            let option = if text(filter, "Key") == Some("Name") { "BeginsWith" } else { "Equals" };
            fits &= filtered(&parameter.document, filter, option)?;
        }
        if fits {
            found.push(parameter.document.clone());
        }
    }
    let (token, size, code) = ("NextToken", "MaxResults", "InvalidNextToken");
    Pages { into: "Parameters", token, next: token, size, usual: 50, most: 50, code }.page(found, input)
}

fn filtered(document: &Value, filter: &Value, option: &str) -> Result<bool, Refusal> {
    let key = text(filter, "Key").unwrap_or_default();
    if !["Name", "Type", "KeyId", "Tier", "DataType"].contains(&key) {
        return Err(Refusal::new("InvalidFilterKey", format!("The filter key {key} is not valid.")));
    }
    let value = text(document, key).unwrap_or_default();
    let is = |wanted: &str| match option {
        "BeginsWith" => value.starts_with(wanted),
        "Contains" => value.contains(wanted),
        _ => value == wanted,
    };
    if !["Equals", "BeginsWith", "Contains"].contains(&option) || (option == "Contains" && key != "Name") {
        return Err(Refusal::new("InvalidFilterOption", format!("The filter option {option} is not valid.")));
    }
    Ok(texts(filter, "Values").any(is))
}

/// GetParameter: by name or ARN, with or without `:VERSION`.
fn get(world: &World, input: &Value) -> Answer {
    let asked = required(input, "Name", "ValidationException")?;
    let name = asked.split_once(":parameter/").map_or(asked, |(_, name)| name);
    let (name, selector) = name.split_once(':').map_or((name, None), |(name, selector)| (name, Some(selector)));
    let found = if asked.starts_with("arn:") { find(world, name) } else { world.names.parameters.get(name) };
    let Some(parameter) = found else {
        return Err(Refusal::new("ParameterNotFound", String::new()));
    };
    let version = match selector {
        None => parameter.values.len(),
        Some(selector) => selector.parse().unwrap_or(0),
    };
    let Some((value, at)) = version.checked_sub(1).and_then(|at| parameter.values.get(at)) else {
        let message = format!("Systems Manager could not find version {} of {name}.", selector.unwrap_or_default());
        return Err(Refusal::new("ParameterVersionNotFound", message));
    };
    let of = |member: &str| parameter.document[member].clone();
    if of("Type") == "SecureString" && flag(input, "WithDecryption") == Some(true) {
        return Err(Refusal::new("InvalidKeyId", "The value of a SecureString is not simulated."));
    }
    let mut shown = json!({
        "Name": of("Name"), "Type": of("Type"), "Value": value, "Version": version, "LastModifiedDate": time(*at),
        "ARN": of("ARN"), "DataType": of("DataType"),
    });
    if let Some(selector) = selector {
        shown["Selector"] = json!(format!(":{selector}"));
    }
    Ok(json!({ "Parameter": shown }))
}
