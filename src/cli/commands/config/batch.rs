//! Several set operations at once: `[{path, value | ref | provider}, …]`, as `config set --batch-json` takes them.

use serde::Deserialize;
use serde_json::Value;

use crate::config::Edit;
use crate::core::{Error, Result};
use crate::secrets::SecretRef;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    path: String,
    /// Double option: `"value": null` sets null, no `value` means another form.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(default, rename = "ref")]
    reference: Option<SecretRef>,
    #[serde(default)]
    provider: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The edits a batch describes.
pub(super) fn parse(text: &str, merge: bool) -> Result<Vec<Edit>> {
    let operations: Vec<Operation> = serde_json::from_str(text).map_err(|error| {
        Error::user("the batch is not a list of set operations")
            .why(error.to_string())
            .hint(r#"use a form like [{"path": "gateway.port", "value": 19001}]"#)
    })?;
    operations.into_iter().map(|operation| edit(operation, merge)).collect()
}

fn edit(operation: Operation, merge: bool) -> Result<Edit> {
    let path = operation.path;
    let value = match (operation.value, operation.reference, operation.provider) {
        (Some(value), None, None) | (None, None, Some(value)) => value,
        (None, Some(reference), None) => serde_json::to_value(reference)
            .map_err(|error| Error::internal("a secret reference cannot be written as JSON").source(error))?,
        _ => {
            return Err(Error::user(format!("the operation for '{path}' is not clear"))
                .why("it needs exactly one of value, ref and provider")
                .hint("keep one of them"));
        }
    };
    Ok(if merge { Edit::Merge { path, value } } else { Edit::Set { path, value } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_form_becomes_an_edit() {
        let text = r#"[{"path":"a","value":null},{"path":"b","ref":{"source":"env","id":"X"}},{"path":"c","provider":{"source":"env"}}]"#;
        let edits = parse(text, false).expect("three operations");
        assert_eq!(edits[0], Edit::Set { path: "a".into(), value: Value::Null });
        assert_eq!(
            edits[1],
            Edit::Set { path: "b".into(), value: json!({"source": "env", "provider": "default", "id": "X"}) }
        );
        assert_eq!(edits[2], Edit::Set { path: "c".into(), value: json!({"source": "env"}) });
    }

    #[test]
    fn unclear_operations_are_refused() {
        for text in
            [r#"[{"path":"a"}]"#, r#"[{"path":"a","value":1,"provider":{}}]"#, r#"[{"path":"a","vlaue":1}]"#, "{}", "x"]
        {
            assert!(parse(text, false).is_err(), "{text}");
        }
    }
}
