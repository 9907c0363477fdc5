//! Checked parameters.

use serde_json::{Map, Value, json};

use super::spec::{Method, whole};
use super::suggest::nearest;
use crate::core::{Error, Result, SessionId};

/// Parameters by name. Absent and unknown ones have been dealt with, types fit.
#[derive(Debug, Default)]
pub(crate) struct Args(Map<String, Value>);

impl Args {
    /// Checks what the caller sent against the description. Errors name the parameter and say what would fit.
    pub(crate) fn check(method: &Method, params: Option<Value>) -> Result<Self> {
        let mut map = match params {
            None => Map::new(),
            Some(Value::Object(map)) => map,
            Some(Value::Array(list)) => by_name(method, list)?,
            Some(_) => return Err(Error::internal("parameters that are neither object nor array reached a method")),
        };
        // A null for an optional parameter that cannot be null means the same as leaving it out.
        map.retain(|name, value| {
            !value.is_null()
                || method
                    .params
                    .iter()
                    .find(|param| param.name == name)
                    .is_none_or(|param| param.required || param.kind.check(&Value::Null).is_ok())
        });
        for name in map.keys() {
            if !method.params.iter().any(|param| param.name == name) {
                return Err(unknown(method, name));
            }
        }
        for param in method.params {
            match map.get(param.name) {
                Some(value) => param.kind.check(value).map_err(|why| {
                    Error::user(format!("{}: the parameter {} {why}", method.name, param.name))
                        .hint(format!("{}: {}", param.name, param.summary))
                        .details(json!({"param": param.name}))
                })?,
                None if param.required => {
                    return Err(Error::user(format!("{}: the parameter {} is missing", method.name, param.name))
                        .hint(format!("{}: {}", param.name, param.summary))
                        .details(json!({"param": param.name, "required": required(method)})));
                }
                None => {}
            }
        }
        Ok(Self(map))
    }

    /// Nothing was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As sent.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Text, if given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Text that the description makes sure of.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str> {
        self.text(name).ok_or_else(|| Error::internal(format!("the parameter {name} was not checked")))
    }

    /// A whole number, if given.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(whole)
    }

    /// A count, if given.
    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        self.integer(name).map(|number| usize::try_from(number).unwrap_or(0))
    }

    /// A truth value, if given.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// A list, if given.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.0.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// `sessionId`, if given.
    pub(crate) fn session_id(&self) -> Option<SessionId> {
        self.text("sessionId").map(SessionId::from)
    }
}

fn by_name(method: &Method, list: Vec<Value>) -> Result<Map<String, Value>> {
    match (method.params, list.len()) {
        (_, 0) => Ok(Map::new()),
        ([only], 1) => Ok(list.into_iter().map(|value| (only.name.to_owned(), value)).collect()),
        _ => {
            let names: Vec<&str> = method.params.iter().map(|param| param.name).collect();
            Err(Error::user(format!("{}: parameters are given by name", method.name))
                .why("only methods with a single parameter take it by position")
                .hint(if names.is_empty() {
                    "this method takes no parameters".to_owned()
                } else {
                    format!("send an object with: {}", names.join(", "))
                })
                .details(json!({"params": names})))
        }
    }
}

fn unknown(method: &Method, name: &str) -> Error {
    let names: Vec<&str> = method.params.iter().map(|param| param.name).collect();
    let shown: String = name.chars().take(64).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => "this method takes no parameters".to_owned(),
        None => format!("it takes: {}", names.join(", ")),
    };
    Error::user(format!("{}: there is no parameter {shown:?}", method.name))
        .hint(hint)
        .details(json!({"param": shown, "params": names}))
}

fn required(method: &Method) -> Vec<&'static str> {
    method.params.iter().filter(|param| param.required).map(|param| param.name).collect()
}
