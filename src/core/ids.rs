//! Typed identifiers. New ones are UUIDv7 (RFC 9562); imported ones keep whatever text they had.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps existing text (imported state, configuration, a client's parameter).
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// An agent, for example `main`.
    AgentId
);
text_id!(
    /// The address of a conversation, for example `agent:main:main`. It survives resets; see [`SessionId`].
    SessionKey
);
text_id!(
    /// One transcript. A session key points at one session id at a time; a reset makes a new one.
    SessionId
);
text_id!(
    /// One event of a transcript; unique within its session.
    EventId
);
text_id!(
    /// One agent turn. Equal to the idempotency key of the request that started it.
    RunId
);
text_id!(
    /// One tool call as the model named it.
    ToolCallId
);

macro_rules! generated {
    ($($name:ident),+) => {
        $(impl $name {
            /// A fresh UUIDv7: unique, and ordered by time of creation.
            pub fn generate() -> Self {
                Self(uuid::Uuid::now_v7().to_string())
            }
        })+
    };
}
generated!(SessionId, EventId, RunId, ToolCallId);

impl SessionKey {
    /// The agent named by `agent:<id>:<rest>`, if the key has that form.
    pub fn agent(&self) -> Option<AgentId> {
        let rest = self.0.strip_prefix("agent:")?;
        let (agent, tail) = rest.split_once(':')?;
        (!agent.is_empty() && !tail.is_empty()).then(|| AgentId::from(agent))
    }

    /// The key `agent:<agent>:<rest>`.
    pub fn for_agent(agent: &AgentId, rest: &str) -> Self {
        Self(format!("agent:{agent}:{rest}"))
    }
}
