//! Session keys (`agent:<agent>:<rest>`) and agent ids as people and clients write them.

use crate::core::limits::MAX_KEY_BYTES;
use crate::core::{AgentId, Error, SessionKey};

/// What `main` means when the configuration names no other key.
pub const DEFAULT_MAIN_KEY: &str = "main";
/// Longest agent id, in bytes.
const MAX_AGENT_ID: usize = 64;
/// How much of a refused text an error shows, in characters.
const SHOWN: usize = 80;

/// Why a text is no session key or agent id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing, or only white space.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// Longer than [`MAX_KEY_BYTES`].
    #[error("the session key is {0} bytes long; at most {MAX_KEY_BYTES} are allowed")]
    TooLong(usize),
    /// A control character, such as a line feed or NUL.
    #[error("the {what} contains the control character U+{code:04X}")]
    Control {
        /// What contains it.
        what: &'static str,
        /// Its code point.
        code: u32,
    },
    /// Begins with `agent:` and lacks the rest.
    #[error("the session key \"{0}\" begins with \"agent:\" but is not of the form agent:<agent>:<name>")]
    Malformed(String),
    /// Not an agent id.
    #[error("\"{0}\" is not an agent id")]
    Agent(String),
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        let hint = match &error {
            KeyError::Agent(_) | KeyError::Empty("agent id") => {
                "an agent id is 1 to 64 of a-z, 0-9, _ and -, and begins with a letter or digit"
            }
            _ => "a session key is main, agent:<agent>:<name>, or any short name without control characters",
        };
        Error::user(error.to_string()).hint(hint)
    }
}

/// Reads an agent id: surrounding white space is dropped, letters become lower case, and the result must match
/// `[a-z0-9][a-z0-9_-]{0,63}`.
pub fn parse_agent_id(text: &str) -> Result<AgentId, KeyError> {
    let id = text.trim().to_ascii_lowercase();
    refuse_control(&id, "agent id")?;
    let Some(first) = id.bytes().next() else { return Err(KeyError::Empty("agent id")) };
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if id.len() > MAX_AGENT_ID || !id.bytes().all(legal) || !first.is_ascii_alphanumeric() {
        return Err(KeyError::Agent(shown(&id)));
    }
    Ok(AgentId::new(id))
}

/// The key of an agent's main session; an empty `main` means [`DEFAULT_MAIN_KEY`].
pub fn main_key(agent: &AgentId, main: &str) -> SessionKey {
    SessionKey::for_agent(agent, if main.trim().is_empty() { DEFAULT_MAIN_KEY } else { main.trim() })
}

/// The key that `key` means: `main` is the default agent's main session, `agent:<agent>:<rest>` is itself (the agent
/// id in lower case), and anything else is a name among the default agent's sessions. The case of names is kept.
pub fn canonical(key: &str, default_agent: &AgentId, main_key: &str) -> Result<SessionKey, KeyError> {
    let text = key.trim();
    refuse_control(text, "session key")?;
    if text.is_empty() {
        return Err(KeyError::Empty("session key"));
    }
    let canonical = if text == DEFAULT_MAIN_KEY {
        self::main_key(default_agent, main_key)
    } else if let Some(rest) = text.strip_prefix("agent:") {
        match rest.split_once(':') {
            Some((agent, name)) if !agent.trim().is_empty() && !name.trim().is_empty() => {
                SessionKey::for_agent(&parse_agent_id(agent)?, name)
            }
            _ => return Err(KeyError::Malformed(shown(text))),
        }
    } else {
        SessionKey::for_agent(default_agent, text)
    };
    match canonical.as_str().len() {
        length if length > MAX_KEY_BYTES => Err(KeyError::TooLong(length)),
        _ => Ok(canonical),
    }
}

fn refuse_control(text: &str, what: &'static str) -> Result<(), KeyError> {
    match text.chars().find(|character| character.is_control()) {
        Some(character) => Err(KeyError::Control { what, code: u32::from(character) }),
        None => Ok(()),
    }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<String, KeyError> {
        canonical(text, &AgentId::from("ops"), "home").map(|key| key.to_string())
    }

    #[test]
    fn keys_become_canonical() {
        assert_eq!(key("main").as_deref(), Ok("agent:ops:home"));
        assert_eq!(key(" main ").as_deref(), Ok("agent:ops:home"));
        assert_eq!(key("agent:Work:Telegram:group:-100").as_deref(), Ok("agent:work:Telegram:group:-100"));
        assert_eq!(key("webui-1").as_deref(), Ok("agent:ops:webui-1"));
        assert_eq!(key("whatsapp:+1555").as_deref(), Ok("agent:ops:whatsapp:+1555"));
        assert_eq!(key("größe").as_deref(), Ok("agent:ops:größe"));
        assert_eq!(main_key(&AgentId::from("a"), " "), SessionKey::from("agent:a:main"));
    }

    #[test]
    fn canonical_keys_stay_as_they_are() {
        for text in ["main", "agent:Work:x", "a b"] {
            let once = key(text).expect("a key");
            assert_eq!(key(&once), Ok(once));
        }
    }

    #[test]
    fn bad_keys_are_refused_with_the_reason() {
        assert_eq!(key("  "), Err(KeyError::Empty("session key")));
        assert_eq!(key("a\0b"), Err(KeyError::Control { what: "session key", code: 0 }));
        assert_eq!(key("a\u{85}b"), Err(KeyError::Control { what: "session key", code: 0x85 }));
        for text in ["agent:", "agent:x", "agent:x:", "agent::x", "agent: :x"] {
            assert_eq!(key(text), Err(KeyError::Malformed(text.to_owned())));
        }
        assert_eq!(key("agent:no/way:x"), Err(KeyError::Agent("no/way".to_owned())));
        let room = MAX_KEY_BYTES - "agent:ops:".len();
        assert!(key(&"x".repeat(room)).is_ok());
        assert_eq!(key(&"x".repeat(room + 1)), Err(KeyError::TooLong(MAX_KEY_BYTES + 1)));
    }

    #[test]
    fn agent_ids_are_normalised_or_refused() {
        assert_eq!(parse_agent_id(" Main "), Ok(AgentId::from("main")));
        assert_eq!(parse_agent_id("9_a-b"), Ok(AgentId::from("9_a-b")));
        assert!(parse_agent_id(&"a".repeat(64)).is_ok());
        for text in ["-a", "_a", "a b", "ä", "a:b", &"a".repeat(65)] {
            assert_eq!(parse_agent_id(text), Err(KeyError::Agent(text.to_owned())));
        }
        assert_eq!(parse_agent_id(""), Err(KeyError::Empty("agent id")));
        assert_eq!(parse_agent_id("a\nb"), Err(KeyError::Control { what: "agent id", code: 10 }));
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = Error::from(key("agent:x").expect_err("malformed"));
        assert_eq!(error.kind(), crate::core::ErrorKind::User);
        insta::assert_snapshot!(error.message(), @r#"the session key "agent:x" begins with "agent:" but is not of the form agent:<agent>:<name>"#);
        assert!(error.fix().is_some_and(|hint| hint.contains("agent:<agent>:<name>")));
    }
}
