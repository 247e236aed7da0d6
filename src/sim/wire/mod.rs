//! The three forms in which AWS is spoken to, to and from one: AWS's own names in JSON.
//!
//! ```text
//! AWS JSON 1.0/1.1   X-Amz-Target: PREFIX.Operation     ecs, autoscaling, discovery, logs, ecr, secretsmanager, ssm, cloudwatch
//! Query              Action=Operation, answers in XML   elbv2, sts, cloudformation, cloudwatch
//! RPC v2 CBOR        /service/NAME/operation/Operation  cloudwatch
//! ```
//!
//! A moment is `{"$time": seconds}` inside ([`time`]): a number in JSON, tag 1 in CBOR, a date in XML. What arrives by
//! Query has no types: every leaf is a text.

mod cbor;
mod query;
mod xml;

use super::world::Refusal;
use http::{HeaderMap, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The services, each with our short name, the prefix of its JSON target, its signing name, and the version of its Query
/// API.
const SERVICES: &[(&str, &str, &str, &str)] = &[
    ("ecs", "AmazonEC2ContainerServiceV20141113", "ecs", ""),
    ("elbv2", "", "elasticloadbalancing", "2015-12-01"),
    ("autoscaling", "AnyScaleFrontendService", "application-autoscaling", ""),
    ("cloudwatch", "GraniteServiceVersion20100801", "monitoring", "2010-08-01"),
    ("discovery", "Route53AutoNaming_v20170314", "servicediscovery", ""),
    ("logs", "Logs_20140328", "logs", ""),
    ("ecr", "AmazonEC2ContainerRegistry_V20150921", "ecr", ""),
    ("secretsmanager", "secretsmanager", "secretsmanager", ""),
    ("ssm", "AmazonSSM", "ssm", ""),
    ("cloudformation", "", "cloudformation", "2010-05-15"),
    ("sts", "", "sts", "2011-06-15"),
];

/// How a request was written, and so how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// AWS JSON; the minor version.
    Json(u8),
    /// Query, with the namespace of the answer's XML.
    Query(&'static str),
    /// RPC v2 CBOR.
    Cbor,
}

/// One request, read.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Our short name of the service.
    pub service: &'static str,
    /// AWS's name.
    pub operation: String,
    /// AWS's own names; leaves are texts when it came by Query.
    pub input: Value,
    /// How it was written.
    pub form: Form,
    /// The region that it was signed for.
    pub region: Option<String>,
    /// Who sent it.
    pub agent: String,
}

/// A moment, for every form.
pub fn time(at: Timestamp) -> Value {
    json!({ "$time": at.as_millisecond() as f64 / 1000.0 })
}

/// The seconds of a moment that [`time`] made.
fn seconds(value: &Value) -> Option<f64> {
    let Value::Object(map) = value else { return None };
    map.get("$time").filter(|_| map.len() == 1)?.as_f64()
}

/// Reads a request; what AWS would not take for one is refused, with the form of the answer.
pub fn read(request: &Request<Vec<u8>>) -> Result<Asked, (Form, Refusal)> {
    let headers = request.headers();
    let content_type = text(headers, header::CONTENT_TYPE.as_str());
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_owned();
    let (region, signed_for) = scope(&text(headers, "authorization"));
    let agent = text(headers, "user-agent");
    let target = text(headers, "x-amz-target");
    let asked = |service, operation: &str, input, form| {
        Ok(Asked {
            service,
            operation: operation.to_owned(),
            input,
            form,
            region: region.clone(),
            agent: agent.clone(),
        })
    };
    if let Some((prefix, operation)) = target.rsplit_once('.') {
        let form = Form::Json(u8::from(content_type.ends_with("1.1")));
        if !matches!(&*content_type, "application/x-amz-json-1.0" | "application/x-amz-json-1.1") {
            return Err((form, Refusal::new("SerializationException", format!("content type {content_type:?}"))));
        }
        let Some(service) = SERVICES.iter().find(|(_, known, ..)| *known == prefix).map(|(name, ..)| *name) else {
            return Err((form, unknown(&target)));
        };
        let body: &[u8] = if request.body().is_empty() { b"{}" } else { request.body() };
        let input = serde_json::from_slice(body).map_err(|error| (form, not_read(error)))?;
        return asked(service, operation, input, form);
    }
    if let Some((prefix, operation)) = cbor_path(request.uri().path()) {
        if text(headers, "smithy-protocol") != "rpc-v2-cbor" {
            return Err((Form::Cbor, Refusal::new("SerializationException", "no header smithy-protocol: rpc-v2-cbor")));
        }
        let Some(service) = SERVICES.iter().find(|(_, known, ..)| *known == prefix).map(|(name, ..)| *name) else {
            return Err((Form::Cbor, unknown(prefix)));
        };
        let input = cbor::read(request.body()).map_err(|error| (Form::Cbor, not_read(error)))?;
        return asked(service, operation, input, Form::Cbor);
    }
    let found = SERVICES.iter().find(|(_, _, signing, version)| !version.is_empty() && *signing == signed_for);
    let Some((service, _, _, version)) = found else {
        return Err((Form::Json(1), unknown(if signed_for.is_empty() { "(not signed)" } else { &signed_for })));
    };
    let form = Form::Query(query::namespace(service));
    if content_type != "application/x-www-form-urlencoded" {
        return Err((form, Refusal::new("MalformedQueryString", format!("content type {content_type:?}"))));
    }
    let mut input = query::read(request.body());
    let (operation, said) = (query::take(&mut input, "Action"), query::take(&mut input, "Version"));
    if said != *version {
        return Err((form, Refusal::new("InvalidAction", format!("the version {said:?} is not known"))));
    }
    asked(service, &operation, input, form)
}

fn unknown(what: &str) -> Refusal {
    Refusal::new("UnknownOperationException", format!("{what} is not simulated"))
}

fn not_read(error: impl std::fmt::Display) -> Refusal {
    Refusal::new("SerializationException", error.to_string())
}

fn cbor_path(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/service/")?;
    rest.split_once("/operation/")
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Region and service of `Credential=KEY/DATE/REGION/SERVICE/aws4_request` (Signature Version 4).
fn scope(authorization: &str) -> (Option<String>, String) {
    let scope = authorization.split_once("Credential=").map_or("", |(_, rest)| rest);
    let mut parts = scope.split([',', ' ']).next().unwrap_or_default().split('/').skip(2);
    (parts.next().map(str::to_owned), parts.next().unwrap_or_default().to_owned())
}

/// Writes an answer or a refusal in the form of the request.
pub fn write(form: Form, operation: &str, answer: &Result<Value, Refusal>, id: &str) -> Response<Vec<u8>> {
    let status = answer.as_ref().err().map_or(200, |refusal| refusal.status);
    let (content_type, body) = match (form, answer) {
        (Form::Json(minor), Ok(answer)) => (json_type(minor), plain(answer).to_string().into_bytes()),
        (Form::Json(minor), Err(refusal)) => (json_type(minor), error(refusal).to_string().into_bytes()),
        (Form::Cbor, Ok(answer)) => ("application/cbor", cbor::write(answer)),
        (Form::Cbor, Err(refusal)) => ("application/cbor", cbor::write(&error(refusal))),
        (Form::Query(namespace), Ok(answer)) => {
            ("text/xml", xml::answer(namespace, operation, answer, id).into_bytes())
        }
        (Form::Query(namespace), Err(refusal)) => {
            let kind = if refusal.status < 500 { "Sender" } else { "Receiver" };
            ("text/xml", xml::error(namespace, kind, &refusal.code, &refusal.message, id).into_bytes())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    };
    set("content-type", content_type);
    set("x-amzn-requestid", id);
    if form == Form::Cbor {
        set("smithy-protocol", "rpc-v2-cbor");
    }
    response
}

fn json_type(minor: u8) -> &'static str {
    if minor == 0 { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" }
}

fn error(refusal: &Refusal) -> Value {
    let mut body =
        Map::from_iter([("__type".to_owned(), json!(refusal.code)), ("message".to_owned(), json!(refusal.message))]);
    if let Value::Object(more) = &refusal.more {
        body.extend(more.clone());
    }
    Value::Object(body)
}

/// Moments become numbers, as AWS JSON has them.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => match seconds(value) {
            Some(seconds) => json!(seconds),
            None => Value::Object(map.iter().map(|(name, value)| (name.clone(), plain(value))).collect()),
        },
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}
