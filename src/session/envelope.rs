//! The envelope of an event: making one, reading and writing its JSON.

use std::str::FromStr;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use super::event::{
    AgentResponse, Event, EventBody, MessageReceived, MessageSent, SessionEnded, SessionStarted, StateChanged,
    ToolCalled, ToolResult,
};
use super::record::{FieldError, Record};
use crate::core::{Error, EventId, RunId};

/// Why JSON is not an event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The text is not JSON.
    #[error("the event is not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// The JSON is not an object.
    #[error("an event must be a JSON object, this is {0}")]
    NotAnObject(&'static str),
    /// A field of the envelope is absent.
    #[error("the event has no \"{0}\"")]
    Missing(&'static str),
    /// A field of the envelope has another type.
    #[error("\"{field}\" of the event must be {expected}")]
    Wrong {
        /// Which field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// `kind` names none of the eight kinds.
    #[error("\"{0}\" is not an event kind")]
    UnknownKind(String),
    /// A field of `data` is absent or has another type.
    #[error("event {id} ({kind}): in \"data\", {problem}")]
    Data {
        /// The event's id.
        id: EventId,
        /// Its kind.
        kind: &'static str,
        /// What is wrong with which field.
        problem: String,
    },
}

impl From<EventError> for Error {
    fn from(error: EventError) -> Self {
        let hint = match &error {
            EventError::UnknownKind(_) => format!("the kinds are {}", EventBody::KINDS.join(", ")),
            _ => "an event is {\"id\", \"parentId\", \"ts\", \"kind\", \"data\": {…}}".to_owned(),
        };
        Error::user("this is not a session event").why(error.to_string()).hint(hint)
    }
}

impl Event {
    /// A fresh event with a generated id. `parent` is the event it follows (usually [`super::SessionState::tip`]);
    /// `ts` is Unix milliseconds (usually [`super::SessionState::next_ts`]).
    pub fn new(parent: Option<EventId>, ts: i64, run_id: Option<RunId>, body: impl Into<EventBody>) -> Self {
        Self::with_id(EventId::generate(), parent, ts, run_id, body)
    }

    /// An event with a given id.
    pub fn with_id(
        id: EventId,
        parent: Option<EventId>,
        ts: i64,
        run_id: Option<RunId>,
        body: impl Into<EventBody>,
    ) -> Self {
        Self { id, parent_id: parent, ts, run_id, body: body.into(), extra: Map::new() }
    }

    /// Reads an event; everything it does not understand is kept.
    pub fn from_json(value: &Value) -> Result<Self, EventError> {
        Self::from_value(value.clone())
    }

    /// [`Event::from_json`] without a copy.
    pub fn from_value(value: Value) -> Result<Self, EventError> {
        match value {
            Value::Object(object) => Self::from_object(object),
            other => Err(EventError::NotAnObject(type_name(&other))),
        }
    }

    /// Writes the event.
    ///
    /// # Panics
    /// Never: an event consists of JSON values, and all names are text.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("an event consists of JSON values and has text keys only")
    }

    /// The key that orders events everywhere: `(ts, id)`.
    pub fn order(&self) -> (i64, &EventId) {
        (self.ts, &self.id)
    }

    fn from_object(mut object: Map<String, Value>) -> Result<Self, EventError> {
        let id = match object.shift_remove("id") {
            Some(Value::String(text)) if !text.is_empty() => EventId::new(text),
            Some(_) => return Err(EventError::Wrong { field: "id", expected: "a string that is not empty" }),
            None => return Err(EventError::Missing("id")),
        };
        let parent_id = match object.shift_remove("parentId") {
            Some(Value::String(text)) => Some(EventId::new(text)),
            Some(Value::Null) | None => None,
            Some(_) => return Err(EventError::Wrong { field: "parentId", expected: "a string or null" }),
        };
        let ts = object
            .shift_remove("ts")
            .ok_or(EventError::Missing("ts"))?
            .as_i64()
            .ok_or(EventError::Wrong { field: "ts", expected: "a whole number of Unix milliseconds" })?;
        let run_id = match object.get("runId") {
            Some(Value::String(text)) => Some(RunId::new(text.as_str())),
            _ => None,
        };
        if run_id.is_some() {
            object.shift_remove("runId");
        }
        let kind = match object.shift_remove("kind") {
            Some(Value::String(kind)) => kind,
            Some(_) => return Err(EventError::Wrong { field: "kind", expected: "a string" }),
            None => return Err(EventError::Missing("kind")),
        };
        let data = match object.shift_remove("data") {
            Some(Value::Object(data)) => data,
            Some(_) => return Err(EventError::Wrong { field: "data", expected: "an object" }),
            None => return Err(EventError::Missing("data")),
        };
        let body = read_body(&id, kind, data)?;
        Ok(Self { id, parent_id, ts, run_id, body, extra: object })
    }
}

fn read_body(id: &EventId, kind: String, data: Map<String, Value>) -> Result<EventBody, EventError> {
    fn read<T: Record + Into<EventBody>>(data: Map<String, Value>) -> Result<EventBody, FieldError> {
        T::from_object(data).map(Into::into)
    }
    let Some(name) = EventBody::KINDS.into_iter().find(|name| *name == kind) else {
        return Err(EventError::UnknownKind(kind));
    };
    let body = match name {
        "SessionStarted" => read::<SessionStarted>(data),
        "MessageReceived" => read::<MessageReceived>(data),
        "ToolCalled" => read::<ToolCalled>(data),
        "ToolResult" => read::<ToolResult>(data),
        "AgentResponse" => read::<AgentResponse>(data),
        "MessageSent" => read::<MessageSent>(data),
        "StateChanged" => read::<StateChanged>(data),
        _ => read::<SessionEnded>(data),
    };
    body.map_err(|error| EventError::Data { id: id.clone(), kind: name, problem: error.to_string() })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl FromStr for Event {
    type Err = EventError;

    fn from_str(text: &str) -> Result<Self, EventError> {
        Self::from_value(serde_json::from_str(text)?)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("parentId", &self.parent_id)?;
        map.serialize_entry("ts", &self.ts)?;
        map.serialize_entry("kind", self.body.kind())?;
        if let Some(run_id) = &self.run_id {
            map.serialize_entry("runId", run_id)?;
        }
        match &self.body {
            EventBody::SessionStarted(data) => map.serialize_entry("data", data)?,
            EventBody::MessageReceived(data) => map.serialize_entry("data", data)?,
            EventBody::ToolCalled(data) => map.serialize_entry("data", data)?,
            EventBody::ToolResult(data) => map.serialize_entry("data", data)?,
            EventBody::AgentResponse(data) => map.serialize_entry("data", data)?,
            EventBody::MessageSent(data) => map.serialize_entry("data", data)?,
            EventBody::StateChanged(data) => map.serialize_entry("data", data)?,
            EventBody::SessionEnded(data) => map.serialize_entry("data", data)?,
        }
        for (key, value) in &self.extra {
            let written = match key.as_str() {
                "id" | "parentId" | "ts" | "kind" | "data" => true,
                "runId" => self.run_id.is_some(),
                _ => false,
            };
            if !written {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_object(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
