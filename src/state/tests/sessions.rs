use serde_json::json;

use super::{Root, entry, main_agent};
use crate::core::{AgentId, ErrorKind};
use crate::state::sessions::RECENT;
use crate::state::{SessionEntry, SessionQuery, Store};

fn keys(store: &Store, query: &SessionQuery) -> (Vec<String>, usize) {
    let page = store.read_blocking(|tx| tx.sessions(query)).unwrap();
    (page.entries.iter().map(|entry| entry.key.to_string()).collect(), page.total)
}

fn store_all(store: &Store, entries: Vec<SessionEntry>) {
    store
        .write_blocking(move |tx| {
            for entry in &entries {
                tx.put_session(entry)?;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_entry_keeps_every_field() {
    let root = Root::new();
    let store = root.open();
    let mut full: SessionEntry = serde_json::from_value(json!({
        "sessionId": "s", "createdAt": 1, "updatedAt": 2, "label": "L", "derivedTitle": "T", "lastMessagePreview": "P",
        "channel": "cli", "modelOverride": "a/b", "thinkingLevel": "low", "modelProvider": "a", "model": "b",
        "status": "done", "lastRunId": "r", "startedAt": 3, "endedAt": 4, "archived": true, "pinned": true, "unread": true,
        "usage": {"input": 1, "output": 2, "cost": {"total": 0.5}}, "contextTokens": 9,
        "origin": {"provider": "telegram"}, "skillsSnapshot": [1, 2]
    }))
    .unwrap();
    full.agent_id = main_agent();
    full.key = "agent:main:main".into();
    store_all(&store, vec![entry("agent:main:main", "old", 1), full.clone()]);
    let read = store.read_blocking(|tx| tx.session(&main_agent(), &"agent:main:main".into())).unwrap();
    assert_eq!(read.as_ref(), Some(&full));
    assert_eq!(read.unwrap().extra["origin"]["provider"], "telegram");
    assert_eq!(store.read_blocking(|tx| tx.session(&AgentId::from("x"), &"agent:main:main".into())).unwrap(), None);
}

#[test]
fn pages_are_newest_first_and_count_all() {
    let root = Root::new();
    let store = root.open();
    let mut entries: Vec<_> =
        (0..25_i64).map(|n| entry(&format!("agent:main:{n:02}"), &format!("id{n}"), n / 2)).collect();
    entries[3].archived = true;
    entries[4].agent_id = AgentId::from("other");
    store_all(&store, entries);
    let query = |limit, offset| SessionQuery { limit, offset, ..SessionQuery::default() };
    let (first, total) = keys(&store, &query(3, 0));
    assert_eq!((first, total), (vec!["agent:main:24".into(), "agent:main:22".into(), "agent:main:23".into()], 25));
    let mut seen = Vec::new();
    for page in 0..9 {
        seen.extend(keys(&store, &query(3, page * 3)).0);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25, "pages neither overlap nor leave out");
    assert_eq!(keys(&store, &query(3, 99)), (vec![], 25));
    assert_eq!(keys(&store, &query(0, 0)), (vec![], 25));

    let archived = SessionQuery { archived: Some(true), ..query(9, 0) };
    assert_eq!(keys(&store, &archived), (vec!["agent:main:03".into()], 1));
    let main_only =
        SessionQuery { agent_id: Some(main_agent()), archived: Some(false), updated_after: Some(1), ..query(99, 0) };
    let (found, total) = keys(&store, &main_only);
    assert_eq!((found.len(), total), (20, 20));
    assert!(!found.contains(&"agent:main:04".into()));

    let of = |agents: &[&str]| Some(agents.iter().map(|id| AgentId::from(*id)).collect());
    for (agents, expected) in [(of(&["other"]), 1), (of(&["other", "main"]), 25), (of(&["nobody"]), 0), (of(&[]), 0)] {
        let (_, total) = keys(&store, &SessionQuery { agents, ..query(2, 0) });
        assert_eq!(total, expected);
    }
}

#[test]
fn search_finds_text_in_any_case() {
    let root = Root::new();
    let store = root.open();
    let mut one = entry("agent:main:telegram:42", "0192-aa", 1);
    one.label = Some("Çay ve ÖDEV".into());
    let mut two = entry("agent:main:main", "0192-bb", 2);
    two.derived_title = Some("Fix the 100%_done bar".into());
    let mut three = entry("agent:main:x", "0193-cc", 3);
    three.last_message_preview = Some("fix this too".into());
    store_all(&store, vec![one, two, three]);
    let find = |text: &str, limit, offset| {
        keys(&store, &SessionQuery { search: Some(text.into()), limit, offset, ..SessionQuery::default() })
    };
    assert_eq!(find("ödev", 9, 0).0, ["agent:main:telegram:42"]);
    assert_eq!(find("TELEGRAM", 9, 0).0, ["agent:main:telegram:42"]);
    assert_eq!(find("0%_d", 9, 0).0, ["agent:main:main"], "no wildcards");
    assert_eq!(find("fix", 1, 0), (vec!["agent:main:x".into()], 2));
    assert_eq!(find("fix", 1, 1), (vec!["agent:main:main".into()], 2));
    assert_eq!(find("0192", 9, 0).1, 2);
    assert_eq!(find("  ", 9, 0).1, 3);
    assert_eq!(find("nothing", 9, 0).1, 0);
}

#[test]
fn short_ids_are_looked_up() {
    let root = Root::new();
    let store = root.open();
    store_all(
        &store,
        vec![
            entry("agent:main:main", "0192aaaa", 1),
            entry("agent:main:main:thread:1", "0192bbbb", 9),
            entry("agent:main:100%", "77", 5),
        ],
    );
    let find = |prefix: &str| -> Vec<String> {
        let found = store.read_blocking(|tx| tx.sessions_matching(prefix, 10)).unwrap();
        found.iter().map(|entry| entry.session_id.to_string()).collect()
    };
    assert_eq!(find("agent:main:main"), ["0192aaaa", "0192bbbb"], "the exact key first");
    assert_eq!(find("0192"), ["0192bbbb", "0192aaaa"]);
    assert_eq!(find("0192a"), ["0192aaaa"]);
    assert_eq!(find("agent:main:100%"), ["77"]);
    assert!(find("zzz").is_empty());
    assert_eq!(find("").len(), 3);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let root = Root::new();
    let store = root.open();
    store_all(&store, vec![entry("agent:main:main", "s", 1)]);
    store
        .write_blocking(|tx| {
            tx.connection().execute("UPDATE session_entries SET entry_json = '{\"sessionId\": 5}'", []).unwrap();
            Ok(())
        })
        .unwrap();
    let error = store.read_blocking(|tx| tx.session(&main_agent(), &"agent:main:main".into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.message().contains("agent:main:main"), "{error}");
}

#[test]
fn lists_walk_an_index() {
    let root = Root::new();
    let store = root.open();
    let plan = |sql: &str| -> String {
        store
            .read_blocking(|tx| {
                let mut statement = tx.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
                Ok(rows.map(Result::unwrap).collect::<Vec<_>>().join("; "))
            })
            .unwrap()
    };
    let list = plan(&format!(
        "SELECT entry_json FROM {RECENT} WHERE agent_id = 'a' AND archived = 0 ORDER BY updated_at DESC, session_key LIMIT 50"
    ));
    assert!(!list.contains("TEMP B-TREE"), "{list}");
    let count = plan(&format!("SELECT count(*) FROM {RECENT} WHERE agent_id = 'a' AND archived = 0"));
    assert!(count.contains("COVERING INDEX"), "{count}");
    let short = plan(
        "SELECT entry_json FROM session_entries WHERE (session_key >= 'a' AND session_key < 'b') OR (session_id >= 'a' AND session_id < 'b')",
    );
    assert!(short.contains("MULTI-INDEX OR"), "{short}");
    let view = plan("SELECT event_json FROM transcript_events WHERE agent_id = 'a' AND session_id = 's' AND seq > 5");
    assert!(view.contains("SEARCH e USING INTEGER PRIMARY KEY"), "{view}");
    let unfinished = plan("SELECT run_id FROM runs WHERE state IN ('queued', 'running') ORDER BY created_at");
    assert!(unfinished.contains("runs_unfinished"), "{unfinished}");
}
