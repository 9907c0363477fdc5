//! What an exec provider is asked and answers. Request on standard input, one JSON object:
//! `{"protocolVersion":1,"provider":"<alias>","ids":["<id>"]}`; answer on standard output:
//! `{"protocolVersion":1,"values":{"<id>":"<secret>"},"errors":{"<id>":{"message":"…"}}}`.

use serde_json::{Value, json};

use super::Secret;

/// The request.
pub(super) fn request(alias: &str, id: &str) -> Vec<u8> {
    json!({"protocolVersion": 1, "provider": alias, "ids": [id]}).to_string().into_bytes()
}

/// The secret in the answer. Errors hold nothing of the answer but the provider's own error message, masked.
pub(super) fn answer(output: &[u8], id: &str, json_only: bool) -> Result<Secret, String> {
    let text =
        std::str::from_utf8(output).map_err(|_content| "the command's answer is not UTF-8 text".to_owned())?.trim();
    if text.is_empty() {
        return Err("the command answered nothing".into());
    }
    let parsed: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object); // dropped: the parser's error would quote the answer
    let Some(value) = parsed else {
        if json_only {
            return Err("the command's answer is no JSON object (set `jsonOnly: false` to accept bare text)".into());
        }
        return Ok(Secret::new(text.trim_matches('"')));
    };
    if value.get("protocolVersion") != Some(&json!(1)) {
        return Err("the command's answer lacks `protocolVersion: 1`".into());
    }
    if let Some(error) = value.get("errors").and_then(|errors| errors.get(id)) {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
        let message: String =
            crate::core::redact::text(message).chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(format!("the command refused: {message}"));
    }
    match value.get("values").and_then(|values| values.get(id)) {
        Some(Value::String(secret)) => Ok(Secret::new(secret.as_str())),
        Some(_) => Err("the command's answer has no string for this id".into()),
        None => Err("the command's answer does not have this id".into()),
    }
}
