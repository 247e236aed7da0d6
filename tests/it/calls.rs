//! Calls as they really go through the SDK: what comes of every kind of answer, and of none.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::test_util::{NeverClient, ReplayEvent, StaticReplayClient, capture_request};
use aws_smithy_types::body::SdkBody;
use driftless::aws::call::{Calls, Operation};
use driftless::aws::clients::{Clients, Connection};
use driftless::aws::pace::{Bucket, Pacer, Priority, Share};
use driftless::core::id;
use driftless::core::retry::Class;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DESCRIBE: Operation = Operation::read("ecs", "DescribeServices");
const UPDATE: Operation = Operation::write("ecs", "UpdateService");

/// What the observer was told: operation, code, seconds.
type Reports = Arc<Mutex<Vec<(String, String, u64)>>>;

fn calls() -> (Calls, Reports) {
    let reports = Reports::default();
    let seen = Arc::clone(&reports);
    let observer = Box::new(move |report: &driftless::aws::call::CallReport<'_>| {
        let seconds = report.duration.as_secs();
        seen.lock().unwrap().push((report.operation.to_string(), report.code.to_owned(), seconds));
    });
    (Calls::new(Pacer::new(Share::default()), observer), reports)
}

/// A configuration with credentials, to be built on: the builder's type has no public name.
macro_rules! config {
    () => {{
        let credentials =
            Credentials::new("AKIAIOSFODNN7EXAMPLE", "the-secret-key", Some("the-session".into()), None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
    }};
}

fn answering(status: u16, body: &str) -> StaticReplayClient {
    let request = http::Request::new(SdkBody::empty());
    let response = http::Response::builder().status(status).header("x-amzn-requestid", "r-1").body(SdkBody::from(body));
    StaticReplayClient::new(vec![ReplayEvent::new(request, response.unwrap())])
}

async fn update(clients: &Clients) -> driftless::aws::call::Error {
    let send = clients.ecs.update_service().service("web").send();
    clients.calls.call(UPDATE, Priority::Commit, send).await.unwrap_err()
}

async fn describe(clients: &Clients) -> driftless::aws::call::Error {
    let send = clients.ecs.describe_services().services("web").send();
    clients.calls.call(DESCRIBE, Priority::Drift, send).await.unwrap_err()
}

#[tokio::test]
async fn the_account_is_who_sts_says_it_is_and_the_user_agent_says_who_asks() {
    let xml = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
               <Arn>arn:aws:sts::123456789012:assumed-role/admin/ana</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let (http, request) = capture_request(Some(http::Response::new(SdkBody::from(xml))));
    let (calls, reports) = calls();
    let clients = Clients::of(&config!().http_client(http).build(), calls);
    let identity = clients.identity().await.unwrap();
    assert_eq!((identity.account, identity.name), (id::AccountId::new("123456789012"), "ana".to_owned()));
    assert_eq!(*reports.lock().unwrap(), [("sts GetCallerIdentity".to_owned(), "OK".to_owned(), 0)]);
    let request = request.expect_request();
    let agent = request.headers().get("x-amz-user-agent").unwrap();
    assert!(agent.contains(concat!("driftless-", env!("CARGO_PKG_VERSION"))), "{agent}");
}

#[tokio::test]
async fn an_answer_is_sent_for_once_and_becomes_one_line_and_a_class() {
    let cases: &[(u16, &str, Class, &str)] = &[
        (
            400,
            r#"{"__type": "AccessDeniedException", "message": "User: arn:aws:iam::1:user/a is not authorized"}"#,
            Class::Denied,
            "ecs UpdateService: AccessDeniedException: User: arn:aws:iam::1:user/a is not authorized (request id r-1)",
        ),
        (
            400,
            r#"{"__type": "InvalidSignatureException", "message": "Wrong.\n\nx-amz-security-token:the-session"}"#,
            Class::Denied,
            "ecs UpdateService: InvalidSignatureException: Wrong. (request id r-1)",
        ),
        (
            400,
            r#"{"__type": "com.amazonaws.ecs#ServiceNotActiveException", "message": "Service was not ACTIVE."}"#,
            Class::Dependency,
            "ecs UpdateService: ServiceNotActiveException: Service was not ACTIVE. (request id r-1)",
        ),
        (
            400,
            r#"{"__type": "InvalidParameterException", "message": "subnet"}"#,
            Class::Terminal,
            "ecs UpdateService: InvalidParameterException: subnet (request id r-1)",
        ),
        (
            500,
            r#"{"__type": "ServerException", "message": "oops"}"#,
            Class::Ambiguous,
            "ecs UpdateService: ServerException: oops (request id r-1)",
        ),
    ];
    for (status, body, class, line) in cases {
        let http = answering(*status, body);
        let (calls, reports) = calls();
        let clients = Clients::of(&config!().http_client(http.clone()).build(), calls);
        let error = update(&clients).await;
        assert_eq!((error.class(), error.to_string().as_str()), (*class, *line));
        assert_eq!(http.actual_requests().count(), 1, "no retries of the SDK's own");
        assert_eq!(Some(reports.lock().unwrap()[0].1.clone()), error.code);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_read_again_and_of_a_write_nobody_knows() {
    for (status, body) in [(503, "<html>Service Unavailable</html>"), (200, "{\"service\": {\"serv")] {
        let clients = Clients::of(&config!().http_client(answering(status, body)).build(), calls().0);
        assert_eq!(update(&clients).await.class(), Class::Ambiguous, "{status}");
        let clients = Clients::of(&config!().http_client(answering(status, body)).build(), calls().0);
        assert_eq!(describe(&clients).await.class(), Class::Transient, "{status}");
    }
}

#[tokio::test]
async fn without_a_connection_a_read_is_repeated_and_a_write_is_in_doubt() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let clients = Clients::of(&config!().endpoint_url(&url).build(), calls().0);
    let error = describe(&clients).await;
    assert_eq!((error.class(), error.http_status), (Class::Transient, None), "{error}");
    let error = update(&clients).await;
    assert_eq!(error.class(), Class::Ambiguous, "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("the-secret-key") && !text.contains("the-session") && !text.contains("AKIA"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_given_up_sooner_for_a_read() {
    let (calls, reports) = calls();
    let clients = Clients::of(&config!().http_client(NeverClient::new()).build(), calls);
    let error = describe(&clients).await;
    assert_eq!(error.to_string(), "ecs DescribeServices: no answer within 10 s");
    assert_eq!(error.class(), Class::Transient);
    assert_eq!(update(&clients).await.class(), Class::Ambiguous);
    let reports = reports.lock().unwrap();
    assert_eq!(reports[0], ("ecs DescribeServices".into(), "transient".into(), 10));
    assert_eq!(reports[1], ("ecs UpdateService".into(), "ambiguous".into(), 20));
}

#[tokio::test]
async fn without_credentials_a_write_is_denied_and_not_in_doubt() {
    let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("eu-west-1"));
    let (http, request) = capture_request(None);
    let clients = Clients::of(&config.http_client(http).build(), calls().0);
    let error = update(&clients).await;
    assert_eq!(error.class(), Class::Denied, "{error}");
    request.expect_no_request();
}

#[tokio::test]
async fn a_connection_takes_its_region_and_endpoint_from_the_settings() {
    let connection = Connection {
        region: Some(id::Region::new("eu-north-1")),
        endpoint_url: Some("http://127.0.0.1:9".into()),
        ..Connection::default()
    };
    let clients = Clients::connect(&connection, calls().0).await;
    assert_eq!(clients.ecs.config().region().map(|region| region.as_ref()), Some("eu-north-1"));
    assert_eq!(clients.elbv2.config().retry_config().map(|retry| retry.max_attempts()), Some(1));
}

#[tokio::test]
async fn a_throttle_slows_the_bucket_down() {
    let pacer = Pacer::new(Share::default());
    pacer.throttled(UPDATE);
    assert!(pacer.factor(Bucket::EcsServiceModify) < 0.51);
    let body = r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#;
    let clients = Clients::of(&config!().http_client(answering(400, body)).build(), calls().0);
    assert_eq!(update(&clients).await.class(), Class::Throttled);
    let start = std::time::Instant::now();
    let clients =
        Clients { ecs: Clients::of(&config!().http_client(answering(400, body)).build(), calls().0).ecs, ..clients };
    update(&clients).await;
    assert!(start.elapsed() > Duration::from_millis(200), "the next call waits: half of five a second");
}
