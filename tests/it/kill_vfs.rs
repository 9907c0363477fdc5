//! `kill -9` while virtual files are written: what was acknowledged is there, nothing is there by half, and the totals are right.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home, signal};
use crate::support::http;

/// Kills of the whole test.
const KILLS: usize = 15;

/// A call that may be cut off by the kill; `None` then.
fn try_call(gateway: &Gateway, method: &str, params: &Value) -> Option<Value> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let bearer = format!("Bearer {}", gateway.token);
    let request = http::request("POST", "/rpc", gateway.port(), &[("Authorization", &bearer)], body.as_bytes());
    let reply = std::panic::catch_unwind(|| http::raw(gateway.port(), &request)).ok()??;
    let response: Value = serde_json::from_slice(&reply.body).ok()?;
    response.get("result").cloned()
}

#[test]
fn virtual_files_survive_kills_at_random_moments() {
    let mut gateway = Home::new(json!({})).start();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    // What each file has by the last acknowledged write, and what the one that was cut off would have made of it.
    let mut known: Vec<(String, String)> = Vec::new();
    let mut unsure: Option<(String, String)> = None;
    let mut number = 0;
    for _ in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let delay = Duration::from_micros(2_000 + random % 60_000);
        let pid = gateway.pid();
        let struck = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::park_timeout(delay);
                struck.store(true, Ordering::SeqCst);
                signal(pid, nix::sys::signal::Signal::SIGKILL);
            });
            while !struck.load(Ordering::SeqCst) {
                number += 1;
                let path = format!("d{}/f{}", number % 3, number % 7);
                // Some are large enough to be in chunks.
                let size = if number % 5 == 0 { 1_200_000 } else { 200 };
                let text = format!("{number}:").repeat(size / 4);
                unsure = Some((path.clone(), text.clone()));
                if try_call(&gateway, "vfs.write", &json!({"path": path, "data": text})).is_none() {
                    break;
                }
                unsure = None;
                known.retain(|(known, _)| *known != path);
                known.push((path, text));
                if number % 4 == 0 {
                    // A whole tree moves there and back, or it does not move.
                    let there = json!({"from": "d0", "to": "moved"});
                    let back = json!({"from": "moved", "to": "d0"});
                    if try_call(&gateway, "vfs.rename", &there).is_none()
                        || try_call(&gateway, "vfs.rename", &back).is_none()
                    {
                        break;
                    }
                }
            }
        });
        gateway.kill();
        gateway.restart();
        let moved = gateway.request("vfs.stat", &json!({"path": "moved"}));
        if moved.get("result").is_some() {
            gateway.call("vfs.rename", json!({"from": "moved", "to": "d0"}));
        }
        let list = gateway.call("vfs.list", json!({"recursive": true, "limit": 10_000}));
        let files: Vec<&Value> =
            list["entries"].as_array().expect("entries").iter().filter(|entry| entry["kind"] == "file").collect();
        let mut bytes = 0;
        for file in &files {
            let path = file["path"].as_str().expect("a path");
            let read = gateway.call("vfs.read", json!({"path": path, "length": 8_000_000}));
            let text = read["data"].as_str().expect("text");
            bytes += text.len() as u64;
            let acknowledged = known.iter().find(|(known, _)| known == path).map(|(_, text)| text.as_str());
            let possible = unsure.as_ref().filter(|(unsure, _)| unsure == path).map(|(_, text)| text.as_str());
            assert!(Some(text) == acknowledged || Some(text) == possible, "{path} has {} other bytes", text.len());
            if let Some(kept) = possible.filter(|possible| *possible == text) {
                known.retain(|(known, _)| known != path);
                known.push((path.to_owned(), kept.to_owned()));
            }
        }
        for (path, _) in &known {
            assert!(files.iter().any(|file| file["path"] == path.as_str()), "{path} is gone");
        }
        let usage = gateway.call("vfs.usage", json!({}));
        assert_eq!(usage["bytes"], bytes, "the totals agree with the files");
        assert_eq!(usage["files"], files.len());
    }
    assert!(number > KILLS, "only {number} writes were tried");
    gateway.stop();
    let check = rusqlite::Connection::open(gateway.home.database()).expect("the database opens");
    let verdict: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
    assert_eq!(verdict, "ok");
    let orphans: i64 = check
        .query_row(
            "SELECT count(*) FROM vfs_contents c WHERE NOT EXISTS (SELECT 1 FROM vfs_entries WHERE content = c.content) \
             AND NOT EXISTS (SELECT 1 FROM vfs_history WHERE content = c.content)",
            [],
            |row| row.get(0),
        )
        .expect("a count");
    assert_eq!(orphans, 0, "no content is left without a file");
    eprintln!("vfs kill test: {KILLS} kills, {number} writes tried");
}
