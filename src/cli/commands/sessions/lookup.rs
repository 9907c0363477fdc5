//! Which conversation a person means: a key, a session id, or the beginning of either.

use crate::cli::context::Context;
use crate::cli::suggest;
use crate::core::{Error, Result};
use crate::state::{SessionEntry, SessionQuery, Store};

/// Most conversations named when a prefix fits several.
const NAMED: usize = 5;
/// Conversations considered for "did you mean".
const CANDIDATES: usize = 500;

/// The database and the conversation.
pub(super) fn find(context: &Context, wanted: &str) -> Result<(Store, SessionEntry)> {
    let Some(store) = context.store()? else {
        return Err(Error::not_found(format!("no session named '{wanted}'"))
            .why("there is no conversation yet")
            .hint("openclaw agent -m \"hello\" starts one"));
    };
    let entry = find_in(&store, wanted)?;
    Ok((store, entry))
}

/// The one conversation that `wanted` means.
pub(super) fn find_in(store: &Store, wanted: &str) -> Result<SessionEntry> {
    let matching = store.read_blocking(|read| {
        let direct = read.sessions_matching(wanted, NAMED + 1)?;
        if !direct.is_empty() {
            return Ok(direct);
        }
        let query = SessionQuery { search: Some(wanted.to_owned()), limit: CANDIDATES, ..SessionQuery::default() };
        let found = read.sessions(&query)?.entries;
        Ok(found.into_iter().filter(|entry| tails(entry.key.as_str()).any(|tail| tail.starts_with(wanted))).collect())
    })?;
    choose(matching, wanted)?.map_or_else(|| Err(unknown(store, wanted)), Ok)
}

/// An exact key or id wins over prefixes; several prefixes are an error that names them.
fn choose(mut matching: Vec<SessionEntry>, wanted: &str) -> Result<Option<SessionEntry>> {
    let is = |test: &dyn Fn(&SessionEntry) -> bool| matching.iter().position(test);
    let exact = is(&|entry| entry.key.as_str() == wanted || entry.session_id.as_str() == wanted)
        .or_else(|| is(&|entry| tails(entry.key.as_str()).next() == Some(wanted)));
    if let Some(index) = exact {
        return Ok(Some(matching.swap_remove(index)));
    }
    if matching.len() > 1 {
        let shown: Vec<&str> = matching.iter().take(NAMED).map(|entry| entry.key.as_str()).collect();
        let more = if matching.len() > NAMED { ", …" } else { "" };
        return Err(Error::user(format!("'{wanted}' fits several sessions"))
            .why(format!("{}{more}", shown.join(", ")))
            .hint("type more of it, or the whole key"));
    }
    Ok(matching.pop())
}

/// What people call a session: its key without `agent:<id>:`, and what follows each further colon.
fn tails(key: &str) -> impl Iterator<Item = &str> {
    let rest = key.splitn(3, ':').nth(2).unwrap_or(key);
    std::iter::once(rest).chain(rest.match_indices(':').map(|(at, _)| &rest[at + 1..]))
}

fn unknown(store: &Store, wanted: &str) -> Error {
    let query = SessionQuery { limit: CANDIDATES, ..SessionQuery::default() };
    let entries = match store.read_blocking(|read| read.sessions(&query)) {
        Ok(page) => page.entries,
        Err(_unreadable) => Vec::new(), // dropped: only the suggestion is lost
    };
    let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let names = keys.iter().copied().chain(keys.iter().flat_map(|key| tails(key)));
    Error::not_found(format!("no session named '{wanted}'"))
        .why("no key and no session id is, or begins with, that")
        .hint(suggest::hint(wanted, names, "openclaw sessions list --all-agents"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(key: &str, id: &str) -> SessionEntry {
        let mut entry: SessionEntry = serde_json::from_value(json!({ "sessionId": id })).expect("an entry");
        entry.key = key.into();
        entry
    }

    #[test]
    fn exact_beats_prefix_and_several_prefixes_are_named() {
        let both = || vec![entry("agent:main:main", "0197a"), entry("agent:main:main2", "0197b")];
        let found = choose(both(), "agent:main:main").expect("exact").expect("found");
        assert_eq!(found.session_id.as_str(), "0197a");
        let found = choose(both(), "main").expect("exact tail").expect("found");
        assert_eq!(found.session_id.as_str(), "0197a");
        let found = choose(both(), "0197b").expect("exact id").expect("found");
        assert_eq!(found.key.as_str(), "agent:main:main2");
        let error = choose(both(), "0197").expect_err("two begin so");
        assert!(error.reason().is_some_and(|why| why.contains("agent:main:main2")));
        assert_eq!(
            choose(vec![entry("agent:a:b", "x")], "agent:a").expect("one").map(|e| e.key.to_string()),
            Some("agent:a:b".into())
        );
        assert_eq!(tails("agent:main:explicit:abc").collect::<Vec<_>>(), ["explicit:abc", "abc"]);
        assert!(choose(Vec::new(), "x").expect("none").is_none());
    }
}
