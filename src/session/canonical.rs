//! One text per event, whatever the order of its members: decides between two events that carry the same id.

use serde_json::Value;

use super::event::Event;

/// JSON of the event with the members of every object sorted by name.
pub(super) fn canonical_text(event: &Event) -> String {
    let mut out = String::new();
    write(&event.to_json(), &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (position, (key, value)) in members.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_members_does_not_show() {
        let one = json!({"id": "a", "ts": 1, "kind": "StateChanged", "data": {"key": "k", "value": {"x": [1, {"p": 1, "q": 2}], "y": "\"\n"}}});
        let two = json!({"kind": "StateChanged", "data": {"value": {"y": "\"\n", "x": [1, {"q": 2, "p": 1}]}, "key": "k"}, "ts": 1, "id": "a"});
        let texts = [one, two].map(|value| canonical_text(&Event::from_value(value).expect("valid")));
        assert_eq!(texts[0], texts[1]);
        insta::assert_snapshot!(texts[0], @r#"{"data":{"key":"k","value":{"x":[1,{"p":1,"q":2}],"y":"\"\n"}},"id":"a","kind":"StateChanged","parentId":null,"ts":1}"#);
    }
}
