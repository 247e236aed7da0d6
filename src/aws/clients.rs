//! The SDK's clients for one account and region.

use super::call::{Calls, Error, Operation, WRITE_LIMIT};
use super::pace::Priority;
use super::transport::Transport;
use crate::core::id::{AccountId, Arn, Region};
use crate::core::retry::Class;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// TCP and TLS together. The SDK's own default: past three seconds the first packet was lost and sent again, and a
/// reachable endpoint answers within it.
const CONNECT_LIMIT: Duration = Duration::from_millis(3100);

/// Where and as whom to call AWS. What is absent is taken from the environment and the profile, as every AWS tool does:
/// `AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_ECS` and so on.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The region of every resource.
    pub region: Option<Region>,
    /// A named profile.
    pub profile: Option<String>,
    /// One endpoint for all services, for tests and emulators. Goes before `AWS_ENDPOINT_URL`; a service's own, as
    /// `AWS_ENDPOINT_URL_ECS`, goes before this (the SDK's order).
    pub endpoint_url: Option<String>,
    /// A role to take on, usually of another account.
    pub assume_role: Option<AssumeRole>,
    /// Another way than the network; with it nothing of the environment is read.
    pub transport: Option<Transport>,
}

/// A role to take on.
#[derive(Debug, Clone)]
pub struct AssumeRole {
    /// The role.
    pub role: Arn,
    /// What the role's trust policy asks for, against confused deputies (IAM User Guide, "External ID").
    pub external_id: Option<SecretString>,
}

/// Whose credentials are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// The user, or the session of a role: usually a person's name.
    pub name: String,
}

/// The clients of one account and region, and the way to call them.
#[derive(Debug, Clone)]
pub struct Clients {
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Elastic Load Balancing v2.
    pub elbv2: aws_sdk_elasticloadbalancingv2::Client,
    /// Application Auto Scaling.
    pub autoscaling: aws_sdk_applicationautoscaling::Client,
    /// CloudWatch alarms.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Cloud Map.
    pub discovery: aws_sdk_servicediscovery::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Container registry.
    pub ecr: aws_sdk_ecr::Client,
    /// Secrets Manager: names and ARNs only, never values.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Systems Manager parameters: names only, never values.
    pub ssm: aws_sdk_ssm::Client,
    /// CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// Who we are.
    pub sts: aws_sdk_sts::Client,
    /// Paces, limits and reports every call to the clients above.
    pub calls: Calls,
}

impl Clients {
    /// Reads the environment and the profile. Asks AWS for nothing yet: credentials are fetched with the first call.
    pub async fn connect(connection: &Connection, calls: Calls) -> Self {
        Self::of(&sdk_config(connection).await, calls)
    }

    /// The clients of an SDK configuration, with the daemon's own limits and without the SDK's retries.
    pub fn of(config: &SdkConfig, calls: Calls) -> Self {
        let config = &limited(config);
        Self {
            ecs: aws_sdk_ecs::Client::new(config),
            elbv2: aws_sdk_elasticloadbalancingv2::Client::new(config),
            autoscaling: aws_sdk_applicationautoscaling::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            discovery: aws_sdk_servicediscovery::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            calls,
        }
    }

    /// Whose the credentials are (STS GetCallerIdentity, which needs no permission).
    pub async fn identity(&self) -> Result<Identity, Error> {
        const OPERATION: Operation = Operation::read("sts", "GetCallerIdentity");
        let answer = self.calls.call(OPERATION, Priority::VerifyWrite, self.sts.get_caller_identity().send()).await?;
        let account =
            answer.account().ok_or_else(|| Error::local(OPERATION, Class::Transient, "the answer names no account"))?;
        // `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, `arn:aws:iam::ACCOUNT:user/NAME`.
        let name = answer.arn().and_then(|arn| arn.rsplit('/').next()).unwrap_or("somebody").to_owned();
        Ok(Identity { account: AccountId::new(account), name })
    }
}

async fn sdk_config(connection: &Connection) -> SdkConfig {
    let Connection { region, profile, endpoint_url, assume_role, transport } = connection;
    if let Some(transport) = transport {
        return transport.config(region.as_ref().map_or("us-east-1", Region::as_str));
    }
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = region {
        loader = loader.region(aws_config::Region::new(region.as_str().to_owned()));
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    let Some(AssumeRole { role, external_id }) = assume_role else { return config };
    let mut provider = AssumeRoleProvider::builder(role.as_str()).session_name("driftless").configure(&config);
    if let Some(external_id) = external_id {
        provider = provider.external_id(external_id.expose_secret());
    }
    let provider = provider.build().await;
    config.into_builder().credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(provider)).build()
}

/// The SDK has no limit on attempts by default, and retries writes that must happen once.
fn limited(config: &SdkConfig) -> SdkConfig {
    let limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        // The outer bound; `Calls` gives up earlier on reads.
        .operation_attempt_timeout(WRITE_LIMIT)
        .build();
    let mut builder = config.clone().into_builder().retry_config(RetryConfig::disabled()).timeout_config(limits);
    // A user agent's application id takes no slash (RFC 9110 tokens).
    builder.set_app_name(AppName::new(concat!("driftless-", env!("CARGO_PKG_VERSION"))).ok());
    builder.build()
}
