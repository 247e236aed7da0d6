"""Self-test of what ECS keeps: task definitions and services, without waiting for tasks."""

from __future__ import annotations

from selftest_support import (
    ACCOUNT,
    CLUSTER,
    NETWORK,
    REGION,
    attached_target_group,
    create,
    ec2,
    ecs,
    elbv2,
    read,
    refused,
    register,
    wait_for,
)

# Task definitions


def test_register_fills_in_awsvpc_host_port_and_container_defaults() -> None:
    container = {"healthCheck": {"command": ["CMD", "true"]}}
    definition = ecs.describe_task_definition(taskDefinition=register("td-fill", container=container))
    shown = definition["taskDefinition"]["containerDefinitions"][0]
    assert shown["portMappings"] == [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}], shown
    assert (shown["cpu"], shown["essential"]) == (0, True)
    assert shown["environment"] == shown["mountPoints"] == shown["volumesFrom"] == shown["systemControls"] == []
    health = shown["healthCheck"]
    assert (health["interval"], health["timeout"], health["retries"]) == (30, 5, 3)


def test_register_keeps_fault_injection_and_leaves_unset_members_out() -> None:
    shown = ecs.describe_task_definition(taskDefinition=register("td-fault", enableFaultInjection=True))
    definition = shown["taskDefinition"]
    assert definition["enableFaultInjection"] is True
    assert not {"pidMode", "ipcMode", "taskRoleArn", "executionRoleArn", "runtimePlatform"} & set(definition)


def test_register_stores_vcpu_and_gb_as_numbers() -> None:
    definition = ecs.describe_task_definition(taskDefinition=register("td-unit", cpu="0.25 vCPU", memory="1 GB"))
    assert (definition["taskDefinition"]["cpu"], definition["taskDefinition"]["memory"]) == ("256", "1024")


def test_register_refuses_wrong_fargate_sizes_and_unknown_volumes() -> None:
    refused("ClientException", register, family="td-bad", memory="8192")
    refused("ClientException", register, family="td-bad", networkMode="bridge")
    mount = {"mountPoints": [{"sourceVolume": "absent", "containerPath": "/data"}]}
    assert "Unknown volume" in refused("ClientException", register, family="td-bad", container=mount)


def test_environment_secrets_and_containers_come_back_in_another_order() -> None:
    names = [f"NAME_{number}" for number in range(12)]
    container = {
        "environment": [{"name": name, "value": "x"} for name in names],
        "secrets": [{"name": "S" + name, "valueFrom": "/x"} for name in names],
    }
    sidecar = {"name": "log", "image": "example.com/log:1", "essential": False}
    arn = register("td-order", container=container)
    web = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"][0]
    for key in ("environment", "secrets"):
        shown = [each["name"].removeprefix("S") for each in web[key]]
        assert shown != names and sorted(shown) == sorted(names), shown
    main = {"name": "web", "image": "example.com/web:1"}
    arn = register("td-order", containerDefinitions=[main, sidecar])
    shown = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"]
    assert [each["name"] for each in shown] == ["log", "web"]


def test_task_definition_tags_only_with_include() -> None:
    arn = register("td-tags", tags=[{"key": "a", "value": "b"}])
    assert not ecs.describe_task_definition(taskDefinition=arn).get("tags")
    assert ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])["tags"] == [{"key": "a", "value": "b"}]


def test_a_family_means_its_newest_active_revision() -> None:
    first, second = register("td-newest"), register("td-newest")
    ecs.deregister_task_definition(taskDefinition=second)
    shown = ecs.describe_task_definition(taskDefinition="td-newest")["taskDefinition"]["taskDefinitionArn"]
    assert shown == first
    assert create("td-newest", taskDefinition="td-newest")["taskDefinition"] == first
    refused("ClientException", ecs.describe_task_definition, taskDefinition="td-never")


def test_list_task_definitions_pages_and_takes_the_whole_family_name() -> None:
    arns = [register("td-list") for _ in range(3)]
    register("td-list-other")
    first = ecs.list_task_definitions(familyPrefix="td-list", sort="DESC", maxResults=2)
    rest = ecs.list_task_definitions(familyPrefix="td-list", sort="DESC", maxResults=2, nextToken=first["nextToken"])
    assert first["taskDefinitionArns"] + rest["taskDefinitionArns"] == arns[::-1]
    assert "nextToken" not in rest
    refused("InvalidParameterException", ecs.list_task_definitions, nextToken="made-up")


# Services: creating


def test_create_fills_in_the_defaults() -> None:
    create("svc-defaults")
    service = read("svc-defaults")
    configuration = service["deploymentConfiguration"]
    assert configuration["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}
    assert (configuration["maximumPercent"], configuration["minimumHealthyPercent"]) == (200, 100)
    assert (configuration["strategy"], configuration["bakeTimeInMinutes"]) == ("ROLLING", 0)
    assert service["healthCheckGracePeriodSeconds"] == 0
    assert service["enableExecuteCommand"] is False and service["enableECSManagedTags"] is False
    assert (service["platformVersion"], service["schedulingStrategy"]) == ("LATEST", "REPLICA")
    assert (service["availabilityZoneRebalancing"], service["propagateTags"]) == ("ENABLED", "NONE")
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    assert service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] == []
    assert service["placementConstraints"] == service["placementStrategy"] == service["loadBalancers"] == []
    assert service["roleArn"].endswith("AWSServiceRoleForECS")
    assert service["deployments"][0]["platformVersion"] == "1.4.0"


def test_create_keeps_every_field() -> None:
    sent = {
        "availabilityZoneRebalancing": "DISABLED",
        "placementStrategy": [{"type": "binpack", "field": "memory"}],
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}],
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "serviceRegistries": [{"registryArn": f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/srv-1"}],
    }
    connect = {"enabled": True, "namespace": "local", "services": [{"portName": "http"}]}
    create("svc-keep", serviceConnectConfiguration=connect, **sent)
    service = read("svc-keep")
    for key, value in sent.items():
        assert service[key] == value, key
    assert "serviceConnectConfiguration" not in service
    shown = service["deployments"][0]["serviceConnectConfiguration"]
    assert shown["services"] == [{"portName": "http", "discoveryName": "http"}], shown


def test_create_refuses_missing_cluster_and_missing_or_inactive_definition() -> None:
    refused("ClusterNotFoundException", create, name="svc-x", cluster="absent")
    refused("ClientException", create, name="svc-x", taskDefinition="absent:1")
    arn = register("td-inactive")
    ecs.deregister_task_definition(taskDefinition=arn)
    assert "inactive" in refused("ClientException", create, name="svc-x", taskDefinition=arn)


def test_create_refuses_what_does_not_fit_the_definition() -> None:
    code = "InvalidParameterException"
    refused(code, create, name="svc-x", networkConfiguration={})
    target = {"targetGroupArn": attached_target_group("fit"), "containerPort": 8080}
    refused(code, create, name="svc-x", loadBalancers=[{**target, "containerName": "other"}])
    refused(code, create, name="svc-x", loadBalancers=[{**target, "containerName": "web", "containerPort": 1}])
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    loose = elbv2.create_target_group(Name="loose", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    loose_arn = loose["TargetGroups"][0]["TargetGroupArn"]
    balancer = {"containerName": "web", "containerPort": 8080, "targetGroupArn": loose_arn}
    message = refused(code, create, name="svc-x", loadBalancers=[balancer])
    assert "does not have an associated load balancer" in message


def test_create_again_is_refused_unless_token_and_request_are_the_same() -> None:
    definition = register("svc-token")
    first = create("svc-token", taskDefinition=definition, clientToken="one")
    assert create("svc-token", taskDefinition=definition, clientToken="one")["serviceArn"] == first["serviceArn"]
    for changes in ({"clientToken": "two"}, {"clientToken": "one", "enableECSManagedTags": True}, {}):
        message = refused("InvalidParameterException", create, name="svc-token", taskDefinition=definition, **changes)
        assert message == "Creation of service was not idempotent."


# Services: updating, reading, deleting


def test_update_merges_the_deployment_configuration() -> None:
    breaker = {"enable": True, "rollback": True}
    create("svc-merge", deploymentConfiguration={"maximumPercent": 150, "deploymentCircuitBreaker": breaker})
    ecs.update_service(cluster=CLUSTER, service="svc-merge", deploymentConfiguration={"minimumHealthyPercent": 50})
    configuration = read("svc-merge")["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["minimumHealthyPercent"]) == (150, 50)
    assert configuration["deploymentCircuitBreaker"] == breaker
    change = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    ecs.update_service(cluster=CLUSTER, service="svc-merge", deploymentConfiguration=change)
    configuration = read("svc-merge")["deploymentConfiguration"]
    assert configuration["deploymentCircuitBreaker"] == {"enable": True, "rollback": False}
    assert configuration["minimumHealthyPercent"] == 50
    ecs.update_service(
        cluster=CLUSTER, service="svc-merge", deploymentConfiguration={"strategy": "CANARY", "bakeTimeInMinutes": 1}
    )
    assert read("svc-merge")["deploymentConfiguration"]["canaryConfiguration"]["canaryPercent"] == 5.0


def test_update_stores_every_field_and_leaves_the_others() -> None:
    create("svc-update", propagateTags="SERVICE")
    sent = {
        "availabilityZoneRebalancing": "DISABLED",
        "placementStrategy": [{"type": "spread", "field": "host"}],
        "enableECSManagedTags": True,
        "serviceRegistries": [{"registryArn": f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/srv-2"}],
    }
    ecs.update_service(cluster=CLUSTER, service="svc-update", **sent)
    service = read("svc-update")
    for key, value in sent.items():
        assert service[key] == value, key
    assert service["propagateTags"] == "SERVICE"


def test_update_refuses_missing_things() -> None:
    create("svc-refuse")
    request = {"cluster": CLUSTER, "service": "svc-refuse"}
    refused("ClientException", ecs.update_service, **request, taskDefinition="absent")
    refused("ServiceNotFoundException", ecs.update_service, cluster=CLUSTER, service="absent")
    refused("ClusterNotFoundException", ecs.update_service, cluster="absent", service="svc-refuse")
    arn = register("svc-refuse")
    ecs.deregister_task_definition(taskDefinition=arn)
    refused("ClientException", ecs.update_service, **request, taskDefinition=arn)


def test_a_changed_network_starts_a_deployment_and_a_changed_count_does_not() -> None:
    first = create("svc-network")["deployments"][0]["id"]
    ecs.update_service(cluster=CLUSTER, service="svc-network", desiredCount=0, networkConfiguration=NETWORK)
    assert read("svc-network")["deployments"][0]["id"] == first
    other = {"awsvpcConfiguration": {"subnets": ["subnet-other"]}}
    ecs.update_service(cluster=CLUSTER, service="svc-network", networkConfiguration=other)
    assert read("svc-network")["deployments"][0]["id"] != first


def test_code_deploy_services_refuse_a_new_task_definition() -> None:
    create("svc-codedeploy", deploymentController={"type": "CODE_DEPLOY"})
    request = {"cluster": CLUSTER, "service": "svc-codedeploy"}
    refused("InvalidParameterException", ecs.update_service, **request, taskDefinition=register("svc-codedeploy"))
    ecs.update_service(**request, desiredCount=0)


def test_describe_takes_ten_names_and_returns_tags_only_with_include() -> None:
    create("svc-tags", tags=[{"key": "a", "value": "b"}])
    assert not read("svc-tags").get("tags")
    assert read("svc-tags", "TAGS")["tags"] == [{"key": "a", "value": "b"}]
    names = [f"n{number}" for number in range(11)]
    refused("InvalidParameterException", ecs.describe_services, cluster=CLUSTER, services=names)
    assert len(ecs.describe_services(cluster=CLUSTER, services=names[:10])["failures"]) == 10


def test_list_services_pages_of_ten() -> None:
    ecs.create_cluster(clusterName="selftest-pages")
    definition = register("svc-page")
    for number in range(12):
        create(f"svc-page-{number}", cluster="selftest-pages", taskDefinition=definition)
    first = ecs.list_services(cluster="selftest-pages")
    assert len(first["serviceArns"]) == 10
    rest = ecs.list_services(cluster="selftest-pages", nextToken=first["nextToken"])
    assert len({*first["serviceArns"], *rest["serviceArns"]}) == 12 and "nextToken" not in rest
    assert len(ecs.list_services(cluster="selftest-pages", maxResults=100)["serviceArns"]) == 12
    refused("ClusterNotFoundException", ecs.list_services, cluster="absent")


def test_a_deleted_service_drains_and_keeps_its_name_until_it_is_inactive() -> None:
    create("svc-delete", tags=[{"key": "old", "value": "x"}])
    assert ecs.delete_service(cluster=CLUSTER, service="svc-delete")["service"]["status"] == "DRAINING"
    assert "Draining" in refused("InvalidParameterException", create, name="svc-delete")
    wait_for(lambda: read("svc-delete")["status"] == "INACTIVE")
    refused("ServiceNotActiveException", ecs.update_service, cluster=CLUSTER, service="svc-delete", desiredCount=1)
    create("svc-delete")
    assert read("svc-delete", "TAGS")["tags"] == []
