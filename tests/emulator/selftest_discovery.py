"""Self-test of Cloud Map and of log groups."""

from __future__ import annotations

from typing import Any

import boto3
from selftest_support import CONFIG, create, ec2, read, refused, register, wait_for

cloud_map = boto3.client("servicediscovery", config=CONFIG)
logs = boto3.client("logs", config=CONFIG)
A_RECORD = {"DnsRecords": [{"Type": "A", "TTL": 10}]}


def operation(answer: dict[str, Any]) -> dict[str, str]:
    """The targets of the operation, which AWS names once it has succeeded."""
    shown = cloud_map.get_operation(OperationId=answer["OperationId"])["Operation"]
    assert shown["Status"] == "SUCCESS"
    return dict(shown["Targets"])


def namespace(name: str, *, http: bool = False, public: bool = False) -> str:
    if http:
        return operation(cloud_map.create_http_namespace(Name=name))["NAMESPACE"]
    if public:
        return operation(cloud_map.create_public_dns_namespace(Name=name))["NAMESPACE"]
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    return operation(cloud_map.create_private_dns_namespace(Name=name, Vpc=vpc))["NAMESPACE"]


def service(name: str, namespace_id: str, **changes: Any) -> dict[str, Any]:
    request = {"Name": name, "NamespaceId": namespace_id, "DnsConfig": A_RECORD, **changes}
    request = {key: value for key, value in request.items() if value is not None}
    return dict(cloud_map.create_service(**request)["Service"])


def shown(made: dict[str, Any]) -> dict[str, Any]:
    return dict(cloud_map.get_service(Id=made["Id"])["Service"])


def test_a_vpc_has_namespaces_of_many_names_and_they_are_listed_by_name_and_type() -> None:
    first, _, http = namespace("one.test"), namespace("two.test"), namespace("http.test", http=True)
    refused("NamespaceAlreadyExists", namespace, name="one.test")

    def listed(name: str, *values: str) -> set[str]:
        condition = {"Name": name, "Values": list(values), "Condition": "EQ"}
        return {each["Name"] for each in cloud_map.list_namespaces(Filters=[condition])["Namespaces"]}

    assert listed("NAME", "one.test") == {"one.test"} and listed("NAME", "absent") == set()
    assert listed("TYPE", "HTTP") >= {"http.test"} and "one.test" not in listed("TYPE", "HTTP")
    assert cloud_map.get_namespace(Id=first)["Namespace"]["Properties"]["DnsProperties"]["HostedZoneId"]
    assert "DnsProperties" not in cloud_map.get_namespace(Id=http)["Namespace"]["Properties"]
    refused("NamespaceNotFound", cloud_map.get_namespace, Id="ns-absent")
    assert len(cloud_map.list_namespaces(MaxResults=1)["Namespaces"]) == 1
    pages = cloud_map.get_paginator("list_namespaces").paginate(PaginationConfig={"PageSize": 1})
    assert {"one.test", "two.test"} <= {each["Name"] for answer in pages for each in answer["Namespaces"]}


def test_create_service_fills_in_type_routing_policy_and_threshold() -> None:
    private = namespace("fill.test")
    made = service("api", private, HealthCheckCustomConfig={"FailureThreshold": 3}, Tags=[{"Key": "a", "Value": "1"}])
    assert made["Type"] == "DNS_HTTP" and made["DnsConfig"]["RoutingPolicy"] == "MULTIVALUE"
    assert made["HealthCheckCustomConfig"] == {"FailureThreshold": 1} and made["NamespaceId"] == private
    assert shown(made) == made
    message = refused("ServiceAlreadyExists", service, name="api", namespace_id=private)
    assert "api" in message
    refused("NamespaceNotFound", service, name="api", namespace_id="ns-absent")
    checked = service("web", namespace("public.test", public=True), HealthCheckConfig={"Type": "HTTP"})
    assert checked["HealthCheckConfig"] == {"Type": "HTTP", "ResourcePath": "/", "FailureThreshold": 1}
    plain = service("plain", namespace("only-http", http=True), DnsConfig=None)
    assert plain["Type"] == "HTTP" and "DnsConfig" not in plain
    by_filter = [{"Name": "NAMESPACE_ID", "Values": [private], "Condition": "EQ"}]
    assert [each["Name"] for each in cloud_map.list_services(Filters=by_filter)["Services"]] == ["api"]
    again = cloud_map.create_service(Name="token", NamespaceId=private, CreatorRequestId="t", DnsConfig=A_RECORD)
    same = cloud_map.create_service(Name="token", NamespaceId=private, CreatorRequestId="t", DnsConfig=A_RECORD)
    assert again["Service"]["Id"] == same["Service"]["Id"]


def test_update_service_deletes_what_is_left_out_and_changes_only_ttls_and_the_health_check() -> None:
    public = namespace("update.test", public=True)
    made = service("api", public, HealthCheckConfig={"Type": "HTTP"}, Description="old")

    def update(**change: Any) -> None:
        operation(cloud_map.update_service(Id=made["Id"], Service=change))

    check = {"Type": "HTTP", "ResourcePath": "/health", "FailureThreshold": 2}
    update(Description="new", DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]}, HealthCheckConfig=check)
    after = shown(made)
    assert after["Description"] == "new" and after["HealthCheckConfig"] == check
    assert after["DnsConfig"]["DnsRecords"] == [{"Type": "A", "TTL": 60}]
    assert after["DnsConfig"]["RoutingPolicy"] == "MULTIVALUE"
    refused("InvalidInput", update, DnsConfig={"DnsRecords": [{"Type": "SRV", "TTL": 60}]})
    update(DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]})
    assert "HealthCheckConfig" not in shown(made) and shown(made)["Description"] == "new"
    update(Description="bare")
    assert "DnsConfig" not in shown(made)
    custom = service("custom", namespace("custom.test"), HealthCheckCustomConfig={"FailureThreshold": 1})
    operation(cloud_map.update_service(Id=custom["Id"], Service={"DnsConfig": A_RECORD}))
    assert shown(custom)["HealthCheckCustomConfig"] == {"FailureThreshold": 1}
    http = service("api", namespace("update-http", http=True), DnsConfig=None)
    refused("InvalidInput", cloud_map.update_service, Id=http["Id"], Service={"Description": "x"})
    refused("ServiceNotFound", cloud_map.update_service, Id="srv-absent", Service={"Description": "x"})


def test_cloud_map_tags_and_deletion() -> None:
    made = service("api", namespace("tags.test"), Tags=[{"Key": "a", "Value": "1"}])
    cloud_map.tag_resource(ResourceARN=made["Arn"], Tags=[{"Key": "b", "Value": "2"}])
    cloud_map.untag_resource(ResourceARN=made["Arn"], TagKeys=["a"])
    assert cloud_map.list_tags_for_resource(ResourceARN=made["Arn"])["Tags"] == [{"Key": "b", "Value": "2"}]
    cloud_map.register_instance(ServiceId=made["Id"], InstanceId="i", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"})
    refused("ResourceInUse", cloud_map.delete_service, Id=made["Id"])
    cloud_map.deregister_instance(ServiceId=made["Id"], InstanceId="i")
    cloud_map.delete_service(Id=made["Id"])
    refused("ServiceNotFound", cloud_map.get_service, Id=made["Id"])
    refused("ResourceNotFoundException", cloud_map.list_tags_for_resource, ResourceARN=made["Arn"])


def test_an_ecs_service_takes_a_registry_of_cloud_map() -> None:
    registry = {"registryArn": service("registered", namespace("ecs.test"))["Arn"]}
    create("registered", serviceRegistries=[registry])
    assert read("registered")["serviceRegistries"] == [registry]


def test_log_groups_keep_retention_tags_and_key() -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b"

    def groups(prefix: str) -> list[dict[str, Any]]:
        return list(logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"])

    logs.create_log_group(logGroupName="/selftest/one", tags={"a": "1"}, kmsKeyId=key)
    logs.create_log_group(logGroupName="/selftest/two")
    one, two = groups("/selftest/")
    assert one["kmsKeyId"] == key and "retentionInDays" not in one and one["logGroupClass"] == "STANDARD"
    assert two["logGroupName"] == "/selftest/two" and one["arn"] == one["logGroupArn"] + ":*"
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/selftest/one")
    logs.put_retention_policy(logGroupName="/selftest/one", retentionInDays=30)
    assert groups("/selftest/one")[0]["retentionInDays"] == 30
    refused("InvalidParameterException", logs.put_retention_policy, logGroupName="/selftest/one", retentionInDays=31)
    refused("ResourceNotFoundException", logs.put_retention_policy, logGroupName="/absent", retentionInDays=30)
    logs.delete_retention_policy(logGroupName="/selftest/one")
    assert "retentionInDays" not in groups("/selftest/one")[0]
    arn = one["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"b": "2"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/selftest/", PaginationConfig={"PageSize": 1}
    )
    assert [len(each["logGroups"]) for each in pages] == [1, 1]
    logs.delete_log_group(logGroupName="/selftest/one")
    refused("ResourceNotFoundException", logs.delete_log_group, logGroupName="/selftest/one")
    refused("ResourceNotFoundException", logs.list_tags_for_resource, resourceArn=arn)
    logs.create_log_group(logGroupName="/selftest/one")
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_ecs_makes_no_log_groups() -> None:
    options = {"awslogs-group": "/selftest/ecs", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}
    container = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    create("logging", taskDefinition=register("logging", container=container), desiredCount=1)
    wait_for(lambda: read("logging")["runningCount"] == 1)
    assert not logs.describe_log_groups(logGroupNamePrefix="/selftest/ecs")["logGroups"]
