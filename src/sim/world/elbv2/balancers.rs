//! Load balancers: CreateLoadBalancer, DescribeLoadBalancers, DeleteLoadBalancer.
//!
//! Source: the API Reference (operations of these names, LoadBalancer) and the examples of the AWS CLI. There is no EC2
//! here: every subnet and security group exists, the subnets of a load balancer are in as many zones, in one VPC.

use super::{Balancer, Refusal, attributes, check_name, conflicting, invalid, listeners};
use super::{one_of, page, required, tags, under};
use crate::sim::wire;
use crate::sim::world::input::{list, text, texts};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};

/// The VPC that every load balancer is in.
pub const VPC: &str = "vpc-0d5f1c2b3a4e69788";
/// Its default security group, which an application load balancer gets when none is asked for.
const SECURITY_GROUP: &str = "sg-0e1d2c3b4a5968778";
/// "You can specify up to 20 load balancers in a single call" (DescribeLoadBalancers).
const NAMED: usize = 20;
/// "Quotas for your Application Load Balancers": per Region.
const BALANCERS: usize = 50;
/// How long a new one is `provisioning`; AWS documents no time.
const PROVISIONING: i64 = 120;

/// Answers an operation on load balancers.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateLoadBalancer" => create(world, asked),
        "DescribeLoadBalancers" => describe(world, asked),
        "DeleteLoadBalancer" => delete(world, asked),
        _ => return None,
    })
}

/// As DescribeLoadBalancers answers it now.
fn shown(world: &World, balancer: &Balancer) -> Value {
    let mut document = balancer.document.clone();
    let age = world.now().duration_since(balancer.created).as_secs();
    document["State"] = json!({ "Code": if age < PROVISIONING { "provisioning" } else { "active" } });
    document
}

/// "This operation is idempotent": the same settings again are answered with the load balancer that is there.
fn create(world: &mut World, asked: &Value) -> Answer {
    let name = required(asked, "Name")?;
    check_name("Load balancer", name)?;
    if name.starts_with("internal-") {
        return Err(invalid(format!("Load balancer name '{name}' cannot begin with 'internal-'")));
    }
    let kind = one_of(asked, "Type", &["application", "network", "gateway"])?.unwrap_or("application");
    let tags = tags::taken(list(asked, "Tags"))?;
    let document = settings(world, asked, kind)?;
    let prefix = world.arn("elasticloadbalancing", "loadbalancer/");
    let known = ["app", "net", "gwy"];
    let known = known.iter().find_map(|part| under(&world.elbv2.balancers, format!("{prefix}{part}/{name}/")).next());
    if let Some((_, balancer)) = known {
        let same =
            document.as_object().is_some_and(|all| all.iter().all(|(key, value)| balancer.document[key] == *value));
        if !same {
            let message = format!("A load balancer with the same name '{name}' exists, but with different settings");
            return Err(Refusal::new("DuplicateLoadBalancerName", message));
        }
        return Ok(json!({ "LoadBalancers": [shown(world, balancer)] }));
    }
    if world.elbv2.balancers.values().filter(|other| other.kind() == kind).count() >= BALANCERS {
        let message = "You've reached the limit on the number of load balancers for your Amazon Web Services account.";
        return Err(Refusal::new("TooManyLoadBalancers", message));
    }
    let balancer = made(world, document, name, kind);
    let arn = required(&balancer.document, "LoadBalancerArn")?.to_owned();
    let answer = json!({ "LoadBalancers": [shown(world, &balancer)] });
    world.elbv2.tags.insert(arn.clone(), tags);
    world.elbv2.balancers.insert(arn, balancer);
    Ok(answer)
}

/// What of a load balancer is asked for, with the defaults.
fn settings(world: &World, asked: &Value, kind: &str) -> Answer {
    let zones = zones(world, asked, kind)?;
    let name = required(asked, "Name")?;
    let mut document = json!({
        "LoadBalancerName": name, "Type": kind, "VpcId": VPC, "AvailabilityZones": zones, "IpAddressType": "ipv4",
    });
    let scheme = one_of(asked, "Scheme", &["internet-facing", "internal"])?;
    match kind {
        "gateway" if scheme.is_some() => {
            return Err(invalid("A scheme cannot be specified for gateway load balancers"));
        }
        "gateway" => {}
        _ => document["Scheme"] = json!(scheme.unwrap_or("internet-facing")),
    }
    let address = one_of(asked, "IpAddressType", &["ipv4", "dualstack", "dualstack-without-public-ipv4"])?;
    if let Some(address) = address {
        document["IpAddressType"] = json!(address);
    }
    let groups = list(asked, "SecurityGroups");
    match kind {
        "gateway" if !groups.is_empty() => {
            return Err(conflicting("Security groups are not supported for load balancers of type 'gateway'"));
        }
        "application" if groups.is_empty() => document["SecurityGroups"] = json!([SECURITY_GROUP]),
        _ if !groups.is_empty() => document["SecurityGroups"] = json!(groups),
        _ => {}
    }
    Ok(document)
}

/// "You must specify either subnets or subnet mappings, but not both." An application load balancer needs "subnets from
/// at least two Availability Zones".
fn zones(world: &World, asked: &Value, kind: &str) -> Result<Vec<Value>, Refusal> {
    let mappings = list(asked, "SubnetMappings");
    let mut subnets: Vec<&str> = texts(asked, "Subnets").collect();
    if !subnets.is_empty() && !mappings.is_empty() {
        return Err(invalid("You must specify either subnets or subnet mappings, but not both"));
    }
    subnets.extend(mappings.iter().filter_map(|mapping| text(mapping, "SubnetId")));
    if subnets.is_empty() {
        return Err(invalid("You must specify subnets or subnet mappings"));
    }
    if let Some(unknown) = subnets.iter().find(|subnet| !subnet.starts_with("subnet-")) {
        return Err(Refusal::new("SubnetNotFound", format!("The subnet ID '{unknown}' is not found")));
    }
    if kind == "application" && subnets.len() < 2 {
        return Err(invalid("At least two subnets in two different Availability Zones must be specified"));
    }
    let mut letters = 'a'..='f';
    subnets.sort_unstable();
    let zone = |subnet: &str| {
        let letter = letters.next().ok_or_else(|| invalid("There are not as many Availability Zones"))?;
        Ok(json!({ "ZoneName": format!("{}{letter}", world.region), "SubnetId": subnet, "LoadBalancerAddresses": [] }))
    };
    subnets.into_iter().map(zone).collect()
}

/// A new load balancer: its ARN, and the name under which it can be reached.
fn made(world: &mut World, mut document: Value, name: &str, kind: &str) -> Balancer {
    let id = world.hex(16);
    let part = match kind {
        "network" => "net",
        "gateway" => "gwy",
        _ => "app",
    };
    document["LoadBalancerArn"] = json!(world.arn("elasticloadbalancing", &format!("loadbalancer/{part}/{name}/{id}")));
    document["CreatedTime"] = wire::time(world.now());
    let internal = document["Scheme"] == "internal";
    let before = if internal { "internal-" } else { "" };
    // The zones of us-east-1 ("Elastic Load Balancing endpoints and quotas").
    match kind {
        "application" => {
            let digits = world.digits(10);
            document["DNSName"] = json!(format!("{before}{name}-{digits}.{}.elb.amazonaws.com", world.region));
            document["CanonicalHostedZoneId"] = json!("Z35SXDOTRQ7X7K");
        }
        "network" => {
            document["DNSName"] = json!(format!("{name}-{id}.elb.{}.amazonaws.com", world.region));
            document["CanonicalHostedZoneId"] = json!("Z26RNL4JYFTOTI");
        }
        _ => {}
    }
    Balancer { document, created: world.now(), attributes: attributes::of_balancer(kind, internal) }
}

/// One that is not found makes the whole call LoadBalancerNotFound.
fn describe(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let (arns, names) = (list(asked, "LoadBalancerArns"), list(asked, "Names"));
    if !arns.is_empty() && !names.is_empty() {
        return Err(invalid("Load balancer names and load balancer ARNs cannot be specified at the same time"));
    }
    if arns.len() > NAMED || names.len() > NAMED {
        return Err(invalid(format!("Up to '{NAMED}' load balancers can be described in a single call")));
    }
    for arn in texts(asked, "LoadBalancerArns") {
        elb.balancer(arn)?;
    }
    for name in texts(asked, "Names") {
        if !elb.balancers.values().any(|balancer| balancer.document["LoadBalancerName"] == name) {
            let message = format!("Load balancers '[{name}]' not found");
            return Err(Refusal::new("LoadBalancerNotFound", message));
        }
    }
    let wanted = |balancer: &&Balancer| {
        let is = |list: &[Value], name: &str| list.is_empty() || list.contains(&balancer.document[name]);
        is(arns, "LoadBalancerArn") && is(names, "LoadBalancerName")
    };
    let found = elb.balancers.values().filter(wanted).map(|balancer| shown(world, balancer)).collect();
    page("LoadBalancers", found, asked)
}

/// "Deleting a load balancer also deletes its listeners. You can't delete a load balancer if deletion protection is
/// enabled. If the load balancer does not exist or has already been deleted, the call succeeds."
fn delete(world: &mut World, asked: &Value) -> Answer {
    let arn = required(asked, "LoadBalancerArn")?;
    let Some(balancer) = world.elbv2.balancers.get(arn) else { return Ok(json!({})) };
    if balancer.attributes.get("deletion_protection.enabled").is_some_and(|value| value == "true") {
        let message = format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    let below: Vec<_> = world.elbv2.listeners_of(arn).map(|(listener, _)| listener.clone()).collect();
    below.iter().for_each(|listener| listeners::remove(world, listener));
    world.elbv2.balancers.remove(arn);
    world.elbv2.tags.remove(arn);
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, forward};
    use super::*;

    #[test]
    fn a_load_balancer_from_its_making_to_its_end() {
        let mut lab = Lab::new();
        let asked = |changes: Value| {
            let mut asked = json!({ "Name": "web", "Subnets": ["subnet-b", "subnet-a"] });
            changes.as_object().into_iter().flatten().for_each(|(name, value)| asked[name] = value.clone());
            asked
        };
        for (changes, expected) in [
            (json!({ "Name": "internal-web" }), "ValidationError"),
            (json!({ "Name": "a".repeat(33) }), "ValidationError"),
            (json!({ "Subnets": ["subnet-a"] }), "ValidationError"),
            (json!({ "Subnets": ["a", "b"] }), "SubnetNotFound"),
            (json!({ "Type": "classic" }), "ValidationError"),
            (json!({}), "ok"),
            (json!({ "Subnets": ["subnet-a", "subnet-b"] }), "ok"),
            (json!({ "Scheme": "internal" }), "DuplicateLoadBalancerName"),
        ] {
            assert_eq!(lab.code("CreateLoadBalancer", asked(changes.clone())), expected, "{changes}");
        }
        let describe =
            |lab: &mut Lab| lab.ok("DescribeLoadBalancers", json!({ "Names": ["web"] }))["LoadBalancers"].clone();
        assert_eq!(describe(&mut lab)[0]["State"]["Code"], "provisioning");
        lab.pass(PROVISIONING);
        let [balancer] = &describe(&mut lab).as_array().cloned().unwrap()[..] else { panic!("one") };
        assert_eq!((&balancer["State"]["Code"], &balancer["Scheme"]), (&json!("active"), &json!("internet-facing")));
        let arn = balancer["LoadBalancerArn"].as_str().unwrap();
        let (group, listener) = (lab.group("HTTP"), lab.listener(arn, 80));
        lab.ok("ModifyListener", json!({ "ListenerArn": listener, "DefaultActions": [forward(&group)] }));
        let protect = |value: &str| {
            json!({ "LoadBalancerArn": arn,
            "Attributes": [{ "Key": "deletion_protection.enabled", "Value": value }] })
        };
        let (delete, names) = (json!({ "LoadBalancerArn": arn }), json!({ "Names": ["web", "other"] }));
        let many: Vec<_> = (0..21).map(|number| number.to_string()).collect();
        for (operation, asked, expected) in [
            ("DescribeLoadBalancers", names, "LoadBalancerNotFound"),
            ("DescribeLoadBalancers", json!({ "Names": many }), "ValidationError"),
            ("ModifyLoadBalancerAttributes", protect("true"), "ok"),
            ("DeleteLoadBalancer", delete.clone(), "OperationNotPermitted"),
            ("ModifyLoadBalancerAttributes", protect("false"), "ok"),
            ("DeleteTargetGroup", json!({ "TargetGroupArn": group }), "ResourceInUse"),
            ("DeleteLoadBalancer", delete.clone(), "ok"),
            ("DeleteLoadBalancer", delete, "ok"),
            ("DescribeListeners", json!({ "ListenerArns": [listener] }), "ListenerNotFound"),
            ("DeleteTargetGroup", json!({ "TargetGroupArn": group }), "ok"),
        ] {
            assert_eq!(lab.code(operation, asked.clone()), expected, "{operation} {asked}");
        }
    }
}
