//! A fault proxy: stands between driftless and the emulated account, passes every call on, and spoils those that a
//! [`Rule`] names. It takes all of AWS on one port and tells the services apart by the name in the signature.
//!
//! ```text
//! driftless --> Proxy --rule?--> emulator (ECS, or everything else)
//!                 |                 |
//!                 +-- forwarded() <-+   what AWS really got
//! ```

use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What is done to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Too many requests; not applied.
    Throttled,
    /// The permission is missing; not applied.
    Denied,
    /// 503; not applied.
    Unavailable,
    /// Applied, and answered with 500.
    AppliedAndFailed,
    /// Applied, and the connection is closed without an answer.
    AnswerLost,
    /// The connection is closed before anything was passed on.
    Refused,
    /// Passed on after this time.
    Late(Duration),
    /// Applied and answered; for this time all reads are answered as they were answered before it.
    StaleAfter(Duration),
    /// Not passed on; a page of HTML with status 200.
    Html,
    /// Passed on; the connection is closed in the middle of the answer.
    Truncated,
    /// Calls back at a point of the call's way.
    At(Point, Hook),
}

/// A point of a call's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// It has left driftless and not reached AWS, where it never arrives.
    Sent,
    /// AWS has done it, driftless does not know yet.
    Applied,
    /// Driftless has the answer.
    Answered,
}

/// Something that is done at a [`Point`], as killing the daemon.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn() + Send + Sync>);

impl Hook {
    pub fn new(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// Which calls are spoiled, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    operation: &'static str,
    about: String,
    first: usize,
    times: usize,
    fault: Fault,
    met: usize,
}

impl Rule {
    /// The first call of `operation` (AWS's name); the empty name is every operation.
    pub fn on(operation: &'static str, fault: Fault) -> Self {
        Self { operation, about: String::new(), first: 1, times: 1, fault, met: 0 }
    }

    /// Counts only calls whose body holds `text`.
    pub fn about(self, text: &str) -> Self {
        Self { about: text.to_owned(), ..self }
    }

    /// Leaves the calls before the `first` one alone.
    pub fn from(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// Spoils so many calls in a row.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Spoils every call until the rules are cleared.
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Counts the call where it fits; gives the fault when it is one of those to be spoiled.
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        if !(self.operation.is_empty() || self.operation == call.operation) || !call.body.contains(&self.about) {
            return None;
        }
        self.met += 1;
        (self.met >= self.first && self.met - self.first < self.times).then(|| self.fault.clone())
    }
}

/// The fault of the first rule that spoils this call; every rule counts it.
fn decide(rules: &mut [Rule], call: &Call) -> Option<Fault> {
    let faults: Vec<Option<Fault>> = rules.iter_mut().map(|rule| rule.meet(call)).collect();
    faults.into_iter().flatten().next()
}

/// One call as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service's name in the signature: `ecs`, `elasticloadbalancing`.
    pub service: String,
    /// AWS's name: `UpdateService`.
    pub operation: String,
    /// JSON, or a form.
    pub body: String,
}

impl Call {
    fn of(path: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Credential=AKIA.../20261121/us-east-1/ecs/aws4_request
        let scope = header(AUTHORIZATION.as_str()).split("/aws4_request").next().unwrap_or_default();
        let service = scope.rsplit('/').next().unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(body).into_owned();
        let form = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        let target = header("x-amz-target").rsplit('.').next().filter(|name| !name.is_empty());
        let operation = target.or(form).or(path.rsplit('/').next()).unwrap_or_default().to_owned();
        Self { service, operation, body }
    }

    fn is_read(&self) -> bool {
        ["Describe", "List", "Get"].iter().any(|verb| self.operation.starts_with(verb))
    }

    fn speaks_json(&self) -> bool {
        self.body.starts_with('{')
    }

    /// An error as this call's protocol writes it.
    fn error(&self, status: u16, json_code: &str, xml_code: &str, message: &str) -> Answer {
        if self.speaks_json() {
            let body = format!(r#"{{"__type": "{json_code}", "message": "{message}"}}"#);
            return Answer::new(status, "application/x-amz-json-1.1", body);
        }
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{xml_code}</Code><Message>{message}</Message></Error>\
             <RequestId>0</RequestId></ErrorResponse>"
        );
        Answer::new(status, "text/xml", body)
    }
}

/// One call that reached AWS.
#[derive(Debug, Clone)]
pub struct Forwarded {
    pub call: Call,
    pub status: u16,
}

#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    content_type: String,
    body: Bytes,
    /// Only the first half comes through.
    cut: bool,
}

impl Answer {
    fn new(status: u16, content_type: &str, body: String) -> Self {
        Self { status, content_type: content_type.to_owned(), body: body.into(), cut: false }
    }

    fn cut(self) -> Self {
        Self { cut: true, ..self }
    }
}

/// The answers to reads, by operation and body.
type Reads = BTreeMap<(String, String), Answer>;

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    forwarded: Vec<Forwarded>,
    reads: Reads,
    stale: Option<(Instant, Reads)>,
}

impl State {
    /// What the read was answered before the write that is hidden at the moment.
    fn stale_answer(&self, call: &Call, now: Instant) -> Option<Answer> {
        let (until, reads) = self.stale.as_ref()?;
        reads.get(&(call.operation.clone(), call.body.clone())).filter(|_| now < *until).cloned()
    }
}

struct Shared {
    ecs: String,
    others: String,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running proxy; ends when it is dropped.
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
}

impl Proxy {
    /// Stands before the two endpoints of an emulator (`http://127.0.0.1:PORT`).
    pub fn before(ecs: &str, others: &str) -> Self {
        let address = |url: &str| url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared { ecs: address(ecs), others: address(others), state: Mutex::default() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = shared.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { url, shared, stop: Some(stop) }
    }

    /// The endpoint of every service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds a rule; it counts calls from now on.
    pub fn rule(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    /// All is well again.
    pub fn clear(&self) {
        let mut state = self.shared.state();
        state.rules.clear();
        state.stale = None;
    }

    /// What reached AWS so far.
    pub fn forwarded(&self) -> Vec<Forwarded> {
        self.shared.state().forwarded.clone()
    }

    /// The writes of `operation` about `text` that AWS carried out.
    pub fn done(&self, operation: &str, text: &str) -> usize {
        let done = |f: &&Forwarded| f.call.operation == operation && f.call.body.contains(text) && f.status == 200;
        self.shared.state().forwarded.iter().filter(done).count()
    }

    /// How often the rules have met a call they spoil, one number a rule.
    pub fn met(&self) -> Vec<usize> {
        self.shared.state().rules.iter().map(|rule| rule.met).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The thread ends by itself when this side is gone.
        drop(self.stop.take());
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), request));
            // An error is a connection that was closed on purpose, or by a daemon that was killed.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Body = BoxBody<Bytes, Closed>;

/// Closes the connection without an answer, or in the middle of one.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let call = Call::of(parts.uri.path(), &parts.headers, &body);
    let (fault, stale) = {
        let mut state = shared.state();
        (decide(&mut state.rules, &call), state.stale_answer(&call, Instant::now()))
    };
    if let (None, Some(stale)) = (&fault, stale) {
        return Ok(response(stale));
    }
    let request = Request::from_parts(parts, Full::new(body));
    let answer = match fault {
        None => forward(&shared, &call, request).await?,
        Some(Fault::Throttled) => call.error(400, "ThrottlingException", "Throttling", "Rate exceeded"),
        Some(Fault::Denied) => call.error(
            if call.speaks_json() { 400 } else { 403 },
            "AccessDeniedException",
            "AccessDenied",
            &format!("User: arn:aws:iam::1:role/driftless is not authorized to perform: {}", call.operation),
        ),
        Some(Fault::Unavailable) => call.error(503, "ServiceUnavailableException", "ServiceUnavailable", "Try again"),
        Some(Fault::AppliedAndFailed) => {
            forward(&shared, &call, request).await?;
            call.error(500, "ServerException", "InternalFailure", "Something went wrong")
        }
        Some(Fault::AnswerLost) => {
            forward(&shared, &call, request).await?;
            return Err(Closed);
        }
        Some(Fault::Refused) => return Err(Closed),
        Some(Fault::Late(time)) => {
            tokio::time::sleep(time).await;
            forward(&shared, &call, request).await?
        }
        Some(Fault::StaleAfter(time)) => {
            let before = shared.state().reads.clone();
            let answer = forward(&shared, &call, request).await?;
            shared.state().stale = Some((Instant::now() + time, before));
            answer
        }
        Some(Fault::Html) => Answer::new(200, "text/html", "<html><body>Service Unavailable</body></html>".into()),
        Some(Fault::Truncated) => forward(&shared, &call, request).await?.cut(),
        Some(Fault::At(point, hook)) => at(&shared, &call, request, point, hook).await?,
    };
    Ok(response(answer))
}

async fn at(
    shared: &Shared,
    call: &Call,
    request: Request<Full<Bytes>>,
    point: Point,
    hook: Hook,
) -> Result<Answer, Closed> {
    match point {
        Point::Sent => {
            (hook.0)();
            Err(Closed)
        }
        Point::Applied => {
            let answer = forward(shared, call, request).await?;
            (hook.0)();
            Ok(answer)
        }
        Point::Answered => {
            let answer = forward(shared, call, request).await?;
            // The answer goes out first. It is on its way within a fraction of this time.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                (hook.0)();
            });
            Ok(answer)
        }
    }
}

fn response(answer: Answer) -> Response<Body> {
    let status = StatusCode::from_u16(answer.status).unwrap();
    let response = Response::builder().status(status).header(CONTENT_TYPE, answer.content_type);
    let body = if answer.cut {
        let half = answer.body.slice(..answer.body.len() / 2);
        StreamBody::new(stream::iter([Ok(Frame::data(half)), Err(Closed)])).boxed()
    } else {
        Full::new(answer.body).map_err(|never| match never {}).boxed()
    };
    response.body(body).unwrap()
}

/// Passes a call on as it is (its signature is not looked at by the emulator) and notes it.
async fn forward(shared: &Shared, call: &Call, mut request: Request<Full<Bytes>>) -> Result<Answer, Closed> {
    let address = if call.service == "ecs" { &shared.ecs } else { &shared.others };
    let stream = TcpStream::connect(address).await.map_err(|_| Closed)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| Closed)?;
    tokio::spawn(connection);
    request.headers_mut().insert(HOST, address.parse().unwrap());
    let answer = sender.send_request(request).await.map_err(|_| Closed)?;
    let (parts, body) = answer.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let answer = Answer {
        status: parts.status.as_u16(),
        content_type: content_type.to_owned(),
        body: body.collect().await.map_err(|_| Closed)?.to_bytes(),
        cut: false,
    };
    let mut state = shared.state();
    state.forwarded.push(Forwarded { call: call.clone(), status: answer.status });
    if call.is_read() {
        state.reads.insert((call.operation.clone(), call.body.clone()), answer.clone());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, body: &str) -> Call {
        Call { service: "ecs".into(), operation: operation.into(), body: body.into() }
    }

    fn faults(rules: &mut [Rule], calls: &[Call]) -> Vec<String> {
        calls.iter().map(|call| decide(rules, call).map_or("-".into(), |fault| format!("{fault:?}"))).collect()
    }

    #[test]
    fn a_rule_spoils_the_calls_it_counts_to() {
        let mut rules = vec![Rule::on("UpdateService", Fault::Throttled).from(2).times(2)];
        let calls = [call("UpdateService", ""), call("DescribeServices", ""), call("UpdateService", "")];
        assert_eq!(faults(&mut rules, &calls), ["-", "-", "Throttled"]);
        assert_eq!(faults(&mut rules, &calls), ["Throttled", "-", "-"]);
    }

    #[test]
    fn a_rule_about_one_service_leaves_the_others_alone() {
        let mut rules = vec![Rule::on("", Fault::Denied).about("\"web\"").always()];
        let calls = [call("UpdateService", r#"{"service": "web"}"#), call("UpdateService", r#"{"service": "api"}"#)];
        assert_eq!(faults(&mut rules, &calls), ["Denied", "-"]);
    }

    #[test]
    fn the_first_rule_that_spoils_wins_and_all_count() {
        let mut rules = vec![Rule::on("A", Fault::Html), Rule::on("A", Fault::Refused).from(2)];
        assert_eq!(faults(&mut rules, &[call("A", ""), call("A", ""), call("A", "")]), ["Html", "Refused", "-"]);
    }

    #[test]
    fn a_call_is_told_by_its_target_its_form_or_its_path() {
        let mut headers = HeaderMap::new();
        let scope = "AWS4-HMAC-SHA256 Credential=1/20261121/us-east-1/elasticloadbalancing/aws4_request, Signature=0";
        headers.insert(AUTHORIZATION, scope.parse().unwrap());
        let form = Call::of("/", &headers, b"Action=DescribeTargetGroups&Names.member.1=a");
        assert_eq!((&*form.service, &*form.operation), ("elasticloadbalancing", "DescribeTargetGroups"));
        assert_eq!(Call::of("/service/X/operation/PutMetricAlarm", &headers, b"").operation, "PutMetricAlarm");
        headers.insert("x-amz-target", "AmazonEC2ContainerServiceV20141113.UpdateService".parse().unwrap());
        assert_eq!(Call::of("/", &headers, b"{}").operation, "UpdateService");
    }

    #[test]
    fn errors_are_written_as_the_protocol_of_the_call_writes_them() {
        let text = |call: &Call| {
            let answer = call.error(400, "ThrottlingException", "Throttling", "Rate exceeded");
            String::from_utf8(answer.body.to_vec()).unwrap()
        };
        assert!(text(&call("A", "{}")).contains(r#""__type": "ThrottlingException""#));
        assert!(text(&call("A", "Action=A")).contains("<Code>Throttling</Code>"));
    }

    #[test]
    fn a_stale_answer_is_the_one_before_the_write_and_only_for_a_time() {
        let (now, read) = (Instant::now(), call("DescribeServices", "{}"));
        let before = Reads::from([((read.operation.clone(), read.body.clone()), Answer::new(200, "", "old".into()))]);
        let state = State { stale: Some((now + Duration::from_secs(3), before)), ..State::default() };
        assert_eq!(state.stale_answer(&read, now).unwrap().body, "old");
        assert!(state.stale_answer(&call("DescribeServices", "{other}"), now).is_none());
        assert!(state.stale_answer(&read, now + Duration::from_secs(3)).is_none());
    }
}
