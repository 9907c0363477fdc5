//! What a model wrote, brought to the form of the tool's schema or refused with a sentence it can act on.
//!
//! Leniency, because models bring habits from other harnesses and repeating a call costs a turn:
//! other spellings of an argument's name ([`ALIASES`], then any case and underscores), numbers and booleans as strings, whole floats for
//! integers, JSON in a string where an object or array belongs, a single item where an array belongs, `null` for an absent optional
//! argument. Unknown names are an error: a misspelt argument must not silently change what is done.

use serde_json::{Map, Value};

use crate::providers::ToolSpec;

/// Other harnesses' names for our arguments; used only when the schema has the second and not the first.
const ALIASES: &[(&str, &str)] = &[
    ("file_path", "path"),
    ("filename", "path"),
    ("file", "path"),
    ("directory", "path"),
    ("dir", "path"),
    ("old_string", "oldText"),
    ("old_str", "oldText"),
    ("new_string", "newText"),
    ("new_str", "newText"),
    ("contents", "content"),
    ("text", "content"),
    ("regex", "pattern"),
    ("query", "pattern"),
    ("include", "glob"),
    ("head_limit", "limit"),
    ("max_results", "limit"),
    ("-i", "ignoreCase"),
    ("case_insensitive", "ignoreCase"),
    ("-C", "context"),
    ("cmd", "command"),
    ("script", "command"),
    ("cwd", "workdir"),
    ("working_directory", "workdir"),
    ("environment", "env"),
    ("timeout_seconds", "timeout"),
    ("run_in_background", "background"),
    ("session", "sessionId"),
    ("process_id", "sessionId"),
    ("input", "data"),
    ("patch", "input"),
    ("diff", "input"),
];

/// Checks `arguments` against the tool's schema; the error is for the model.
pub(super) fn validate(spec: &ToolSpec, arguments: Value) -> Result<Value, String> {
    let explain = |problem: String| format!("{problem}. Expected: {}", signature(spec));
    let object = match arguments {
        Value::Null => Map::new(),
        Value::Object(object) => object,
        Value::String(text) if text.trim().is_empty() => Map::new(),
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => object,
            _ => return Err(explain(format!("The arguments of {} are not a JSON object", spec.name))),
        },
        _ => return Err(explain(format!("The arguments of {} are not a JSON object", spec.name))),
    };
    check_object(&spec.parameters, object, "").map(Value::Object).map_err(explain)
}

/// `read(path: string, offset?: integer)`: the shape in one line.
pub(super) fn signature(spec: &ToolSpec) -> String {
    format!("{}({})", spec.name, members(&spec.parameters))
}

fn members(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object() else { return String::new() };
    let required = required(schema);
    let member = |(name, property): (&String, &Value)| {
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        format!("{name}{mark}: {}", type_name(property))
    };
    properties.iter().map(member).collect::<Vec<_>>().join(", ")
}

fn type_name(schema: &Value) -> String {
    match schema["type"].as_str().unwrap_or("any") {
        "array" => format!("[{}]", type_name(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("{{name: {}}}", type_name(&schema["additionalProperties"]))
        }
        "object" => format!("{{{}}}", members(schema)),
        simple => simple.to_owned(),
    }
}

fn required(schema: &Value) -> Vec<&str> {
    schema["required"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn check_object(schema: &Value, given: Map<String, Value>, place: &str) -> Result<Map<String, Value>, String> {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let required = required(schema);
    let mut checked = Map::new();
    for (key, value) in given {
        let Some(name) = known_name(properties, &key) else {
            // Free names with a schema of their own: the variables of an environment.
            if schema["additionalProperties"].is_object() {
                let value = coerce(&schema["additionalProperties"], value, &format!("{place}{key}"))?;
                checked.insert(key, value);
                continue;
            }
            let known = properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(format!("Unknown argument {place}{key}; known: {known}"));
        };
        if value.is_null() && !required.contains(&name) {
            continue;
        }
        // The exact name wins over another spelling of it, whatever their order.
        if checked.contains_key(name) && name != key {
            continue;
        }
        let value = coerce(&properties[name], value, &format!("{place}{name}"))?;
        checked.insert(name.to_owned(), value);
    }
    match required.iter().find(|name| !checked.contains_key(**name)) {
        Some(missing) => Err(format!("Missing argument {place}{missing}")),
        None => Ok(checked),
    }
}

fn known_name<'a>(properties: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    let own = |name: &str| properties.get_key_value(name).map(|(name, _)| name.as_str());
    let plain = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
    own(key)
        .or_else(|| ALIASES.iter().filter(|(alias, _)| *alias == key).find_map(|(_, name)| own(name)))
        .or_else(|| properties.keys().map(String::as_str).find(|name| plain(name) == plain(key)))
        .or_else(|| ALIASES.iter().filter(|(alias, _)| plain(alias) == plain(key)).find_map(|(_, name)| own(name)))
}

fn coerce(schema: &Value, value: Value, place: &str) -> Result<Value, String> {
    let wanted = schema["type"].as_str().unwrap_or("any");
    let wrong =
        |value: &Value| Err(format!("Argument {place} must be {} {wanted}, not {}", article(wanted), describe(value)));
    match (wanted, value) {
        ("string", Value::Number(number)) => Ok(Value::String(number.to_string())),
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Value::Number(number)),
        ("number", Value::Number(number)) => Ok(Value::Number(number)),
        ("integer", Value::Number(number)) => {
            whole(&number).map_or_else(|| wrong(&Value::Number(number.clone())), |whole| Ok(whole.into()))
        }
        ("integer" | "number", Value::String(text)) => match serde_json::from_str(text.trim()) {
            Ok(number @ Value::Number(_)) => coerce(schema, number, place),
            _ => wrong(&Value::String(text)),
        },
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => wrong(&Value::String(text)),
        },
        ("string", value @ Value::String(_)) | ("boolean", value @ Value::Bool(_)) | ("any", value) => Ok(value),
        ("object", Value::Object(object)) => check_object(schema, object, &format!("{place}.")).map(Value::Object),
        ("array", Value::Array(items)) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| coerce(&schema["items"], item, &format!("{place}[{index}]")))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        ("array", value @ Value::Object(_)) => coerce(schema, Value::Array(vec![value]), place),
        ("array" | "object", Value::String(text)) => match serde_json::from_str(&text) {
            Ok(parsed @ (Value::Array(_) | Value::Object(_))) => coerce(schema, parsed, place),
            _ => wrong(&Value::String(text)),
        },
        (_, value) => wrong(&value),
    }
}

/// `10.0` as 10.
fn whole(number: &serde_json::Number) -> Option<i64> {
    // 2^53: above it floats skip integers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
    format!("{float:.0}").parse().ok()
}

fn article(wanted: &str) -> &'static str {
    if wanted.starts_with(['a', 'i', 'o']) { "an" } else { "a" }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.len() <= 40 => format!("the string {text:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn spec() -> ToolSpec {
        ToolSpec {
            name: "edit".into(),
            description: String::new(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string" },
                    "limit": { "type": "integer" },
                    "ignoreCase": { "type": "boolean" },
                    "edits": { "type": "array", "items": {
                        "type": "object",
                        "properties": { "oldText": { "type": "string" }, "newText": { "type": "string" } },
                        "required": ["oldText", "newText"],
                    } },
                    "env": { "type": "object", "additionalProperties": { "type": "string" } },
                },
                "required": ["path"],
            }),
        }
    }

    fn check(arguments: Value) -> Result<Value, String> {
        validate(&spec(), arguments)
    }

    #[test]
    fn other_spellings_arrive_as_ours() {
        let cases = [
            (json!({ "file_path": "a" }), json!({ "path": "a" })),
            (json!({ "filePath": "a", "Limit": "7" }), json!({ "path": "a", "limit": 7 })),
            (
                json!({ "path": "a", "limit": 7.0, "ignore_case": "True" }),
                json!({ "path": "a", "limit": 7, "ignoreCase": true }),
            ),
            (json!({ "path": "a", "limit": null }), json!({ "path": "a" })),
            (json!({ "file": "b", "path": "a" }), json!({ "path": "a" })),
            (json!({ "path": "a", "file": "b" }), json!({ "path": "a" })),
            (json!("{\"path\":\"a\"}"), json!({ "path": "a" })),
            (
                json!({ "path": "a", "edits": "[{\"old_string\":\"x\",\"new_string\":\"y\"}]" }),
                json!({ "path": "a", "edits": [{ "oldText": "x", "newText": "y" }] }),
            ),
            (
                json!({ "path": "a", "env": { "CI": 1, "path": "x" } }),
                json!({ "path": "a", "env": { "CI": "1", "path": "x" } }),
            ),
            (
                json!({ "path": "a", "edits": { "old_str": "x", "newText": "y" } }),
                json!({ "path": "a", "edits": [{ "oldText": "x", "newText": "y" }] }),
            ),
        ];
        for (given, wanted) in cases {
            assert_eq!(check(given.clone()), Ok(wanted), "{given}");
        }
    }

    #[test]
    fn problems_are_named_with_the_expected_shape() {
        insta::assert_snapshot!(check(json!({})).unwrap_err(), @"Missing argument path. Expected: edit(path: string, limit?: integer, ignoreCase?: boolean, edits?: [{oldText: string, newText: string}], env?: {name: string})");
        let short = |given| check(given).unwrap_err().split(". Expected").next().unwrap().to_owned();
        insta::assert_snapshot!(short(json!({ "path": "a", "limt": 1 })), @"Unknown argument limt; known: path, limit, ignoreCase, edits, env");
        insta::assert_snapshot!(short(json!({ "path": ["a"] })), @"Argument path must be a string, not an array");
        insta::assert_snapshot!(short(json!({ "path": "a", "limit": "many" })), @r#"Argument limit must be an integer, not the string "many""#);
        insta::assert_snapshot!(short(json!({ "path": "a", "limit": 1.5 })), @"Argument limit must be an integer, not the number 1.5");
        insta::assert_snapshot!(short(json!({ "path": null })), @"Argument path must be a string, not null");
        insta::assert_snapshot!(short(json!({ "path": "a", "edits": [{ "oldText": "x" }] })), @"Missing argument edits[0].newText");
        insta::assert_snapshot!(short(json!("not json")), @"The arguments of edit are not a JSON object");
        insta::assert_snapshot!(short(json!([1])), @"The arguments of edit are not a JSON object");
    }

    proptest! {
        #[test]
        fn what_passes_once_passes_unchanged(path in ".{0,8}", limit in any::<i64>(), extra in "[a-zA-Z_]{1,8}") {
            for given in [json!({ "path": path, "limit": limit.to_string() }), json!({ "file_path": path, extra: limit })] {
                if let Ok(once) = check(given) {
                    prop_assert_eq!(check(once.clone()), Ok(once));
                }
            }
        }
    }
}
