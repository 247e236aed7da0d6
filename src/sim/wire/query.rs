//! Query: `Actions.member.1.Type=forward` (AWS Query protocol). Every leaf is a text.

use serde_json::{Map, Value};

/// The namespace of a service's XML.
pub fn namespace(service: &str) -> &'static str {
    match service {
        "elbv2" => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        "cloudformation" => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
        _ => "http://monitoring.amazonaws.com/doc/2010-08-01/",
    }
}

/// Reads a form.
pub fn read(body: &[u8]) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in form_urlencoded::parse(body) {
        set(&mut root, &mut name.split('.'), &value);
    }
    lists(root)
}

/// Takes a text out of the input.
pub fn take(input: &mut Value, name: &str) -> String {
    let Value::Object(map) = input else { return String::new() };
    map.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn set<'p>(at: &mut Value, path: &mut impl Iterator<Item = &'p str>, value: &str) {
    let Some(name) = path.next() else {
        // An empty list is written as `Name=`; an empty text is as well, and AWS reads both as none given.
        *at = Value::String(value.to_owned());
        return;
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(map) = at {
        set(map.entry(name.to_owned()).or_insert(Value::Null), path, value);
    }
}

/// `{"member": {"1": a, "2": b}}` -> `[a, b]`, and a map, `{"entry": {"1": {"key": k, "value": v}}}` -> `{k: v}`.
fn lists(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    if let (1, Some(Value::Object(entries))) = (map.len(), map.get("entry")) {
        let pair = |entry: &Value| Some((entry.get("key")?.as_str()?.to_owned(), lists(entry.get("value")?.clone())));
        return Value::Object(entries.values().filter_map(pair).collect());
    }
    if let (1, Some(Value::Object(members))) = (map.len(), map.get("member"))
        && members.keys().all(|key| key.parse::<u32>().is_ok())
    {
        let mut members: Vec<_> = members.iter().map(|(key, v)| (key.parse().unwrap_or(0_u32), v.clone())).collect();
        members.sort_by_key(|(at, _)| *at);
        return Value::Array(members.into_iter().map(|(_, value)| lists(value)).collect());
    }
    Value::Object(map.into_iter().map(|(name, value)| (name, lists(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_and_structures() {
        let body = b"Action=CreateRule&Actions.member.1.Type=forward&Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=5\
            &Actions.member.2.Type=x&Params.entry.1.key=a&Params.entry.1.value=b&Conditions.member.1.Values.member.1=a%2Fb&Empty=";
        let mut input = read(body);
        assert_eq!(take(&mut input, "Action"), "CreateRule");
        assert_eq!(
            input,
            json!({
                "Actions": [{ "Type": "forward", "ForwardConfig": { "TargetGroups": [{ "Weight": "5" }] } }, { "Type": "x" }],
                "Conditions": [{ "Values": ["a/b"] }], "Params": { "a": "b" }, "Empty": "",
            })
        );
    }
}
