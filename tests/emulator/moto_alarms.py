"""CloudWatch alarms as AWS answers them, over CBOR, JSON and the query protocol alike.

Source: the CloudWatch API reference (PutMetricAlarm, DescribeAlarms, DeleteAlarms, TagResource).
"""

from __future__ import annotations

import copy
import re
from typing import Any, Callable

import moto.cloudwatch.responses as responses
from moto.cloudwatch.exceptions import CloudWatchException
from moto.core.responses import ActionResult, EmptyResult
from moto_repairs import Document, install, page

MOST_NAMES = 100
DEFAULT_PAGE = 50
MOST_TAGS = 50
# p99, tm90, wm98, tc90, ts90, IQM, TM(10%:90%), PR(:300)
EXTENDED_STATISTIC = re.compile(r"^((p|tm|wm|tc|ts)\d{1,2}(\.\d{1,10})?|p100|IQM|(TM|WM|TC|TS|PR)\([\d.%]*:[\d.%]*\))$")
STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")


def repair() -> None:
    install(
        responses.CloudWatchResponse,
        [put_metric_alarm, describe_alarms, delete_alarms, list_tags_for_resource, tag_resource, untag_resource],
    )


def refused(code: str, message: str) -> CloudWatchException:
    """An error that AWS documents for the operation; moto knows the service of an error by its class."""
    return CloudWatchException(code, message)


def put_metric_alarm(self: Any) -> EmptyResult:
    put_alarm(self.cloudwatch_backend, self._get_params())
    return EmptyResult()


def put_alarm(backend: Any, asked: Document) -> Any:
    """Overwrites the whole alarm but its tags, which count only when the alarm is made, and its state. A new alarm is
    INSUFFICIENT_DATA. The request is kept as it is, so that no member gets lost."""
    _check(asked)
    name = asked["AlarmName"]
    previous = backend.alarms.get(name)
    settings = {key: copy.deepcopy(value) for key, value in asked.items() if key != "Tags" and value is not None}
    alarm = backend.put_metric_alarm(
        name=name,
        namespace=settings.get("Namespace"),
        metric_name=settings.get("MetricName"),
        comparison_operator=settings.get("ComparisonOperator"),
        evaluation_periods=settings.get("EvaluationPeriods"),
        period=settings.get("Period"),
        threshold=settings.get("Threshold"),
        statistic=settings.get("Statistic"),
        description=settings.get("AlarmDescription"),
        dimensions=settings.get("Dimensions", []),
        alarm_actions=settings.get("AlarmActions", []),
        actions_enabled=settings.get("ActionsEnabled", True),
        tags=None if previous else asked.get("Tags"),
    )
    alarm.asked = settings
    if previous:
        for attribute in STATE:
            setattr(alarm, attribute, getattr(previous, attribute))
    else:
        alarm.state_value = "INSUFFICIENT_DATA"
    return alarm


def _check(asked: Document) -> None:
    kinds = [key for key in ("MetricName", "Metrics", "EvaluationCriteria") if asked.get(key)]
    if len(kinds) != 1:
        message = "You must specify exactly one of MetricName, Metrics and EvaluationCriteria"
        raise refused("InvalidParameterCombination" if kinds else "ValidationError", message)
    statistics = [key for key in ("Statistic", "ExtendedStatistic") if asked.get(key)]
    if kinds == ["MetricName"] and len(statistics) != 1:
        message = "You must specify exactly one of Statistic and ExtendedStatistic"
        raise refused("InvalidParameterCombination" if statistics else "ValidationError", message)
    extended = asked.get("ExtendedStatistic")
    if extended and not EXTENDED_STATISTIC.match(extended):
        message = f"The value {extended} for parameter ExtendedStatistic is not supported."
        raise refused("InvalidParameterValue", message)
    if kinds != ["EvaluationCriteria"]:
        for key in ("EvaluationPeriods", "ComparisonOperator"):
            if asked.get(key) is None:
                raise refused("ValidationError", f"The parameter {key} is required.")
        if (asked.get("Threshold") is None) == (asked.get("ThresholdMetricId") is None):
            raise refused("ValidationError", "You must specify exactly one of Threshold and ThresholdMetricId")
    if (asked.get("DatapointsToAlarm") or 0) > (asked.get("EvaluationPeriods") or 0):
        raise refused("ValidationError", "DatapointsToAlarm must not be greater than EvaluationPeriods")
    if len([each for each in asked.get("Metrics") or [] if each.get("ReturnData", True)]) > 1:
        raise refused("ValidationError", "Exactly one element of the metrics list should return data.")


def shown_alarm(alarm: Any) -> Document:
    """An alarm as DescribeAlarms returns it, with what AWS fills in."""
    shown: Document = {
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "Dimensions": [],
        "TreatMissingData": "missing",
        **copy.deepcopy(alarm.asked),
        "AlarmArn": alarm.alarm_arn,
        "AlarmConfigurationUpdatedTimestamp": alarm.configuration_updated_timestamp,
        "StateValue": alarm.state_value,
        "StateReason": alarm.state_reason,
        "StateReasonData": alarm.state_reason_data,
        "StateUpdatedTimestamp": alarm.state_updated_timestamp,
        "StateTransitionedTimestamp": alarm.state_updated_timestamp,
        "ActionsEnabled": alarm.actions_enabled,  # DisableAlarmActions changes it too
    }
    if shown.get("EvaluationPeriods"):
        shown.setdefault("DatapointsToAlarm", shown["EvaluationPeriods"])
    for each in shown.get("Metrics", []):
        each.setdefault("ReturnData", True)
    return shown


def describe_alarms(self: Any) -> ActionResult:
    """A hundred names at most, names or a prefix but not both, metric alarms only unless AlarmTypes says otherwise.
    A name that is unknown is just not in the answer."""
    asked = self._get_params()
    names = asked.get("AlarmNames") or []
    if len(names) > MOST_NAMES:
        raise refused("ValidationError", f"AlarmNames must have length less than or equal to {MOST_NAMES}")
    if names and asked.get("AlarmNamePrefix"):
        raise refused("InvalidParameterCombination", "AlarmNamePrefix cannot be combined with AlarmNames")
    size = asked.get("MaxRecords") or (MOST_NAMES if names else DEFAULT_PAGE)
    if not 1 <= size <= MOST_NAMES:
        raise refused("ValidationError", f"MaxRecords must be between 1 and {MOST_NAMES}")
    types = asked.get("AlarmTypes") or ["MetricAlarm"]
    matches = _matcher(asked, names)
    alarms = [
        alarm
        for _, alarm in sorted(self.cloudwatch_backend.alarms.items())
        if matches(alarm) and ("MetricAlarm" if alarm.rule is None else "CompositeAlarm") in types
    ]
    found, token = page(alarms, asked.get("NextToken"), size, refused("InvalidNextToken", "The token is invalid"))
    result = {
        "MetricAlarms": [shown_alarm(each) for each in found if each.rule is None],
        "CompositeAlarms": [each for each in found if each.rule is not None],
        "NextToken": token,
    }
    return ActionResult(result)


def _matcher(asked: Document, names: list[str]) -> Callable[[Any], bool]:
    prefix, action, state = (asked.get(key) for key in ("AlarmNamePrefix", "ActionPrefix", "StateValue"))

    def matches(alarm: Any) -> bool:
        return (
            (not names or alarm.name in names)
            and (not prefix or alarm.name.startswith(prefix))
            and (not action or any(each.startswith(action) for each in alarm.alarm_actions))
            and (not state or alarm.state_value == state)
        )

    return matches


def delete_alarms(self: Any) -> EmptyResult:
    """A hundred names at most; one that is unknown is passed over. A new alarm of an old name has none of its tags."""
    names = self._get_params().get("AlarmNames") or []
    if len(names) > MOST_NAMES:
        raise refused("ValidationError", f"AlarmNames must have length less than or equal to {MOST_NAMES}")
    remove(self.cloudwatch_backend, names)
    return EmptyResult()


def remove(backend: Any, names: list[str]) -> None:
    for name in names:
        alarm = backend.alarms.pop(name, None)
        if alarm is not None:
            backend.tagger.delete_all_tags_for_resource(alarm.alarm_arn)


def list_tags_for_resource(self: Any) -> ActionResult:
    tags = _tags(self)
    return ActionResult({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]})


def tag_resource(self: Any) -> EmptyResult:
    """Adds the tags to those that the alarm has; fifty at most."""
    asked = self._get_params()
    if len({*_tags(self), *(each["Key"] for each in asked.get("Tags", []))}) > MOST_TAGS:
        raise refused("ValidationError", f"Resource cannot have more than {MOST_TAGS} tags")
    self.cloudwatch_backend.tagger.tag_resource(asked["ResourceARN"], asked.get("Tags", []))
    return EmptyResult()


def untag_resource(self: Any) -> EmptyResult:
    _tags(self)
    asked = self._get_params()
    self.cloudwatch_backend.tagger.untag_resource_using_names(asked["ResourceARN"], asked.get("TagKeys", []))
    return EmptyResult()


def _tags(self: Any) -> dict[str, str]:
    """The tags of the alarm (or rule) of the request, which has to exist."""
    backend, arn = self.cloudwatch_backend, self._get_params()["ResourceARN"]
    if ":alarm:" in arn and arn not in {alarm.alarm_arn for alarm in backend.alarms.values()}:
        raise refused("ResourceNotFoundException", f"Unknown resource: {arn}")
    tags: dict[str, str] = backend.tagger.get_tag_dict_for_resource(arn)
    return tags
