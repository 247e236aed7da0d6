//! XML, as Query is answered: lists of `member`, no attributes.

use super::seconds;
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;

/// Members that are maps (AuthenticateOidcActionConfig, AuthenticateCognitoActionConfig): each pair is an `entry`.
const MAPS: &[&str] = &["AuthenticationRequestExtraParams"];

/// Operations that have no output, and so no result (CloudWatch API Reference: "the service sends back an HTTP 200
/// response with an empty HTTP body"; its Query form has the metadata alone).
const WITHOUT_RESULT: &[&str] = &["PutMetricAlarm", "DeleteAlarms", "SetAlarmState"];

/// `<OperationResponse><OperationResult>…`.
pub fn answer(namespace: &str, operation: &str, answer: &Value, id: &str) -> String {
    let mut out = format!("<{operation}Response xmlns=\"{namespace}\">");
    if !WITHOUT_RESULT.contains(&operation) {
        let _ = write!(out, "<{operation}Result>");
        fields(answer, &mut out);
        let _ = write!(out, "</{operation}Result>");
    }
    let _ = write!(out, "<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>");
    out
}

/// `<ErrorResponse><Error>…`.
pub fn error(namespace: &str, kind: &str, code: &str, message: &str, id: &str) -> String {
    let mut out =
        format!("<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code><Message>");
    escape(message, &mut out);
    let _ = write!(out, "</Message></Error><RequestId>{id}</RequestId></ErrorResponse>");
    out
}

fn fields(value: &Value, out: &mut String) {
    let Value::Object(map) = value else { return };
    for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        element(name, value, out);
    }
}

fn element(name: &str, value: &Value, out: &mut String) {
    let _ = write!(out, "<{name}>");
    match value {
        Value::Object(pairs) if MAPS.contains(&name) => pairs.iter().for_each(|(key, value)| {
            out.push_str("<entry>");
            element("key", &Value::String(key.clone()), out);
            element("value", value, out);
            out.push_str("</entry>");
        }),
        Value::Array(items) => items.iter().for_each(|item| element("member", item, out)),
        Value::Object(_) => match seconds(value) {
            Some(seconds) => {
                let at = Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or_default();
                let _ = write!(out, "{}", at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"));
            }
            None => fields(value, out),
        },
        Value::String(text) => escape(text, out),
        Value::Null => {}
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
    let _ = write!(out, "</{name}>");
}

fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A bare carriage return would be read as a line feed (XML 1.0, 2.11).
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::wire::time;
    use serde_json::json;

    #[test]
    fn an_answer() {
        // One member a structure: their order is serde_json's.
        for (value, expected) in [
            (
                json!({ "Rules": [{ "Priority": "1" }, { "IsDefault": false }] }),
                "<Rules><member><Priority>1</Priority></member><member><IsDefault>false</IsDefault></member></Rules>",
            ),
            (json!({ "A": "<&>" }), "<A>&lt;&amp;&gt;</A>"),
            (json!({ "None": null }), ""),
            (json!({ "At": time(Timestamp::UNIX_EPOCH) }), "<At>1970-01-01T00:00:00.000Z</At>"),
            (
                json!({ "AuthenticationRequestExtraParams": { "a": "b" } }),
                "<AuthenticationRequestExtraParams><entry><key>a</key><value>b</value></entry></AuthenticationRequestExtraParams>",
            ),
        ] {
            let whole = format!(
                "<DescribeRulesResponse xmlns=\"urn:x\"><DescribeRulesResult>{expected}</DescribeRulesResult><ResponseMetadata>\
                 <RequestId>id</RequestId></ResponseMetadata></DescribeRulesResponse>"
            );
            assert_eq!(answer("urn:x", "DescribeRules", &value, "id"), whole);
        }
        assert_eq!(
            answer("urn:x", "PutMetricAlarm", &json!({}), "id"),
            "<PutMetricAlarmResponse xmlns=\"urn:x\"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></PutMetricAlarmResponse>"
        );
    }
}
