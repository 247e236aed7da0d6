//! A fault proxy: stands between driftless and an account, passes every call on, and spoils those that a
//! [`Rule`] names. It takes all of AWS on one port and tells the services apart by the name in the signature.
//!
//! ```text
//! driftless --> Proxy --rule?--> account (ECS, or everything else)
//!                 |                 |
//!                 +-- forwarded() <-+   what AWS really got
//! ```

mod rules;

pub use rules::{Call, Fault, Hook, Point, Rule};

use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rules::decide;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

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
    /// An error as the call's protocol writes it.
    fn error(call: &Call, status: u16, json_code: &str, xml_code: &str, message: &str) -> Answer {
        if call.speaks_json() {
            let body = format!(r#"{{"__type": "{json_code}", "message": "{message}"}}"#);
            return Self::new(status, "application/x-amz-json-1.1", body);
        }
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{xml_code}</Code><Message>{message}</Message></Error>\
             <RequestId>0</RequestId></ErrorResponse>"
        );
        Self::new(status, "text/xml", body)
    }

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
    /// Stands before the two endpoints of an account (`http://127.0.0.1:PORT`).
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
        Some(Fault::Throttled) => Answer::error(&call, 400, "ThrottlingException", "Throttling", "Rate exceeded"),
        Some(Fault::Denied) => Answer::error(
            &call,
            if call.speaks_json() { 400 } else { 403 },
            "AccessDeniedException",
            "AccessDenied",
            &format!("User: arn:aws:iam::1:role/driftless is not authorized to perform: {}", call.operation),
        ),
        Some(Fault::Unavailable) => {
            Answer::error(&call, 503, "ServiceUnavailableException", "ServiceUnavailable", "Try again")
        }
        Some(Fault::AppliedAndFailed) => {
            forward(&shared, &call, request).await?;
            Answer::error(&call, 500, "ServerException", "InternalFailure", "Something went wrong")
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
            hook.call();
            Err(Closed)
        }
        Point::Applied => {
            let answer = forward(shared, call, request).await?;
            hook.call();
            Ok(answer)
        }
        Point::Answered => {
            let answer = forward(shared, call, request).await?;
            // The answer goes out first. It is on its way within a fraction of this time.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                hook.call();
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

/// Passes a call on as it is (nobody looks at its signature) and notes it.
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

    #[test]
    fn errors_are_written_as_the_protocol_of_the_call_writes_them() {
        let text = |call: &Call| {
            let answer = Answer::error(call, 400, "ThrottlingException", "Throttling", "Rate exceeded");
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
