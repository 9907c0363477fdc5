//! Response objects as text.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::value::RawValue;

use super::error::RpcError;

/// `{"jsonrpc":"2.0","id":…,"result":…}`.
pub(crate) fn success(id: &RawValue, result: &Value) -> String {
    let mut text = String::with_capacity(256);
    text.push_str("{\"jsonrpc\":\"2.0\",\"id\":");
    text.push_str(id.get());
    text.push_str(",\"result\":");
    write!(text, "{result}").expect("writing into a String does not fail");
    text.push('}');
    text
}

/// `{"jsonrpc":"2.0","id":…,"error":…}`; without an id it is `null`.
pub(crate) fn failure(id: Option<&RawValue>, error: &RpcError) -> String {
    let mut text = String::with_capacity(256);
    text.push_str("{\"jsonrpc\":\"2.0\",\"id\":");
    text.push_str(id.map_or("null", RawValue::get));
    text.push_str(",\"error\":");
    write!(text, "{}", error.to_json()).expect("writing into a String does not fail");
    text.push('}');
    text
}
