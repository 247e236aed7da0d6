//! ECS: task definitions, services, and what DescribeServices answers.

use crate::aws::wire::{enums, structures, unions};
use aws_sdk_ecs::operation::continue_service_deployment::ContinueServiceDeploymentInput;
use aws_sdk_ecs::operation::create_service::CreateServiceInput;
use aws_sdk_ecs::operation::delete_service::DeleteServiceInput;
use aws_sdk_ecs::operation::deregister_task_definition::DeregisterTaskDefinitionInput;
use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
use aws_sdk_ecs::operation::run_task::RunTaskInput;
use aws_sdk_ecs::operation::stop_service_deployment::StopServiceDeploymentInput;
use aws_sdk_ecs::operation::stop_task::StopTaskInput;
use aws_sdk_ecs::operation::tag_resource::TagResourceInput;
use aws_sdk_ecs::operation::update_service::UpdateServiceInput;
use aws_sdk_ecs::types::*;

structures! {
    // Containers come back in another order (recorded answers: the essential one first), so they are keyed by name,
    // which is unique in a task; volumes too. Placement constraints must all hold, and compatibilities are a choice
    // of names: sets. TagResource: a key is unique on a resource. RegisterTaskDefinition: an accelerator is referred
    // to by its device name.
    RegisterTaskDefinitionInput as RegisterTaskDefinition {
        #[required] family, taskRoleArn, executionRoleArn, networkMode, #[required] containerDefinitions[name],
        volumes[name], placementConstraints[], requiresCompatibilities[], cpu, memory, tags[key], pidMode, ipcMode,
        proxyConfiguration, inferenceAccelerators[deviceName], ephemeralStorage, runtimePlatform,
        enableFaultInjection,
    }
    // Kept: the words of `command` and `entryPoint`; DNS servers and search domains are asked in turn (docker run);
    // environment files are "processed from the top down" (Developer Guide, "Pass environment variables"). Recorded
    // answers come in another order for `environment`, `portMappings`, `secrets`, `volumesFrom`, `links`. The others
    // mean the same in any order (KernelCapabilities, Ulimit, SystemControl and so on describe independent settings),
    // keyed where a member must be unique in the container: mount path, container waited for, limit, kernel
    // parameter, resource type. A port mapping has no single unique member: port or range, protocol and host port
    // together are.
    ContainerDefinition {
        name, image, repositoryCredentials, cpu, memory, memoryReservation, links[],
        portMappings[containerPort, containerPortRange, protocol, hostPort], essential, restartPolicy, entryPoint,
        command, environment[name], environmentFiles, mountPoints[containerPath], volumesFrom[sourceContainer],
        linuxParameters, secrets[name], dependsOn[containerName], startTimeout, stopTimeout, versionConsistency,
        hostname, user, workingDirectory, disableNetworking, privileged, readonlyRootFilesystem, dnsServers,
        dnsSearchDomains, extraHosts[], dockerSecurityOptions[], interactive, pseudoTerminal, dockerLabels,
        ulimits[name], logConfiguration, healthCheck, systemControls[namespace], resourceRequirements[type],
        firelensConfiguration, credentialSpecs[],
    }
    RepositoryCredentials { #[required] credentialsParameter }
    PortMapping { containerPort, hostPort, protocol, name, appProtocol, containerPortRange }
    // ContainerRestartPolicy: exit codes that are not restarted; any order.
    ContainerRestartPolicy { #[required] enabled, ignoredExitCodes[], restartAttemptPeriod }
    KeyValuePair { name, value }
    EnvironmentFile { #[required] value, #[required] type = r#type }
    MountPoint { sourceVolume, containerPath, readOnly }
    VolumeFrom { sourceContainer, readOnly }
    // Device: one host device may be mapped twice, to different paths. Tmpfs: one mount a path.
    LinuxParameters {
        capabilities, devices[hostPath, containerPath], initProcessEnabled, sharedMemorySize, tmpfs[containerPath],
        maxSwap, swappiness,
    }
    // KernelCapabilities: names to add and to drop; any order.
    KernelCapabilities { add[], drop[] }
    // Device: any of read, write, mknod.
    Device { #[required] hostPath, containerPath, permissions[] }
    // Tmpfs: a choice of mount options; any order.
    Tmpfs { #[required] containerPath, #[required] size, mountOptions[] }
    Secret { #[required] name, #[required] valueFrom }
    ContainerDependency { #[required] containerName, #[required] condition }
    HostEntry { #[required] hostname, #[required] ipAddress }
    Ulimit { #[required] name, #[required] softLimit, #[required] hardLimit }
    // LogConfiguration: secret options are environment for the log driver, named like `secrets`.
    LogConfiguration { #[required] logDriver, options, secretOptions[name] }
    // HealthCheck: the words of a command.
    HealthCheck { #[required] command, interval, timeout, retries, startPeriod }
    SystemControl { namespace, value }
    ResourceRequirement { value, #[required] type = r#type, sharingStrategy }
    NvidiaMpsAllocation { #[required] memory, maxComputePercent }
    FirelensConfiguration { #[required] type = r#type, options }
    Volume {
        name, host, dockerVolumeConfiguration, efsVolumeConfiguration, s3filesVolumeConfiguration,
        fsxWindowsFileServerVolumeConfiguration, configuredAtLaunch,
    }
    HostVolumeProperties { sourcePath }
    DockerVolumeConfiguration { scope, autoprovision, driver, driverOpts, labels }
    EfsVolumeConfiguration as EFSVolumeConfiguration {
        #[required] fileSystemId, rootDirectory, transitEncryption, transitEncryptionPort, authorizationConfig,
    }
    EfsAuthorizationConfig as EFSAuthorizationConfig { accessPointId, iam }
    S3FilesVolumeConfiguration { #[required] fileSystemArn, rootDirectory, transitEncryptionPort, accessPointArn }
    FSxWindowsFileServerVolumeConfiguration {
        #[required] fileSystemId, #[required] rootDirectory, #[required] authorizationConfig,
    }
    FSxWindowsFileServerAuthorizationConfig { #[required] credentialsParameter, #[required] domain }
    TaskDefinitionPlacementConstraint { type = r#type, expression }
    Tag { key, value }
    // ProxyConfiguration: network settings as key-value pairs.
    ProxyConfiguration { type = r#type, #[required] containerName, properties[name] }
    InferenceAccelerator { #[required] deviceName, #[required] deviceType }
    EphemeralStorage { #[required] sizeInGiB => size_in_gib }
    RuntimePlatform { cpuArchitecture, operatingSystemFamily }
    // A target group (or classic load balancer) has one entry, so that a changed port reads as a change. A service
    // has at most one registry and one gateway connector, its ports and volumes have unique names.
    // CapacityProviderStrategyItem: one item a provider, weights and bases do not depend on order. Placement
    // constraints must all hold; placement strategies are applied one after the other (Developer Guide, "Amazon ECS
    // task placement strategies"), so order counts.
    CreateServiceInput as CreateService {
        cluster, #[required] serviceName, taskDefinition, availabilityZoneRebalancing,
        loadBalancers[targetGroupArn, loadBalancerName], serviceRegistries[registryArn], desiredCount, clientToken,
        launchType, capacityProviderStrategy[capacityProvider], platformVersion, role, deploymentConfiguration,
        placementConstraints[], placementStrategy, networkConfiguration, healthCheckGracePeriodSeconds,
        schedulingStrategy, deploymentController, tags[key], enableECSManagedTags => enable_ecs_managed_tags,
        propagateTags, enableExecuteCommand, serviceConnectConfiguration, volumeConfigurations[name],
        vpcLatticeConfigurations[targetGroupArn], gatewayConnectors[portName], monitoring,
    }
    LoadBalancer { targetGroupArn, loadBalancerName, containerName, containerPort, advancedConfiguration }
    AdvancedConfiguration { alternateTargetGroupArn, productionListenerRule, testListenerRule, roleArn }
    ServiceRegistry { registryArn, port, containerName, containerPort }
    CapacityProviderStrategyItem { #[required] capacityProvider, weight, base }
    // UpdateService replaces `lifecycleHooks` as a whole, in the order given.
    DeploymentConfiguration {
        deploymentCircuitBreaker, maximumPercent, minimumHealthyPercent, alarms, strategy, bakeTimeInMinutes,
        lifecycleHooks, linearConfiguration, canaryConfiguration, earlySuccessCriteria,
    }
    DeploymentCircuitBreaker { #[required] enable, #[required] rollback, resetOnHealthyTask, thresholdConfiguration }
    ThresholdConfiguration { #[required] type = r#type, #[required] value }
    // DeploymentAlarms: names of alarms that are all watched.
    DeploymentAlarms { #[required] alarmNames[], #[required] rollback, #[required] enable }
    // DeploymentLifecycleHook: the stages at which one hook runs; the deployment decides their order.
    DeploymentLifecycleHook {
        targetType, hookTargetArn, roleArn, lifecycleStages[], hookDetails, timeoutConfiguration,
    }
    DeploymentLifecycleHookTimeoutConfiguration { timeoutInMinutes, action }
    LinearConfiguration { stepPercent, stepBakeTimeInMinutes }
    CanaryConfiguration { canaryPercent, canaryBakeTimeInMinutes }
    DeploymentEarlySuccessCriteria { #[required] enable, healthyPercent, sourceServiceRevisionCleanup }
    PlacementConstraint { type = r#type, expression }
    PlacementStrategy { type = r#type, field }
    NetworkConfiguration { awsvpcConfiguration }
    // AwsVpcConfiguration: any of up to 16 subnets and 5 security groups; recorded answers come in another order.
    AwsVpcConfiguration { #[required] subnets[], securityGroups[], assignPublicIp }
    DeploymentController { #[required] type = r#type }
    // ServiceConnectConfiguration: a service is found by the port name of the task definition, which is unique there;
    // container configurations are independent settings.
    ServiceConnectConfiguration {
        #[required] enabled, namespace, services[portName], logConfiguration, accessLogConfiguration,
        containerConfigurations[],
    }
    // ServiceConnectService: at most one client alias.
    ServiceConnectService { #[required] portName, discoveryName, clientAliases, ingressPortOverride, timeout, tls }
    ServiceConnectClientAlias { #[required] port, dnsName, testTrafficRules }
    ServiceConnectTestTrafficRules { #[required] header }
    ServiceConnectTestTrafficHeaderRules { #[required] name, value }
    ServiceConnectTestTrafficHeaderMatchRules { #[required] exact }
    TimeoutConfiguration { idleTimeoutSeconds, perRequestTimeoutSeconds }
    ServiceConnectTlsConfiguration { #[required] issuerCertificateAuthority, kmsKey, roleArn }
    ServiceConnectTlsCertificateAuthority { awsPcaAuthorityArn }
    ServiceConnectAccessLogConfiguration { #[required] format, includeQueryParameters }
    ServiceVolumeConfiguration { #[required] name, managedEBSVolume => managed_ebs_volume }
    // EBSTagSpecification: one for each type of resource.
    ServiceManagedEbsVolumeConfiguration as ServiceManagedEBSVolumeConfiguration {
        encrypted, kmsKeyId, volumeType, sizeInGiB => size_in_gib, snapshotId, volumeInitializationRate, iops,
        throughput, tagSpecifications[resourceType], #[required] roleArn, filesystemType,
    }
    // TagResource: a key is unique on a resource.
    EbsTagSpecification as EBSTagSpecification { #[required] resourceType, tags[key], propagateTags }
    VpcLatticeConfiguration {
        #[required] roleArn, #[required] targetGroupArn, #[required] portName, advancedConfiguration,
    }
    VpcLatticeAdvancedConfiguration { alternateTargetGroupArn, productionListenerRule, testListenerRule }
    GatewayConnector { #[required] portName, healthCheck, filters }
    GatewayConnectorHealthCheck {
        healthCheckProtocol, healthCheckPort, healthCheckPath, healthCheckTimeoutSeconds, healthCheckIntervalSeconds,
        healthyThresholdCount, unhealthyThresholdCount, matcher,
    }
    GatewayConnectorHealthCheckMatcher { httpCode, grpcCode }
    // GatewayConnectorFilters: a choice of access types.
    GatewayConnectorFilters { accessTypes[] }
    // MonitoringConfiguration: a set of metrics for each resolution.
    MonitoringConfiguration { metricConfigurations[resolutionSeconds] }
    // MetricConfiguration: names of metrics.
    MetricConfiguration { #[required] metricNames[], #[required] resolutionSeconds }
    TagResourceInput as TagResource { #[required] resourceArn, #[required] tags[key] }
    // As in CreateService.
    RunTaskInput as RunTask {
        capacityProviderStrategy[capacityProvider], cluster, count,
        enableECSManagedTags => enable_ecs_managed_tags, enableExecuteCommand, group, launchType, networkConfiguration,
        overrides, placementConstraints[], placementStrategy, platformVersion, propagateTags, referenceId, startedBy,
        tags[key], #[required] taskDefinition, clientToken, volumeConfigurations[name],
    }
    // As in RegisterTaskDefinition.
    TaskOverride {
        containerOverrides[name], cpu, inferenceAcceleratorOverrides[deviceName], executionRoleArn, memory, taskRoleArn,
        ephemeralStorage,
    }
    ContainerOverride {
        name, command, environment[name], environmentFiles, cpu, memory, memoryReservation, resourceRequirements[type],
    }
    InferenceAcceleratorOverride { deviceName, deviceType }
    TaskVolumeConfiguration { #[required] name, managedEBSVolume => managed_ebs_volume }
    TaskManagedEbsVolumeConfiguration as TaskManagedEBSVolumeConfiguration {
        encrypted, kmsKeyId, volumeType, sizeInGiB => size_in_gib, snapshotId, volumeInitializationRate, iops,
        throughput, tagSpecifications[resourceType], #[required] roleArn, terminationPolicy, filesystemType,
    }
    TaskManagedEbsVolumeTerminationPolicy as TaskManagedEBSVolumeTerminationPolicy { #[required] deleteOnTermination }
    StopTaskInput as StopTask { cluster, #[required] task, reason }
    DeregisterTaskDefinitionInput as DeregisterTaskDefinition { #[required] taskDefinition }
    DeleteServiceInput as DeleteService { cluster, #[required] service, force }
    // As in CreateService.
    UpdateServiceInput as UpdateService {
        cluster, #[required] service, desiredCount, taskDefinition, capacityProviderStrategy[capacityProvider],
        deploymentConfiguration, availabilityZoneRebalancing, networkConfiguration, placementConstraints[],
        placementStrategy, platformVersion, forceNewDeployment, healthCheckGracePeriodSeconds, deploymentController,
        enableExecuteCommand, enableECSManagedTags => enable_ecs_managed_tags,
        loadBalancers[targetGroupArn, loadBalancerName], propagateTags, serviceRegistries[registryArn],
        serviceConnectConfiguration, volumeConfigurations[name], vpcLatticeConfigurations[targetGroupArn],
        gatewayConnectors[portName], monitoring,
    }
    StopServiceDeploymentInput as StopServiceDeployment { #[required] serviceDeploymentArn, stopType }
    ContinueServiceDeploymentInput as ContinueServiceDeployment {
        #[required] serviceDeploymentArn, #[required] hookId, action,
    }
    // As in RegisterTaskDefinition. Attributes that the task needs have no order (DescribeTaskDefinition).
    TaskDefinition {
        taskDefinitionArn, containerDefinitions[name], family, taskRoleArn, executionRoleArn, networkMode, revision,
        volumes[name], status, requiresAttributes[], placementConstraints[], compatibilities[], runtimePlatform,
        requiresCompatibilities[], cpu, memory, inferenceAccelerators[deviceName], pidMode, ipcMode,
        proxyConfiguration, registeredAt, deregisteredAt, deleteRequestedAt, registeredBy, ephemeralStorage,
        enableFaultInjection,
    }
    Attribute { #[required] name, value, targetType, targetId }
    // As in CreateService. Events come newest first (DescribeServices); the others are found by their ids.
    Service {
        serviceArn, serviceName, clusterArn, loadBalancers[targetGroupArn, loadBalancerName],
        serviceRegistries[registryArn], status, desiredCount, runningCount, pendingCount, launchType,
        capacityProviderStrategy[capacityProvider], platformVersion, platformFamily, taskDefinition,
        deploymentConfiguration, taskSets[id], deployments[id], roleArn, events, createdAt, currentServiceDeployment,
        currentServiceRevisions[arn], placementConstraints[], placementStrategy, networkConfiguration,
        healthCheckGracePeriodSeconds, schedulingStrategy, deploymentController, tags[key], createdBy,
        enableECSManagedTags => enable_ecs_managed_tags, propagateTags, enableExecuteCommand,
        availabilityZoneRebalancing, resourceManagementType,
    }
    // As in CreateService.
    TaskSet {
        id, taskSetArn, serviceArn, clusterArn, startedBy, externalId, status, taskDefinition, computedDesiredCount,
        pendingCount, runningCount, createdAt, updatedAt, launchType, capacityProviderStrategy[capacityProvider],
        platformVersion, platformFamily, networkConfiguration, loadBalancers[targetGroupArn, loadBalancerName],
        serviceRegistries[registryArn], scale, stabilityStatus, stabilityStatusAt, tags[key], fargateEphemeralStorage,
    }
    Scale { value, unit }
    DeploymentEphemeralStorage { kmsKeyId }
    // As in CreateService. A Service Connect resource is found by its discovery name.
    Deployment {
        id, status, taskDefinition, desiredCount, pendingCount, runningCount, failedTasks, createdAt, updatedAt,
        capacityProviderStrategy[capacityProvider], launchType, platformVersion, platformFamily, networkConfiguration,
        rolloutState, rolloutStateReason, serviceConnectConfiguration, serviceConnectResources[discoveryName],
        volumeConfigurations[name], fargateEphemeralStorage, vpcLatticeConfigurations[targetGroupArn],
    }
    ServiceConnectServiceResource { discoveryName, discoveryArn }
    ServiceEvent { id, createdAt, message }
    ServiceCurrentRevisionSummary { arn, requestedTaskCount, runningTaskCount, pendingTaskCount }
}

unions! {
    SharingStrategy { nvidiaMps => NvidiaMps(NvidiaMpsAllocation) }
    ServiceConnectContainerConfiguration { logLevel => LogLevel(ServiceConnectContainerLogLevel) }
}

enums! {
    NetworkMode, TransportProtocol, ApplicationProtocol, EnvironmentFileType, DeviceCgroupPermission,
    ContainerCondition, VersionConsistency, UlimitName, LogDriver, ResourceType, FirelensConfigurationType, Scope,
    EfsTransitEncryption, EfsAuthorizationConfigIam, TaskDefinitionPlacementConstraintType, Compatibility, PidMode,
    IpcMode, ProxyConfigurationType, CpuArchitecture, OsFamily, AvailabilityZoneRebalancing, LaunchType,
    ThresholdType, DeploymentStrategy, DeploymentLifecycleHookTargetType, DeploymentLifecycleHookStage,
    DeploymentLifecycleHookAction, ServiceRevisionCleanup, PlacementConstraintType, PlacementStrategyType,
    AssignPublicIp, SchedulingStrategy, DeploymentControllerType, PropagateTags, ServiceConnectAccessLoggingFormat,
    ServiceConnectIncludeQueryParameters, ServiceConnectContainerLogLevel, EbsResourceType, TaskFilesystemType,
    GatewayConnectorHealthCheckProtocol, AccessType, TaskDefinitionStatus, TargetType, ScaleUnit, StabilityStatus,
    DeploymentRolloutState, ResourceManagementType, StopServiceDeploymentStopType,
}
