//! The three protocols in which AWS's APIs are spoken, as far as tests look at requests and make answers: from the
//! shape alone, so that they know nothing of the SDK's own readers and writers.

use driftless::core::shape::{Field, Shape};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How a service writes requests and answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Protocol {
    /// AWS JSON 1.1: times are seconds since 1970.
    Json,
    /// A form that is answered with XML.
    Query,
    /// RPC v2 CBOR: times are tagged seconds since 1970.
    Cbor,
}

impl Protocol {
    /// A request's body as the document that it says.
    pub(super) fn read(self, body: &[u8], shape: Shape) -> Value {
        match self {
            Protocol::Json => with_times(&serde_json::from_slice(body).unwrap(), shape, &time_of),
            Protocol::Query => {
                let form: BTreeMap<String, String> = std::str::from_utf8(body)
                    .unwrap()
                    .split('&')
                    .map(|pair| pair.split_once('=').unwrap())
                    .map(|(name, value)| (name.to_owned(), unescaped(value)))
                    .collect();
                form_value(&form, "", shape).unwrap()
            }
            Protocol::Cbor => with_times(&Cbor(body).value().unwrap(), shape, &time_of),
        }
    }

    /// The answer of `operation` that holds `document` at `at`, alone or as the only one of a list. Where `at` is
    /// empty, the answer is the document.
    pub(super) fn write(self, operation: &str, at: &str, listed: bool, document: &Value, shape: Shape) -> Vec<u8> {
        match self {
            Protocol::Json => {
                let inside = with_times(document, shape, &seconds_of);
                let answer = if listed { json!({ at: [inside] }) } else { json!({ at: inside }) };
                answer.to_string().into_bytes()
            }
            Protocol::Query => {
                let inside = xml(document, shape);
                let inside = match at {
                    "" => inside,
                    at if listed => format!("<{at}><member>{inside}</member></{at}>"),
                    at => format!("<{at}>{inside}</{at}>"),
                };
                format!("<{operation}Response><{operation}Result>{inside}</{operation}Result></{operation}Response>")
                    .into_bytes()
            }
            Protocol::Cbor => {
                let mut out = Vec::new();
                head(MAP, 1, &mut out);
                to_cbor(&json!(at), Shape::Text, &mut out);
                if listed {
                    head(LIST, 1, &mut out);
                }
                to_cbor(document, shape, &mut out);
                out
            }
        }
    }
}

/// `document` with its times in another form.
fn with_times(document: &Value, shape: Shape, convert: &dyn Fn(&Value) -> Value) -> Value {
    match (shape, document) {
        (Shape::Time, value) => convert(value),
        (Shape::Struct { .. } | Shape::Union { .. }, Value::Object(map)) => {
            let converted = map.iter().map(|(name, value)| match shape.field(name) {
                Some(field) => (name.clone(), with_times(value, (field.shape)(), convert)),
                None => (name.clone(), value.clone()),
            });
            Value::Object(converted.collect())
        }
        (Shape::List(element), Value::Array(items)) => {
            items.iter().map(|item| with_times(item, element(), convert)).collect()
        }
        (_, value) => value.clone(),
    }
}

fn time_of(seconds: &Value) -> Value {
    Timestamp::from_second(seconds.as_f64().unwrap() as i64).unwrap().to_string().into()
}

fn seconds_of(time: &Value) -> Value {
    time.as_str().unwrap().parse::<Timestamp>().unwrap().as_second().into()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// What a form says at `prefix`: `Actions.member.1.Order=1`, `Params.entry.1.key=k`.
fn form_value(form: &BTreeMap<String, String>, prefix: &str, shape: Shape) -> Option<Value> {
    let below = |step: &str| if prefix.is_empty() { step.to_owned() } else { format!("{prefix}.{step}") };
    let numbers = || 1..=form.len();
    let text = || form.get(prefix).cloned();
    match shape {
        Shape::Struct { fields, .. } | Shape::Union { fields, .. } => {
            let member =
                |field: &Field| Some((field.name.to_owned(), form_value(form, &below(field.name), (field.shape)())?));
            let map: Map<_, _> = fields.iter().filter_map(member).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        Shape::List(element) => {
            let items: Vec<_> =
                numbers().map_while(|n| form_value(form, &below(&format!("member.{n}")), element())).collect();
            (!items.is_empty()).then(|| items.into())
        }
        Shape::Map(element) => {
            let entries = numbers().map_while(|n| {
                let key = form.get(&below(&format!("entry.{n}.key")))?.clone();
                Some((key, form_value(form, &below(&format!("entry.{n}.value")), element())?))
            });
            let map: Map<_, _> = entries.collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        Shape::Text | Shape::Enum(_) | Shape::Time => text().map(Value::from),
        _ => text().map(|text| serde_json::from_str(&text).unwrap()),
    }
}

fn xml(value: &Value, shape: Shape) -> String {
    match (shape, value) {
        (Shape::Struct { .. } | Shape::Union { .. }, Value::Object(map)) => {
            let member = |(name, value): (&String, &Value)| {
                format!("<{name}>{}</{name}>", xml(value, (shape.field(name).unwrap().shape)()))
            };
            map.iter().map(member).collect()
        }
        (Shape::List(element), Value::Array(items)) => {
            items.iter().map(|item| format!("<member>{}</member>", xml(item, element()))).collect()
        }
        (Shape::Map(element), Value::Object(map)) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("<entry><key>{key}</key><value>{}</value></entry>", xml(value, element()))
            };
            map.iter().map(entry).collect()
        }
        (_, Value::String(text)) => text.replace('&', "&amp;").replace('<', "&lt;"),
        (_, scalar) => scalar.to_string(),
    }
}

/// Reads CBOR (RFC 8949) as far as RPC v2 uses it; tags are left out.
struct Cbor<'b>(&'b [u8]);

impl Cbor<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn argument(&mut self, short: u8) -> u64 {
        match short {
            0..=23 => short.into(),
            24..=27 => self.take(1 << (short - 24)).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            _ => u64::MAX, // of indefinite length
        }
    }

    /// The next value; none at a break.
    fn value(&mut self) -> Option<Value> {
        let first = self.take(1)[0];
        let (major, short) = (first >> 5, first & 31);
        if first == 0xff {
            return None;
        }
        let argument = self.argument(short);
        Some(match major {
            0 => argument.into(),
            1 => (-1 - i64::try_from(argument).unwrap()).into(),
            3 => std::str::from_utf8(self.take(argument as usize)).unwrap().into(),
            4 => (0..argument).map_while(|_| self.value()).collect(),
            5 => {
                let entries =
                    (0..argument).map_while(|_| Some((self.value()?.as_str().unwrap().to_owned(), self.value()?)));
                Value::Object(entries.collect())
            }
            6 => self.value()?,
            _ => match short {
                20 => false.into(),
                21 => true.into(),
                26 => f64::from(f32::from_bits(argument as u32)).into(),
                27 => f64::from_bits(argument).into(),
                other => panic!("CBOR {major} {other}"),
            },
        })
    }
}

/// The beginning of a value: its major type, and its number or length in four bytes.
fn head(major: u8, argument: usize, out: &mut Vec<u8>) {
    out.push(major << 5 | 26);
    out.extend(u32::try_from(argument).unwrap().to_be_bytes());
}

const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;

fn to_cbor(value: &Value, shape: Shape, out: &mut Vec<u8>) {
    match (shape, value) {
        (Shape::Time, time) => {
            out.push(0xc1); // seconds since 1970 follow
            to_cbor(&seconds_of(time), Shape::Long, out);
        }
        (Shape::List(element), Value::Array(items)) => {
            head(LIST, items.len(), out);
            items.iter().for_each(|item| to_cbor(item, element(), out));
        }
        (shape, Value::Object(map)) => {
            head(MAP, map.len(), out);
            for (name, value) in map {
                to_cbor(&json!(name), Shape::Text, out);
                let inner = match shape {
                    Shape::Map(element) => element(),
                    shape => (shape.field(name).unwrap().shape)(),
                };
                to_cbor(value, inner, out);
            }
        }
        (_, Value::String(text)) => {
            head(TEXT, text.len(), out);
            out.extend(text.as_bytes());
        }
        (_, Value::Bool(truth)) => out.push(if *truth { 0xf5 } else { 0xf4 }),
        (_, Value::Number(number)) => match number.as_u64() {
            Some(whole) => head(0, usize::try_from(whole).unwrap(), out),
            None => {
                out.push(0xfb);
                out.extend(number.as_f64().unwrap().to_be_bytes());
            }
        },
        (shape, other) => panic!("{other} is no {shape:?}"),
    }
}
