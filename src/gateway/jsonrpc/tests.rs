//! The examples of the specification (§7) and the inputs it does not show.

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::core::{Error, ErrorKind, Result};
use crate::gateway::dispatch::{Caller, Dispatcher, answer};

/// The methods the specification's examples use.
struct Examples;

impl Dispatcher for Examples {
    fn call<'a>(&'a self, method: &'a str, params: Option<Value>, _caller: &'a Caller) -> BoxFuture<'a, Result<Value>> {
        let result = match method {
            "subtract" => {
                let params = params.unwrap_or_default();
                let number = |index: usize, name: &str| {
                    params.get(index).or_else(|| params.get(name)).and_then(Value::as_i64).unwrap_or_default()
                };
                Ok(json!(number(0, "minuend") - number(1, "subtrahend")))
            }
            "sum" => Ok(json!(
                params.unwrap_or_default().as_array().map_or(0, |list| list.iter().filter_map(Value::as_i64).sum())
            )),
            "get_data" => Ok(json!(["hello", 5])),
            "update" | "notify_hello" | "notify_sum" => Ok(Value::Null),
            "echo" => Ok(params.unwrap_or_default()),
            _ => Err(Error::new(ErrorKind::MethodNotFound, "no such method")),
        };
        Box::pin(async move { result })
    }
}

fn ask(message: impl AsRef<[u8]>) -> Option<String> {
    futures_util::FutureExt::now_or_never(answer(&Examples, &Caller::anonymous(), message.as_ref()))
        .expect("ready at once")
}

fn ask_json(message: impl AsRef<[u8]>) -> Value {
    serde_json::from_str(&ask(message).expect("an answer")).unwrap()
}

fn code(message: impl AsRef<[u8]>) -> i64 {
    ask_json(message)["error"]["code"].as_i64().unwrap()
}

#[test]
fn positional_and_named_parameters() {
    for (call, result) in [
        (r#"{"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":1}"#, 19),
        (r#"{"jsonrpc":"2.0","method":"subtract","params":[23,42],"id":2}"#, -19),
        (r#"{"jsonrpc":"2.0","method":"subtract","params":{"subtrahend":23,"minuend":42},"id":3}"#, 19),
        (r#"{"jsonrpc":"2.0","method":"subtract","params":{"minuend":42,"subtrahend":23},"id":4}"#, 19),
    ] {
        let answer = ask_json(call);
        assert_eq!(answer["result"], result);
        assert_eq!(answer["jsonrpc"], "2.0");
        assert!(answer.get("error").is_none(), "a result has no error member");
    }
}

#[test]
fn notifications_get_no_answer() {
    assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"update","params":[1,2,3,4,5]}"#), None);
    assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"foobar"}"#), None);
    assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"echo","params":{"a":1,"a":2}}"#), None);
}

#[test]
fn unknown_method() {
    let answer = ask_json(r#"{"jsonrpc":"2.0","method":"foobar","id":"1"}"#);
    assert_eq!(answer["error"]["code"], -32601);
    assert_eq!(answer["id"], "1");
    assert!(answer.get("result").is_none(), "an error has no result member");
}

#[test]
fn broken_json_is_a_parse_error_with_its_place() {
    let answer = ask_json(r#"{"jsonrpc":"2.0","method":"foobar, "params":"bar","baz]"#);
    assert_eq!(answer["error"]["code"], -32700);
    assert_eq!(answer["id"], Value::Null);
    assert_eq!(answer["error"]["data"]["details"]["line"], 1);
    assert!(answer["error"]["data"]["details"]["column"].as_u64().unwrap() > 30);
    assert_eq!(
        code(r#"[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},{"jsonrpc":"2.0","method"]"#),
        -32700
    );
    assert_eq!(code(""), -32700);
    assert_eq!(code(r#"{"jsonrpc":"2.0","method":"echo","id":1} x"#), -32700);
}

#[test]
fn invalid_request_objects() {
    assert_eq!(code(r#"{"jsonrpc":"2.0","method":1,"params":"bar"}"#), -32600);
    assert_eq!(code(r#"{"jsonrpc":"2.0","method":"echo","params":"bar","id":1}"#), -32600);
    assert_eq!(code(r#"{"jsonrpc":"2.0","method":"echo","params":null,"id":1}"#), -32600);
    assert_eq!(code(r#"{"jsonrpc":"1.0","method":"echo","id":1}"#), -32600);
    assert_eq!(code(r#"{"jsonrpc":2.0,"method":"echo","id":1}"#), -32600);
    assert_eq!(code(r#"{"method":"echo","id":1}"#), -32600);
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":1}"#), -32600);
    assert_eq!(code("7"), -32600);
    assert_eq!(code("null"), -32600);
    for id in ["true", "{}", "[1]"] {
        let answer = ask_json(format!(r#"{{"jsonrpc":"2.0","method":"echo","id":{id}}}"#));
        assert_eq!(answer["error"]["code"], -32600, "{id}");
        assert_eq!(answer["id"], Value::Null);
    }
    let answer = ask_json(r#"{"jsonrpc":"2.0","method":"echo","method":"sum","id":5}"#);
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32600), &json!(5)));
}

#[test]
fn batches() {
    assert_eq!(code("[]"), -32600);
    let answers = ask_json("[1,2,3]");
    assert_eq!(answers.as_array().unwrap().len(), 3);
    assert!(answers.as_array().unwrap().iter().all(|answer| answer["error"]["code"] == -32600));
    let answers = ask_json(
        r#"[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},
            {"jsonrpc":"2.0","method":"notify_hello","params":[7]},
            {"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":"2"},
            {"foo":"boo"},
            {"jsonrpc":"2.0","method":"foo.get","params":{"name":"myself"},"id":"5"},
            {"jsonrpc":"2.0","method":"get_data","id":"9"}]"#,
    );
    let by_id = |id: Value| answers.as_array().unwrap().iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 5);
    assert_eq!(by_id(json!("1"))["result"], 7);
    assert_eq!(by_id(json!("2"))["result"], 19);
    assert_eq!(by_id(Value::Null)["error"]["code"], -32600);
    assert_eq!(by_id(json!("5"))["error"]["code"], -32601);
    assert_eq!(by_id(json!("9"))["result"], json!(["hello", 5]));
    assert_eq!(
        ask(
            r#"[{"jsonrpc":"2.0","method":"notify_sum","params":[1]},{"jsonrpc":"2.0","method":"notify_hello","params":[7]}]"#
        ),
        None
    );
    let call = r#"{"jsonrpc":"2.0","method":"get_data","id":1}"#;
    assert_eq!(ask_json(format!("[{}]", vec![call; 100].join(","))).as_array().unwrap().len(), 100);
    assert_eq!(code(format!("[{}]", vec![call; 101].join(","))), -32600);
}

#[test]
fn ids_come_back_as_they_were_written() {
    for id in ["0", "-1", "1.0", "1.50", "1e3", "123456789012345678901234567890", r#""a\u0041""#, r#""""#, "null"] {
        let answer = ask(format!(r#"{{"id":{id},"jsonrpc":"2.0","method":"get_data"}}"#)).unwrap();
        assert!(answer.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#)), "{answer}");
    }
}

#[test]
fn depth_and_encoding_are_checked_first() {
    let deep = |levels: usize| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":{}{}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    assert!(ask_json(deep(63)).get("result").is_some());
    assert_eq!(code(deep(64)), -32700);
    assert_eq!(code("[".repeat(1_000_000)), -32700);
    let answer = ask_json(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":1}");
    assert_eq!(answer["error"]["code"], -32700);
    assert_eq!(answer["error"]["data"]["details"]["offset"], 27);
}

#[test]
fn ambiguous_or_unreadable_params() {
    let answer = ask_json(r#"{"jsonrpc":"2.0","id":8,"method":"echo","params":{"a":{"b":1,"b":2}}}"#);
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32602), &json!(8)));
    assert!(answer["error"]["data"]["why"].as_str().unwrap().contains("\"b\" occurs twice"));
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":8,"method":"echo","params":[1e999]}"#), -32602);
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":8,"method":"echo","params":["\ud800"]}"#), -32602);
    assert_eq!(
        ask_json(r#"{"jsonrpc":"2.0","id":1,"method":"\u0065cho","params":["\u0001"]}"#)["result"],
        json!(["\u{1}"])
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_get_an_answer_or_none_but_never_a_crash(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        if let Some(text) = ask(&bytes) {
            let answer: Value = serde_json::from_str(&text).expect("answers are JSON");
            proptest::prop_assert!(answer.is_array() || answer["jsonrpc"] == "2.0");
        }
    }
}
