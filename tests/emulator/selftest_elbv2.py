"""Self-test of load balancing: rules, listeners, certificates, target groups, attributes and tags."""

from __future__ import annotations

import itertools
from typing import Any

import boto3
from selftest_support import ec2, elbv2, refused

NOT_FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
UNKNOWN_GROUP = "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/absent/0123456789abcdef"
_numbers = itertools.count(1)


def unique(prefix: str) -> str:
    return f"{prefix}-{next(_numbers)}"


def vpc() -> str:
    return str(ec2.describe_subnets()["Subnets"][0]["VpcId"])


def group(**changes: Any) -> dict[str, Any]:
    request = {"Name": unique("group"), "Protocol": "HTTP", "Port": 80, "VpcId": vpc(), "TargetType": "ip", **changes}
    request = {key: value for key, value in request.items() if value is not None}
    return dict(elbv2.create_target_group(**request)["TargetGroups"][0])


def balancer(kind: str = "application") -> str:
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    made = elbv2.create_load_balancer(Name=unique("balancer"), Subnets=subnets, Type=kind)["LoadBalancers"][0]
    return str(made["LoadBalancerArn"])


def listener(arn: str = "", **changes: Any) -> dict[str, Any]:
    request = {"Protocol": "HTTP", "Port": 80, "DefaultActions": [NOT_FOUND], **changes}
    return dict(elbv2.create_listener(LoadBalancerArn=arn or balancer(), **request)["Listeners"][0])


def certificate() -> str:
    return str(boto3.client("acm").request_certificate(DomainName=unique("host") + ".invalid")["CertificateArn"])


def rule(listener_arn: str, priority: int, **changes: Any) -> dict[str, Any]:
    request = {"Conditions": [hosts(f"host-{priority}.example.com")], "Actions": [NOT_FOUND], **changes}
    return dict(elbv2.create_rule(ListenerArn=listener_arn, Priority=priority, **request)["Rules"][0])


def hosts(*names: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(names)}}


def shown(arn: str) -> dict[str, Any]:
    return dict(elbv2.describe_rules(RuleArns=[arn])["Rules"][0])


def pairs(attributes: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in attributes}


# Rules


def test_rule_priorities_are_swapped_at_once_and_collide_with_rules_outside_the_call() -> None:
    arn = listener()["ListenerArn"]
    one, two, three = (rule(arn, priority)["RuleArn"] for priority in (1, 2, 3))

    def set_priorities(**priorities: int) -> Any:
        named = {"one": one, "two": two, "three": three}
        asked = [{"RuleArn": named[name], "Priority": priority} for name, priority in priorities.items()]
        return elbv2.set_rule_priorities(RulePriorities=asked)

    set_priorities(one=2, two=1)
    assert (shown(one)["Priority"], shown(two)["Priority"]) == ("2", "1")
    refused("PriorityInUse", set_priorities, one=5, two=3)
    assert shown(one)["Priority"] == "2", "nothing is applied"
    set_priorities(one=3, two=2, three=1)
    assert [shown(each)["Priority"] for each in (one, two, three)] == ["3", "2", "1"]
    default = next(each for each in elbv2.describe_rules(ListenerArn=arn)["Rules"] if each["IsDefault"])
    assert default["Priority"] == "default" and default["Conditions"] == []
    request = {"RulePriorities": [{"RuleArn": default["RuleArn"], "Priority": 9}]}
    refused("OperationNotPermitted", elbv2.set_rule_priorities, **request)
    refused("OperationNotPermitted", elbv2.delete_rule, RuleArn=default["RuleArn"])
    refused("OperationNotPermitted", elbv2.modify_rule, RuleArn=default["RuleArn"], Actions=[NOT_FOUND])


def test_create_rule_refuses_a_priority_in_use_and_unknown_things() -> None:
    arn = listener()["ListenerArn"]
    rule(arn, 7)
    refused("PriorityInUse", lambda: rule(arn, 7))
    absent = UNKNOWN_GROUP.format(region="us-east-1", account="1")
    forward = [{"Type": "forward", "TargetGroupArn": absent}]
    refused("TargetGroupNotFound", lambda: rule(arn, 8, Actions=forward))
    refused("TargetGroupNotFound", elbv2.modify_listener, ListenerArn=arn, DefaultActions=forward)
    made = rule(arn, 9)["RuleArn"]
    refused("TargetGroupNotFound", elbv2.modify_rule, RuleArn=made, Actions=forward)
    refused("ListenerNotFound", lambda: rule(arn + "0", 8))
    refused("RuleNotFound", elbv2.modify_rule, RuleArn=made + "0", Actions=[NOT_FOUND])
    refused("RuleNotFound", elbv2.describe_rules, RuleArns=[made + "0"])
    elsewhere = group()["TargetGroupArn"]
    listener(DefaultActions=[{"Type": "forward", "TargetGroupArn": elsewhere}])
    forward = [{"Type": "forward", "TargetGroupArn": elsewhere}]
    refused("TargetGroupAssociationLimit", lambda: rule(arn, 8, Actions=forward))


def test_modify_rule_leaves_what_is_left_out() -> None:
    made = rule(listener()["ListenerArn"], 1)["RuleArn"]
    elbv2.modify_rule(RuleArn=made, Conditions=[hosts("new.example.com")])
    assert shown(made)["Actions"][0]["Type"] == "fixed-response"
    elbv2.modify_rule(RuleArn=made, Actions=[{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}])
    after = shown(made)
    assert after["Conditions"][0]["Values"] == ["new.example.com"] and after["Actions"][0]["Type"] == "redirect"
    refused("ValidationError", elbv2.modify_rule, RuleArn=made)


def test_rules_keep_transforms_and_regular_expressions() -> None:
    rewrite = {"Rewrites": [{"Regex": "^/old/(.*)$", "Replace": "/new/$1"}]}
    transforms = [{"Type": "url-rewrite", "UrlRewriteConfig": rewrite}]
    regular = {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[0-9]+/.*"]}}
    made = rule(listener()["ListenerArn"], 1, Conditions=[regular], Transforms=transforms)["RuleArn"]
    after = shown(made)
    assert after["Transforms"] == transforms
    assert after["Conditions"][0]["PathPatternConfig"] == {"RegexValues": ["^/v[0-9]+/.*"]}
    elbv2.modify_rule(RuleArn=made, Actions=[NOT_FOUND])
    assert shown(made)["Transforms"] == transforms
    elbv2.modify_rule(RuleArn=made, ResetTransforms=True)
    assert shown(made)["Transforms"] == []
    refused("ValidationError", elbv2.modify_rule, RuleArn=made, Transforms=transforms, ResetTransforms=True)


def test_conditions_come_back_in_both_places_and_in_another_order() -> None:
    arn = listener()["ListenerArn"]
    names, paths = ["b.example.com", "a.example.com"], ["/b/*", "/a/*"]
    made = rule(arn, 1, Conditions=[hosts(*names), {"Field": "path-pattern", "PathPatternConfig": {"Values": paths}}])
    by_host, by_path = shown(made["RuleArn"])["Conditions"]
    assert by_host["Values"] == by_host["HostHeaderConfig"]["Values"] == names
    assert by_path["Values"] == by_path["PathPatternConfig"]["Values"] == paths[::-1]
    others: dict[str, Any] = {
        "source-ip": ("SourceIpConfig", ["10.0.0.0/8", "192.168.0.0/16"]),
        "http-request-method": ("HttpRequestMethodConfig", ["GET", "HEAD"]),
        "query-string": ("QueryStringConfig", [{"Key": "a", "Value": "1"}, {"Value": "2"}]),
    }
    for priority, (field, (key, values)) in enumerate(others.items(), start=2):
        made = rule(arn, priority, Conditions=[{"Field": field, key: {"Values": values}}])
        condition = shown(made["RuleArn"])["Conditions"][0]
        assert condition[key]["Values"] == values[::-1] and condition.get("Values") == [], condition
    header = {"HttpHeaderName": "X-A", "Values": ["1", "2"]}
    made = rule(arn, 9, Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}])
    assert shown(made["RuleArn"])["Conditions"][0]["HttpHeaderConfig"] == {**header, "Values": ["2", "1"]}
    short = rule(arn, 10, Conditions=[{"Field": "host-header", "Values": ["c.example.com"]}])
    assert short["Conditions"][0]["HostHeaderConfig"]["Values"] == ["c.example.com"]


def test_a_forward_to_one_group_comes_back_twice_and_to_several_without_its_arn() -> None:
    arn, one, two = listener()["ListenerArn"], group()["TargetGroupArn"], group()["TargetGroupArn"]
    whole = {
        "TargetGroups": [{"TargetGroupArn": one, "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    made = rule(arn, 1, Actions=[{"Type": "forward", "TargetGroupArn": one}])["RuleArn"]
    assert shown(made)["Actions"] == [{"Type": "forward", "TargetGroupArn": one, "ForwardConfig": whole}]
    elbv2.modify_rule(RuleArn=made, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": one}]}}])
    assert shown(made)["Actions"] == [{"Type": "forward", "TargetGroupArn": one, "ForwardConfig": whole}]
    both = {"TargetGroups": [{"TargetGroupArn": one, "Weight": 90}, {"TargetGroupArn": two, "Weight": 10}]}
    elbv2.modify_rule(RuleArn=made, Actions=[{"Type": "forward", "ForwardConfig": both}])
    action = shown(made)["Actions"][0]
    assert "TargetGroupArn" not in action
    weights = {each["TargetGroupArn"]: each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]}
    assert weights == {one: 90, two: 10}
    mismatch = [{"Type": "forward", "TargetGroupArn": two, "ForwardConfig": whole}]
    refused("ValidationError", elbv2.modify_rule, RuleArn=made, Actions=mismatch)
    sticky = {**whole, "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}
    elbv2.modify_rule(RuleArn=made, Actions=[{"Type": "forward", "ForwardConfig": sticky}])
    assert shown(made)["Actions"][0]["ForwardConfig"] == sticky
    sticky["TargetGroupStickinessConfig"] = {"Enabled": True}
    refused("ValidationError", elbv2.modify_rule, RuleArn=made, Actions=[{"Type": "forward", "ForwardConfig": sticky}])


def test_redirects_and_authentication_are_filled_in_and_the_secret_never_comes_back() -> None:
    redirect = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Protocol": "HTTPS", "Port": "443"}}
    arn = balancer()
    filled = listener(arn, DefaultActions=[redirect])["DefaultActions"][0]["RedirectConfig"]
    want = {"Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
    assert filled == {**want, "StatusCode": "HTTP_301"}, filled
    oidc = {
        "Issuer": "https://idp.example.com",
        "AuthorizationEndpoint": "https://idp.example.com/authorize",
        "TokenEndpoint": "https://idp.example.com/token",
        "UserInfoEndpoint": "https://idp.example.com/user",
        "ClientId": "client",
    }
    secret = {**oidc, "ClientSecret": "secret"}
    sign_in = {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": secret}
    secure = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": certificate()}]}
    made = listener(arn, **secure, DefaultActions=[sign_in, {**NOT_FOUND, "Order": 2}])
    filled = made["DefaultActions"][0]["AuthenticateOidcConfig"]
    assert filled["Scope"] == "openid" and filled["SessionTimeout"] == 604800 and "ClientSecret" not in filled
    sign_in["AuthenticateOidcConfig"] = {**oidc, "UseExistingClientSecret": True, "Scope": "openid email"}
    changed = elbv2.modify_listener(ListenerArn=made["ListenerArn"], DefaultActions=[sign_in, {**NOT_FOUND, "Order": 2}])
    assert changed["Listeners"][0]["DefaultActions"][0]["AuthenticateOidcConfig"]["Scope"] == "openid email"


def test_rules_groups_and_listeners_are_paged() -> None:
    arn = balancer()
    first = listener(arn)["ListenerArn"]
    listener(arn, Port=81)
    for priority in range(1, 6):
        rule(first, priority)
    group(), group()
    paged: list[tuple[Any, str, dict[str, Any]]] = [
        (elbv2.describe_rules, "Rules", {"ListenerArn": first}),
        (elbv2.describe_target_groups, "TargetGroups", {}),
        (elbv2.describe_listeners, "Listeners", {"LoadBalancerArn": arn}),
    ]
    for call, key, request in paged:
        whole = call(**request)[key]
        collected, marker = [], {}
        while True:
            answer = call(**request, PageSize=1, **marker)
            assert len(answer[key]) == 1
            collected += answer[key]
            if not answer.get("NextMarker"):
                break
            marker = {"Marker": answer["NextMarker"]}
        assert collected == whole and len(whole) > 1, key
    refused("ValidationError", elbv2.describe_rules, ListenerArn=first, Marker="made-up")


# Listeners


def test_modify_listener_merges_and_https_needs_certificate_and_policy() -> None:
    arn, first, second = balancer(), certificate(), certificate()
    plain = listener(arn)
    assert "SslPolicy" not in plain and not plain.get("Certificates")
    refused("ValidationError", lambda: listener(arn, Port=443, Protocol="HTTPS"))
    refused("ValidationError", lambda: listener(arn, Port=81, Certificates=[{"CertificateArn": first}]))
    unknown = [{"CertificateArn": first[:-1] + "x"}]
    refused("CertificateNotFound", lambda: listener(arn, Port=443, Protocol="HTTPS", Certificates=unknown))
    both = [{"CertificateArn": first}, {"CertificateArn": second}]
    refused("TooManyCertificates", lambda: listener(arn, Port=443, Protocol="HTTPS", Certificates=both))
    secure = listener(arn, Port=443, Protocol="HTTPS", Certificates=both[:1])
    assert secure["SslPolicy"] == "ELBSecurityPolicy-2016-08" and secure["MutualAuthentication"] == {"Mode": "off"}
    elbv2.modify_listener(ListenerArn=secure["ListenerArn"], SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06")
    after = elbv2.describe_listeners(ListenerArns=[secure["ListenerArn"]])["Listeners"][0]
    assert after == {**secure, "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}
    refused("SSLPolicyNotFound", elbv2.modify_listener, ListenerArn=secure["ListenerArn"], SslPolicy="absent")
    turned = {"ListenerArn": plain["ListenerArn"], "Protocol": "HTTPS"}
    refused("ValidationError", elbv2.modify_listener, **turned, Certificates=both[:1])
    refused("ValidationError", elbv2.modify_listener, **turned, SslPolicy="ELBSecurityPolicy-2016-08")
    back = elbv2.modify_listener(ListenerArn=secure["ListenerArn"], Protocol="HTTP")["Listeners"][0]
    assert back["Protocol"] == "HTTP" and "SslPolicy" not in back and not back.get("Certificates")
    refused("ListenerNotFound", elbv2.describe_listeners, ListenerArns=[plain["ListenerArn"], arn])


def test_create_listener_again_returns_it_and_another_on_its_port_is_refused() -> None:
    arn = balancer()
    assert listener(arn)["ListenerArn"] == listener(arn)["ListenerArn"]
    redirect = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Port": "443"}}
    refused("DuplicateListener", lambda: listener(arn, DefaultActions=[redirect]))
    other = listener(arn, Port=81)["ListenerArn"]
    refused("DuplicateListener", elbv2.modify_listener, ListenerArn=other, Port=80)


def test_added_certificates_stand_beside_the_default_one() -> None:
    default, added = certificate(), certificate()
    secure = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": default}]}
    arn = listener(**secure)["ListenerArn"]

    def certificates() -> list[tuple[str, bool]]:
        found = elbv2.describe_listener_certificates(ListenerArn=arn)["Certificates"]
        return [(each["CertificateArn"], each["IsDefault"]) for each in found]

    for _ in range(2):
        elbv2.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": added}])
    assert certificates() == [(default, True), (added, False)]
    shown_listener = elbv2.describe_listeners(ListenerArns=[arn])["Listeners"][0]
    assert shown_listener["Certificates"] == [{"CertificateArn": default}]
    request = {"ListenerArn": arn, "Certificates": [{"CertificateArn": default}]}
    refused("OperationNotPermitted", elbv2.remove_listener_certificates, **request)
    elbv2.modify_listener(ListenerArn=arn, Certificates=[{"CertificateArn": added}])
    assert certificates() == [(added, True), (added, False)], "a default one that was added is listed twice"
    elbv2.remove_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": added}])
    assert certificates() == [(added, True)]
    unknown = [{"CertificateArn": added[:-1] + "x"}]
    refused("CertificateNotFound", elbv2.add_listener_certificates, ListenerArn=arn, Certificates=unknown)


def test_listener_attributes_by_protocol() -> None:
    arn = listener()["ListenerArn"]
    attributes = pairs(elbv2.describe_listener_attributes(ListenerArn=arn)["Attributes"])
    assert attributes["routing.http.response.server.enabled"] == "true"
    assert attributes["routing.http.response.x_frame_options.header_value"] == ""
    assert not [key for key in attributes if "mtls" in key or key.startswith("tcp.")]
    change = [{"Key": "routing.http.response.server.enabled", "Value": "false"}]
    changed = pairs(elbv2.modify_listener_attributes(ListenerArn=arn, Attributes=change)["Attributes"])
    assert changed == {**attributes, "routing.http.response.server.enabled": "false"}
    unknown = [{"Key": "routing.http.absent", "Value": "1"}]
    refused("ValidationError", elbv2.modify_listener_attributes, ListenerArn=arn, Attributes=unknown)
    other = [{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]
    refused("InvalidConfigurationRequest", elbv2.modify_listener_attributes, ListenerArn=arn, Attributes=other)
    forward = {"Type": "forward", "TargetGroupArn": group(Protocol="TCP")["TargetGroupArn"]}
    network = listener(balancer("network"), Protocol="TCP", DefaultActions=[forward])
    assert "Weight" not in network["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]
    described = elbv2.describe_listener_attributes(ListenerArn=network["ListenerArn"])["Attributes"]
    assert pairs(described) == {"tcp.idle_timeout.seconds": "350"}


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
    assert (tcp["preserve_client_ip.enabled"], tcp[terminates], tcp["stickiness.type"]) == ("false", "false", "source_ip")
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
