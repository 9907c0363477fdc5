//! The part of JSON Schema that the gateway's descriptions use. A keyword that is not known here fails the test, so
//! that no description counts as checked that was not.

use serde_json::Value;

/// What about `value` does not fit; empty when it fits.
pub(crate) fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "$", &mut found);
    found
}

/// Members of an object that its schema does not name.
pub(crate) fn unnamed<'v>(schema: &Value, value: &'v Value) -> Vec<&'v str> {
    let named = |name: &str| schema["properties"].get(name).is_some();
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, _)| name.as_str()).filter(|name| !named(name)).collect()
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { panic!("{at}: {schema} is no schema") };
    for (keyword, wanted) in keywords {
        let fits = match keyword.as_str() {
            "type" => is(wanted, value),
            "enum" => wanted.as_array().expect("a list").contains(value),
            "const" => wanted == value,
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().expect("a number")),
            "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().expect("a number")),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() >= size(wanted)),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() <= size(wanted)),
            "maxItems" => value.as_array().is_none_or(|list| list.len() <= size(wanted)),
            "required" => {
                let names = wanted.as_array().expect("a list").iter().filter_map(Value::as_str);
                let missing: Vec<&str> = names.filter(|name| value.is_object() && value.get(*name).is_none()).collect();
                found.extend(missing.iter().map(|name| format!("{at}.{name} is missing")));
                true
            }
            "properties" => {
                for (name, schema) in wanted.as_object().expect("an object") {
                    if let Some(member) = value.get(name) {
                        check(schema, member, &format!("{at}.{name}"), found);
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(wanted, item, &format!("{at}[{index}]"), found);
                }
                true
            }
            "anyOf" => wanted.as_array().expect("a list").iter().any(|schema| problems(schema, value).is_empty()),
            "description" | "title" => true,
            unknown => panic!("{at}: the keyword {unknown} is not checked by this test"),
        };
        if !fits {
            found.push(format!("{at} is {value}, against {keyword}: {wanted}"));
        }
    }
}

fn size(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a size")).expect("a size")
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
        kind => match kind.as_str().expect("a type") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
            unknown => panic!("{unknown} is no type"),
        },
    }
}

#[test]
fn the_validator_finds_what_does_not_fit() {
    use serde_json::json;
    let schema = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "integer", "minimum": 1}, "b": {"anyOf": [{"type": "null"}, {"enum": ["x"]}]},
        "c": {"type": "array", "maxItems": 1, "items": {"type": ["string", "boolean"]}}}});
    assert!(problems(&schema, &json!({"a": 1, "b": null, "c": [true], "d": 1})).is_empty());
    for wrong in [
        json!([]),
        json!({}),
        json!({"a": 0}),
        json!({"a": 1.5}),
        json!({"a": 1, "b": "y"}),
        json!({"a": 1, "c": [1]}),
        json!({"a": 1, "c": ["", ""]}),
    ] {
        assert!(!problems(&schema, &wrong).is_empty(), "{wrong}");
    }
    assert_eq!(unnamed(&schema, &json!({"a": 1, "d": 1})), ["d"]);
}
