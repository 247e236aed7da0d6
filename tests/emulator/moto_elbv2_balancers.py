"""Load balancers, their attributes, and the tags of all that belongs to them as AWS answers them.

Source: the Elastic Load Balancing API reference (DescribeLoadBalancers, LoadBalancerAttribute, AddTags, RemoveTags,
DescribeTags) and the quotas of Application Load Balancers.
"""

from __future__ import annotations

from typing import Any

import moto.elbv2.responses as responses
from moto.core.responses import ActionResult, EmptyResult
from moto_elbv2_actions import refused
from moto_elbv2_listeners import set_attributes
from moto_elbv2_rules import one_page
from moto_repairs import Document, install

MOST_NAMES = 20  # that DescribeLoadBalancers and DescribeTags take
MOST_TAGS = 50

COMMON = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "ipv6.deny_all_igw_traffic": "false",
    "zonal_shift.config.enabled": "false",
}
ATTRIBUTES: dict[str, dict[str, str]] = {
    "application": {
        **COMMON,
        "client_keep_alive.seconds": "3600",
        "connection_logs.s3.enabled": "false",
        "connection_logs.s3.bucket": "",
        "connection_logs.s3.prefix": "",
        "health_check_logs.s3.enabled": "false",
        "health_check_logs.s3.bucket": "",
        "health_check_logs.s3.prefix": "",
        "idle_timeout.timeout_seconds": "60",
        "load_balancing.cross_zone.enabled": "true",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.preserve_host_header.enabled": "false",
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
        "routing.http.xff_client_port.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "routing.http2.enabled": "true",
        "waf.fail_open.enabled": "false",
    },
    "network": {
        **COMMON,
        "dns_record.client_routing_policy": "any_availability_zone",
        "load_balancing.cross_zone.enabled": "false",
        "secondary_ips.auto_assigned.per_subnet": "0",
    },
    "gateway": {"deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "false"},
}


def repair() -> None:
    install(
        responses.ELBV2Response,
        [
            describe_load_balancers,
            describe_load_balancer_attributes,
            modify_load_balancer_attributes,
            add_tags,
            describe_tags,
        ],
    )


def describe_load_balancers(self: Any) -> ActionResult:
    """Twenty names or ARNs at most; one that is unknown makes the whole call LoadBalancerNotFound (moto takes the one
    before it instead)."""
    asked = self._get_params()
    backend = self.elbv2_backend
    balancers = backend.describe_load_balancers([], [])
    for member, attribute in (("LoadBalancerArns", "arn"), ("Names", "name")):
        wanted = asked.get(member) or []
        _check_count(member, wanted)
        known = {getattr(each, attribute) for each in balancers}
        for value in wanted:
            if value not in known:
                raise refused("LoadBalancerNotFound", f"Load balancers '[{value}]' not found")
        if wanted:
            balancers = [each for each in balancers if getattr(each, attribute) in wanted]
    balancers, marker = one_page(balancers, asked)
    return ActionResult({"LoadBalancers": balancers, "NextMarker": marker})


def _check_count(member: str, values: list[str]) -> None:
    if len(values) > MOST_NAMES:
        message = f"'{member}' can have at most {MOST_NAMES} elements, but has {len(values)}"
        raise refused("ValidationError", message)


def describe_load_balancer_attributes(self: Any) -> ActionResult:
    return ActionResult({"Attributes": _attributes(self.elbv2_backend, self._get_params()["LoadBalancerArn"])})


def modify_load_balancer_attributes(self: Any) -> ActionResult:
    asked = self._get_params()
    attributes = _attributes(self.elbv2_backend, asked["LoadBalancerArn"])
    known = {key for each in ATTRIBUTES.values() for key in each}
    set_attributes("Load balancer", attributes, asked.get("Attributes", []), known)
    return ActionResult({"Attributes": attributes})


def _attributes(backend: Any, arn: str) -> dict[str, str]:
    """All attributes of the load balancer's type; moto's own record of them is incomplete, so it is replaced at the
    first use."""
    balancer = backend.load_balancers.get(arn)
    if balancer is None:
        raise refused("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
    if not hasattr(balancer, "all_attributes"):
        balancer.all_attributes = dict(ATTRIBUTES.get(balancer.type, ATTRIBUTES["application"]))
    attributes: dict[str, str] = balancer.all_attributes
    return attributes


def add_tags(self: Any) -> EmptyResult:
    """Fifty tags a resource; a key given twice is DuplicateTagKeys. A tag that is there gets the new value."""
    asked = self._get_params()
    backend = self.elbv2_backend
    tags: list[Document] = asked.get("Tags", [])
    keys = [each["Key"] for each in tags]
    if len(set(keys)) < len(keys):
        raise refused("DuplicateTagKeys", "A tag key was specified more than once")
    for arn in asked.get("ResourceArns", []):
        backend._get_resource_by_arn(arn)
        if len({*backend.tagging_service.get_tag_dict_for_resource(arn), *keys}) > MOST_TAGS:
            raise refused("TooManyTags", f"The maximum number of tags for the resource is {MOST_TAGS}")
    for arn in asked.get("ResourceArns", []):
        backend.tagging_service.tag_resource(arn, tags)
    return EmptyResult()


def describe_tags(self: Any) -> ActionResult:
    """Twenty ARNs at most, of resources that exist."""
    backend = self.elbv2_backend
    arns = self._get_params().get("ResourceArns", [])
    _check_count("ResourceArns", arns)
    for arn in arns:
        backend._get_resource_by_arn(arn)
    tags = backend.describe_tags(arns)
    return ActionResult({"TagDescriptions": [{"ResourceArn": arn, "Tags": each} for arn, each in tags.items()]})
