//! Elastic Load Balancing v2: rules, target groups, listeners, load balancers.

use crate::aws::wire::{enums, structures};
use aws_sdk_elasticloadbalancingv2::operation::add_listener_certificates::AddListenerCertificatesInput;
use aws_sdk_elasticloadbalancingv2::operation::add_tags::AddTagsInput;
use aws_sdk_elasticloadbalancingv2::operation::create_listener::CreateListenerInput;
use aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleInput;
use aws_sdk_elasticloadbalancingv2::operation::create_target_group::CreateTargetGroupInput;
use aws_sdk_elasticloadbalancingv2::operation::delete_rule::DeleteRuleInput;
use aws_sdk_elasticloadbalancingv2::operation::delete_target_group::DeleteTargetGroupInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_listener::ModifyListenerInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_listener_attributes::ModifyListenerAttributesInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_load_balancer_attributes::ModifyLoadBalancerAttributesInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_target_group::ModifyTargetGroupInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_target_group_attributes::ModifyTargetGroupAttributesInput;
use aws_sdk_elasticloadbalancingv2::operation::remove_listener_certificates::RemoveListenerCertificatesInput;
use aws_sdk_elasticloadbalancingv2::operation::set_rule_priorities::SetRulePrioritiesInput;
use aws_sdk_elasticloadbalancingv2::types::*;

structures! {
    // A rule applies if all conditions hold ("Listener rules" in the ALB guide), and conditions have no name:
    // http-header and query-string may be given several times. Actions are performed by `Order` and end with the one
    // that routes; at most one transform of each type. AddTags: a key is unique on a resource.
    CreateRuleInput as CreateRule {
        #[required] ListenerArn, #[required] Conditions[], #[required] Priority, #[required] Actions, Tags[Key],
        Transforms[Type],
    }
    // One of the values must match, and recorded answers come in another order: sets.
    RuleCondition {
        Field, Values[], HostHeaderConfig, PathPatternConfig, HttpHeaderConfig, QueryStringConfig,
        HttpRequestMethodConfig, SourceIpConfig, RegexValues[],
    }
    // As in RuleCondition.
    HostHeaderConditionConfig { Values[], RegexValues[] }
    // As in RuleCondition.
    PathPatternConditionConfig { Values[], RegexValues[] }
    // As in RuleCondition.
    HttpHeaderConditionConfig { HttpHeaderName, Values[], RegexValues[] }
    // As in RuleCondition; a pair without key matches any key, and one key may be given with several values.
    QueryStringConditionConfig { Values[] }
    QueryStringKeyValuePair { Key, Value }
    // As in RuleCondition.
    HttpRequestMethodConditionConfig { Values[] }
    // As in RuleCondition.
    SourceIpConditionConfig { Values[], IpAddressType }
    Action {
        #[required] Type = r#type, TargetGroupArn, AuthenticateOidcConfig, AuthenticateCognitoConfig, Order,
        RedirectConfig, FixedResponseConfig, ForwardConfig, JwtValidationConfig,
    }
    AuthenticateOidcActionConfig {
        #[required] Issuer, #[required] AuthorizationEndpoint, #[required] TokenEndpoint,
        #[required] UserInfoEndpoint, #[required] ClientId, ClientSecret, SessionCookieName, Scope, SessionTimeout,
        AuthenticationRequestExtraParams, OnUnauthenticatedRequest, UseExistingClientSecret,
    }
    AuthenticateCognitoActionConfig {
        #[required] UserPoolArn, #[required] UserPoolClientId, #[required] UserPoolDomain, SessionCookieName, Scope,
        SessionTimeout, AuthenticationRequestExtraParams, OnUnauthenticatedRequest,
    }
    RedirectActionConfig { Protocol, Port, Host, Path, Query, #[required] StatusCode }
    FixedResponseActionConfig { MessageBody, #[required] StatusCode, ContentType }
    // ForwardActionConfig: traffic is shared by weight, not by place; a target group is given once.
    ForwardActionConfig { TargetGroups[TargetGroupArn], TargetGroupStickinessConfig }
    TargetGroupTuple { TargetGroupArn, Weight }
    TargetGroupStickinessConfig { Enabled, DurationSeconds }
    // JwtValidationActionConfig: all claims must hold; a claim is named once.
    JwtValidationActionConfig { #[required] JwksEndpoint, #[required] Issuer, AdditionalClaims[Name] }
    // One of the values must match.
    JwtValidationActionAdditionalClaim { #[required] Format, #[required] Name, #[required] Values[] }
    Tag { #[required] Key, Value }
    RuleTransform { #[required] Type = r#type, HostHeaderRewriteConfig, UrlRewriteConfig }
    // HostHeaderRewriteConfig: at most one rewrite.
    HostHeaderRewriteConfig { Rewrites }
    RewriteConfig { #[required] Regex, #[required] Replace }
    // UrlRewriteConfig: at most one rewrite.
    UrlRewriteConfig { Rewrites }
    // As in CreateRule.
    ModifyRuleInput as ModifyRule { #[required] RuleArn, Conditions[], Actions, Transforms[Type], ResetTransforms }
    // AddTags: a key is unique on a resource.
    CreateTargetGroupInput as CreateTargetGroup {
        #[required] Name, Protocol, ProtocolVersion, Port, VpcId, HealthCheckProtocol, HealthCheckPort,
        HealthCheckEnabled, HealthCheckPath, HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds,
        HealthyThresholdCount, UnhealthyThresholdCount, Matcher, TargetType, Tags[Key], IpAddressType,
        TargetControlPort,
    }
    DeleteTargetGroupInput as DeleteTargetGroup { #[required] TargetGroupArn }
    DeleteRuleInput as DeleteRule { #[required] RuleArn }
    Matcher { HttpCode, GrpcCode }
    ModifyTargetGroupInput as ModifyTargetGroup {
        #[required] TargetGroupArn, HealthCheckProtocol, HealthCheckPort, HealthCheckPath, HealthCheckEnabled,
        HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds, HealthyThresholdCount, UnhealthyThresholdCount,
        Matcher,
    }
    // Attributes are pairs; a key is given once.
    ModifyTargetGroupAttributesInput as ModifyTargetGroupAttributes {
        #[required] TargetGroupArn, #[required] Attributes[Key],
    }
    TargetGroupAttribute { Key, Value }
    // CreateListener: exactly one certificate, the default; at most one ALPN policy. Default actions as the actions
    // of CreateRule.
    CreateListenerInput as CreateListener {
        #[required] LoadBalancerArn, Protocol, Port, SslPolicy, Certificates[CertificateArn],
        #[required] DefaultActions, AlpnPolicy, Tags[Key], MutualAuthentication,
    }
    Certificate { CertificateArn, IsDefault }
    MutualAuthenticationAttributes {
        Mode, TrustStoreArn, IgnoreClientCertificateExpiry, TrustStoreAssociationStatus, AdvertiseTrustStoreCaNames,
    }
    // As in CreateListener.
    ModifyListenerInput as ModifyListener {
        #[required] ListenerArn, Port, Protocol, SslPolicy, Certificates[CertificateArn], DefaultActions, AlpnPolicy,
        MutualAuthentication,
    }
    // SetRulePriorities: all pairs take effect at once.
    SetRulePrioritiesInput as SetRulePriorities { #[required] RulePriorities[RuleArn] }
    RulePriorityPair { RuleArn, Priority }
    // AddListenerCertificates: certificates for SNI, chosen by host name, not by place.
    AddListenerCertificatesInput as AddListenerCertificates {
        #[required] ListenerArn, #[required] Certificates[CertificateArn],
    }
    // As in AddListenerCertificates.
    RemoveListenerCertificatesInput as RemoveListenerCertificates {
        #[required] ListenerArn, #[required] Certificates[CertificateArn],
    }
    // Attributes are pairs; a key is given once.
    ModifyListenerAttributesInput as ModifyListenerAttributes { #[required] ListenerArn, #[required] Attributes[Key] }
    ListenerAttribute { Key, Value }
    // Attributes are pairs; a key is given once.
    ModifyLoadBalancerAttributesInput as ModifyLoadBalancerAttributes {
        #[required] LoadBalancerArn, #[required] Attributes[Key],
    }
    LoadBalancerAttribute { Key, Value }
    // AddTags: every tag goes to every resource; a key is unique on a resource.
    AddTagsInput as AddTags { #[required] ResourceArns[], #[required] Tags[Key] }
    // As in CreateRule.
    Rule { RuleArn, Priority, Conditions[], Actions, IsDefault, Transforms[Type] }
    // DescribeTargetGroups: the load balancers that use it, in no order.
    TargetGroup {
        TargetGroupArn, TargetGroupName, Protocol, Port, VpcId, HealthCheckProtocol, HealthCheckPort,
        HealthCheckEnabled, HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds, HealthyThresholdCount,
        UnhealthyThresholdCount, HealthCheckPath, Matcher, LoadBalancerArns[], TargetType, ProtocolVersion,
        IpAddressType, TargetControlPort,
    }
    // As in CreateListener.
    Listener {
        ListenerArn, LoadBalancerArn, Port, Protocol, Certificates[CertificateArn], SslPolicy, DefaultActions,
        AlpnPolicy, MutualAuthentication,
    }
    // DescribeLoadBalancers: one subnet a zone (zones of one name may be on Outposts); security groups have no order.
    LoadBalancer {
        LoadBalancerArn, DNSName => dns_name, CanonicalHostedZoneId, CreatedTime, LoadBalancerName, Scheme, VpcId,
        State, Type = r#type, AvailabilityZones[SubnetId], SecurityGroups[], IpAddressType, CustomerOwnedIpv4Pool,
        EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic, EnablePrefixForIpv6SourceNat, IpamPools,
    }
    LoadBalancerState { Code, Reason }
    // AvailabilityZone: the addresses of one subnet.
    AvailabilityZone { ZoneName, SubnetId, OutpostId, LoadBalancerAddresses[], SourceNatIpv6Prefixes[] }
    LoadBalancerAddress {
        IpAddress, AllocationId, PrivateIPv4Address => private_ipv4_address, IPv6Address => ipv6_address,
    }
    IpamPools { Ipv4IpamPoolId }
}

enums! {
    SourceIpAddressTypeEnum, ActionTypeEnum, AuthenticateOidcActionConditionalBehaviorEnum,
    AuthenticateCognitoActionConditionalBehaviorEnum, RedirectActionStatusCodeEnum,
    JwtValidationActionAdditionalClaimFormatEnum, TransformTypeEnum, ProtocolEnum, TargetTypeEnum,
    TargetGroupIpAddressTypeEnum, TrustStoreAssociationStatusEnum, AdvertiseTrustStoreCaNamesEnum,
    LoadBalancerSchemeEnum, LoadBalancerStateEnum, LoadBalancerTypeEnum, IpAddressType,
    EnablePrefixForIpv6SourceNatEnum,
}
