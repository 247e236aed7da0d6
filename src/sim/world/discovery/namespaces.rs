//! Namespaces.

use super::{fits, id, invalid, new_tags, operation, page};
use crate::sim::wire::time;
use crate::sim::world::input::{number, required, text};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Value, json};

/// The TTL of the SOA record when none is asked for, in seconds (CreatePrivateDnsNamespace, SOA).
const SOA_TTL: i64 = 15;

/// CreatePrivateDnsNamespace, CreatePublicDnsNamespace, CreateHttpNamespace. A private one's name can be there once in
/// each VPC, another's once in the region (NamespaceAlreadyExists).
pub fn create(world: &mut World, input: &Value, kind: &str) -> Answer {
    let name = required(input, "Name", "InvalidInput")?;
    if name.starts_with("arn:") || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid(format!("The namespace name {name} is not valid")));
    }
    let vpc = if kind == "DNS_PRIVATE" { Some(required(input, "Vpc", "InvalidInput")?) } else { None };
    let same = |known: &&Value| known["Name"] == name && known["Type"] == kind && known["Vpc"].as_str() == vpc;
    if let Some(known) = world.discovery.namespaces.values().find(same) {
        let more = json!({ "NamespaceId": known["Id"], "CreatorRequestId": known["CreatorRequestId"] });
        let message = format!("The namespace {name} already exists");
        return Err(Refusal { more, ..Refusal::new("NamespaceAlreadyExists", message) });
    }
    let id = format!("ns-{}", world.hex(16));
    let arn = world.arn("servicediscovery", &format!("namespace/{id}"));
    new_tags(world, &arn, input)?;
    let creator = text(input, "CreatorRequestId").map_or_else(|| world.uuid(), str::to_owned);
    let dns = if kind == "HTTP" {
        json!({ "SOA": {} })
    } else {
        let ttl = number(&input["Properties"]["DnsProperties"]["SOA"], "TTL").unwrap_or(SOA_TTL);
        json!({ "HostedZoneId": format!("Z{}", world.hex(20).to_uppercase()), "SOA": { "TTL": ttl } })
    };
    let mut namespace = json!({
        "Id": id, "Arn": arn, "ResourceOwner": world.account, "Name": name, "Type": kind,
        "Properties": { "DnsProperties": dns, "HttpProperties": { "HttpName": name } },
        "CreateDate": time(world.now()), "CreatorRequestId": creator, "Vpc": vpc,
    });
    if let Some(description) = text(input, "Description") {
        namespace["Description"] = json!(description);
    }
    world.discovery.namespaces.insert(id.clone(), namespace);
    operation(world, "CREATE_NAMESPACE", &[("NAMESPACE", &id)])
}

/// The namespace that is named by its id or its ARN.
pub fn find<'w>(world: &'w World, reference: &str) -> Result<&'w Value, Refusal> {
    let missing = || Refusal::new("NamespaceNotFound", format!("No namespace with ID {reference}"));
    world.discovery.namespaces.get(id(reference)).ok_or_else(missing)
}

/// GetNamespace.
pub fn get(world: &World, input: &Value) -> Answer {
    let namespace = find(world, required(input, "Id", "InvalidInput")?)?;
    Ok(json!({ "Namespace": shown(world, namespace, &["Vpc"]) }))
}

/// ListNamespaces, with its filters TYPE, NAME, HTTP_NAME and RESOURCE_OWNER.
pub fn all(world: &World, input: &Value) -> Answer {
    let mut found = Vec::new();
    for namespace in world.discovery.namespaces.values() {
        let (name, kind) = (text(namespace, "Name").unwrap_or_default(), text(namespace, "Type").unwrap_or_default());
        if fits(input, &[("TYPE", kind), ("NAME", name), ("HTTP_NAME", name), ("RESOURCE_OWNER", "SELF")])? {
            found.push(shown(world, namespace, &["Vpc", "CreatorRequestId"]));
        }
    }
    page("Namespaces", found, input)
}

fn shown(world: &World, namespace: &Value, hidden: &[&str]) -> Value {
    let mut shown = namespace.clone();
    let inside = |service: &&super::Service| service.document["NamespaceId"] == namespace["Id"];
    shown["ServiceCount"] = json!(world.discovery.services.values().filter(inside).count());
    if let Value::Object(members) = &mut shown {
        members.retain(|name, _| !hidden.contains(&name.as_str()));
    }
    shown
}
