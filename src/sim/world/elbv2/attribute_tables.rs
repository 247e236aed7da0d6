//! The attributes that there are, with their defaults and values.
//!
//! Sources: the API Reference (LoadBalancerAttribute, ListenerAttribute, TargetGroupAttribute); where a guide and a recorded
//! answer differ, the answer.

use Values::{Flag, Number, NumberOrOff, Text, Word};

/// What an attribute can be set to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values {
    /// true, false.
    Flag,
    /// A whole number from, to.
    Number(i64, i64),
    /// The same, or `off`.
    NumberOrOff(i64, i64),
    /// One of these.
    Word(&'static [&'static str]),
    /// Any text, also none.
    Text,
}

/// Key, default, values.
pub(super) type Row = (&'static str, &'static str, Values);

/// Of application and network load balancers.
pub(super) const BALANCER: &[Row] = &[
    ("access_logs.s3.enabled", "false", Flag),
    ("access_logs.s3.bucket", "", Text),
    ("access_logs.s3.prefix", "", Text),
    ("ipv6.deny_all_igw_traffic", "false", Flag),
    ("zonal_shift.config.enabled", "false", Flag),
];

/// Of all load balancers. (On application load balancers, cross zone is on: [`APPLICATION`].)
pub(super) const EVERY_BALANCER: &[Row] =
    &[("deletion_protection.enabled", "false", Flag), ("load_balancing.cross_zone.enabled", "false", Flag)];

/// Of application load balancers.
pub(super) const APPLICATION: &[Row] = &[
    // "The default for Application Load Balancers is true, and can't be changed."
    ("load_balancing.cross_zone.enabled", "true", Word(&["true"])),
    ("idle_timeout.timeout_seconds", "60", Number(1, 4000)),
    ("client_keep_alive.seconds", "3600", Number(60, 604_800)),
    ("connection_logs.s3.enabled", "false", Flag),
    ("connection_logs.s3.bucket", "", Text),
    ("connection_logs.s3.prefix", "", Text),
    ("health_check_logs.s3.enabled", "false", Flag),
    ("health_check_logs.s3.bucket", "", Text),
    ("health_check_logs.s3.prefix", "", Text),
    ("routing.http.desync_mitigation_mode", "defensive", Word(&["monitor", "defensive", "strictest"])),
    ("routing.http.drop_invalid_header_fields.enabled", "false", Flag),
    ("routing.http.preserve_host_header.enabled", "false", Flag),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Flag),
    ("routing.http.xff_client_port.enabled", "false", Flag),
    ("routing.http.xff_header_processing.mode", "append", Word(&["append", "preserve", "remove"])),
    ("routing.http2.enabled", "true", Flag),
    ("waf.fail_open.enabled", "false", Flag),
];

/// Of network load balancers.
pub(super) const NETWORK: &[Row] = &[
    (
        "dns_record.client_routing_policy",
        "any_availability_zone",
        Word(&["availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"]),
    ),
    ("secondary_ips.auto_assigned.per_subnet", "0", Number(0, 7)),
];

/// Of HTTP and HTTPS listeners.
pub(super) const HTTP_LISTENER: &[Row] = &[
    ("routing.http.response.server.enabled", "true", Flag),
    ("routing.http.response.strict_transport_security.header_value", "", Text),
    ("routing.http.response.access_control_allow_origin.header_value", "", Text),
    ("routing.http.response.access_control_allow_methods.header_value", "", Text),
    ("routing.http.response.access_control_allow_headers.header_value", "", Text),
    ("routing.http.response.access_control_allow_credentials.header_value", "", Text),
    ("routing.http.response.access_control_expose_headers.header_value", "", Text),
    ("routing.http.response.access_control_max_age.header_value", "", Text),
    ("routing.http.response.content_security_policy.header_value", "", Text),
    ("routing.http.response.x_content_type_options.header_value", "", Text),
    ("routing.http.response.x_frame_options.header_value", "", Text),
];

/// Of HTTPS listeners beside.
pub(super) const HTTPS_LISTENER: &[Row] = &[
    ("routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name", "", Text),
    ("routing.http.request.x_amzn_mtls_clientcert_issuer.header_name", "", Text),
    ("routing.http.request.x_amzn_mtls_clientcert_subject.header_name", "", Text),
    ("routing.http.request.x_amzn_mtls_clientcert_validity.header_name", "", Text),
    ("routing.http.request.x_amzn_mtls_clientcert_leaf.header_name", "", Text),
    ("routing.http.request.x_amzn_mtls_clientcert.header_name", "", Text),
    ("routing.http.request.x_amzn_tls_version.header_name", "", Text),
    ("routing.http.request.x_amzn_tls_cipher_suite.header_name", "", Text),
];

/// Of TCP listeners, and of those of gateway load balancers.
pub(super) const TCP_LISTENER: &[Row] = &[("tcp.idle_timeout.seconds", "350", Number(60, 6000))];

/// Of all target groups but those of functions.
pub(super) const DELAY: &[Row] = &[("deregistration_delay.timeout_seconds", "300", Number(0, 3600))];

/// Of all target groups.
pub(super) const CROSS_ZONE: &[Row] = &[(
    "load_balancing.cross_zone.enabled",
    "use_load_balancer_configuration",
    Word(&["true", "false", "use_load_balancer_configuration"]),
)];

/// Of target groups of application and network load balancers.
pub(super) const GROUP_HEALTH: &[Row] = &[
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1", NumberOrOff(1, 1000)),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", NumberOrOff(1, 100)),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", Number(1, 1000)),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", NumberOrOff(1, 100)),
];

/// Of target groups of application load balancers.
pub(super) const COOKIES: &[Row] = &[
    ("stickiness.enabled", "false", Flag),
    ("stickiness.type", "lb_cookie", Word(&["lb_cookie", "app_cookie"])),
    ("stickiness.lb_cookie.duration_seconds", "86400", Number(1, 604_800)),
    ("stickiness.app_cookie.duration_seconds", "86400", Number(1, 604_800)),
    ("stickiness.app_cookie.cookie_name", "", Text),
];

/// Of HTTP and HTTPS target groups.
pub(super) const ALGORITHM: &[Row] = &[
    (
        "load_balancing.algorithm.type",
        "round_robin",
        Word(&["round_robin", "least_outstanding_requests", "weighted_random"]),
    ),
    ("load_balancing.algorithm.anomaly_mitigation", "off", Word(&["on", "off"])),
    // "The range is 30-900 seconds. The default is 0 seconds (disabled)."
    ("slow_start.duration_seconds", "0", Number(0, 900)),
];

/// Of target groups of functions.
pub(super) const FUNCTION: &[Row] = &[("lambda.multi_value_headers.enabled", "false", Flag)];

/// Of target groups of network load balancers.
pub(super) const NETWORK_GROUP: &[Row] = &[
    ("deregistration_delay.connection_termination.enabled", "false", Flag),
    ("preserve_client_ip.enabled", "true", Flag),
    ("proxy_protocol_v2.enabled", "false", Flag),
    ("stickiness.enabled", "false", Flag),
    ("stickiness.type", "source_ip", Word(&["source_ip"])),
    ("target_health_state.unhealthy.connection_termination.enabled", "true", Flag),
    ("target_health_state.unhealthy.draining_interval_seconds", "0", Number(0, 360_000)),
];

/// Of target groups of gateway load balancers.
pub(super) const GATEWAY_GROUP: &[Row] = &[
    ("stickiness.enabled", "false", Flag),
    ("stickiness.type", "source_ip_dest_ip_proto", Word(&["source_ip_dest_ip_proto", "source_ip_dest_ip"])),
    ("target_failover.on_deregistration", "no_rebalance", Word(&["rebalance", "no_rebalance"])),
    ("target_failover.on_unhealthy", "no_rebalance", Word(&["rebalance", "no_rebalance"])),
];
