//! What looks like a secret, by its name or by its form. Rather too much than too little: what is masked still shows that
//! it changed.

use serde_json::Value;

/// Names under which people keep secrets.
const SECRET_NAMES: &[&str] = &[
    "secret",
    "password",
    "passwd",
    "passphrase",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "private_key",
    "privatekey",
    "credential",
    "auth_key",
    "signing_key",
    "encryption_key",
    "database_url",
    "dsn",
    "connection_string",
    "connectionstring",
    "webhook_url",
    "_pass",
    "_pwd",
    "_key",
];

/// Whether a name is one under which people keep secrets.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    // Names of AWS's own fields that hold references, not secrets.
    !matches!(name.as_str(), "secrets" | "secretoptions") && SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Whether a value has the form of a secret, at any depth.
pub fn holds_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => is_secret_text(text),
        Value::Array(items) => items.iter().any(holds_secret),
        Value::Object(map) => {
            let named = map.get("name").or_else(|| map.get("key")).and_then(Value::as_str).is_some_and(is_secret_name);
            (named && map.contains_key("value"))
                || map.iter().any(|(key, value)| (value.is_string() && is_secret_name(key)) || holds_secret(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_secret_text(text: &str) -> bool {
    // ARNs and the names of AWS's own TLS policies are long, and no secrets.
    if text.starts_with("arn:") || text.starts_with("ELBSecurityPolicy-") {
        return false;
    }
    let credentials_in_url = text.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?'])
            .next()
            .is_some_and(|host| host.split_once('@').is_some_and(|(user, _)| user.contains(':')))
    });
    let assigned = text.split_once('=').is_some_and(|(name, value)| {
        !value.is_empty() && name.len() <= 64 && is_secret_name(name.trim_start_matches('-'))
    });
    let known_form =
        ["AKIA", "ASIA", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "sk-", "eyJ"]
            .iter()
            .any(|prefix| text.starts_with(prefix) && text.len() >= 16)
            || text.contains("-----BEGIN");
    credentials_in_url || assigned || known_form || is_random(text)
}

/// A single word of 24 or more characters that mixes cases and digits, as generated secrets do.
fn is_random(text: &str) -> bool {
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-'));
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().filter(|b| test(b)).count() >= 4;
    word && text.len() >= 24 && has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_or_form() {
        for (name, is) in [
            ("DB_PASSWORD", true),
            ("apiKey", true),
            ("STRIPE_SECRET", true),
            ("LOG_LEVEL", false),
            ("secrets", false),
            ("MONKEY", false),
        ] {
            assert_eq!(is_secret_name(name), is, "{name}");
        }
        for (text, is) in [
            ("postgresql://user:pa55@db:5432/x", true),
            ("https://example.org/user:name@x", false),
            ("AKIAIOSFODNN7EXAMPLE", true),
            ("--password=hunter2", true),
            ("ghp_0123456789abcdefABCD", true),
            ("9f8A7d6C5b4E3a2F1g0H9i8J", true),
            ("620197346831.dkr.ecr.us-east-1.amazonaws.com/convergence-prod-api:2.1.0", false),
            ("arn:aws:secretsmanager:us-east-1:620197346831:secret:prod/database-url-AbCdEf", false),
            ("sha256:9c41aa", false),
            ("ELBSecurityPolicy-TLS13-1-2-2021-06", false),
            ("info", false),
        ] {
            assert_eq!(holds_secret(&Value::from(text)), is, "{text}");
        }
    }
}
