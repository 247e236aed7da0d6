"""The commands of the tour through the AWS CLI, and what each has to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = Any

DIMENSION = "--service-namespace ecs --scalable-dimension ecs:service:DesiredCount --resource-id service/${own}/${own}"
CONTAINERS = '[{"name": "sleep", "image": "busybox", "cpu": 10, "command": ["sleep", "360"], "memory": 10}]'
ALARM = "--namespace AWS/ECS --metric-name CPUUtilization --statistic Average --period 60 --evaluation-periods 3"


@dataclass
class Stop:
    """One command of the tour."""

    # Without the leading `aws`.
    command: str
    # What the output says, as in contract_match.py.
    says: dict[str, Json] = field(default_factory=dict)
    keep: dict[str, str] = field(default_factory=dict)
    # Which example of the command's page it is like, counted from 1; 0: none.
    example: int = 1
    # Again until the output says it, for so many seconds.
    until: float = 0


STOPS = [
    # A cluster.
    Stop(
        "ecs create-cluster --cluster-name ${own} --settings name=containerInsights,value=disabled",
        {"cluster": {"clusterName": "${own}", "status": "ACTIVE"}},
        {"cluster": "/cluster/clusterArn"},
    ),
    Stop(
        "ecs update-cluster-settings --cluster ${own} --settings name=containerInsights,value=enhanced",
        {"cluster": {"settings": [{"name": "containerInsights", "value": "enhanced"}]}},
    ),
    Stop(
        "ecs describe-clusters --clusters ${own} --include SETTINGS",
        {"clusters": [{"clusterArn": "${cluster}", "settings": [{"value": "enhanced"}]}], "failures": []},
    ),
    # A target group, a load balancer, and a rule of its listener.
    Stop(
        "elbv2 create-target-group --name ${own} --protocol HTTP --port 80 --target-type ip --vpc-id ${vpc}",
        {"TargetGroups": [{"TargetGroupName": "${own}", "HealthCheckPath": "/"}]},
        {"group": "/TargetGroups/0/TargetGroupArn"},
    ),
    Stop(
        "elbv2 create-load-balancer --name ${own} --subnets ${subnet1} ${subnet2}",
        {"LoadBalancers": [{"LoadBalancerName": "${own}", "Type": "application"}]},
        {"balancer": "/LoadBalancers/0/LoadBalancerArn"},
    ),
    Stop(
        "elbv2 create-listener --load-balancer-arn ${balancer} --protocol HTTP --port 80"
        " --default-actions Type=forward,TargetGroupArn=${group}",
        {"Listeners": [{"Port": 80, "DefaultActions": [{"Type": "forward", "TargetGroupArn": "${group}"}]}]},
        {"listener": "/Listeners/0/ListenerArn"},
        example=6,
    ),
    Stop(
        "elbv2 create-rule --listener-arn ${listener} --priority 10 --conditions Field=path-pattern,Values='/img/*'"
        " --actions Type=forward,TargetGroupArn=${group}",
        {"Rules": [{"Priority": "10", "Conditions": [{"Values": ["/img/*"]}]}]},
        {"rule": "/Rules/0/RuleArn"},
    ),
    Stop(
        "elbv2 modify-rule --rule-arn ${rule} --conditions Field=path-pattern,Values='/images/*'",
        {
            "Rules": [
                {"RuleArn": "${rule}", "Conditions": [{"Values": ["/images/*"]}], "Actions": [{"Type": "forward"}]}
            ]
        },
    ),
    Stop(
        "elbv2 set-rule-priorities --rule-priorities RuleArn=${rule},Priority=5",
        {"Rules": [{"RuleArn": "${rule}", "Priority": "5"}]},
    ),
    Stop(
        "elbv2 describe-rules --listener-arn ${listener}",
        {"Rules": {"$set": [{"RuleArn": "${rule}", "Priority": "5"}, {"IsDefault": True, "Priority": "default"}]}},
    ),
    Stop(
        "elbv2 modify-target-group --target-group-arn ${group} --health-check-path /health --matcher HttpCode=200-299",
        {"TargetGroups": [{"HealthCheckPath": "/health", "Matcher": {"HttpCode": "200-299"}}]},
    ),
    Stop(
        "elbv2 describe-target-groups --target-group-arns ${group}",
        {"TargetGroups": [{"HealthCheckPath": "/health", "LoadBalancerArns": ["${balancer}"]}]},
    ),
    # A service.
    Stop(
        "ecs register-task-definition --family ${own} --network-mode awsvpc --requires-compatibilities FARGATE"
        f" --cpu 256 --memory 512 --container-definitions '{CONTAINERS}'",
        {"taskDefinition": {"family": "${own}", "revision": 1, "status": "ACTIVE"}},
        {"definition": "/taskDefinition/taskDefinitionArn"},
    ),
    Stop(
        "ecs create-service --cluster ${own} --service-name ${own} --task-definition ${own}:1 --desired-count 1"
        " --launch-type FARGATE --platform-version LATEST --network-configuration"
        " 'awsvpcConfiguration={subnets=[${subnet1}],securityGroups=[sg-12344321],assignPublicIp=ENABLED}'"
        " --tags key=key1,value=value1 key=key2,value=value2",
        {"service": {"serviceName": "${own}", "status": "ACTIVE", "desiredCount": 1, "tags": {"$count": 2}}},
    ),
    Stop(
        "ecs describe-services --cluster ${own} --services ${own}",
        {
            "services": [{"runningCount": 1, "deployments": [{"rolloutState": "COMPLETED"}], "events": {"$has": [{}]}}],
            "failures": [],
        },
        until=90,
    ),
    Stop(
        "ecs register-task-definition --family ${own} --network-mode awsvpc --requires-compatibilities FARGATE"
        f" --cpu 256 --memory 512 --container-definitions '{CONTAINERS}'",
        {"taskDefinition": {"revision": 2}},
        {"newer": "/taskDefinition/taskDefinitionArn"},
    ),
    Stop(
        "ecs update-service --cluster ${own} --service ${own} --task-definition ${own}",
        {"service": {"taskDefinition": "${newer}", "deployments": {"$has": [{"status": "ACTIVE"}]}}},
    ),
    Stop(
        "ecs describe-services --cluster ${own} --services ${own}",
        {"services": [{"deployments": [{"taskDefinition": "${newer}", "rolloutState": "COMPLETED"}]}]},
        until=90,
    ),
    # Its scaling.
    Stop(
        f"application-autoscaling register-scalable-target {DIMENSION} --min-capacity 1 --max-capacity 10"
        " --tags environment=production",
        {"ScalableTargetARN": {"$matches": "^arn:aws:application-autoscaling:"}},
    ),
    Stop(
        "application-autoscaling describe-scalable-targets --service-namespace ecs"
        " --resource-ids service/${own}/${own}",
        {"ScalableTargets": [{"MinCapacity": 1, "MaxCapacity": 10}]},
    ),
    Stop(
        f"application-autoscaling put-scaling-policy {DIMENSION} --policy-name cpu --policy-type TargetTrackingScaling"
        ' --target-tracking-scaling-policy-configuration \'{"TargetValue": 75.0, "PredefinedMetricSpecification":'
        ' {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},'
        ' "ScaleOutCooldown": 60, "ScaleInCooldown": 60}\'',
        {"Alarms": {"$count": 2}},
        {"policy": "/PolicyARN"},
    ),
    Stop(
        f"application-autoscaling put-scaling-policy {DIMENSION} --policy-name cpu --policy-type TargetTrackingScaling"
        ' --target-tracking-scaling-policy-configuration \'{"TargetValue": 60.0, "PredefinedMetricSpecification":'
        ' {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}\'',
        {"PolicyARN": "${policy}"},
    ),
    Stop(
        f"application-autoscaling describe-scaling-policies {DIMENSION}",
        {"ScalingPolicies": [{"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 60}}]},
        example=0,
    ),
    Stop(
        f"application-autoscaling put-scaling-policy {DIMENSION} --policy-name gt-75 --policy-type StepScaling"
        " --step-scaling-policy-configuration 'AdjustmentType=PercentChangeInCapacity,Cooldown=60,"
        "StepAdjustments=[{MetricIntervalLowerBound=0,ScalingAdjustment=200}]'",
        {"PolicyARN": {"$any": True}},
        {"out": "/PolicyARN"},
        example=0,
    ),
    Stop(
        f"application-autoscaling put-scaling-policy {DIMENSION} --policy-name lt-25 --policy-type StepScaling"
        " --step-scaling-policy-configuration 'AdjustmentType=PercentChangeInCapacity,Cooldown=1,"
        "StepAdjustments=[{MetricIntervalUpperBound=0,ScalingAdjustment=-50}]'",
        {"PolicyARN": {"$any": True}},
        {"in": "/PolicyARN"},
        example=0,
    ),
    Stop(
        f"cloudwatch put-metric-alarm --alarm-name ${{own}}-gt-75 {ALARM} --threshold 75"
        " --comparison-operator GreaterThanThreshold --alarm-actions ${out}"
    ),
    Stop(
        f"cloudwatch put-metric-alarm --alarm-name ${{own}}-lt-25 {ALARM} --threshold 25"
        " --comparison-operator LessThanThreshold --alarm-actions ${in}"
    ),
    Stop(
        f"application-autoscaling describe-scaling-policies {DIMENSION} --policy-names gt-75 lt-25",
        {"ScalingPolicies": {"$set": [{"Alarms": [{"AlarmName": "${own}-gt-75"}]}, {"PolicyName": "lt-25"}]}},
    ),
]
