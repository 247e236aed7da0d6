"""CreateRule, ModifyRule, DescribeRules, DeleteRule and SetRulePriorities as AWS answers them.

Source: the Elastic Load Balancing API reference (operations of these names, RuleTransform, QuotaLimits).
"""

from __future__ import annotations

import copy
from typing import Any

import moto.elbv2.models as models
import moto.elbv2.responses as responses
from moto.core.responses import ActionResult, EmptyResult
from moto_elbv2_actions import CONDITION_CONFIGS, checked_actions, refused, shown_action, shown_condition
from moto_repairs import Document, install, page

LOWEST_PRIORITY = 50000
LARGEST_PAGE = 400
TRANSFORMS = ("host-header-rewrite", "url-rewrite")  # one of each in a rule


def repair() -> None:
    install(
        responses.ELBV2Response,
        [create_rule, modify_rule, describe_rules, delete_rule, set_rule_priorities],
    )
    accept_regular_expressions()


def accept_regular_expressions() -> None:
    """host-header, path-pattern and http-header take RegexValues instead of Values; moto looks for Values only."""
    backend: Any = models.ELBv2Backend
    for field in ("host-header", "path-pattern", "http-header"):
        key = CONDITION_CONFIGS[field]
        name = f"_validate_{field.replace('-', '_')}_condition"
        setattr(backend, name, _unless_regular_expression(getattr(backend, name), key))


def _unless_regular_expression(validate: Any, key: str) -> Any:
    def validate_values(self: Any, condition: Document) -> None:
        expressions = condition.get("RegexValues") or condition.get(key, {}).get("RegexValues")
        values = condition.get("Values") or condition.get(key, {}).get("Values")
        if expressions and values:
            raise refused("ValidationError", "You cannot specify both Values and RegexValues in a condition")
        if condition.get("Values") and condition.get(key, {}).get("Values"):
            field = condition.get("Field")
            message = f"You cannot provide both Values and '{key}' for a condition of type '{field}'"
            raise refused("ValidationError", message)
        if not expressions:
            validate(self, condition)

    return validate_values


def create_rule(self: Any) -> ActionResult:
    asked = self._get_params()
    backend = self.elbv2_backend
    listener = listener_of(backend, asked["ListenerArn"])
    balancer = backend.load_balancers[listener.load_balancer_arn]
    _check_priority(asked["Priority"])
    _check_transforms(asked.get("Transforms"))
    actions = checked_actions(backend, balancer, asked["Actions"])
    rule = backend.create_rule(
        listener_arn=listener.arn,
        conditions=copy.deepcopy(asked["Conditions"]),
        priority=asked["Priority"],
        actions=[action.data for action in actions],
        tags=asked.get("Tags"),
    )
    rule.transforms = asked.get("Transforms") or []
    return ActionResult({"Rules": [shown_rule(rule, balancer)]})


def modify_rule(self: Any) -> ActionResult:
    """What is left out stays; conditions, actions and transforms that are given replace the old ones.
    ResetTransforms takes the transforms away. The default rule is changed with ModifyListener."""
    asked = self._get_params()
    backend = self.elbv2_backend
    rule, balancer = _rule_of(backend, asked["RuleArn"])
    if rule.is_default:
        raise refused("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
    reset = asked.get("ResetTransforms") is True
    if not (asked.get("Conditions") or asked.get("Actions") or asked.get("Transforms") or reset):
        raise refused("ValidationError", "Either conditions, actions or transforms must be specified")
    if asked.get("Transforms") and reset:
        raise refused("ValidationError", "You cannot specify both Transforms and ResetTransforms")
    _check_transforms(asked.get("Transforms"))
    backend._validate_conditions(asked.get("Conditions") or [])
    if asked.get("Actions"):
        actions = checked_actions(backend, balancer, asked["Actions"], [each.data for each in rule.actions])
        backend._validate_actions(actions)
        rule.actions = actions
    if asked.get("Conditions"):
        rule.conditions = copy.deepcopy(asked["Conditions"])
    if asked.get("Transforms") or reset:
        rule.transforms = asked.get("Transforms") or []
    return ActionResult({"Rules": [shown_rule(rule, balancer)]})


def describe_rules(self: Any) -> ActionResult:
    asked = self._get_params()
    backend = self.elbv2_backend
    rules = list(backend.describe_rules(asked.get("ListenerArn"), asked.get("RuleArns")))
    rules, marker = one_page(rules, asked)
    shown = [shown_rule(rule, _balancer_of(backend, rule)) for rule in rules]
    return ActionResult({"Rules": shown, "NextMarker": marker})


def delete_rule(self: Any) -> EmptyResult:
    """The default rule cannot be deleted; it goes with its listener."""
    backend = self.elbv2_backend
    arn = self._get_params()["RuleArn"]
    for _, listener in _listeners(backend):
        if any(rule.arn == arn and rule.is_default for rule in listener.rules.values()):
            raise refused("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")
    backend.delete_rule(arn)
    return EmptyResult()


def set_rule_priorities(self: Any) -> ActionResult:
    """All pairs are applied at once, so two rules can change places; a priority that a rule outside the call has is
    PriorityInUse, and then nothing is applied."""
    backend = self.elbv2_backend
    asked = {pair["RuleArn"]: int(pair["Priority"]) for pair in self._get_params().get("RulePriorities", [])}
    rules = {arn: _rule_of(backend, arn) for arn in asked}
    wanted: set[tuple[str, int]] = set()
    for arn, priority in asked.items():
        _check_priority(priority)
        rule = rules[arn][0]
        if rule.is_default:
            raise refused("OperationNotPermitted", f"Default rule '{arn}' priority cannot be changed")
        if (rule.listener_arn, priority) in wanted:
            raise refused("ValidationError", f"Priority '{priority}' was provided multiple times")
        wanted.add((rule.listener_arn, priority))
        others = listener_of(backend, rule.listener_arn).rules.values()
        if any(other.priority == priority and other.arn not in asked for other in others):
            raise refused("PriorityInUse", f"Priority '{priority}' is currently in use")
    for arn, priority in asked.items():
        rules[arn][0].priority = priority
    return ActionResult({"Rules": [shown_rule(*each) for each in rules.values()]})


def one_page(items: list[Any], asked: Document) -> tuple[list[Any], str | None]:
    """PageSize is 1 to 400, and 400 where it is left out."""
    size = asked.get("PageSize") or LARGEST_PAGE
    if not 1 <= size <= LARGEST_PAGE:
        raise refused("ValidationError", f"Page size '{size}' must be between 1 and {LARGEST_PAGE}")
    return page(items, asked.get("Marker"), size, refused("ValidationError", "Invalid marker"))


def listener_of(backend: Any, arn: str) -> Any:
    for _, listener in _listeners(backend):
        if listener.arn == arn:
            return listener
    raise refused("ListenerNotFound", f"Listener '{arn}' not found")


def _listeners(backend: Any) -> list[tuple[Any, Any]]:
    return [(each, listener) for each in backend.load_balancers.values() for listener in each.listeners.values()]


def _rule_of(backend: Any, arn: str) -> tuple[Any, Any]:
    for balancer, listener in _listeners(backend):
        for rule in listener.rules.values():
            if rule.arn == arn:
                return rule, balancer
    raise refused("RuleNotFound", f"Rule '{arn}' not found")


def _balancer_of(backend: Any, rule: Any) -> Any:
    return backend.load_balancers[listener_of(backend, rule.listener_arn).load_balancer_arn]


def _check_priority(priority: int) -> None:
    if not 1 <= priority <= LOWEST_PRIORITY:
        raise refused("ValidationError", f"Priority '{priority}' must be between 1 and {LOWEST_PRIORITY}")


def _check_transforms(transforms: list[Document] | None) -> None:
    kinds = [each.get("Type") for each in transforms or []]
    for kind in set(kinds):
        if kind not in TRANSFORMS:
            raise refused("ValidationError", f"Transform type '{kind}' must be one of '{','.join(TRANSFORMS)}'")
        if kinds.count(kind) > 1:
            raise refused("ValidationError", f"A rule can have only one transform of type '{kind}'")


def shown_rule(rule: Any, balancer: Any) -> Document:
    return {
        "RuleArn": rule.arn,
        "Priority": str(rule.priority),
        "Conditions": [shown_condition(each) for each in rule.conditions],
        "Actions": [shown_action(each.data, balancer.type) for each in rule.actions],
        "IsDefault": rule.is_default,
        "Transforms": copy.deepcopy(getattr(rule, "transforms", [])),
    }
