//! Services of Cloud Map: what instances are registered under.

use super::{Service, fits, id, invalid, namespaces, new_tags, operation, page};
use crate::sim::wire::time;
use crate::sim::world::input::{list, required, text};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// CreateService. The name must be free in the namespace (ServiceAlreadyExists), unless the request is the very one
/// that made the service that is there.
pub fn create(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "Name", "InvalidInput")?.to_owned();
    let reference = text(input, "NamespaceId").or_else(|| text(&input["DnsConfig"], "NamespaceId"));
    let Some(reference) = reference else { return Err(invalid("A namespace ID must be specified")) };
    let namespace = namespaces::find(world, reference)?.clone();
    let same = |known: &&Service| {
        let named = text(&known.document, "Name").is_some_and(|known| known.eq_ignore_ascii_case(&name));
        named && known.document["NamespaceId"] == namespace["Id"]
    };
    if let Some(known) = world.discovery.services.values().find(same) {
        return again(known, input);
    }
    let settings = settings(input, &namespace)?;
    let id = format!("srv-{}", world.hex(16));
    let arn = world.arn("servicediscovery", &format!("service/{id}"));
    new_tags(world, &arn, input)?;
    let creator = text(input, "CreatorRequestId").map_or_else(|| world.uuid(), str::to_owned);
    let mut document = json!({
        "Id": id, "Arn": arn, "ResourceOwner": world.account, "Name": name, "NamespaceId": namespace["Id"],
        "CreateDate": time(world.now()), "CreatorRequestId": creator, "CreatedByAccount": world.account,
    });
    if let Value::Object(members) = &mut document {
        members.extend(settings);
    }
    let service = Service { document, asked: input.clone(), instances: BTreeMap::new() };
    let answer = json!({ "Service": shown(&service) });
    world.discovery.services.insert(id, service);
    Ok(answer)
}

fn again(known: &Service, input: &Value) -> Answer {
    if known.asked == *input && text(input, "CreatorRequestId").is_some() {
        return Ok(json!({ "Service": shown(known) }));
    }
    let of = |name: &str| known.document[name].clone();
    let more = json!({ "ServiceId": of("Id"), "ServiceArn": of("Arn"), "CreatorRequestId": of("CreatorRequestId") });
    let message = format!("Service already exists: {}", text(&known.document, "Name").unwrap_or_default());
    Err(Refusal { more, ..Refusal::new("ServiceAlreadyExists", message) })
}

/// What a request for a new service says, with what Cloud Map fills in.
fn settings(input: &Value, namespace: &Value) -> Result<Map<String, Value>, Refusal> {
    let given = |name: &str| input.get(name).filter(|value| value.is_object());
    let (dns, check, custom) = (given("DnsConfig"), given("HealthCheckConfig"), given("HealthCheckCustomConfig"));
    let mut settings = Map::new();
    if let Some(description) = text(input, "Description") {
        settings.insert("Description".to_owned(), json!(description));
    }
    if check.is_some() && namespace["Type"] == "DNS_PRIVATE" {
        return Err(invalid("HealthCheckConfig cannot be specified for a service in a private DNS namespace"));
    }
    if check.is_some() && custom.is_some() {
        return Err(invalid("HealthCheckConfig and HealthCheckCustomConfig exclude one another"));
    }
    let kind = if dns.is_some() { "DNS_HTTP" } else { "HTTP" };
    settings.insert("Type".to_owned(), json!(kind));
    settings.insert("DnsConfig".to_owned(), json!({}));
    if let Some(dns) = dns {
        if namespace["Type"] == "HTTP" || text(input, "Type") == Some("HTTP") {
            return Err(invalid("DnsConfig cannot be specified for a service that is found by HTTP only"));
        }
        let records = list(dns, "DnsRecords");
        let routing = text(dns, "RoutingPolicy").unwrap_or("MULTIVALUE");
        check_records(records, routing, check.is_some())?;
        let dns = json!({ "NamespaceId": namespace["Id"], "RoutingPolicy": routing, "DnsRecords": records });
        settings.insert("DnsConfig".to_owned(), dns);
    }
    if let Some(check) = check {
        settings.insert("HealthCheckConfig".to_owned(), filled(check)?);
    }
    if custom.is_some() {
        // "This parameter is no longer supported and is always set to 1" (HealthCheckCustomConfig, FailureThreshold).
        settings.insert("HealthCheckCustomConfig".to_owned(), json!({ "FailureThreshold": 1 }));
    }
    Ok(settings)
}

/// A, AAAA, A with AAAA, SRV, or CNAME, which takes no other routing than WEIGHTED and no health check (DnsRecord,
/// Type).
fn check_records(records: &[Value], routing: &str, checked: bool) -> Result<(), Refusal> {
    let mut kinds: Vec<_> = records.iter().map(|record| text(record, "Type").unwrap_or_default()).collect();
    kinds.sort_unstable();
    match kinds.as_slice() {
        ["CNAME"] if routing != "WEIGHTED" => Err(invalid("The routing policy of a CNAME record must be WEIGHTED")),
        ["CNAME"] if checked => Err(invalid("HealthCheckConfig cannot be specified with a CNAME record")),
        ["A" | "AAAA" | "SRV" | "CNAME"] | ["A", "AAAA"] => Ok(()),
        _ => Err(invalid(format!("Invalid combination of DNS records: {}", kinds.join(", ")))),
    }
}

/// HealthCheckConfig: one failure by default; a path, `/` by default, for HTTP and HTTPS only.
fn filled(check: &Value) -> Result<Value, Refusal> {
    let mut filled = check.clone();
    match text(check, "Type") {
        Some("TCP") if text(check, "ResourcePath").is_some() => {
            return Err(invalid("ResourcePath cannot be specified for a TCP health check"));
        }
        Some("TCP") => {}
        _ => filled["ResourcePath"] = json!(text(check, "ResourcePath").unwrap_or("/")),
    }
    if check.get("FailureThreshold").is_none_or(Value::is_null) {
        filled["FailureThreshold"] = json!(1);
    }
    Ok(filled)
}

fn shown(service: &Service) -> Value {
    let mut shown = service.document.clone();
    shown["InstanceCount"] = json!(service.instances.len());
    shown
}

/// The service that is named by its id or its ARN.
pub fn find<'w>(world: &'w mut World, reference: &str) -> Result<&'w mut Service, Refusal> {
    let message = format!("No service with ID {reference}");
    world.discovery.services.get_mut(id(reference)).ok_or_else(|| Refusal::new("ServiceNotFound", message))
}

/// GetService.
pub fn get(world: &mut World, input: &Value) -> Answer {
    Ok(json!({ "Service": shown(find(world, required(input, "Id", "InvalidInput")?)?) }))
}

/// ListServices, with its filters NAMESPACE_ID and RESOURCE_OWNER: summaries, without the namespace.
pub fn all(world: &World, input: &Value) -> Answer {
    let mut found = Vec::new();
    for service in world.discovery.services.values() {
        let namespace = text(&service.document, "NamespaceId").unwrap_or_default();
        let arn = world.arn("servicediscovery", &format!("namespace/{namespace}"));
        let by = |namespace: &str| fits(input, &[("NAMESPACE_ID", namespace), ("RESOURCE_OWNER", "SELF")]);
        if by(namespace)? || by(&arn)? {
            let mut summary = shown(service);
            if let Value::Object(members) = &mut summary {
                members.retain(|name, _| !matches!(&**name, "NamespaceId" | "CreatorRequestId"));
            }
            if let Value::Object(dns) = &mut summary["DnsConfig"] {
                dns.remove("NamespaceId");
            }
            found.push(summary);
        }
    }
    page("Services", found, input)
}

/// UpdateService changes the description, the TTLs of records that are there, and the health check. Records and a
/// health check that are left out are deleted; a custom health check stays. Nothing can be changed in an HTTP
/// namespace.
pub fn update(world: &mut World, input: &Value) -> Answer {
    let reference = required(input, "Id", "InvalidInput")?;
    let namespace = find(world, reference)?.document["NamespaceId"].as_str().unwrap_or_default().to_owned();
    let kind = namespaces::find(world, &namespace)?["Type"].clone();
    if kind == "HTTP" {
        return Err(invalid("A service in an HTTP namespace cannot be updated"));
    }
    let service = find(world, reference)?;
    let change = &input["Service"];
    let records = list(&change["DnsConfig"], "DnsRecords");
    let known = list(&service.document["DnsConfig"], "DnsRecords");
    if let Some(new) = records.iter().find(|record| !known.iter().any(|known| known["Type"] == record["Type"])) {
        return Err(invalid(format!("DNS records cannot be added to a service: {}", new["Type"])));
    }
    let check = change.get("HealthCheckConfig").filter(|check| check.is_object());
    if check.is_some() && (kind == "DNS_PRIVATE" || service.document.get("HealthCheckCustomConfig").is_some()) {
        return Err(invalid("HealthCheckConfig cannot be specified for this service"));
    }
    let check = check.map(filled).transpose()?;
    let Value::Object(document) = &mut service.document else { return Err(invalid("no service")) };
    if let Some(description) = change.get("Description").filter(|description| description.is_string()) {
        document.insert("Description".to_owned(), description.clone());
    }
    match check {
        Some(check) => drop(document.insert("HealthCheckConfig".to_owned(), check)),
        None => drop(document.remove("HealthCheckConfig")),
    }
    if records.is_empty() {
        document.insert("DnsConfig".to_owned(), json!({}));
    } else if let Some(Value::Object(dns)) = document.get_mut("DnsConfig") {
        dns.insert("DnsRecords".to_owned(), json!(records));
    }
    let id = id(reference).to_owned();
    operation(world, "UPDATE_SERVICE", &[("SERVICE", &id)])
}

/// DeleteService: not while an instance is registered.
pub fn delete(world: &mut World, input: &Value) -> Answer {
    let reference = required(input, "Id", "InvalidInput")?;
    let service = find(world, reference)?;
    if !service.instances.is_empty() {
        let message = "Service contains registered instances; delete the instances before deleting the service";
        return Err(Refusal::new("ResourceInUse", message));
    }
    let arn = text(&service.document, "Arn").unwrap_or_default().to_owned();
    world.discovery.services.remove(id(reference));
    world.discovery.tags.remove(&arn);
    Ok(json!({}))
}
