//! The table as JSON Schema and as hints for a form.

use serde_json::{Map, Value, json};

use super::redact::is_secret_key;
use super::table::{Row, rows};
use super::table_type::Type;

/// Titles of the sections.
const SECTIONS: &[(&str, &str)] = &[
    ("gateway", "Gateway"),
    ("agents", "Agents"),
    ("models", "Models"),
    ("tools", "Tools"),
    ("session", "Sessions"),
    ("logging", "Logging"),
    ("state", "State"),
    ("secrets", "Secrets"),
    ("env", "Environment"),
];

/// Sections whose `*` is an element of a list and no key of a map; a list inside of another stands before it.
const LISTS: &[&str] = &[
    "agents.defaults.sandbox.mounts",
    "agents.list.*.sandbox.mounts",
    "agents.entries.*.sandbox.mounts",
    "agents.list",
    "models.providers.*.models",
];

/// JSON Schema (draft-07) of what we use. Unknown keys are allowed everywhere.
pub fn schema() -> Value {
    let mut root = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "openclaw.json",
        "type": "object",
        "properties": {"$schema": {"type": "string"}, "$include": {"description": "One file or a list of files to merge in here.", "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}},
        "additionalProperties": true,
    });
    for row in rows() {
        let parts: Vec<&str> = row.path.split('.').collect();
        insert(&mut root, &parts, "", row);
    }
    root
}

fn insert(node: &mut Value, parts: &[&str], path: &str, row: &Row) {
    let Some((part, rest)) = parts.split_first() else {
        let mut leaf = row.kind.schema();
        if let Some(object) = leaf.as_object_mut() {
            object.insert("title".into(), row.label.into());
            object.insert("description".into(), row.help.into());
            if is_sensitive(row) {
                object.insert("x-sensitive".into(), true.into());
            }
        }
        *node = leaf;
        return;
    };
    let child_path = if path.is_empty() { (*part).to_owned() } else { format!("{path}.{part}") };
    let Some(object) = node.as_object_mut() else { return };
    let title = SECTIONS.iter().find(|(name, _)| *name == path).map(|(_, title)| *title);
    if let Some(title) = title {
        object.entry("title").or_insert(title.into());
    }
    let list = LISTS.contains(&path);
    object.insert("type".into(), if list { "array" } else { "object" }.into());
    let fresh = || Value::Object(Map::new());
    let child = if list {
        object.entry("items").or_insert_with(fresh)
    } else if *part == "*" {
        let slot = object.entry("additionalProperties").or_insert_with(fresh);
        if slot.is_boolean() {
            *slot = fresh();
        }
        slot
    } else {
        object.entry("additionalProperties").or_insert(true.into());
        let properties = object.entry("properties").or_insert_with(fresh);
        match properties.as_object_mut() {
            Some(properties) => properties.entry(*part).or_insert_with(fresh),
            None => return,
        }
    };
    insert(child, rest, &child_path, row);
}

/// What a form shows for each path: `{path: {label, help, sensitive?}}`; list elements are written `[]`.
pub fn ui_hints() -> Value {
    let mut hints = Map::new();
    for (order, (section, title)) in SECTIONS.iter().enumerate() {
        hints.insert((*section).to_owned(), json!({"label": title, "order": order}));
    }
    for row in rows() {
        let path = LISTS.iter().fold(row.path.to_owned(), |path, list| {
            let element = format!("{list}.*");
            if path.starts_with(&element) { path.replacen(&element, &format!("{list}[]"), 1) } else { path }
        });
        let mut hint = json!({"label": row.label, "help": row.help});
        if is_sensitive(row) {
            hint["sensitive"] = true.into();
        }
        hints.insert(path, hint);
    }
    Value::Object(hints)
}

fn is_sensitive(row: &Row) -> bool {
    row.kind == Type::Secret
        || row.path.starts_with("env.vars")
        || row.path.rsplit('.').next().is_some_and(is_secret_key)
}
