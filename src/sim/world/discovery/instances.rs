//! Instances: what a caller registers, and what ECS registers for its tasks.

use super::{id, invalid, operation, page, services};
use crate::sim::world::input::{list, required, text};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Value, json};

/// ECS registers a task (ECS guide, "Service discovery concepts"). Without the service nothing happens.
pub fn register(world: &mut World, service: &str, instance: &str, address: &str, port: Option<i64>) {
    let region = world.region.clone();
    let Ok(service) = services::find(world, service) else { return };
    let mut attributes = json!({
        "AWS_INIT_HEALTH_STATUS": "HEALTHY", "AWS_INSTANCE_IPV4": address, "REGION": region,
    });
    if let Some(port) = port {
        attributes["AWS_INSTANCE_PORT"] = json!(port.to_string());
    }
    service.instances.insert(instance.to_owned(), attributes);
}

/// ECS takes a task away.
pub fn deregister(world: &mut World, service: &str, instance: &str) {
    if let Ok(service) = services::find(world, service) {
        service.instances.remove(instance);
    }
}

/// RegisterInstance: makes an instance or replaces its attributes. Each record of the service needs its attribute.
pub fn put(world: &mut World, input: &Value) -> Answer {
    let (reference, instance) =
        (required(input, "ServiceId", "InvalidInput")?, required(input, "InstanceId", "InvalidInput")?);
    let service = services::find(world, reference)?;
    let attributes = &input["Attributes"];
    if !attributes.is_object() {
        return Err(invalid("Attributes must not be null or empty."));
    }
    for record in list(&service.document["DnsConfig"], "DnsRecords") {
        let needed = match text(record, "Type") {
            Some("A") => "AWS_INSTANCE_IPV4",
            Some("AAAA") => "AWS_INSTANCE_IPV6",
            Some("CNAME") => "AWS_INSTANCE_CNAME",
            _ => "AWS_INSTANCE_PORT",
        };
        if text(attributes, needed).is_none() && text(attributes, "AWS_ALIAS_DNS_NAME").is_none() {
            return Err(invalid(format!("The attribute {needed} must be specified for this service")));
        }
    }
    service.instances.insert(instance.to_owned(), attributes.clone());
    operation(world, "REGISTER_INSTANCE", &[("INSTANCE", instance), ("SERVICE", id(reference))])
}

/// DeregisterInstance.
pub fn delete(world: &mut World, input: &Value) -> Answer {
    let (reference, instance) =
        (required(input, "ServiceId", "InvalidInput")?, required(input, "InstanceId", "InvalidInput")?);
    if services::find(world, reference)?.instances.remove(instance).is_none() {
        return Err(Refusal::new("InstanceNotFound", format!("No instance with ID {instance}")));
    }
    operation(world, "DEREGISTER_INSTANCE", &[("INSTANCE", instance), ("SERVICE", id(reference))])
}

/// ListInstances.
pub fn all(world: &mut World, input: &Value) -> Answer {
    let account = world.account.clone();
    let service = services::find(world, required(input, "ServiceId", "InvalidInput")?)?;
    let shown = |(id, attributes): (&String, &Value)| {
        let (id, by) = (json!(id), json!(account));
        json!({ "Id": id, "Attributes": attributes, "CreatedByAccount": by })
    };
    let mut answer = page("Instances", service.instances.iter().map(shown).collect(), input)?;
    answer["ResourceOwner"] = json!(account);
    Ok(answer)
}
