//! How the data of an event is read and written without loss.
//!
//! A record has required fields, which must be present and of their type, and optional ones. An optional field whose
//! value is not of the known form (an explicit `null`, a number where we expect text, a stop reason we have no name
//! for) is not an error: it stays in `extra` under its own key and is written back as it came.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde_json::{Map, Value};

use super::message::{ContentBlock, StopReason, Usage};
use crate::core::ToolCallId;

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldError {
    /// A required field is absent.
    #[error("\"{0}\" is missing")]
    Missing(&'static str),
    /// A required field has another type.
    #[error("\"{0}\" must be {1}")]
    Wrong(&'static str, &'static str),
}

/// A type required fields may have.
pub(super) trait Required: Sized {
    /// What the value must be, for the error message.
    const EXPECTED: &'static str;
    /// Reads the value; `None` if it is of another type.
    fn take(value: Value) -> Option<Self>;
}

impl Required for String {
    const EXPECTED: &'static str = "a string";
    fn take(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Required for ToolCallId {
    const EXPECTED: &'static str = "a string";
    fn take(value: Value) -> Option<Self> {
        <String as Required>::take(value).map(Self::new)
    }
}

impl Required for bool {
    const EXPECTED: &'static str = "true or false";
    fn take(value: Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Required for Value {
    const EXPECTED: &'static str = "a value";
    fn take(value: Value) -> Option<Self> {
        Some(value)
    }
}

impl Required for Vec<ContentBlock> {
    const EXPECTED: &'static str = "a list of content blocks";
    fn take(value: Value) -> Option<Self> {
        match value {
            Value::Array(blocks) => Some(blocks.into_iter().map(ContentBlock::from_json).collect()),
            _ => None,
        }
    }
}

/// What reading an optional field gave.
pub(super) enum Taken<T> {
    /// The value says exactly this.
    Exact(T),
    /// The value means this, and says more; it must be kept as well.
    AndMore(T, Value),
    /// The value is not of the known form.
    No(Value),
}

/// A type optional fields may have (inside `Option`).
pub(super) trait Known: Sized + Serialize + PartialEq {
    /// Reads the value.
    fn take(value: Value) -> Taken<Self>;
}

fn exact_if<T>(value: Value, read: impl FnOnce(&Value) -> Option<T>) -> Taken<T> {
    match read(&value) {
        Some(known) => Taken::Exact(known),
        None => Taken::No(value),
    }
}

fn by_serde<T: DeserializeOwned>(value: &Value) -> Option<T> {
    // dropped: a value of another form is kept in `extra`, which is the whole point of asking.
    T::deserialize(value).ok()
}

impl Known for String {
    fn take(value: Value) -> Taken<Self> {
        match value {
            Value::String(text) => Taken::Exact(text),
            other => Taken::No(other),
        }
    }
}

impl Known for u32 {
    fn take(value: Value) -> Taken<Self> {
        exact_if(value, by_serde)
    }
}

impl Known for u64 {
    fn take(value: Value) -> Taken<Self> {
        exact_if(value, Value::as_u64)
    }
}

impl Known for StopReason {
    fn take(value: Value) -> Taken<Self> {
        exact_if(value, |value| if value.is_string() { by_serde(value) } else { None })
    }
}

impl Known for Value {
    fn take(value: Value) -> Taken<Self> {
        if value.is_null() { Taken::No(value) } else { Taken::Exact(value) }
    }
}

impl Known for Usage {
    fn take(value: Value) -> Taken<Self> {
        let usage = if value.is_object() { by_serde::<Usage>(&value) } else { None };
        match usage {
            Some(usage) if serde_json::to_value(usage).is_ok_and(|written| written == value) => Taken::Exact(usage),
            Some(usage) => Taken::AndMore(usage, value),
            None => Taken::No(value),
        }
    }
}

/// An optional field.
pub(super) trait Optional: Sized + Default {
    /// Takes the field out of `object`, leaving there what it cannot hold.
    fn take(object: &mut Map<String, Value>, key: &'static str) -> Self;
    /// Whether the field has a value.
    fn is_present(&self) -> bool;
    /// Writes the field, if it has a value.
    fn write<M: SerializeMap>(
        &self,
        map: &mut M,
        key: &'static str,
        extra: &Map<String, Value>,
    ) -> Result<(), M::Error>;
}

impl<T: Known> Optional for Option<T> {
    fn take(object: &mut Map<String, Value>, key: &'static str) -> Self {
        match T::take(object.shift_remove(key)?) {
            Taken::Exact(known) => Some(known),
            Taken::AndMore(known, value) => {
                object.insert(key.to_owned(), value);
                Some(known)
            }
            Taken::No(value) => {
                object.insert(key.to_owned(), value);
                None
            }
        }
    }

    fn is_present(&self) -> bool {
        self.is_some()
    }

    fn write<M: SerializeMap>(
        &self,
        map: &mut M,
        key: &'static str,
        extra: &Map<String, Value>,
    ) -> Result<(), M::Error> {
        let Some(known) = self else { return Ok(()) };
        let fuller = extra.get(key).filter(
            |value| matches!(T::take((*value).clone()), Taken::AndMore(read, _) | Taken::Exact(read) if read == *known),
        );
        match fuller {
            Some(value) => map.serialize_entry(key, value),
            None => map.serialize_entry(key, known),
        }
    }
}

impl Optional for Vec<Value> {
    fn take(object: &mut Map<String, Value>, key: &'static str) -> Self {
        match object.shift_remove(key) {
            Some(Value::Array(items)) if !items.is_empty() => items,
            Some(other) => {
                object.insert(key.to_owned(), other);
                Self::new()
            }
            None => Self::new(),
        }
    }

    fn is_present(&self) -> bool {
        !self.is_empty()
    }

    fn write<M: SerializeMap>(&self, map: &mut M, key: &'static str, _: &Map<String, Value>) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(key, self) }
    }
}

/// Takes a required field out of `object`.
pub(super) fn required<T: Required>(object: &mut Map<String, Value>, key: &'static str) -> Result<T, FieldError> {
    let value = object.shift_remove(key).ok_or(FieldError::Missing(key))?;
    T::take(value).ok_or(FieldError::Wrong(key, T::EXPECTED))
}

/// Data of one event kind.
pub(super) trait Record: Sized {
    /// Reads it from the members of `data`.
    fn from_object(object: Map<String, Value>) -> Result<Self, FieldError>;
}

/// Defines the data of one event kind: the struct, how it is read, how it is written.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            required { $($(#[$required_meta:meta])* $required:ident: $required_type:ty = $required_key:literal,)* }
            optional { $($(#[$optional_meta:meta])* $optional:ident: $optional_type:ty = $optional_key:literal,)* }
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $($(#[$required_meta])* pub $required: $required_type,)*
            $($(#[$optional_meta])* pub $optional: $optional_type,)*
            /// Fields we do not know, and optional ones whose value is not of the known form.
            pub extra: ::serde_json::Map<String, ::serde_json::Value>,
        }

        impl $crate::session::record::Record for $name {
            fn from_object(
                mut object: ::serde_json::Map<String, ::serde_json::Value>,
            ) -> Result<Self, $crate::session::record::FieldError> {
                $(let $required = $crate::session::record::required(&mut object, $required_key)?;)*
                $(let $optional = $crate::session::record::Optional::take(&mut object, $optional_key);)*
                Ok(Self { $($required,)* $($optional,)* extra: object })
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let object = ::serde::Deserialize::deserialize(deserializer)?;
                $crate::session::record::Record::from_object(object).map_err(::serde::de::Error::custom)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                let written = |key: &str| match key {
                    $($required_key => true,)*
                    $($optional_key => $crate::session::record::Optional::is_present(&self.$optional),)*
                    _ => false,
                };
                $(map.serialize_entry($required_key, &self.$required)?;)*
                $($crate::session::record::Optional::write(&self.$optional, &mut map, $optional_key, &self.extra)?;)*
                for (key, value) in self.extra.iter().filter(|(key, _)| !written(key)) {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    };
}
pub(super) use record;
