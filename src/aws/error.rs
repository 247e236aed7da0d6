//! What can go wrong between here and AWS, and what it means: one error, one table.

use super::call::{Effect, Operation};
use crate::core::retry::Class;
use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error as StdError;
use std::fmt;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What was called.
    pub operation: Operation,
    /// AWS's error code; nothing when no answer came or it could not be read.
    pub code: Option<String>,
    /// One line without secrets: AWS's message, or what happened to the connection.
    pub message: String,
    /// What AWS's support asks for.
    pub request_id: Option<String>,
    /// What it means for the next try.
    pub class: Class,
    /// Nothing when no answer came.
    pub http_status: Option<u16>,
}

impl Error {
    /// What it means for the next try.
    pub fn class(&self) -> Class {
        self.class
    }

    /// An error of our own making, before or instead of an answer.
    pub fn local(operation: Operation, class: Class, message: impl Into<String>) -> Self {
        Self { operation, code: None, message: clean(&message.into()), request_id: None, class, http_status: None }
    }

    /// What the SDK says, sorted into a class.
    pub fn of<E>(operation: Operation, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let http_status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let message = match error.message() {
            Some(message) if !message.is_empty() => message.to_owned(),
            _ => story(error),
        };
        let class = match error {
            SdkError::ConstructionFailure(_) => Class::Terminal,
            SdkError::DispatchFailure(_) if lacks_credentials(&message) => Class::Denied,
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
                classify(operation, code.as_deref().unwrap_or_default(), &message, http_status)
            }
            // No answer (`TimeoutError`, `DispatchFailure`, and whatever a newer SDK adds): a read is repeated, a write may
            // have been done.
            _ => operation.unanswered(),
        };
        let request_id = error.request_id().map(str::to_owned);
        Self { operation, code, message: clean(&message), request_id, class, http_status }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, code, message, request_id, class: _, http_status } = self;
        write!(f, "{operation}: ")?;
        match (code, http_status) {
            (Some(code), _) => write!(f, "{code}: ")?,
            (None, Some(status)) => write!(f, "HTTP {status}: ")?,
            (None, None) => {}
        }
        f.write_str(message)?;
        request_id.iter().try_for_each(|id| write!(f, " (request id {id})"))
    }
}

impl StdError for Error {}

/// The longest message that is kept, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// One line, of bounded length, without access key ids. AWS's answer to a wrong signature repeats the signed headers
/// from its second line on, the session token among them.
fn clean(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let words = line.split(' ').map(|word| if is_key_id(word) { "(access key id)" } else { word });
    let text = words.collect::<Vec<_>>().join(" ");
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

/// Whether a word holds an access key id (IAM User Guide, "Unique identifiers").
fn is_key_id(word: &str) -> bool {
    ["AKIA", "ASIA"].iter().any(|prefix| {
        let rest = word.split_once(prefix).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).count() >= 12)
    })
}

/// The error and its causes in one line, without repetition.
fn story(error: &dyn StdError) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ").replace('\n', " ")
}

/// The SDK reports missing credentials as a failure to dispatch; what it lacked is only in the text.
fn lacks_credentials(message: &str) -> bool {
    let message = message.to_lowercase();
    ["credential", "identity resolver", "auth scheme", "token file"].iter().any(|words| message.contains(words))
}

/// One row: the service (empty = any), the error code (empty = any), a fragment of the message (empty = any).
type Row = (&'static str, &'static str, &'static str, Class);

/// What AWS's errors mean. The first row that fits decides, so rows with a fragment come before those without.
///
/// Sources: the API models' error lists (botocore 1.44.5) and each service's "Common errors"; others where they stand.
#[rustfmt::skip]
pub const CLASSES: &[Row] = &[
    // ---- Errors that look like something else.
    // DescribeScalingPolicies asks CloudWatch on our behalf, and wraps its throttling (aws-sdk-go issue 1472).
    ("", "", "Rate exceeded", Class::Throttled),
    ("autoscaling", "FailedResourceAccessException", "not authorized", Class::Denied),
    ("autoscaling", "FailedResourceAccessException", "AccessDenied", Class::Denied),
    ("autoscaling", "FailedResourceAccessException", "", Class::Transient),
    // Right after CreateService, Application Auto Scaling does not see the service yet (terraform-provider-aws retries).
    ("autoscaling", "ValidationException", "ECS service doesn't exist", Class::Dependency),
    ("autoscaling", "ObjectNotFoundException", "", Class::Dependency),
    ("autoscaling", "ConcurrentUpdateException", "", Class::Transient),
    ("autoscaling", "InternalServiceException", "", Class::Transient),
    ("autoscaling", "InvalidNextTokenException", "", Class::Transient),
    // RegisterTaskDefinition: another registration of the family was under way.
    ("ecs", "ClientException", "Too many concurrent attempts to create a new revision", Class::Transient),
    // CreateService on an active name: our own earlier call, or somebody else's service. Read, then decide.
    ("ecs", "InvalidParameterException", "Creation of service was not idempotent", Class::Ambiguous),
    ("ecs", "InvalidParameterException", "does not have an associated load balancer", Class::Dependency),
    // A role that was made a moment ago is not usable yet (IAM is eventually consistent).
    ("ecs", "InvalidParameterException", "Unable to assume", Class::Dependency),
    ("ecs", "InvalidParameterException", "verify that the ECS service role", Class::Dependency),
    ("ecs", "InvalidParameterException", "still Draining", Class::Dependency),
    ("ecs", "InvalidParameterException", "deployments are active", Class::Dependency),
    ("ecs", "ClientException", "TaskDefinition not found", Class::Dependency),
    ("ecs", "ServiceNotActiveException", "", Class::Dependency),
    ("ecs", "ServiceNotFoundException", "", Class::Dependency),
    ("ecs", "NamespaceNotFoundException", "", Class::Dependency),
    ("ecs", "TargetNotFoundException", "", Class::Dependency),
    ("ecs", "ResourceInUseException", "", Class::Dependency),
    ("ecs", "UpdateInProgressException", "", Class::Dependency),
    ("ecs", "ConflictException", "", Class::Transient),
    ("ecs", "BlockedException", "", Class::Denied),
    // The environment's cluster is not ours to make.
    ("ecs", "ClusterNotFoundException", "", Class::Terminal),
    ("ecs", "PlatformUnknownException", "", Class::Terminal),
    ("ecs", "PlatformTaskDefinitionIncompatibilityException", "", Class::Terminal),
    ("ecs", "UnsupportedFeatureException", "", Class::Terminal),
    ("ecs", "LimitExceededException", "", Class::Terminal),
    // ---- Elastic Load Balancing: what is there already may be what an earlier call of ours made.
    ("elbv2", "PriorityInUse", "", Class::Ambiguous),
    ("elbv2", "DuplicateTargetGroupName", "", Class::Ambiguous),
    ("elbv2", "DuplicateListener", "", Class::Ambiguous),
    ("elbv2", "ResourceInUse", "", Class::Dependency),
    ("elbv2", "TargetGroupNotFound", "", Class::Dependency),
    ("elbv2", "RuleNotFound", "", Class::Dependency),
    ("elbv2", "ListenerNotFound", "", Class::Dependency),
    ("elbv2", "LoadBalancerNotFound", "", Class::Dependency),
    ("elbv2", "CertificateNotFound", "", Class::Dependency),
    ("elbv2", "OperationNotPermitted", "", Class::Terminal),
    // ---- The others.
    ("discovery", "DuplicateRequest", "", Class::Ambiguous),
    ("discovery", "ServiceAlreadyExists", "", Class::Ambiguous),
    ("discovery", "NamespaceNotFound", "", Class::Dependency),
    ("discovery", "ServiceNotFound", "", Class::Dependency),
    ("discovery", "ResourceInUse", "", Class::Dependency),
    ("discovery", "ResourceLimitExceeded", "", Class::Terminal),
    ("discovery", "InvalidInput", "", Class::Terminal),
    ("cloudwatch", "LimitExceeded", "", Class::Terminal),
    ("cloudwatch", "ConcurrentModificationException", "", Class::Transient),
    ("cloudwatch", "InvalidNextToken", "", Class::Transient),
    ("logs", "OperationAbortedException", "", Class::Transient),
    ("logs", "ResourceAlreadyExistsException", "", Class::Ambiguous),
    ("logs", "ResourceNotFoundException", "", Class::Dependency),
    // The image that a commit names may still be on its way.
    ("ecr", "ImageNotFoundException", "", Class::Dependency),
    ("ecr", "RepositoryNotFoundException", "", Class::Dependency),
    ("secretsmanager", "ResourceNotFoundException", "", Class::Dependency),
    ("ssm", "ParameterNotFound", "", Class::Dependency),
    ("cloudformation", "ValidationError", "does not exist", Class::Dependency),
    // ---- Every service: throttling.
    ("", "Throttling", "", Class::Throttled),
    ("", "ThrottlingException", "", Class::Throttled),
    ("", "ThrottledException", "", Class::Throttled),
    ("", "RequestThrottled", "", Class::Throttled),
    ("", "RequestThrottledException", "", Class::Throttled),
    ("", "RequestLimitExceeded", "", Class::Throttled),
    ("", "TooManyRequestsException", "", Class::Throttled),
    ("", "BandwidthLimitExceeded", "", Class::Throttled),
    ("", "PriorRequestNotComplete", "", Class::Throttled),
    ("", "EC2ThrottledException", "", Class::Throttled),
    ("", "SlowDown", "", Class::Throttled),
    // ---- Every service: who we are, and what we may do.
    ("", "AccessDenied", "", Class::Denied),
    ("", "AccessDeniedException", "", Class::Denied),
    ("", "UnauthorizedOperation", "", Class::Denied),
    ("", "NotAuthorized", "", Class::Denied),
    ("", "AuthFailure", "", Class::Denied),
    ("", "ExpiredToken", "", Class::Denied),
    ("", "ExpiredTokenException", "", Class::Denied),
    ("", "UnrecognizedClientException", "", Class::Denied),
    ("", "InvalidClientTokenId", "", Class::Denied),
    ("", "InvalidAccessKeyId", "", Class::Denied),
    ("", "InvalidSignatureException", "", Class::Denied),
    ("", "SignatureDoesNotMatch", "", Class::Denied),
    ("", "IncompleteSignature", "", Class::Denied),
    ("", "IncompleteSignatureException", "", Class::Denied),
    ("", "MissingAuthenticationToken", "", Class::Denied),
    ("", "MissingAuthenticationTokenException", "", Class::Denied),
    ("", "OptInRequired", "", Class::Denied),
    // A wrong clock: the SDK corrects its own from the answer, so the same again.
    ("", "RequestTimeTooSkewed", "", Class::Transient),
    ("", "RequestExpired", "", Class::Transient),
    // ---- Every service: AWS's own trouble. Of a write nobody knows whether it was done.
    ("", "ServerException", "", Class::Transient),
    ("", "InternalFailure", "", Class::Transient),
    ("", "InternalError", "", Class::Transient),
    ("", "InternalServerError", "", Class::Transient),
    ("", "InternalServerException", "", Class::Transient),
    ("", "InternalServiceError", "", Class::Transient),
    ("", "ServiceUnavailable", "", Class::Transient),
    ("", "ServiceUnavailableException", "", Class::Transient),
    ("", "RequestTimeout", "", Class::Transient),
    ("", "RequestTimeoutException", "", Class::Transient),
];

/// What an answer means.
fn classify(operation: Operation, code: &str, message: &str, status: Option<u16>) -> Class {
    let fits = |(service, row_code, fragment, _): &&Row| {
        (service.is_empty() || *service == operation.service)
            && (row_code.is_empty() || *row_code == code)
            && message.contains(fragment)
    };
    let listed = CLASSES.iter().find(fits).map(|(_, _, _, class)| *class);
    let class = listed.unwrap_or(match status {
        Some(401 | 403) => Class::Denied,
        Some(429) => Class::Throttled,
        Some(400..=499) => Class::Terminal,
        // An unknown failure is taken for a passing one; the budget of retries bounds it.
        Some(_) | None => Class::Transient,
    });
    let unclear = status.is_none_or(|status| !(400..500).contains(&status) || status == 408);
    match (class, operation.effect) {
        (Class::Transient, Effect::Write) if unclear => Class::Ambiguous,
        (class, Effect::Read | Effect::Write) => class,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_decides_for_what_it_names() {
        for (service, code, fragment, class) in CLASSES {
            let service = if service.is_empty() { "ecs" } else { service };
            let code = if code.is_empty() { "Whatever" } else { code };
            let message = format!("Something is wrong: {fragment} (Service: X)");
            let status = if *class == Class::Transient { 400 } else { 500 };
            let read = classify(Operation::read(service, "Describe"), code, &message, Some(status));
            assert_eq!(read, *class, "{service} {code} {fragment}");
            let write = classify(Operation::write(service, "Update"), code, &message, Some(status));
            assert_eq!(write, *class, "{service} {code} {fragment}");
        }
    }

    #[test]
    fn rows_of_one_service_do_not_reach_into_another() {
        let other = Operation::write("elbv2", "CreateRule");
        assert_eq!(classify(other, "ServiceNotActiveException", "", Some(400)), Class::Terminal);
        assert_eq!(classify(other, "PriorityInUse", "", Some(400)), Class::Ambiguous);
        let ecs = Operation::write("ecs", "CreateService");
        assert_eq!(classify(ecs, "InvalidParameterException", "The subnet is wrong", Some(400)), Class::Terminal);
        let text = "Rate exceeded (Service: AmazonCloudWatch)";
        let scaling = Operation::read("autoscaling", "DescribeScalingPolicies");
        assert_eq!(classify(scaling, "FailedResourceAccessException", text, Some(400)), Class::Throttled);
    }

    #[test]
    fn what_is_unknown_goes_by_status_and_effect() {
        let (read, write) = (Operation::read("ecs", "R"), Operation::write("ecs", "W"));
        let cases: &[(Operation, &str, Option<u16>, Class)] = &[
            (read, "NewException", Some(400), Class::Terminal),
            (read, "NewException", Some(403), Class::Denied),
            (read, "NewException", Some(429), Class::Throttled),
            (read, "", Some(503), Class::Transient),
            (write, "", Some(503), Class::Ambiguous),
            (write, "", Some(200), Class::Ambiguous),
            (read, "", Some(200), Class::Transient),
            (read, "", None, Class::Transient),
            (write, "", None, Class::Ambiguous),
            (write, "ServerException", Some(500), Class::Ambiguous),
            (write, "ThrottlingException", Some(503), Class::Throttled),
        ];
        for (operation, code, status, class) in cases {
            assert_eq!(classify(*operation, code, "", *status), *class, "{operation} {code} {status:?}");
        }
    }

    #[test]
    fn messages_are_one_line_and_hold_no_secret() {
        let message = "The request signature we calculated does not match.\n\nThe Canonical String was\n\
                       'POST\n/\n\nx-amz-security-token:FwoGZXIvYXdzEA'";
        assert_eq!(clean(message), "The request signature we calculated does not match.");
        assert_eq!(clean("no key AKIAIOSFODNN7EXAMPLE here"), "no key (access key id) here");
        assert_eq!(clean(&"x".repeat(9000)).len(), MESSAGE_CHARS_MAX);
        assert_eq!(clean("a\u{1b}[31mred"), "a[31mred");
    }

    #[test]
    fn the_line_for_people() {
        let operation = Operation::write("ecs", "UpdateService");
        let mut error = Error::local(operation, Class::Denied, "no access");
        assert_eq!(error.to_string(), "ecs UpdateService: no access");
        error.http_status = Some(400);
        error.code = Some("AccessDeniedException".into());
        error.request_id = Some("1-2".into());
        assert_eq!(error.to_string(), "ecs UpdateService: AccessDeniedException: no access (request id 1-2)");
    }
}
