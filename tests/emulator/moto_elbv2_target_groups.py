"""Target groups and their attributes as AWS answers them.

Source: the Elastic Load Balancing API reference (CreateTargetGroup, ModifyTargetGroup, DeleteTargetGroup,
TargetGroupAttribute) and, for the defaults by protocol and type, the answers of the API that Terraform's AWS provider
and cdkd have recorded, where they differ from the guides.
"""

from __future__ import annotations

from typing import Any

import moto.elbv2.models as models
import moto.elbv2.responses as responses
from moto.core.responses import ActionResult, EmptyResult
from moto_elbv2_actions import all_actions, refused, target_groups_of
from moto_elbv2_listeners import set_attributes
from moto_elbv2_rules import one_page
from moto_repairs import Document, install

HTTP = ("HTTP", "HTTPS")
UDP = ("UDP", "TCP_UDP", "QUIC", "TCP_QUIC")

# Member of the request: attribute of moto's group. All but the matcher.
HEALTH_CHECK = {
    "HealthCheckEnabled": "health_check_enabled",
    "HealthCheckProtocol": "health_check_protocol",
    "HealthCheckPort": "health_check_port",
    "HealthCheckPath": "health_check_path",
    "HealthCheckIntervalSeconds": "health_check_interval_seconds",
    "HealthCheckTimeoutSeconds": "health_check_timeout_seconds",
    "HealthyThresholdCount": "healthy_threshold_count",
    "UnhealthyThresholdCount": "unhealthy_threshold_count",
    "Matcher": "matcher",
}
RANGES = {
    "HealthCheckIntervalSeconds": (5, 300),
    "HealthCheckTimeoutSeconds": (2, 120),
    "HealthyThresholdCount": (2, 10),
    "UnhealthyThresholdCount": (2, 10),
}

HEALTH_OF_THE_GROUP = {
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
COOKIES = {
    "stickiness.enabled": "false",
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.app_cookie.cookie_name": "",
}
CROSS_ZONE = {"load_balancing.cross_zone.enabled": "use_load_balancer_configuration"}
DELAY = {"deregistration_delay.timeout_seconds": "300"}
ALGORITHM = {
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "slow_start.duration_seconds": "0",
}


def repair() -> None:
    install(
        responses.ELBV2Response,
        [
            create_target_group,
            modify_target_group,
            describe_target_groups,
            delete_target_group,
            describe_target_group_attributes,
            modify_target_group_attributes,
        ],
    )
    models.FakeTargetGroup.load_balancer_arns = property(_load_balancer_arns, lambda self, value: None)  # type: ignore


def _load_balancer_arns(self: Any) -> list[str]:
    """The load balancers whose listeners or rules forward to the group now; moto only ever adds to the list."""
    backend = models.elbv2_backends[self.account_id][self.region_name]
    users = {balancer.arn for balancer, action in all_actions(backend) if self.arn in target_groups_of([action])}
    return sorted(users)


def health_check_defaults(target_type: str, protocol: str, version: str | None) -> Document:
    """The health check of a new group, by what it balances."""
    check: Document = {"HealthCheckEnabled": True, "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2}
    if target_type == "lambda":
        times, path, code, where = (35, 30), "/", {"HttpCode": "200"}, (None, None)
        check["HealthCheckEnabled"] = False
    elif target_type == "alb":
        times, path, code, where = (30, 6), "/", {"HttpCode": "200-399"}, ("HTTP", "traffic-port")
    elif protocol == "GENEVE":
        times, path, code, where = (10, 5), None, None, ("TCP", "80")
    elif protocol not in HTTP:
        times, path, code, where = (30, 10), None, None, ("TCP", "traffic-port")
    elif version == "GRPC":
        times, path, code, where = (30, 5), "/AWS.ALB/healthcheck", {"GrpcCode": "12"}, (protocol, "traffic-port")
    else:
        times, path, code, where = (30, 5), "/", {"HttpCode": "200"}, (protocol, "traffic-port")
    check["HealthCheckIntervalSeconds"], check["HealthCheckTimeoutSeconds"] = times
    check["HealthCheckProtocol"], check["HealthCheckPort"] = where
    return {**check, "HealthCheckPath": path, "Matcher": code}


def default_attributes(target_type: str, protocol: str) -> dict[str, str]:
    """Every attribute that such a group has, at its default."""
    if target_type == "lambda":
        return {"lambda.multi_value_headers.enabled": "false", **COOKIES, **HEALTH_OF_THE_GROUP, **CROSS_ZONE}
    if protocol in HTTP:
        return {**DELAY, **COOKIES, **ALGORITHM, **CROSS_ZONE, **HEALTH_OF_THE_GROUP}
    if protocol == "GENEVE":
        return {
            **DELAY,
            "stickiness.enabled": "false",
            "stickiness.type": "source_ip_dest_ip_proto",
            "target_failover.on_deregistration": "no_rebalance",
            "target_failover.on_unhealthy": "no_rebalance",
            **CROSS_ZONE,
        }
    keeps_client = protocol in UDP or target_type != "ip"
    return {
        **DELAY,
        "deregistration_delay.connection_termination.enabled": "true" if protocol in UDP else "false",
        "preserve_client_ip.enabled": "true" if keeps_client else "false",
        "proxy_protocol_v2.enabled": "false",
        "stickiness.enabled": "false",
        "stickiness.type": "source_ip",
        "target_health_state.unhealthy.connection_termination.enabled": "true",
        "target_health_state.unhealthy.draining_interval_seconds": "0",
        **CROSS_ZONE,
        **HEALTH_OF_THE_GROUP,
    }


def create_target_group(self: Any) -> ActionResult:
    """With the name and the settings of an existing group AWS returns that group ("if you repeat the call with the
    same settings, it succeeds"); with other settings it is DuplicateTargetGroupName."""
    asked = self._get_params()
    backend = self.elbv2_backend
    target_type = asked.get("TargetType", "instance")
    protocol = asked.get("Protocol") or ""
    settings = {key: value for key, value in asked.items() if key != "Tags" and value is not None}
    for group in backend.target_groups.values():
        if group.name == asked["Name"] and group.asked == settings:
            return ActionResult({"TargetGroups": [shown_target_group(group)]})

    version = asked.get("ProtocolVersion") or ("HTTP1" if protocol in HTTP else None)
    check = _with_check_kind(health_check_defaults(target_type, protocol, version), asked)
    _check_health_check(target_type, protocol, check)
    group = backend.create_target_group(
        asked["Name"],
        vpc_id=asked.get("VpcId"),
        protocol=asked.get("Protocol"),
        protocol_version=version,
        port=asked.get("Port"),
        ip_address_type=asked.get("IpAddressType"),
        target_type=target_type,
        tags=asked.get("Tags"),
    )
    group.asked = settings
    group.target_control_port = asked.get("TargetControlPort")
    _store_health_check(group, check)
    group.attributes = default_attributes(target_type, protocol)
    return ActionResult({"TargetGroups": [shown_target_group(group)]})


def modify_target_group(self: Any) -> ActionResult:
    """Only the health check can be changed, and of it only what is given. A check that turns to TCP loses its path
    and its matcher."""
    asked = self._get_params()
    group = _group_of(self.elbv2_backend, asked["TargetGroupArn"])
    before = {key: getattr(group, attribute, None) for key, attribute in HEALTH_CHECK.items()}
    check = _with_check_kind(before, asked)
    _check_health_check(group.target_type, group.protocol or "", check)
    _store_health_check(group, check)
    group.asked = None
    return ActionResult({"TargetGroups": [shown_target_group(group)]})


def _with_check_kind(before: Document, asked: Document) -> Document:
    """The check with what was asked for; path and matcher come and go with the protocol of the check."""
    check = {**before, **{key: asked[key] for key in HEALTH_CHECK if asked.get(key) is not None}}
    if check["HealthCheckProtocol"] == "TCP":
        if asked.get("HealthCheckPath") or asked.get("Matcher"):
            raise refused(
                "InvalidConfigurationRequest",
                "You cannot specify a health check path or a matcher with the health check protocol TCP",
            )
        check["HealthCheckPath"] = check["Matcher"] = None
    elif before["HealthCheckProtocol"] == "TCP":
        check["HealthCheckPath"] = check["HealthCheckPath"] or "/"
        check["Matcher"] = check["Matcher"] or {"HttpCode": "200-399"}
    return check


def _check_health_check(target_type: str, protocol: str, check: Document) -> None:
    for key, (lowest, highest) in RANGES.items():
        if not lowest <= int(check[key]) <= highest:
            raise refused("ValidationError", f"'{key}' value '{check[key]}' must be between {lowest} and {highest}")
    interval, timeout = int(check["HealthCheckIntervalSeconds"]), int(check["HealthCheckTimeoutSeconds"])
    if timeout > interval or (timeout == interval and protocol in HTTP):
        raise refused(
            "ValidationError", f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        )
    if target_type != "lambda" and check["HealthCheckEnabled"] is False:
        message = f"Health check enabled must be true for target groups with target type '{target_type}'"
        raise refused("InvalidConfigurationRequest", message)
    if protocol in HTTP and check["HealthCheckProtocol"] not in HTTP:
        wanted = check["HealthCheckProtocol"]
        message = f"Health check protocol '{wanted}' is not supported for {protocol} target groups"
        raise refused("InvalidConfigurationRequest", message)
    code = (check["Matcher"] or {}).get("HttpCode")
    if code and not models.FakeTargetGroup.HTTP_CODE_REGEX.fullmatch(code):
        raise refused("ValidationError", f"Health check matcher HTTP code '{code}' is not valid")


def _store_health_check(group: Any, check: Document) -> None:
    for key, attribute in HEALTH_CHECK.items():
        setattr(group, attribute, check[key])


def describe_target_groups(self: Any) -> ActionResult:
    """One name or ARN that is unknown makes the whole call TargetGroupNotFound."""
    asked = self._get_params()
    found = self.elbv2_backend.describe_target_groups(
        asked.get("LoadBalancerArn"), asked.get("TargetGroupArns") or [], asked.get("Names") or []
    )
    groups, marker = one_page(list(found), asked)
    return ActionResult({"TargetGroups": [shown_target_group(each) for each in groups], "NextMarker": marker})


def shown_target_group(group: Any) -> Document:
    check = {key: getattr(group, attribute, None) for key, attribute in HEALTH_CHECK.items()}
    return {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": group.protocol,
        "Port": group.port,
        "VpcId": group.vpc_id,
        **check,
        "LoadBalancerArns": group.load_balancer_arns,
        "TargetType": group.target_type,
        "ProtocolVersion": group.protocol_version,
        "IpAddressType": group.ip_address_type,
        "TargetControlPort": group.target_control_port,
    }


def delete_target_group(self: Any) -> EmptyResult:
    """ResourceInUse while a listener or a rule forwards to the group, also as one of several. A group that is not
    there counts as deleted."""
    backend = self.elbv2_backend
    arn = self._get_params()["TargetGroupArn"]
    if any(arn in target_groups_of([action]) for _, action in all_actions(backend)):
        raise refused("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
    backend.target_groups.pop(arn, None)
    return EmptyResult()


def describe_target_group_attributes(self: Any) -> ActionResult:
    group = _group_of(self.elbv2_backend, self._get_params()["TargetGroupArn"])
    return ActionResult({"Attributes": group.attributes})


def modify_target_group_attributes(self: Any) -> ActionResult:
    """Answers with all attributes, not only with those that were set."""
    asked = self._get_params()
    backend = self.elbv2_backend
    group = _group_of(backend, asked["TargetGroupArn"])
    kinds = (("lambda", ""), ("instance", "HTTP"), ("instance", "TCP"), ("instance", "GENEVE"))
    known = {key for kind in kinds for key in default_attributes(*kind)}
    given = asked.get("Attributes", [])
    set_attributes("Target group", dict(group.attributes), given, known)
    backend.modify_target_group_attributes(group.arn, {each["Key"]: str(each.get("Value", "")) for each in given})
    return ActionResult({"Attributes": group.attributes})


def _group_of(backend: Any, arn: str) -> Any:
    group = backend.target_groups.get(arn)
    if group is None:
        raise refused("TargetGroupNotFound", "One or more target groups not found")
    return group
