use serde_json::json;

use super::{Root, event, fresh, main_agent, received, session};
use crate::core::AgentId;

#[test]
fn messages_are_found_by_their_words() {
    let root = Root::new();
    let store = root.open();
    let other = AgentId::from("other");
    let answer = event(json!({"id": "a", "parentId": null, "ts": 1, "kind": "AgentResponse",
        "data": {"content": [{"type": "thinking", "thinking": "hidden thoughts"}, {"type": "text", "text": "The Crème brûlée is ready"}]}}));
    let called = event(json!({"id": "t", "parentId": null, "ts": 1, "kind": "ToolCalled",
        "data": {"toolCallId": "c", "tool": "read", "params": {"path": "dessert"}}}));
    let for_other = other.clone();
    store
        .write_blocking(move |tx| {
            tx.append_events(
                &main_agent(),
                &session("s"),
                &[received("u", "Which dessert is there?"), called, answer],
            )?;
            tx.append_events(&for_other, &session("s"), &[fresh("今日は世界の終わり"), fresh("안녕하세요 dessert")])
        })
        .unwrap();
    let find = |query: &str, agent: Option<&AgentId>| -> Vec<(String, i64)> {
        let found = store.read_blocking(|tx| tx.search_events(query, agent, 10)).unwrap();
        found.into_iter().map(|(agent, _, seq, _)| (agent.to_string(), seq)).collect()
    };
    assert_eq!(find("creme BRULEE", None), [("main".into(), 3)]);
    assert_eq!(find("\"is ready\"", None), [("main".into(), 3)]);
    assert!(find("\"ready is\"", None).is_empty());
    assert_eq!(find("dess", Some(&main_agent())), [("main".into(), 1)], "a beginning; and not the tool's arguments");
    assert_eq!(find("dessert", None).len(), 2);
    assert_eq!(find("世界", Some(&other)), [("other".into(), 1)]);
    assert_eq!(find("하세", None), [("other".into(), 2)]);
    assert!(find("界世", None).is_empty());
    assert!(find("hidden", None).is_empty());
    for odd in ["", " ", "\"", "*", "AND", "a OR", "NEAR(", "text:", "-", "\0x\0", "\u{202e}"] {
        find(odd, None);
    }
    let (_, _, _, excerpt) = store.read_blocking(|tx| tx.search_events("ready", None, 1)).unwrap().remove(0);
    assert_eq!(excerpt, "The Crème brûlée is ready");
}
