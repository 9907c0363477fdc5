//! `vfs.*`: an agent's virtual files over RPC.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};

fn gateway() -> Gateway {
    Home::new(json!({"agents": {"list": [{"id": "main", "default": true}, {"id": "other"}]}})).start()
}

fn write(gateway: &Gateway, path: &str, text: &str) -> Value {
    gateway.call("vfs.write", json!({"path": path, "data": text}))
}

/// Paths of a tree.
fn paths(gateway: &Gateway, params: Value) -> Vec<String> {
    let mut params = params;
    params["recursive"] = json!(true);
    let list = gateway.call("vfs.list", params);
    let entries = list["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["path"].as_str().expect("a path").to_owned()).collect()
}

#[track_caller]
fn refused(gateway: &Gateway, method: &str, params: Value, kind: &str, reason: &str) {
    let response = gateway.request(method, &params);
    let error = &response["error"];
    assert_eq!(error["data"]["kind"], kind, "{method} {params}: {response}");
    assert_eq!(error["data"]["details"]["reason"], reason, "{method} {params}: {response}");
    assert!(error["data"]["hint"].is_string(), "{response}");
}

#[test]
fn files_are_written_read_moved_and_removed() {
    let gateway = gateway();
    let written = write(&gateway, "notes/today.md", "line one\n");
    assert_eq!((&written["created"], &written["size"]), (&json!(true), &json!(9)));
    let more = gateway.call("vfs.write", json!({"path": "./notes//today.md", "data": "line two\n", "append": true}));
    assert_eq!((&more["path"], &more["size"]), (&json!("notes/today.md"), &json!(18)));
    let read = gateway.call("vfs.read", json!({"path": "notes/today.md"}));
    assert_eq!(
        (&read["encoding"], &read["data"], &read["eof"]),
        (&json!("utf8"), &json!("line one\nline two\n"), &json!(true))
    );
    let part =
        gateway.call("vfs.read", json!({"path": "notes/today.md", "offset": 5, "length": 3, "encoding": "base64"}));
    assert_eq!((&part["data"], &part["eof"]), (&json!(BASE64.encode(b"one")), &json!(false)));
    let binary = gateway.call(
        "vfs.write",
        json!({"path": "bin", "data": BASE64.encode(&[0, 255, 10]), "encoding": "base64", "mode": 0o755}),
    );
    assert_eq!(binary["size"], 3);
    let read = gateway.call("vfs.read", json!({"path": "bin"}));
    assert_eq!((&read["encoding"], &read["data"]), (&json!("base64"), &json!(BASE64.encode(&[0, 255, 10]))));
    let stat = gateway.call("vfs.stat", json!({"path": "bin"}));
    assert_eq!((&stat["entry"]["mode"], &stat["entry"]["kind"]), (&json!(0o755), &json!("file")));
    gateway.call("vfs.mkdir", json!({"path": "empty/deep"}));
    gateway.call("vfs.rename", json!({"from": "notes", "to": "kept/notes"}));
    assert_eq!(paths(&gateway, json!({})), ["bin", "empty", "empty/deep", "kept", "kept/notes", "kept/notes/today.md"]);
    assert_eq!(gateway.call("vfs.remove", json!({"path": "kept", "recursive": true}))["removed"], 3);
    gateway.call("vfs.remove", json!({"path": "bin"}));
    assert_eq!(paths(&gateway, json!({})), ["empty", "empty/deep"]);
    refused(&gateway, "vfs.remove", json!({"path": "empty"}), "invalid_input", "not_a_file");
    refused(&gateway, "vfs.read", json!({"path": "none"}), "not_found", "not_found");
    refused(&gateway, "vfs.write", json!({"path": "x", "data": "", "mustExist": true}), "not_found", "not_found");
    refused(&gateway, "vfs.write", json!({"path": "../x", "data": ""}), "refused_by_policy", "outside_root");
    refused(&gateway, "vfs.write", json!({"path": ".git/hooks/x", "data": ""}), "refused_by_policy", "protected");
    refused(&gateway, "vfs.list", json!({"path": "/etc"}), "not_found", "not_found");
    refused(
        &gateway,
        "vfs.list",
        json!({"namespace": "workspace", "path": "/etc"}),
        "refused_by_policy",
        "outside_root",
    );
    refused(&gateway, "vfs.list", json!({"namespace": "elsewhere"}), "invalid_input", "invalid_path");
    gateway.call("vfs.mkdir", json!({"path": "there"}));
    refused(&gateway, "vfs.rename", json!({"from": "empty", "to": "there"}), "conflict", "exists");
}

#[test]
fn trees_of_agents_and_namespaces_are_apart() {
    let gateway = gateway();
    let trees = [
        json!({"agentId": "main", "namespace": "scratch"}),
        json!({"agentId": "main", "namespace": "workspace"}),
        json!({"agentId": "main", "namespace": "run/1"}),
        json!({"agentId": "main", "namespace": "run/11"}),
        json!({"agentId": "other", "namespace": "scratch"}),
    ];
    for (number, tree) in trees.iter().enumerate() {
        let mut params = tree.clone();
        params["path"] = json!(format!("file-{number}"));
        params["data"] = json!("x");
        gateway.call("vfs.write", params);
    }
    for (number, tree) in trees.iter().enumerate() {
        assert_eq!(paths(&gateway, tree.clone()), [format!("file-{number}")], "{tree}");
    }
    assert_eq!(paths(&gateway, json!({})), ["file-0"], "scratch of the default agent when nothing is said");
    let usage = gateway.call("vfs.usage", json!({}));
    assert_eq!(
        (&usage["files"], &usage["namespaces"]),
        (&json!(4), &json!(["run/1", "run/11", "scratch", "workspace"]))
    );
    let unknown = gateway.request("vfs.list", &json!({"agentId": "nobody"}));
    assert_eq!(unknown["error"]["data"]["kind"], "not_found", "{unknown}");
}

#[test]
fn the_past_can_be_seen_and_brought_back() {
    let gateway = gateway();
    write(&gateway, "a", "one");
    write(&gateway, "d/b", "two");
    let named = gateway.call("vfs.snapshot", json!({"name": "good", "note": "before the mess"}));
    assert_eq!(named["snapshot"]["revision"], 2);
    write(&gateway, "a", "1");
    gateway.call("vfs.remove", json!({"path": "d", "recursive": true}));
    write(&gateway, "c", "three");
    let diff = gateway.call("vfs.diff", json!({"from": "good"}));
    let changes: Vec<String> = diff["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| format!("{} {}", change["change"].as_str().unwrap(), change["path"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, ["changed a", "created c", "deleted d", "deleted d/b"]);
    assert_eq!(diff["changes"][0]["before"]["size"], 3);
    assert_eq!(gateway.call("vfs.diff", json!({"from": "good", "limit": 1}))["truncated"], true);
    let old = gateway.call("vfs.read", json!({"path": "a", "at": "good"}));
    assert_eq!(old["data"], "one");
    assert_eq!(gateway.call("vfs.read", json!({"path": "d/b", "at": 2}))["data"], "two");
    assert_eq!(paths(&gateway, json!({"at": 1})), ["a"]);
    let history = gateway.call("vfs.history", json!({"path": "a"}));
    let versions = history["versions"].as_array().expect("versions");
    assert_eq!((versions.len(), &versions[0]["current"], &versions[1]["held"]), (2, &json!(true), &json!(true)));
    let restored = gateway.call("vfs.restore", json!({"path": "d", "at": "good"}));
    assert_eq!(restored["total"], 2);
    gateway.call("vfs.restore", json!({"at": "good"}));
    assert_eq!(paths(&gateway, json!({})), ["a", "d", "d/b"]);
    assert_eq!(gateway.call("vfs.read", json!({"path": "a"}))["data"], "one");
    refused(&gateway, "vfs.restore", json!({"path": "never", "at": "good"}), "not_found", "no_version");
    refused(&gateway, "vfs.read", json!({"path": "a", "at": 999}), "not_found", "no_version");
    refused(&gateway, "vfs.snapshot", json!({"name": "good"}), "conflict", "exists");
    assert_eq!(gateway.call("vfs.snapshots", json!({}))["snapshots"][0]["note"], "before the mess");
    gateway.call("vfs.snapshot", json!({"name": "good", "drop": true}));
    assert_eq!(gateway.call("vfs.snapshots", json!({}))["snapshots"], json!([]));
}

#[test]
fn a_large_file_goes_in_and_out_in_pieces() {
    let gateway = gateway();
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut upload = Value::Null;
    let pieces: Vec<&[u8]> = bytes.chunks(2_000_000).collect();
    for (number, piece) in pieces.iter().enumerate() {
        let more = number + 1 < pieces.len();
        let params = json!({
            "path": "in/big.bin", "data": BASE64.encode(piece), "encoding": "base64", "more": more, "upload": upload,
            "offset": number * 2_000_000,
        });
        let answer = gateway.call("vfs.write", params);
        if more {
            assert_eq!(paths(&gateway, json!({})), Vec::<String>::new(), "nothing is visible before the last piece");
            upload = answer["upload"].clone();
        } else {
            assert_eq!((&answer["size"], &answer["created"]), (&json!(5_000_000), &json!(true)));
        }
    }
    let mut read = Vec::new();
    loop {
        let params = json!({"path": "in/big.bin", "offset": read.len(), "length": 1_500_000, "encoding": "base64"});
        let part = gateway.call("vfs.read", params);
        read.extend(BASE64.decode(part["data"].as_str().expect("data").as_bytes()).expect("base64"));
        if part["eof"] == true {
            break;
        }
    }
    assert!(read == bytes, "the bytes came back");
    let lost = gateway.request("vfs.write", &json!({"path": "x", "data": "", "upload": 12_345}));
    assert_eq!(lost["error"]["data"]["kind"], "not_found", "{lost}");
    let wrong = gateway.request("vfs.write", &json!({"path": "x", "data": "%%%", "encoding": "base64"}));
    assert_eq!(wrong["error"]["data"]["details"]["param"], "data", "{wrong}");
}

#[test]
fn long_listings_come_in_pages() {
    let gateway = gateway();
    for number in 0..25 {
        write(&gateway, &format!("d/{number:02}"), "x");
    }
    for recursive in [false, true] {
        let mut seen = Vec::new();
        let mut after = Value::Null;
        loop {
            let page =
                gateway.call("vfs.list", json!({"path": "d", "limit": 10, "after": after, "recursive": recursive}));
            let entries = page["entries"].as_array().expect("entries");
            seen.extend(entries.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()));
            after = entries.last().expect("entries")["path"].clone();
            if page["truncated"] == false {
                break;
            }
        }
        assert_eq!(seen, (0..25).map(|number| format!("{number:02}")).collect::<Vec<_>>());
    }
}
