//! SDK types <-> documents in AWS's own names.
//!
//! [`Wire`] is the seam: the tables in [`super::tables`] implement it for structures, unions and enumerations with the
//! three macros at the end of this file, and Rust infers every type from the SDK. A misspelt name does not compile; a
//! name that is missing fails `tests/it/tables.rs`.
//!
//! Places in files are not known here. People get their problems earlier, from `core::document::check`; this reader is
//! just as strict, as the last gate before AWS, and reports every mismatch by its JSON pointer.

use crate::core::document::pointer;
use crate::core::shape::{Field, Shape};
use aws_smithy_types::date_time::Format;
use aws_smithy_types::{DateTime, Document, Number};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;

/// A type with a document form.
pub trait Wire: Sized {
    /// What a document of this type must be.
    fn shape() -> Shape;

    /// Reads a document; `None` when a mismatch was reported instead.
    fn read(value: &Value, reader: &mut Reader) -> Option<Self>;

    /// The document; `None` when there is nothing to write.
    fn write(&self) -> Option<Value>;
}

/// One thing that keeps a document from being an SDK type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the document: a JSON pointer (RFC 6901), empty for the whole document.
    pub pointer: String,
    /// What is wrong there. Never holds a value other than a wrong enumeration value: values may be secrets.
    pub message: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, message } = self;
        match pointer.as_str() {
            "" => f.write_str(message),
            pointer => write!(f, "{pointer}: {message}"),
        }
    }
}

/// Reads a document strictly: unknown fields, wrong types, unknown enumeration values and missing required fields are
/// all reported, not only the first.
pub fn decode<T: Wire>(document: &Value) -> Result<T, Vec<Mismatch>> {
    let mut reader = Reader { pointer: String::new(), mismatches: Vec::new() };
    match T::read(document, &mut reader) {
        Some(value) if reader.mismatches.is_empty() => Ok(value),
        _ => Err(reader.mismatches),
    }
}

/// Writes a document. What the SDK has as absent is left out; an empty list that AWS gave stays an empty list.
pub fn encode<T: Wire>(value: &T) -> Value {
    value.write().unwrap_or(Value::Null)
}

/// Where the reading of a document stands, and what was found wrong so far.
#[derive(Debug)]
pub struct Reader {
    pointer: String,
    mismatches: Vec<Mismatch>,
}

impl Reader {
    /// Reports a mismatch at the current place.
    pub fn mismatch(&mut self, message: impl Into<String>) {
        self.mismatches.push(Mismatch { pointer: self.pointer.clone(), message: message.into() });
    }

    /// Reports that something else was expected than what stands here.
    fn expected<T>(&mut self, what: &str, found: &Value) -> Option<T> {
        self.mismatch(format!("expected {what}, found {}", kind_of(found)));
        None
    }

    /// Reads one step further down.
    fn below<T: Wire>(&mut self, step: &str, value: &Value) -> Option<T> {
        let here = self.pointer.len();
        self.pointer = pointer(&self.pointer, step);
        let read = T::read(value, self);
        self.pointer.truncate(here);
        read
    }

    /// Opens a structure or union: checks that it is a mapping, that all its names are known and none that is required
    /// is missing. Reading goes on after a wrong name, so that all mismatches are found at once.
    fn open<'v>(&mut self, value: &'v Value, shape: Shape) -> Option<Open<'v>> {
        let (Shape::Struct { name, fields } | Shape::Union { name, fields }) = shape else { return None };
        let Value::Object(map) = value else { return self.expected("a mapping", value) };
        let before = self.mismatches.len();
        // serde_json's maps may keep the order of insertion or sort, depending on the build's features.
        let mut unknown: Vec<&String> = map.keys().filter(|key| fields.iter().all(|f| f.name != *key)).collect();
        unknown.sort();
        for key in unknown {
            let message = format!("{name} has no field `{key}`{}", hint(key, fields));
            self.mismatches.push(Mismatch { pointer: pointer(&self.pointer, key), message });
        }
        for field in fields.iter().filter(|field| field.required) {
            if map.get(field.name).is_none_or(Value::is_null) {
                self.mismatch(format!("{name} needs `{}`", field.name));
            }
        }
        Some(Open { map, before })
    }

    /// Reads a member of an opened structure; `None` when it is absent, null or wrong.
    fn member<T: Wire>(&mut self, open: &Open<'_>, name: &str) -> Option<T> {
        let value = open.map.get(name).filter(|value| !value.is_null())?;
        self.below(name, value)
    }

    /// Whether everything in the opened structure was right. If not, building it would only repeat what was reported.
    fn is_clean(&self, open: &Open<'_>) -> bool {
        self.mismatches.len() == open.before
    }
}

/// An opened structure.
struct Open<'v> {
    map: &'v Map<String, Value>,
    before: usize,
}

/// The remedy for an unknown name, where there is an obvious one.
fn hint(key: &str, fields: &[Field]) -> String {
    let letters = |name: &str| -> String { name.chars().filter(char::is_ascii_alphanumeric).collect() };
    let meant = fields.iter().find(|field| letters(field.name).eq_ignore_ascii_case(&letters(key)));
    meant.map(|field| format!("; did you mean `{}`?", field.name)).unwrap_or_default()
}

/// What stands there instead, without its value: it may be a secret.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

macro_rules! leaves { ($($ty:ty: $shape:ident, $what:literal, $get:expr;)*) => { $(
    impl Wire for $ty {
        fn shape() -> Shape {
            Shape::$shape
        }

        fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
            let get: fn(&Value) -> Option<$ty> = $get;
            get(value).or_else(|| reader.expected($what, value))
        }

        fn write(&self) -> Option<Value> {
            Some(Value::from(self.clone()))
        }
    }
)* } }

leaves! {
    bool: Boolean, "true or false", Value::as_bool;
    i32: Integer, "a whole number of 32 bits", |value| value.as_i64()?.try_into().ok();
    i64: Long, "a whole number", Value::as_i64;
    f64: Number, "a number", Value::as_f64;
    String: Text, "a string", |value| value.as_str().map(str::to_owned);
}

impl<T: Wire> Wire for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::read(value, reader).map(Some) }
    }

    fn write(&self) -> Option<Value> {
        self.as_ref().and_then(T::write)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn shape() -> Shape {
        Shape::List(T::shape)
    }

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Value::Array(items) = value else { return reader.expected("a list", value) };
        Some(items.iter().enumerate().filter_map(|(i, item)| reader.below(&i.to_string(), item)).collect())
    }

    fn write(&self) -> Option<Value> {
        Some(self.iter().filter_map(T::write).collect())
    }
}

impl<K: From<String> + AsRef<str> + Eq + Hash, T: Wire> Wire for HashMap<K, T> {
    fn shape() -> Shape {
        Shape::Map(T::shape)
    }

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Value::Object(map) = value else { return reader.expected("a mapping", value) };
        let sorted: BTreeMap<&String, &Value> = map.iter().collect();
        let entries =
            sorted.into_iter().filter_map(|(key, value)| Some((key.clone().into(), reader.below(key, value)?)));
        Some(entries.collect())
    }

    /// Sorted by key, so that equal maps give equal text in every build.
    fn write(&self) -> Option<Value> {
        let sorted: BTreeMap<&str, &T> = self.iter().map(|(key, value)| (key.as_ref(), value)).collect();
        let entries = sorted.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.write()?)));
        Some(Value::Object(entries.collect()))
    }
}

impl Wire for DateTime {
    fn shape() -> Shape {
        Shape::Time
    }

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let time = value.as_str().and_then(|text| Self::from_str(text, Format::DateTimeWithOffset).ok());
        time.or_else(|| reader.expected("an RFC 3339 time", value))
    }

    fn write(&self) -> Option<Value> {
        self.fmt(Format::DateTime).ok().map(Value::from)
    }
}

impl Wire for Document {
    fn shape() -> Shape {
        Shape::FreeForm
    }

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        Some(match value {
            Value::Null => Document::Null,
            Value::Bool(b) => Document::Bool(*b),
            Value::Number(number) => Document::Number(match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(whole), _, _) => Number::PosInt(whole),
                (_, Some(whole), _) => Number::NegInt(whole),
                (_, _, Some(fraction)) => Number::Float(fraction),
                (None, None, None) => return reader.expected("a number of 64 bits", value),
            }),
            Value::String(text) => Document::String(text.clone()),
            Value::Array(_) => Document::Array(Wire::read(value, reader)?),
            Value::Object(_) => Document::Object(Wire::read(value, reader)?),
        })
    }

    fn write(&self) -> Option<Value> {
        match self {
            Document::Null => Some(Value::Null),
            Document::Bool(b) => b.write(),
            Document::Number(Number::PosInt(whole)) => Some(Value::from(*whole)),
            Document::Number(Number::NegInt(whole)) => whole.write(),
            Document::Number(Number::Float(fraction)) => fraction.write(),
            Document::String(text) => text.write(),
            Document::Array(items) => items.write(),
            Document::Object(map) => map.write(),
        }
    }
}

/// What a builder's `build()` gives: the type itself, or a `Result` where the SDK knows required members.
pub trait Built<T> {
    /// The type, or `None` and a report.
    fn built(self, reader: &mut Reader) -> Option<T>;
}

impl<T: Wire> Built<T> for T {
    fn built(self, _: &mut Reader) -> Option<T> {
        Some(self)
    }
}

impl<T, E: fmt::Display> Built<T> for Result<T, E> {
    fn built(self, reader: &mut Reader) -> Option<T> {
        self.map_err(|error| reader.mismatch(error.to_string())).ok()
    }
}

/// What the macros use. Not for others.
pub mod parts {
    use super::{Built, Open, Reader, Wire};
    use crate::core::shape::Shape;
    use serde_json::{Map, Value};

    /// The shape of a member; its type is inferred from how it is reached.
    pub const fn shape_of<S, T: Wire>(_: fn(&S) -> &T) -> fn() -> Shape {
        T::shape
    }

    /// Reads a structure: `fill` hands every member to the builder.
    pub fn read_structure<T: Wire, B: Built<T>>(
        value: &Value,
        reader: &mut Reader,
        fill: impl FnOnce(&mut Members<'_, '_>) -> B,
    ) -> Option<T> {
        let open = reader.open(value, T::shape())?;
        let built = fill(&mut Members { reader: &mut *reader, open: &open });
        if reader.is_clean(&open) { built.built(reader) } else { None }
    }

    /// Reads a union: `pick` tries every alternative. Exactly one must be given.
    pub fn read_union<T: Wire>(
        value: &Value,
        reader: &mut Reader,
        pick: impl FnOnce(&mut Members<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let open = reader.open(value, T::shape())?;
        let picked = pick(&mut Members { reader: &mut *reader, open: &open });
        let given = open.map.values().filter(|value| !value.is_null()).count();
        if reader.is_clean(&open) && given != 1 {
            let names: Vec<&str> = T::shape().fields().iter().map(|field| field.name).collect();
            reader.mismatch(format!("expected exactly one of {}, found {given}", names.join(", ")));
        }
        if reader.is_clean(&open) { picked } else { None }
    }

    /// The members of an opened structure.
    pub struct Members<'r, 'v> {
        reader: &'r mut Reader,
        open: &'r Open<'v>,
    }

    impl Members<'_, '_> {
        /// The member of this AWS name.
        pub fn get<T: Wire>(&mut self, name: &str) -> Option<T> {
            self.reader.member(self.open, name)
        }
    }

    /// Reads an enumeration value that the SDK knows.
    pub fn read_enum<T>(value: &Value, reader: &mut Reader, known: &[&str], parse: fn(&str) -> Option<T>) -> Option<T> {
        let Value::String(text) = value else { return reader.expected("a string", value) };
        parse(text).or_else(|| {
            let shown: String = text.chars().take(40).collect();
            reader.mismatch(format!("expected one of {}, found {shown:?}", known.join(", ")));
            None
        })
    }

    /// Adds a member to a document, unless it is absent.
    pub fn put<T: Wire>(map: &mut Map<String, Value>, name: &str, member: &T) {
        if let Some(value) = member.write() {
            map.insert(name.to_owned(), value);
        }
    }
}

/// The members of SDK structures, by their AWS names, in the order of the API reference.
///
/// Every list says how its elements are matched: `command` keeps its order, `subnets[]` is a set, `environment[name]` is
/// keyed by a member of its elements, `portMappings[containerPort, protocol]` by several. `#[required]` marks what the
/// API model demands. The Rust name is the snake case of the AWS name or is given: `type = r#type` for a keyword,
/// `OKActions => ok_actions` where capitals run together. `EfsVolumeConfiguration as EFSVolumeConfiguration` gives the API
/// model's name where the SDK's differs.
macro_rules! structures { ($($ty:ident $(as $api:ident)? {
    $($(#[$required:ident])? $field:ident $([$($key:ident),*])? $(= $raw:ident)? $(=> $rust:ident)?),* $(,)?
})*) => { $(
    // Members that AWS calls deprecated are still members.
    #[allow(deprecated, unused_mut, unused_variables)]
    impl $crate::aws::wire::Wire for $ty {
        fn shape() -> $crate::core::shape::Shape {
            $crate::core::shape::Shape::Struct {
                name: structures!(@name $ty $($api)?),
                fields: const { &[$($crate::core::shape::Field {
                    name: stringify!($field),
                    shape: $crate::aws::wire::parts::shape_of(|s: &$ty| &structures!(@get s, $field $(= $raw)? $(=> $rust)?)),
                    order: structures!(@order $([$($key),*])?),
                    required: structures!(@required $($required)?),
                }),*] },
            }
        }

        fn read(value: &serde_json::Value, reader: &mut $crate::aws::wire::Reader) -> Option<Self> {
            $crate::aws::wire::parts::read_structure(value, reader, |members| {
                let mut builder = <$ty>::builder();
                $(builder = structures!(@set builder, members.get(stringify!($field)), $field $(= $raw)? $(=> $rust)?);)*
                builder.build()
            })
        }

        fn write(&self) -> Option<serde_json::Value> {
            let mut map = serde_json::Map::new();
            $($crate::aws::wire::parts::put(
                &mut map,
                stringify!($field),
                &structures!(@get self, $field $(= $raw)? $(=> $rust)?),
            );)*
            Some(serde_json::Value::Object(map))
        }
    } )* };
    (@name $ty:ident) => { stringify!($ty) };
    (@name $ty:ident $api:ident) => { stringify!($api) };
    (@order) => { $crate::core::shape::Order::Kept };
    (@order []) => { $crate::core::shape::Order::Set };
    (@order [$($key:ident),+]) => { $crate::core::shape::Order::By(&[$(stringify!($key)),+]) };
    (@required) => { false };
    (@required required) => { true };
    (@get $s:ident, $field:ident = $raw:ident) => { $s.$raw };
    (@get $s:ident, $field:ident => $rust:ident) => { $s.$rust };
    (@get $s:ident, $field:ident) => { pastey::paste! { $s.[<$field:snake>] } };
    (@set $b:ident, $v:expr, $field:ident => $rust:ident) => { pastey::paste! { $b.[<set_ $rust>]($v) } };
    (@set $b:ident, $v:expr, $field:ident $(= $raw:ident)?) => { pastey::paste! { $b.[<set_ $field:snake>]($v) } };
}

/// SDK unions: exactly one alternative is given. `AwsName => Variant(Inner)`.
macro_rules! unions { ($($ty:ident { $($field:ident => $variant:ident($inner:ty)),* $(,)? })*) => { $(
    impl $crate::aws::wire::Wire for $ty {
        fn shape() -> $crate::core::shape::Shape {
            $crate::core::shape::Shape::Union {
                name: stringify!($ty),
                fields: const { &[$($crate::core::shape::Field {
                    name: stringify!($field),
                    shape: <$inner as $crate::aws::wire::Wire>::shape,
                    order: $crate::core::shape::Order::Kept,
                    required: false,
                }),*] },
            }
        }

        fn read(value: &serde_json::Value, reader: &mut $crate::aws::wire::Reader) -> Option<Self> {
            $crate::aws::wire::parts::read_union(value, reader, |members| {
                None$(.or_else(|| members.get(stringify!($field)).map(Self::$variant)))*
            })
        }

        fn write(&self) -> Option<serde_json::Value> {
            let mut map = serde_json::Map::new();
            match self {
                $(Self::$variant(member) => $crate::aws::wire::parts::put(&mut map, stringify!($field), member),)*
                // An alternative newer than the SDK has no name that could be written.
                _ => return None,
            }
            Some(serde_json::Value::Object(map))
        }
    } )* };
}

/// SDK enumerations: the values the SDK knows are the values taken; a newer one that AWS answers is written as it is.
macro_rules! enums { ($($ty:ident),* $(,)?) => { $(
    impl $crate::aws::wire::Wire for $ty {
        fn shape() -> $crate::core::shape::Shape {
            $crate::core::shape::Shape::Enum(Self::values())
        }

        fn read(value: &serde_json::Value, reader: &mut $crate::aws::wire::Reader) -> Option<Self> {
            $crate::aws::wire::parts::read_enum(value, reader, Self::values(), |text| Self::try_parse(text).ok())
        }

        fn write(&self) -> Option<serde_json::Value> {
            Some(serde_json::Value::from(self.as_str()))
        }
    } )* };
}

pub(in crate::aws) use {enums, structures, unions};
