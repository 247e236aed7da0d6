//! Namespaces, services and instances by their operations.

use super::{deregister, register};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};

fn call(world: &mut World, operation: &str, input: Value) -> Answer {
    world.answer("discovery", operation, &input)
}

fn said(answer: Answer) -> String {
    answer.map_or_else(|refusal| format!("{}: {}", refusal.code, refusal.message), |_| String::new())
}

/// A world with a private namespace `shop.local` and an HTTP one, and their ids.
fn world() -> (World, String, String) {
    let mut world = World::new("123456789012", "us-east-1", "2026-03-02T08:00:00Z".parse().unwrap(), 7);
    let make = |world: &mut World, operation: &str, input: Value| {
        let done = call(world, operation, input).unwrap();
        let done = call(world, "GetOperation", json!({ "OperationId": done["OperationId"] })).unwrap();
        assert_eq!(done["Operation"]["Status"], "SUCCESS");
        done["Operation"]["Targets"]["NAMESPACE"].as_str().unwrap().to_owned()
    };
    let private = make(&mut world, "CreatePrivateDnsNamespace", json!({ "Name": "shop.local", "Vpc": "vpc-1" }));
    let http = make(&mut world, "CreateHttpNamespace", json!({ "Name": "shop" }));
    (world, private, http)
}

fn dns(kind: &str) -> Value {
    json!({ "DnsRecords": [{ "Type": kind, "TTL": 60 }] })
}

#[test]
fn services_are_made_changed_and_listed() {
    let (mut world, private, http) = world();
    let made = json!({ "Name": "web", "NamespaceId": private, "CreatorRequestId": "1", "DnsConfig": dns("A"),
        "HealthCheckCustomConfig": { "FailureThreshold": 5 }, "Tags": [{ "Key": "a", "Value": "1" }] });
    let service = call(&mut world, "CreateService", made.clone()).unwrap()["Service"].clone();
    assert_eq!(
        service["DnsConfig"],
        json!({ "NamespaceId": private, "RoutingPolicy": "MULTIVALUE", "DnsRecords": [{ "Type": "A", "TTL": 60 }] })
    );
    assert_eq!(
        (&service["Type"], &service["HealthCheckCustomConfig"]),
        (&json!("DNS_HTTP"), &json!({ "FailureThreshold": 1 }))
    );
    assert_eq!(call(&mut world, "CreateService", made).unwrap()["Service"], service, "the same request again");
    let check = json!({ "Type": "HTTP" });
    let rows = [
        (
            json!({ "Name": "WEB", "NamespaceId": private, "DnsConfig": dns("A") }),
            "ServiceAlreadyExists: Service already exists: web",
        ),
        (json!({ "Name": "api", "NamespaceId": "ns-0" }), "NamespaceNotFound: No namespace with ID ns-0"),
        (json!({ "Name": "api" }), "InvalidInput: A namespace ID must be specified"),
        (
            json!({ "Name": "api", "NamespaceId": http, "DnsConfig": dns("A") }),
            "InvalidInput: DnsConfig cannot be specified for a service that is found by HTTP only",
        ),
        (
            json!({ "Name": "api", "NamespaceId": private, "HealthCheckConfig": check }),
            "InvalidInput: HealthCheckConfig cannot be specified for a service in a private DNS namespace",
        ),
        (
            json!({ "Name": "api", "NamespaceId": private, "DnsConfig": dns("CNAME") }),
            "InvalidInput: The routing policy of a CNAME record must be WEIGHTED",
        ),
        (json!({ "Name": "api", "NamespaceId": http }), ""),
    ];
    for (input, expected) in rows {
        assert_eq!(said(call(&mut world, "CreateService", input)), expected);
    }
    let filter = json!({ "Filters": [{ "Name": "NAMESPACE_ID", "Values": [private], "Condition": "EQ" }] });
    let listed = call(&mut world, "ListServices", filter).unwrap();
    let listed = listed["Services"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["Name"], listed[0].get("NamespaceId")), (1, &json!("web"), None));

    let (id, arn) = (service["Id"].clone(), service["Arn"].clone());
    let update = |service: Value| json!({ "Id": arn, "Service": service });
    assert!(
        said(call(&mut world, "UpdateService", update(json!({ "DnsConfig": dns("SRV") })))).starts_with("InvalidInput")
    );
    let longer = json!({ "Description": "the page", "DnsConfig": { "DnsRecords": [{ "Type": "A", "TTL": 300 }] } });
    call(&mut world, "UpdateService", update(longer)).unwrap();
    let shown = call(&mut world, "GetService", json!({ "Id": id })).unwrap()["Service"].clone();
    assert_eq!((&shown["DnsConfig"]["DnsRecords"][0]["TTL"], &shown["Description"]), (&json!(300), &json!("the page")));
    call(&mut world, "UpdateService", update(json!({}))).unwrap();
    let shown = call(&mut world, "GetService", json!({ "Id": id })).unwrap()["Service"].clone();
    assert_eq!(
        (&shown["DnsConfig"], &shown["Description"]),
        (&json!({}), &json!("the page")),
        "records go, a text stays"
    );
}

#[test]
fn instances_keep_their_service() {
    let (mut world, private, _) = world();
    let made = json!({ "Name": "web", "NamespaceId": private, "DnsConfig": dns("SRV") });
    let service = call(&mut world, "CreateService", made).unwrap()["Service"].clone();
    let (id, arn) = (service["Id"].clone(), service["Arn"].as_str().unwrap());
    register(&mut world, arn, "task", "10.0.0.1", Some(8080));
    register(&mut world, "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-0", "task", "10.0.0.1", None);
    let listed = call(&mut world, "ListInstances", json!({ "ServiceId": id })).unwrap();
    assert_eq!(listed["Instances"][0]["Attributes"]["AWS_INSTANCE_PORT"], "8080");
    assert!(said(call(&mut world, "DeleteService", json!({ "Id": id }))).starts_with("ResourceInUse"));
    let attributes = json!({ "ServiceId": id, "InstanceId": "own", "Attributes": { "AWS_INSTANCE_IPV4": "10.0.0.2" } });
    assert!(said(call(&mut world, "RegisterInstance", attributes)).contains("AWS_INSTANCE_PORT"));
    let missing = json!({ "ServiceId": id, "InstanceId": "own" });
    assert!(said(call(&mut world, "DeregisterInstance", missing)).starts_with("InstanceNotFound"));
    deregister(&mut world, arn, "task");
    call(&mut world, "DeleteService", json!({ "Id": id })).unwrap();
    assert!(
        said(call(&mut world, "ListTagsForResource", json!({ "ResourceARN": arn }))).starts_with("ResourceNotFound")
    );
}

#[test]
fn namespaces_are_found() {
    let (mut world, private, http) = world();
    let rows = [
        (json!([]), 2),
        (json!([{ "Name": "NAME", "Values": ["shop.local"], "Condition": "EQ" }]), 1),
        (json!([{ "Name": "NAME", "Values": ["shop"], "Condition": "BEGINS_WITH" }]), 2),
        (json!([{ "Name": "TYPE", "Values": ["HTTP", "DNS_PUBLIC"], "Condition": "IN" }]), 1),
        (json!([{ "Name": "TYPE", "Values": ["HTTP"] }, { "Name": "NAME", "Values": ["shop.local"] }]), 0),
    ];
    for (filters, expected) in rows {
        let found = call(&mut world, "ListNamespaces", json!({ "Filters": filters })).unwrap();
        assert_eq!(found["Namespaces"].as_array().unwrap().len(), expected, "{filters}");
    }
    let page = call(&mut world, "ListNamespaces", json!({ "MaxResults": 1 })).unwrap();
    assert_eq!(page["NextToken"], "page-1");
    let again = json!({ "Name": "shop.local", "Vpc": "vpc-1" });
    let refusal = call(&mut world, "CreatePrivateDnsNamespace", again).unwrap_err();
    assert_eq!((refusal.code.as_str(), &refusal.more["NamespaceId"]), ("NamespaceAlreadyExists", &json!(private)));
    let other = json!({ "Name": "shop.local", "Vpc": "vpc-2" });
    call(&mut world, "CreatePrivateDnsNamespace", other).unwrap();
    let shown = call(&mut world, "GetNamespace", json!({ "Id": http })).unwrap();
    assert_eq!(shown["Namespace"]["Properties"]["HttpProperties"], json!({ "HttpName": "shop" }));
}
