//! CBOR, as Smithy's RPC v2 has it: maps with text keys, moments as tag 1 of seconds.

use super::seconds;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value, json};

/// The number of the tag "epoch-based date" (RFC 8949, 3.4.2).
const EPOCH: u64 = 1;

/// Reads a body; an empty one is an empty structure.
pub fn read(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let value: Cbor = ciborium::from_reader(body).map_err(|error| error.to_string())?;
    of_cbor(value)
}

/// Writes a body.
pub fn write(value: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    // Writing into memory does not fail.
    let _ = ciborium::into_writer(&to_cbor(value), &mut body);
    body
}

fn of_cbor(value: Cbor) -> Result<Value, String> {
    Ok(match value {
        Cbor::Integer(number) => {
            json!(i64::try_from(number).map_err(|_| "an integer is too large".to_owned())?)
        }
        Cbor::Float(number) => Number::from_f64(number).map(Value::Number).ok_or("a number is not finite")?,
        Cbor::Text(text) => Value::String(text),
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Null => Value::Null,
        Cbor::Tag(EPOCH, seconds) => json!({ "$time": of_cbor(*seconds)? }),
        Cbor::Array(items) => Value::Array(items.into_iter().map(of_cbor).collect::<Result<_, _>>()?),
        Cbor::Map(entries) => {
            let mut map = Map::new();
            for (name, value) in entries {
                let name = name.into_text().map_err(|_| "a key is no text".to_owned())?;
                map.insert(name, of_cbor(value)?);
            }
            Value::Object(map)
        }
        _ => return Err("a kind of value that no AWS structure has".to_owned()),
    })
}

fn to_cbor(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cbor::Integer(whole.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(to_cbor).collect()),
        Value::Object(map) => match seconds(value) {
            Some(seconds) => Cbor::Tag(EPOCH, Box::new(Cbor::Float(seconds))),
            None => Cbor::Map(
                map.iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| (Cbor::Text(name.clone()), to_cbor(value)))
                    .collect(),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let value = json!({ "a": [1, 2.5, "x", true], "at": { "$time": 12.0 }, "m": { "n": "o" } });
        assert_eq!(read(&write(&value)), Ok(value));
        assert_eq!(read(&[]), Ok(json!({})));
    }
}
