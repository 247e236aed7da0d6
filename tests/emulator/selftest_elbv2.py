"""Self-test of listeners, their certificates and attributes, and rules."""

from __future__ import annotations

from typing import Any

from selftest_balancing import (
    NOT_FOUND,
    UNKNOWN_GROUP,
    balancer,
    certificate,
    group,
    hosts,
    listener,
    pairs,
    rule,
    shown,
)
from selftest_support import elbv2, refused

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
    alone = {"TargetGroups": [{"TargetGroupArn": one}]}
    elbv2.modify_rule(RuleArn=made, Actions=[{"Type": "forward", "ForwardConfig": alone}])
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
    actions = [sign_in, {**NOT_FOUND, "Order": 2}]
    changed = elbv2.modify_listener(ListenerArn=made["ListenerArn"], DefaultActions=actions)
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
