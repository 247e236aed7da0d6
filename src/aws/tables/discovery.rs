//! Cloud Map: services.

use crate::aws::wire::{enums, structures};
use aws_sdk_servicediscovery::operation::create_service::CreateServiceInput;
use aws_sdk_servicediscovery::operation::delete_service::DeleteServiceInput;
use aws_sdk_servicediscovery::operation::tag_resource::TagResourceInput;
use aws_sdk_servicediscovery::operation::update_service::UpdateServiceInput;
use aws_sdk_servicediscovery::types::*;

structures! {
    // TagResource: a key is unique on a resource.
    CreateServiceInput as CreateService {
        #[required] Name, NamespaceId, CreatorRequestId, Description, DnsConfig, HealthCheckConfig,
        HealthCheckCustomConfig, Tags[Key], Type = r#type,
    }
    DeleteServiceInput as DeleteService { #[required] Id }
    TagResourceInput as TagResource { #[required] ResourceARN => resource_arn, #[required] Tags[Key] }
    // DnsRecord: one record of each type (A with AAAA, or SRV, or CNAME).
    DnsConfig { NamespaceId, RoutingPolicy, #[required] DnsRecords[Type] }
    DnsRecord { #[required] Type = r#type, #[required] TTL => ttl }
    HealthCheckConfig { #[required] Type = r#type, ResourcePath, FailureThreshold }
    HealthCheckCustomConfig { FailureThreshold }
    Tag { #[required] Key, #[required] Value }
    UpdateServiceInput as UpdateService { #[required] Id, #[required] Service }
    ServiceChange { Description, DnsConfig, HealthCheckConfig }
    // As in DnsConfig.
    DnsConfigChange { #[required] DnsRecords[Type] }
    Service {
        Id, Arn, ResourceOwner, Name, NamespaceId, Description, InstanceCount, DnsConfig, Type = r#type,
        HealthCheckConfig, HealthCheckCustomConfig, CreateDate, CreatorRequestId, CreatedByAccount,
    }
}

enums! {
    RoutingPolicy, RecordType, HealthCheckType, ServiceTypeOption, ServiceType,
}
