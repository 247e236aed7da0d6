//! Reading inputs, and the manners that AWS's services share: required fields, lists with a limit, pages.

use super::{Answer, Refusal};
use serde_json::{Map, Value};

/// A text; none when it is absent or empty.
pub fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A whole number, also when it came as a text (Query).
pub fn number(value: &Value, name: &str) -> Option<i64> {
    let value = value.get(name)?;
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)).or_else(|| value.as_str()?.parse().ok())
}

/// A number, also when it came as a text (Query).
pub fn decimal(value: &Value, name: &str) -> Option<f64> {
    let value = value.get(name)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// A flag, also when it came as a text (Query).
pub fn flag(value: &Value, name: &str) -> Option<bool> {
    let value = value.get(name)?;
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

/// The items of a list; none when it is absent.
pub fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub fn texts<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v str> {
    list(value, name).iter().filter_map(Value::as_str)
}

/// A text that has to be there; `code` is what the service calls a bad parameter.
///
/// # Errors
/// It is not there.
pub fn required<'v>(value: &'v Value, name: &str, code: &str) -> Result<&'v str, Refusal> {
    text(value, name).ok_or_else(|| Refusal::new(code, format!("{name} must not be null or empty.")))
}

/// One page of `items`, in the answer's member `into`; the names of the tokens and of the page's size are the service's.
#[derive(Debug, Clone, Copy)]
pub struct Pages<'p> {
    /// The member of the answer.
    pub into: &'p str,
    /// The member of the request that holds the token.
    pub token: &'p str,
    /// The member of the answer that holds the next one.
    pub next: &'p str,
    /// The member of the request that holds the size.
    pub size: &'p str,
    /// The size when none is asked for.
    pub usual: usize,
    /// The largest size.
    pub most: usize,
    /// The error code of a size or token that is wrong.
    pub code: &'p str,
}

impl Pages<'_> {
    /// The page that `input` asks for.
    ///
    /// # Errors
    /// The size is beyond the limits, or the token is none of ours.
    pub fn page(&self, items: Vec<Value>, input: &Value) -> Answer {
        let size = match number(input, self.size) {
            None => self.usual,
            Some(size) if size >= 1 && size as usize <= self.most => size as usize,
            Some(size) => {
                let message = format!("{} {size} must be between 1 and {}.", self.size, self.most);
                return Err(Refusal::new(self.code, message));
            }
        };
        let start = match text(input, self.token) {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|at| at.parse::<usize>().ok())
                .filter(|at| *at <= items.len())
                .ok_or_else(|| Refusal::new(self.code, format!("Invalid {} {token}.", self.token)))?,
        };
        let end = start.saturating_add(size).min(items.len());
        let more = end < items.len();
        let page = items.into_iter().skip(start).take(size).collect();
        let mut answer = Map::from_iter([(self.into.to_owned(), Value::Array(page))]);
        if more {
            answer.insert(self.next.to_owned(), Value::String(format!("page-{end}")));
        }
        Ok(Value::Object(answer))
    }
}

/// Sets tags in a list of `{key, value}`: the same key is overwritten, others stay. `names` is ("key", "value") or
/// ("Key", "Value").
pub fn set_tags(all: &mut Vec<Value>, new: &[Value], names: (&str, &str)) {
    for tag in new {
        match all.iter_mut().find(|known| known[names.0] == tag[names.0]) {
            Some(known) => *known = tag.clone(),
            None => all.push(tag.clone()),
        }
        if let Some(Value::Object(tag)) = all.iter_mut().find(|known| known[names.0] == tag[names.0]) {
            tag.entry(names.1).or_insert_with(|| Value::String(String::new()));
        }
    }
}

/// Takes tags away by key.
pub fn unset_tags<'k>(all: &mut Vec<Value>, keys: impl Iterator<Item = &'k str>, key: &str) {
    let keys: Vec<_> = keys.collect();
    all.retain(|tag| !tag[key].as_str().is_some_and(|name| keys.contains(&name)));
}
