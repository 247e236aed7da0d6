"""The actions and conditions of listeners and rules: what AWS refuses, and how it shows what it took.

Sources: the Elastic Load Balancing API reference (Action, ForwardActionConfig, RedirectActionConfig,
AuthenticateOidcActionConfig, RuleCondition), and observed answers in the issue trackers of Terraform's AWS provider
and cdkd.
"""

from __future__ import annotations

import copy
from typing import Any, Iterable

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import FakeAction
from moto_repairs import Document

REDIRECT_DEFAULTS = {
    "Protocol": "#{protocol}",
    "Port": "#{port}",
    "Host": "#{host}",
    "Path": "/#{path}",
    "Query": "#{query}",
}
AUTHENTICATE_DEFAULTS = {
    "Scope": "openid",
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "SessionTimeout": 604800,
    "OnUnauthenticatedRequest": "authenticate",
}
AUTHENTICATE_CONFIGS = ("AuthenticateOidcConfig", "AuthenticateCognitoConfig")
LONGEST_STICKINESS = 604800

# Where a condition holds its values, by field.
CONDITION_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
VALUES_AT_THE_TOP = ("host-header", "path-pattern")


def refused(code: str, message: str) -> ELBClientError:
    """An error that AWS documents for the operation; moto knows the service of an error by its class."""
    return ELBClientError(code, message)


def target_groups_of(actions: Iterable[Document]) -> set[str]:
    """The ARNs of the groups that the actions forward to."""
    arns: set[str] = set()
    for action in actions:
        arns |= {each["TargetGroupArn"] for each in action.get("ForwardConfig", {}).get("TargetGroups", [])}
        if action.get("TargetGroupArn"):
            arns.add(action["TargetGroupArn"])
    return arns


def all_actions(backend: Any, balancer: Any | None = None) -> Iterable[tuple[Any, Document]]:
    """Every action of every rule, the default ones included, with the load balancer that it belongs to."""
    for each in [balancer] if balancer is not None else list(backend.load_balancers.values()):
        for listener in list(each.listeners.values()):
            for rule in listener.rules.values():
                for action in rule.actions:
                    yield each, action.data


def checked_actions(
    backend: Any, balancer: Any, asked: list[Document], previous: Iterable[Document] = ()
) -> list[FakeAction]:
    """The actions, refused as AWS refuses them: an unknown target group is TargetGroupNotFound, one of another load
    balancer TargetGroupAssociationLimit. UseExistingClientSecret takes the secret from the action that was there."""
    actions = copy.deepcopy(asked)
    for action in actions:
        _check_forward(action)
    for arn in sorted(target_groups_of(actions)):
        if arn not in backend.target_groups:
            raise refused("TargetGroupNotFound", f"Target group '{arn}' not found")
        users = {each.arn for each, action in all_actions(backend) if arn in target_groups_of([action])}
        if users - {balancer.arn}:
            raise refused(
                "TargetGroupAssociationLimit",
                f"The following target groups cannot be associated with more than one load balancer: {arn}",
            )
    _carry_client_secret(actions, previous)
    return [FakeAction(action) for action in actions]


def _check_forward(action: Document) -> None:
    config = action.get("ForwardConfig") or {}
    groups = [each["TargetGroupArn"] for each in config.get("TargetGroups", [])]
    if action.get("TargetGroupArn") and groups and groups != [action["TargetGroupArn"]]:
        raise refused(
            "ValidationError",
            "If you specify both ForwardConfig and TargetGroupArn, you can specify only one target group using "
            "ForwardConfig and it must be the same target group specified in TargetGroupArn",
        )
    if action.get("Type") == "forward" and not groups and not action.get("TargetGroupArn"):
        raise refused("ValidationError", "A target group ARN must be specified")
    stickiness = config.get("TargetGroupStickinessConfig") or {}
    duration = stickiness.get("DurationSeconds")
    if duration is None and not stickiness.get("Enabled"):
        return
    if duration is None or not 1 <= duration <= LONGEST_STICKINESS:
        raise refused(
            "ValidationError",
            f"Target group stickiness duration must be between 1 and {LONGEST_STICKINESS} seconds",
        )


def _carry_client_secret(actions: list[Document], previous: Iterable[Document]) -> None:
    configs = [each["AuthenticateOidcConfig"] for each in previous if "AuthenticateOidcConfig" in each]
    for action in actions:
        config = action.get("AuthenticateOidcConfig")
        if not config or config.get("ClientSecret"):
            continue
        if not config.pop("UseExistingClientSecret", False) or not configs:
            raise refused("ValidationError", "A client secret must be specified")
        config["ClientSecret"] = configs[0]["ClientSecret"]


def shown_action(action: Document, balancer_type: str) -> Document:
    """An action as Describe returns it, with all that AWS fills in and without the client secret."""
    shown = copy.deepcopy(action)
    if shown.get("Type") == "forward":
        _show_forward(shown, weighted=balancer_type == "application")
    if "RedirectConfig" in shown:
        shown["RedirectConfig"] = {**REDIRECT_DEFAULTS, **shown["RedirectConfig"]}
    for key in AUTHENTICATE_CONFIGS:
        if key in shown:
            shown[key] = {**AUTHENTICATE_DEFAULTS, **shown[key]}
            for secret in ("ClientSecret", "UseExistingClientSecret"):
                shown[key].pop(secret, None)
    return shown


def _show_forward(shown: Document, *, weighted: bool) -> None:
    """One group comes back both as TargetGroupArn and in ForwardConfig; of several, which are a set, only the
    latter, in AWS's own order. Network and gateway load balancers have no weights."""
    config = shown.setdefault("ForwardConfig", {})
    groups = config.get("TargetGroups") or [{"TargetGroupArn": shown["TargetGroupArn"]}]
    config["TargetGroups"] = sorted(groups, key=lambda each: str(each["TargetGroupArn"]))
    for group in config["TargetGroups"]:
        group.setdefault("Weight", 1)
        if not weighted:
            del group["Weight"]
    config.setdefault("TargetGroupStickinessConfig", {"Enabled": False})
    shown.pop("TargetGroupArn", None)
    if len(groups) == 1:
        shown["TargetGroupArn"] = groups[0]["TargetGroupArn"]


def shown_condition(condition: Document) -> Document:
    """A condition as Describe returns it: the values of host-header and path-pattern both at the top and in their
    config, an empty list at the top for all others, and the order of all but host names not the one that was sent."""
    shown = copy.deepcopy(condition)
    field = shown.get("Field")
    key = CONDITION_CONFIGS.get(str(field), "")
    config = shown.setdefault(key, {}) if key else {}
    values = config.get("Values") or shown.get("Values") or []
    if field != "host-header":
        values = values[::-1]
    if values:
        config["Values"] = values
    if shown.pop("RegexValues", None):
        config["RegexValues"] = condition["RegexValues"]
    shown["Values"] = values if field in VALUES_AT_THE_TOP else []
    return shown
