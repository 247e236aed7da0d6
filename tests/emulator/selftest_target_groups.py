"""Self-test of load balancers, target groups, their attributes, and the tags of all that belongs to them."""

from __future__ import annotations

from typing import Any

from selftest_balancing import balancer, group, listener, pairs, rule
from selftest_support import elbv2, refused

# Load balancers


def test_load_balancer_attributes_by_type() -> None:
    arn = balancer()
    attributes = pairs(elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    assert attributes["idle_timeout.timeout_seconds"] == "60" and attributes["routing.http2.enabled"] == "true"
    assert attributes["load_balancing.cross_zone.enabled"] == "true"
    change = [{"Key": "idle_timeout.timeout_seconds", "Value": "61"}]
    changed = elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=change)["Attributes"]
    assert pairs(changed) == {**attributes, "idle_timeout.timeout_seconds": "61"}
    unknown = [{"Key": "idle_timeout.seconds", "Value": "1"}]
    refused("ValidationError", elbv2.modify_load_balancer_attributes, LoadBalancerArn=arn, Attributes=unknown)
    network = balancer("network")
    described = pairs(elbv2.describe_load_balancer_attributes(LoadBalancerArn=network)["Attributes"])
    assert described["load_balancing.cross_zone.enabled"] == "false" and "routing.http2.enabled" not in described
    code = "InvalidConfigurationRequest"
    refused(code, elbv2.modify_load_balancer_attributes, LoadBalancerArn=network, Attributes=change)


def test_an_unknown_load_balancer_beside_a_known_one_is_refused() -> None:
    name = elbv2.describe_load_balancers(LoadBalancerArns=[balancer()])["LoadBalancers"][0]["LoadBalancerName"]
    refused("LoadBalancerNotFound", elbv2.describe_load_balancers, Names=[name, "absent"])
    refused("ValidationError", elbv2.describe_load_balancers, Names=[f"n{number}" for number in range(21)])


# Target groups


def test_target_groups_are_filled_in_by_protocol_and_type() -> None:
    def check(made: dict[str, Any]) -> tuple[Any, ...]:
        kinds = ("Enabled", "Protocol", "Port", "IntervalSeconds", "TimeoutSeconds", "Path")
        counts = (made["HealthyThresholdCount"], made["UnhealthyThresholdCount"])
        return (*(made.get("HealthCheck" + kind) for kind in kinds), *counts, made.get("Matcher"))

    web = group(TargetType=None)
    assert (web["TargetType"], web["ProtocolVersion"], web["IpAddressType"]) == ("instance", "HTTP1", "ipv4")
    assert check(web) == (True, "HTTP", "traffic-port", 30, 5, "/", 5, 2, {"HttpCode": "200"}), check(web)
    assert check(group(Protocol="HTTPS"))[1] == "HTTPS"
    grpc = group(ProtocolVersion="GRPC")
    assert check(grpc)[5:] == ("/AWS.ALB/healthcheck", 5, 2, {"GrpcCode": "12"}), check(grpc)
    tcp = group(Protocol="TCP")
    assert check(tcp) == (True, "TCP", "traffic-port", 30, 10, None, 5, 2, None) and "ProtocolVersion" not in tcp
    assert check(group(Protocol="TCP", HealthCheckProtocol="HTTP"))[5:] == ("/", 5, 2, {"HttpCode": "200-399"})
    alb = group(Protocol="TCP", TargetType="alb")
    assert check(alb) == (True, "HTTP", "traffic-port", 30, 6, "/", 5, 2, {"HttpCode": "200-399"}), check(alb)
    function = group(TargetType="lambda", Protocol=None, Port=None, VpcId=None)
    assert check(function) == (False, None, None, 35, 30, "/", 5, 2, {"HttpCode": "200"}), check(function)
    described = elbv2.describe_target_groups(TargetGroupArns=[web["TargetGroupArn"]])["TargetGroups"][0]
    assert {**described, "LoadBalancerArns": []} == {**web, "LoadBalancerArns": []}
    refused("InvalidConfigurationRequest", lambda: group(HealthCheckEnabled=False))
    refused("ValidationError", lambda: group(HealthCheckIntervalSeconds=5))


def test_modify_target_group_changes_only_what_is_given() -> None:
    before = group(Protocol="TCP", HealthCheckProtocol="HTTP", HealthCheckPath="/health")
    arn = before["TargetGroupArn"]
    after = elbv2.modify_target_group(TargetGroupArn=arn, HealthCheckIntervalSeconds=15)["TargetGroups"][0]
    assert after == {**before, "HealthCheckIntervalSeconds": 15, "LoadBalancerArns": after["LoadBalancerArns"]}
    after = elbv2.modify_target_group(TargetGroupArn=arn, Matcher={"HttpCode": "200-299"})["TargetGroups"][0]
    assert after["Matcher"] == {"HttpCode": "200-299"} and after["HealthCheckPath"] == "/health"
    after = elbv2.modify_target_group(TargetGroupArn=arn, HealthCheckProtocol="TCP")["TargetGroups"][0]
    assert "HealthCheckPath" not in after and "Matcher" not in after
    refused("ValidationError", elbv2.modify_target_group, TargetGroupArn=arn, HealthyThresholdCount=11)
    refused("TargetGroupNotFound", elbv2.modify_target_group, TargetGroupArn=arn + "0", HealthCheckPath="/")


def test_target_group_attributes_by_protocol_and_type() -> None:
    def attributes(**settings: Any) -> dict[str, str]:
        arn = group(**settings)["TargetGroupArn"]
        return pairs(elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])

    web = attributes()
    assert web["deregistration_delay.timeout_seconds"] == "300" and web["stickiness.type"] == "lb_cookie"
    assert web["load_balancing.algorithm.anomaly_mitigation"] == "off" and web["slow_start.duration_seconds"] == "0"
    assert web["target_group_health.dns_failover.minimum_healthy_targets.percentage"] == "off"
    assert web["stickiness.app_cookie.cookie_name"] == "" and "preserve_client_ip.enabled" not in web
    terminates = "deregistration_delay.connection_termination.enabled"
    tcp, udp = attributes(Protocol="TCP"), attributes(Protocol="UDP")
    assert tcp["stickiness.type"] == "source_ip"
    assert (tcp["preserve_client_ip.enabled"], tcp[terminates]) == ("false", "false")
    assert (udp["preserve_client_ip.enabled"], udp[terminates]) == ("true", "true")
    assert attributes(Protocol="TCP", TargetType="instance")["preserve_client_ip.enabled"] == "true"
    arn = group()["TargetGroupArn"]
    change = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    changed = elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=change)["Attributes"]
    assert pairs(changed) == {**web, "deregistration_delay.timeout_seconds": "30"}
    unknown = [{"Key": "deregistration_delay", "Value": "1"}]
    refused("ValidationError", elbv2.modify_target_group_attributes, TargetGroupArn=arn, Attributes=unknown)
    other = [{"Key": "preserve_client_ip.enabled", "Value": "true"}]
    refused("InvalidConfigurationRequest", elbv2.modify_target_group_attributes, TargetGroupArn=arn, Attributes=other)


def test_a_target_group_in_use_cannot_be_deleted_and_shows_its_load_balancers() -> None:
    arn, one, two = balancer(), group()["TargetGroupArn"], group()["TargetGroupArn"]

    def balancers(target_group: str) -> list[str]:
        found = elbv2.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"][0]
        return list(found["LoadBalancerArns"])

    made = listener(arn)["ListenerArn"]
    both = {"TargetGroups": [{"TargetGroupArn": one}, {"TargetGroupArn": two}]}
    by_rule = rule(made, 1, Actions=[{"Type": "forward", "ForwardConfig": both}])["RuleArn"]
    assert balancers(one) == balancers(two) == [arn]
    refused("ResourceInUse", elbv2.delete_target_group, TargetGroupArn=two)
    elbv2.modify_rule(RuleArn=by_rule, Actions=[{"Type": "forward", "TargetGroupArn": one}])
    assert balancers(two) == []
    elbv2.delete_target_group(TargetGroupArn=two)
    refused("TargetGroupNotFound", elbv2.describe_target_groups, TargetGroupArns=[two])
    refused("TargetGroupNotFound", elbv2.describe_target_groups, Names=["absent"])
    elbv2.modify_listener(ListenerArn=made, DefaultActions=[{"Type": "forward", "TargetGroupArn": one}])
    elbv2.delete_rule(RuleArn=by_rule)
    refused("ResourceInUse", elbv2.delete_target_group, TargetGroupArn=one)
    elbv2.delete_listener(ListenerArn=made)
    assert balancers(one) == []
    elbv2.delete_target_group(TargetGroupArn=one)


# Tags


def test_tags_of_load_balancers_listeners_rules_and_target_groups() -> None:
    arn = balancer()
    made = listener(arn, Tags=[{"Key": "made", "Value": "with"}])["ListenerArn"]
    arns = [arn, made, rule(made, 1)["RuleArn"], group()["TargetGroupArn"]]
    elbv2.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    elbv2.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "3"}])
    elbv2.remove_tags(ResourceArns=arns, TagKeys=["b", "absent"])
    for described in elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]:
        want = {"a": "3", **({"made": "with"} if described["ResourceArn"] == made else {})}
        assert pairs(described["Tags"]) == want
    elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(49)])
    refused("TooManyTags", elbv2.add_tags, ResourceArns=[arn], Tags=[{"Key": "one-more", "Value": "v"}])
    refused("ValidationError", elbv2.describe_tags, ResourceArns=[arn] * 21)
    refused("TargetGroupNotFound", elbv2.describe_tags, ResourceArns=[arns[-1] + "0"])
