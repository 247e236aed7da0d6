//! The actions of listeners and rules: what AWS refuses, and how it shows what it took.
//!
//! Sources: the API Reference (Action and the structures it holds, CreateRule, ModifyRule) and "Listener rules for your
//! Application Load Balancer".

use super::{Elbv2, conflicting, invalid, one_of, ranged, required};
use crate::sim::world::Refusal;
use crate::sim::world::input::{flag, list, number, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const TYPES: &[&str] =
    &["forward", "authenticate-oidc", "authenticate-cognito", "redirect", "fixed-response", "jwt-validation"];
/// Those that end a rule; each has exactly one of them, as its last action.
const ROUTING: &[&str] = &["forward", "redirect", "fixed-response"];
/// Members that are numbers or flags wherever they stand: by Query they come as texts.
const NUMBERS: &[&str] = &["Order", "Weight", "DurationSeconds", "SessionTimeout"];
const FLAGS: &[&str] = &["Enabled", "UseExistingClientSecret"];
const CONTENT_TYPES: &[&str] = &["text/html", "application/json", "application/javascript", "text/css", "text/plain"];
/// TargetGroupStickinessConfig, SessionTimeout: seven days.
const WEEK: i64 = 604_800;
/// "Quotas for your Application Load Balancers": target groups per action, per load balancer.
const GROUPS_OF_ACTION: usize = 5;
const GROUPS_OF_BALANCER: usize = 100;
/// TooManyActions is documented, its number is not.
const ACTIONS_OF_RULE: usize = 5;

/// Where actions are to be performed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    /// The load balancer, by ARN.
    pub balancer: &'p str,
    /// Its type.
    pub kind: &'p str,
    /// The listener's protocol.
    pub protocol: &'p str,
    /// The listener's port.
    pub port: Option<i64>,
}

/// Takes actions as AWS takes them: checked, in order, with everything filled in. `before` are the actions that they
/// replace.
pub(super) fn take(elb: &Elbv2, place: &Place<'_>, asked: &[Value], before: &[Value]) -> Result<Vec<Value>, Refusal> {
    if asked.len() > ACTIONS_OF_RULE {
        return Err(Refusal::new("TooManyActions", "You've reached the limit on the number of actions per rule."));
    }
    let mut actions = Vec::new();
    for action in asked {
        let action = typed(action);
        required(&action, "Type")?;
        let kind = one_of(&action, "Type", TYPES)?.unwrap_or_default();
        ranged(&action, "Order", 1..=50_000)?;
        actions.push(match kind {
            "forward" => forward(&action, place)?,
            "redirect" => redirect(&action, place)?,
            "fixed-response" => fixed(&action)?,
            _ => authentication(&action, kind, place, before)?,
        });
    }
    order(&mut actions)?;
    check_groups(elb, place, &actions)?;
    Ok(actions)
}

/// Actions as Describe answers them: without secrets.
pub(super) fn shown(actions: &[Value]) -> Value {
    let mut actions = actions.to_vec();
    for action in &mut actions {
        if let Some(Value::Object(config)) = action.get_mut("AuthenticateOidcConfig") {
            config.remove("ClientSecret");
        }
    }
    Value::Array(actions)
}

/// The target groups that actions forward to, with their weights (1 where none is kept).
pub(super) fn weights(actions: &[Value]) -> Vec<(String, i64)> {
    let groups = actions.iter().flat_map(|action| list(&action["ForwardConfig"], "TargetGroups"));
    let weight =
        |group: &Value| Some((text(group, "TargetGroupArn")?.to_owned(), number(group, "Weight").unwrap_or(1)));
    groups.filter_map(weight).collect()
}

/// The target groups that actions forward to, by ARN.
pub(super) fn groups(actions: &[Value]) -> BTreeSet<String> {
    weights(actions).into_iter().map(|(arn, _)| arn).collect()
}

/// Sets weights of the groups of the forward action; a group that it does not have yet comes in, others stay.
pub(super) fn set_weights(actions: &mut [Value], weights: &[(String, i64)]) {
    let Some(action) = actions.iter_mut().find(|action| action["Type"] == "forward") else { return };
    let mut groups = list(&action["ForwardConfig"], "TargetGroups").to_vec();
    for (arn, weight) in weights {
        match groups.iter_mut().find(|group| group["TargetGroupArn"] == **arn) {
            Some(group) => group["Weight"] = json!(weight),
            None => groups.push(json!({ "TargetGroupArn": arn, "Weight": weight })),
        }
    }
    set_groups(action, groups);
}

/// One group comes back both as TargetGroupArn and in ForwardConfig, several only in the latter, in AWS's own order.
fn set_groups(action: &mut Value, mut groups: Vec<Value>) {
    groups.sort_by(|one, other| one["TargetGroupArn"].as_str().cmp(&other["TargetGroupArn"].as_str()));
    if let Value::Object(action) = &mut *action {
        action.remove("TargetGroupArn");
        if let [only] = &*groups {
            action.insert("TargetGroupArn".to_owned(), only["TargetGroupArn"].clone());
        }
    }
    action["ForwardConfig"]["TargetGroups"] = Value::Array(groups);
}

/// Numbers and flags out of texts; lists and structures that came as an empty text are not there.
fn typed(value: &Value) -> Value {
    let member = |(name, value): (&String, &Value)| {
        let value = match name.as_str() {
            name if NUMBERS.contains(&name) => {
                value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| value.clone(), Value::from)
            }
            name if FLAGS.contains(&name) => {
                value.as_str().and_then(|text| text.parse::<bool>().ok()).map_or_else(|| value.clone(), Value::from)
            }
            _ => typed(value),
        };
        (name.clone(), value)
    };
    match value {
        Value::Object(map) => Value::Object(map.iter().filter(|(_, value)| !value.is_null()).map(member).collect()),
        Value::Array(items) => Value::Array(items.iter().map(typed).collect()),
        other => other.clone(),
    }
}

/// What AWS keeps of an action beside its configuration.
fn kept(action: &Value, config: &str, value: Value) -> Value {
    let mut kept = Map::from_iter([("Type".to_owned(), action["Type"].clone()), (config.to_owned(), value)]);
    kept.extend(number(action, "Order").map(|order| ("Order".to_owned(), json!(order))));
    Value::Object(kept)
}

/// The structure that an action of its type has to have.
fn config<'v>(action: &'v Value, name: &str) -> Result<&'v Map<String, Value>, Refusal> {
    action.get(name).and_then(Value::as_object).ok_or_else(|| {
        let kind = text(action, "Type").unwrap_or_default();
        let message = format!("For actions of type '{kind}', you must specify the following fields: '{name}'");
        Refusal::new("InvalidLoadBalancerAction", message)
    })
}

/// ForwardActionConfig. Only application load balancers fill in weight and stickiness.
fn forward(action: &Value, place: &Place<'_>) -> Result<Value, Refusal> {
    let single = text(action, "TargetGroupArn");
    let mut groups: Vec<Value> = list(&action["ForwardConfig"], "TargetGroups").to_vec();
    if let Some(single) = single {
        if groups.is_empty() {
            groups.push(json!({ "TargetGroupArn": single }));
        }
        if groups.len() > 1 || groups[0]["TargetGroupArn"] != single {
            return Err(invalid(
                "If you specify both ForwardConfig and TargetGroupArn, you can specify only one target group using \
                 ForwardConfig and it must be the same target group specified in TargetGroupArn",
            ));
        }
    }
    if groups.is_empty() {
        return Err(invalid("A target group ARN must be specified"));
    }
    let most = if place.kind == "gateway" { 1 } else { GROUPS_OF_ACTION };
    if groups.len() > most {
        return Err(invalid(format!("A forward action can have at most '{most}' target groups")));
    }
    let arns = groups.iter().map(|group| required(group, "TargetGroupArn")).collect::<Result<BTreeSet<_>, _>>()?;
    if arns.len() < groups.len() {
        return Err(invalid("A target group can be specified only once in a forward action"));
    }
    for group in &mut groups {
        ranged(group, "Weight", 0..=999)?;
        if place.kind == "application" && group.get("Weight").is_none() {
            group["Weight"] = json!(1);
        }
    }
    let mut kept = kept(action, "ForwardConfig", json!({}));
    if let Some(stickiness) = stickiness(action, place)? {
        kept["ForwardConfig"]["TargetGroupStickinessConfig"] = stickiness;
    }
    set_groups(&mut kept, groups);
    Ok(kept)
}

/// TargetGroupStickinessConfig: "You must specify this value when enabling target group stickiness."
fn stickiness(action: &Value, place: &Place<'_>) -> Result<Option<Value>, Refusal> {
    let asked = &action["ForwardConfig"]["TargetGroupStickinessConfig"];
    let (enabled, duration) = (flag(asked, "Enabled").unwrap_or(false), number(asked, "DurationSeconds"));
    match duration {
        None if enabled => {
            Err(invalid(format!("Target group stickiness duration must be between 1 and {WEEK} seconds")))
        }
        Some(duration) if !(1..=WEEK).contains(&duration) => {
            Err(invalid(format!("Target group stickiness duration must be between 1 and {WEEK} seconds")))
        }
        Some(duration) => Ok(Some(json!({ "Enabled": enabled, "DurationSeconds": duration }))),
        None => Ok((place.kind == "application").then(|| json!({ "Enabled": false }))),
    }
}

/// RedirectActionConfig: "You must modify at least one of the following components to avoid a redirect loop: protocol,
/// port, hostname or path."
fn redirect(action: &Value, place: &Place<'_>) -> Result<Value, Refusal> {
    let asked = Value::Object(config(action, "RedirectConfig")?.clone());
    required(&asked, "StatusCode")?;
    one_of(&asked, "StatusCode", &["HTTP_301", "HTTP_302"])?;
    one_of(&asked, "Protocol", &["HTTP", "HTTPS", "#{protocol}"])?;
    let mut redirect = json!({
        "Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}",
    });
    for name in ["Protocol", "Port", "Host", "Path", "StatusCode"] {
        if let Some(value) = text(&asked, name) {
            redirect[name] = json!(value);
        }
    }
    // An empty query is one: it takes the query away.
    if let Some(query) = asked.get("Query") {
        redirect["Query"] = query.clone();
    }
    if !redirect["Path"].as_str().is_some_and(|path| path.starts_with('/')) {
        return Err(invalid("The redirect path must start with '/'"));
    }
    let port = text(&redirect, "Port").unwrap_or_default();
    if port != "#{port}" && !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(invalid(format!("Redirect port '{port}' must be between 1 and 65535 or '#{{port}}'")));
    }
    let same_protocol = ["#{protocol}", place.protocol].contains(&text(&redirect, "Protocol").unwrap_or_default());
    let same_port = port == "#{port}" || place.port.is_some_and(|own| own.to_string() == port);
    if same_protocol && same_port && redirect["Host"] == "#{host}" && redirect["Path"] == "/#{path}" {
        let message = "The redirect configuration is not valid because it creates a loop.";
        return Err(Refusal::new("InvalidLoadBalancerAction", message));
    }
    Ok(kept(action, "RedirectConfig", redirect))
}

/// FixedResponseActionConfig.
fn fixed(action: &Value) -> Result<Value, Refusal> {
    let asked = Value::Object(config(action, "FixedResponseConfig")?.clone());
    let code = required(&asked, "StatusCode")?;
    if code.len() != 3 || !code.starts_with(['2', '4', '5']) || !code.chars().all(|digit| digit.is_ascii_digit()) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{code}' at 'fixedResponseConfig.statusCode' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$"
        )));
    }
    if text(&asked, "ContentType").is_some_and(|content| !CONTENT_TYPES.contains(&content)) {
        let message = format!("The ContentType must be one of:'{}'", CONTENT_TYPES.join("', '"));
        return Err(Refusal::new("InvalidLoadBalancerAction", message));
    }
    if text(&asked, "MessageBody").is_some_and(|body| body.len() > 1024) {
        return Err(invalid("The fixed response message cannot be longer than '1024' characters"));
    }
    let members = ["StatusCode", "ContentType", "MessageBody"].into_iter();
    let given = members.filter_map(|name| Some((name.to_owned(), json!(text(&asked, name)?))));
    Ok(kept(action, "FixedResponseConfig", Value::Object(given.collect())))
}

/// AuthenticateOidcActionConfig, AuthenticateCognitoActionConfig, JwtValidationActionConfig.
fn authentication(action: &Value, kind: &str, place: &Place<'_>, before: &[Value]) -> Result<Value, Refusal> {
    if place.protocol != "HTTPS" {
        return Err(invalid(format!("Actions of type '{kind}' are supported only on HTTPS listeners")));
    }
    let (name, needed): (_, &[&str]) = match kind {
        "authenticate-oidc" => (
            "AuthenticateOidcConfig",
            &["Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "ClientId"],
        ),
        "authenticate-cognito" => ("AuthenticateCognitoConfig", &["UserPoolArn", "UserPoolClientId", "UserPoolDomain"]),
        _ => ("JwtValidationConfig", &["JwksEndpoint", "Issuer"]),
    };
    let mut asked = Value::Object(config(action, name)?.clone());
    needed.iter().try_for_each(|needed| required(&asked, needed).map(drop))?;
    if kind == "jwt-validation" {
        return Ok(kept(action, name, asked));
    }
    ranged(&asked, "SessionTimeout", 1..=WEEK)?;
    one_of(&asked, "OnUnauthenticatedRequest", &["deny", "allow", "authenticate"])?;
    if kind == "authenticate-oidc" {
        keep_secret(&mut asked, before)?;
    }
    let defaults = [
        ("Scope", json!("openid")),
        ("SessionCookieName", json!("AWSELBAuthSessionCookie")),
        ("SessionTimeout", json!(WEEK)),
        ("OnUnauthenticatedRequest", json!("authenticate")),
    ];
    for (name, value) in defaults {
        if asked.get(name).is_none_or(|given| given == "") {
            asked[name] = value;
        }
    }
    Ok(kept(action, name, asked))
}

/// ClientSecret: "required if you are creating a rule. If you are modifying a rule, you can omit this parameter if you
/// set UseExistingClientSecret to true."
fn keep_secret(asked: &mut Value, before: &[Value]) -> Result<(), Refusal> {
    let existing = flag(asked, "UseExistingClientSecret").unwrap_or(false);
    if let Value::Object(asked) = &mut *asked {
        asked.remove("UseExistingClientSecret");
    }
    let given = text(asked, "ClientSecret").is_some();
    let known = before.iter().find_map(|action| text(&action["AuthenticateOidcConfig"], "ClientSecret"));
    match known {
        Some(secret) if existing && !given => asked["ClientSecret"] = json!(secret),
        _ if given => {}
        _ => return Err(invalid("A client secret must be specified")),
    }
    Ok(())
}

/// "The action with the lowest value for order is performed first", "required for rules with multiple actions"; "each
/// rule must include exactly one of forward, redirect, or fixed-response, and it must be the last action".
fn order(actions: &mut [Value]) -> Result<(), Refusal> {
    if actions.len() > 1 {
        let orders: BTreeSet<_> = actions.iter().filter_map(|action| number(action, "Order")).collect();
        if orders.len() < actions.len() {
            return Err(invalid("Each action of a rule with multiple actions must have an order of its own"));
        }
        actions.sort_by_key(|action| number(action, "Order"));
    }
    let routes = |action: &Value| action["Type"].as_str().is_some_and(|kind| ROUTING.contains(&kind));
    let routing = actions.iter().filter(|action| routes(action)).count();
    if routing != 1 || !actions.last().is_some_and(routes) {
        return Err(invalid(
            "The actions must include exactly one of forward, redirect, or fixed-response, and it must be the last action",
        ));
    }
    Ok(())
}

/// The groups exist, fit the load balancer, and belong to no other one.
fn check_groups(elb: &Elbv2, place: &Place<'_>, actions: &[Value]) -> Result<(), Refusal> {
    let asked = groups(actions);
    for arn in &asked {
        let group = elb.groups.get(arn).ok_or_else(|| {
            let message = format!("Target group '{arn}' not found");
            Refusal::new("TargetGroupNotFound", message)
        })?;
        let (kind, protocol) = (&group.document["TargetType"], text(&group.document, "Protocol").unwrap_or_default());
        let fits = match (place.kind, protocol) {
            ("application", _) if *kind == "lambda" => true,
            ("application", "HTTP" | "HTTPS") | ("gateway", "GENEVE") => true,
            ("network", protocol) => !matches!(protocol, "" | "HTTP" | "HTTPS" | "GENEVE"),
            _ => false,
        };
        if !fits {
            let message = format!("Target group '{arn}' cannot be used by a load balancer of type '{}'", place.kind);
            return Err(Refusal::new("IncompatibleProtocols", message));
        }
        if elb.balancers_of(arn).into_iter().any(|user| user != place.balancer) {
            let message =
                format!("The following target groups cannot be associated with more than one load balancer: {arn}");
            return Err(Refusal::new("TargetGroupAssociationLimit", message));
        }
    }
    let mut used: BTreeSet<String> = elb.rules_below(place.balancer).flat_map(|rule| groups(&rule.actions)).collect();
    used.extend(asked);
    if used.len() > GROUPS_OF_BALANCER {
        let message = "You've reached the limit on the number of unique target groups per load balancer across all \
                       listeners. If a target group is used by multiple actions for a load balancer, it is counted as only \
                       one use.";
        return Err(Refusal::new("TooManyUniqueTargetGroupsPerLoadBalancer", message));
    }
    if place.kind != "application" && actions.iter().any(|action| action["Type"] != "forward") {
        return Err(conflicting(format!("Load balancers of type '{}' support only forward actions", place.kind)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, forward, not_found, rule};
    use super::*;

    /// What a rule with these actions is answered with: its actions, or the code of the refusal.
    fn check(lab: &mut Lab, listener: &str, actions: &Value) -> Value {
        let asked = rule(listener, "1", json!({ "Actions": actions }));
        let answer = lab.call("CreateRule", asked);
        if let Ok(answer) = &answer {
            lab.ok("DeleteRule", json!({ "RuleArn": answer["Rules"][0]["RuleArn"] }));
        }
        answer.map_or_else(|refusal| json!(refusal.code), |answer| answer["Rules"][0]["Actions"].clone())
    }

    #[test]
    fn forward_is_shown_in_both_spellings_and_several_groups_in_one() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let (listener, mut groups) = (lab.listener(&balancer, 80), [lab.group("HTTP"), lab.group("HTTP")]);
        groups.sort();
        let [one, two] = &groups;
        let foreign = lab.group("TCP");
        let config = |groups: Value, more: Value| {
            json!([{ "Type": "forward", "ForwardConfig": {
            "TargetGroups": groups, "TargetGroupStickinessConfig": more } }])
        };
        let whole = json!([{ "Type": "forward", "TargetGroupArn": one, "ForwardConfig": {
            "TargetGroups": [{ "TargetGroupArn": one, "Weight": 1 }],
            "TargetGroupStickinessConfig": { "Enabled": false } } }]);
        let weighted = json!([{ "Type": "forward", "ForwardConfig": {
            "TargetGroups": [{ "TargetGroupArn": one, "Weight": 10 }, { "TargetGroupArn": two, "Weight": 90 }],
            "TargetGroupStickinessConfig": { "Enabled": true, "DurationSeconds": 60 } } }]);
        let both = json!([{ "TargetGroupArn": two, "Weight": "90" }, { "TargetGroupArn": one, "Weight": "10" }]);
        let sticky = json!({ "Enabled": "true", "DurationSeconds": "60" });
        let mut mismatch = forward(two);
        mismatch["ForwardConfig"] = json!({ "TargetGroups": [{ "TargetGroupArn": one }] });
        for (asked, expected) in [
            (json!([forward(one)]), whole.clone()),
            (config(json!([{ "TargetGroupArn": one }]), json!(null)), whole),
            (config(both.clone(), sticky), weighted),
            (config(both.clone(), json!({ "Enabled": "true" })), json!("ValidationError")),
            (config(both, json!({ "Enabled": "false", "DurationSeconds": "604801" })), json!("ValidationError")),
            (config(json!([{ "TargetGroupArn": one, "Weight": "1000" }]), json!(null)), json!("ValidationError")),
            (config(json!(""), json!(null)), json!("ValidationError")),
            (json!([mismatch]), json!("ValidationError")),
            (json!([forward(&one.replace("made", "gone"))]), json!("TargetGroupNotFound")),
            (json!([forward(&foreign)]), json!("IncompatibleProtocols")),
        ] {
            assert_eq!(check(&mut lab, &listener, &asked), expected, "{asked}");
        }
    }

    #[test]
    fn other_actions_are_filled_in_or_refused() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let (plain, secure) = (
            lab.listener(&balancer, 80),
            json!({ "LoadBalancerArn": balancer, "Port": "443",
            "Protocol": "HTTPS", "DefaultActions": [not_found()],
            "Certificates": [{ "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1" }] }),
        );
        let secure = lab.ok("CreateListener", secure)["Listeners"][0]["ListenerArn"].as_str().unwrap().to_owned();
        let redirect = |config: Value| json!([{ "Type": "redirect", "RedirectConfig": config }]);
        let fixed = |config: Value| json!([{ "Type": "fixed-response", "FixedResponseConfig": config }]);
        let oidc = |more: Value, order: &str| {
            let mut config = json!({ "Issuer": "https://i", "AuthorizationEndpoint": "https://a", "TokenEndpoint":
                "https://t", "UserInfoEndpoint": "https://u", "ClientId": "c" });
            more.as_object().unwrap().iter().for_each(|(name, value)| config[name] = value.clone());
            json!({ "Type": "authenticate-oidc", "Order": order, "AuthenticateOidcConfig": config })
        };
        let mut last = not_found();
        last["Order"] = json!("2");
        let https = json!([{ "Type": "redirect", "RedirectConfig": { "Protocol": "HTTPS", "Port": "443", "Host": "#{host}",
            "Path": "/#{path}", "Query": "#{query}", "StatusCode": "HTTP_301" } }]);
        let invalid = json!("ValidationError");
        for (listener, asked, expected) in [
            (&plain, redirect(json!({ "Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301" })), https.clone()),
            (&plain, redirect(json!({ "StatusCode": "HTTP_301" })), json!("InvalidLoadBalancerAction")),
            (&secure, https, json!("InvalidLoadBalancerAction")),
            (&plain, redirect(json!({ "Host": "a.example.com", "StatusCode": "HTTP_303" })), invalid.clone()),
            (&plain, json!([{ "Type": "redirect" }]), json!("InvalidLoadBalancerAction")),
            (&plain, fixed(json!({ "StatusCode": "302" })), invalid.clone()),
            (
                &plain,
                fixed(json!({ "StatusCode": "200", "ContentType": "text/x" })),
                json!("InvalidLoadBalancerAction"),
            ),
            (&plain, json!([{ "Type": "refuse" }]), invalid.clone()),
            (&plain, json!(""), invalid.clone()),
            (&plain, json!([not_found(), not_found()]), invalid.clone()),
            (&plain, json!([oidc(json!({ "ClientSecret": "s" }), "1"), last]), invalid.clone()),
            (&secure, json!([oidc(json!({}), "1"), last]), invalid.clone()),
            (&secure, json!([oidc(json!({ "ClientSecret": "s" }), "3"), last]), invalid),
        ] {
            assert_eq!(check(&mut lab, listener, &asked), expected, "{asked}");
        }
        let asked = json!([last, oidc(json!({ "ClientSecret": "s", "Scope": "email" }), "1")]);
        let shown = check(&mut lab, &secure, &asked);
        let config = &shown[0]["AuthenticateOidcConfig"];
        assert_eq!((&config["Scope"], &config["SessionTimeout"]), (&json!("email"), &json!(604_800)));
        assert_eq!(config.get("ClientSecret"), None);
    }
}
