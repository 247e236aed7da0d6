//! An IAM policy, loaded and enforced: what it does not allow is refused as AWS refuses it.

use serde_json::Value;

/// A policy document.
#[derive(Debug, Clone)]
pub struct Policy {
    statements: Vec<Value>,
}

/// What a call asks to do, to what.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As `ecs:UpdateService`.
    pub action: String,
    /// The ARNs of what it is done to; `*` where an operation has none.
    pub resources: Vec<String>,
    /// The context keys that conditions can look at, as `ecs:cluster`.
    pub context: Vec<(String, String)>,
}

impl Policy {
    /// Reads the form that IAM takes.
    ///
    /// # Errors
    /// The document is no JSON or has no statements.
    pub fn read(document: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(document).map_err(|error| error.to_string())?;
        let statements = match &document["Statement"] {
            Value::Array(all) => all.clone(),
            one @ Value::Object(_) => vec![one.clone()],
            _ => return Err("the policy has no Statement".to_owned()),
        };
        Ok(Self { statements })
    }

    /// Whether everything that is asked is allowed and nothing of it denied (IAM User Guide, "Policy evaluation logic").
    pub fn allows(&self, asked: &Asked) -> bool {
        let met = |effect: &str, resource: &str| {
            self.statements.iter().any(|s| s["Effect"] == effect && meets(s, asked, resource))
        };
        asked.resources.iter().all(|resource| met("Allow", resource) && !met("Deny", resource))
    }
}

fn meets(statement: &Value, asked: &Asked, resource: &str) -> bool {
    let action = texts(&statement["Action"]).any(|pattern| like(&pattern.to_lowercase(), &asked.action.to_lowercase()));
    let resource = statement.get("Resource").is_none() || texts(&statement["Resource"]).any(|p| like(p, resource));
    action && resource && conditions(&statement["Condition"], asked)
}

/// All operators and keys of a condition have to hold, any of a key's values will do.
fn conditions(condition: &Value, asked: &Asked) -> bool {
    let Value::Object(operators) = condition else { return true };
    operators.iter().all(|(operator, keys)| {
        let Value::Object(keys) = keys else { return false };
        keys.iter().all(|(key, expected)| {
            let mut found = asked.context.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key)).peekable();
            let any = |value: &str| texts(expected).any(|pattern| like(pattern, value));
            match operator.as_str() {
                "StringEquals" | "StringLike" | "ArnEquals" | "ArnLike" => found.any(|(_, value)| any(value)),
                "ForAllValues:StringEquals" | "ForAllValues:StringLike" => found.all(|(_, value)| any(value)),
                "StringEqualsIfExists" | "StringLikeIfExists" | "ArnLikeIfExists" => {
                    found.peek().is_none() || found.any(|(_, value)| any(value))
                }
                "Null" => found.peek().is_none() == texts(expected).any(|text| text == "true"),
                // An operator that is not known here allows nothing.
                _ => false,
            }
        })
    })
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list: &[Value] = match value {
        Value::Array(all) => all,
        one => std::slice::from_ref(one),
    };
    list.iter().filter_map(Value::as_str)
}

/// `*` is any text, `?` any character.
pub fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once(['*', '?']) {
        None => pattern == text,
        Some((before, after)) => {
            let Some(rest) = text.strip_prefix(before) else { return false };
            if pattern[before.len()..].starts_with('?') {
                let mut letters = rest.chars();
                return letters.next().is_some() && like(after, letters.as_str());
            }
            after.is_empty() || rest.char_indices().any(|(at, _)| like(after, &rest[at..])) || like(after, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("ecs:*", "ecs:UpdateService", true),
            ("ecs:Describe*", "ecs:UpdateService", false),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("arn:*:service/prod/*", "arn:aws:ecs:r:1:service/prod/api", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_denial_wins_and_silence_denies() {
        let policy = Policy::read(
            r#"{"Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"},
                              {"Effect": "Deny", "Action": "ecs:Delete*", "Resource": "*"}]}"#,
        )
        .unwrap();
        let asks = |action: &str| {
            policy.allows(&Asked { action: action.into(), resources: vec!["*".into()], context: vec![] })
        };
        assert!(asks("ecs:UpdateService"));
        assert!(!asks("ecs:DeleteService"));
        assert!(!asks("logs:CreateLogGroup"));
    }
}
