//! Every method against its own description: what `rpc.discover` says is what the gateway takes and gives.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::rpc_schema::{problems, unnamed};
use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};
use crate::support::ws::Ws;

/// Issue 2, point 7.
const METHODS: &[&str] = &[
    "health",
    "status",
    "agent",
    "agent.wait",
    "chat.send",
    "chat.history",
    "chat.abort",
    "sessions.list",
    "sessions.describe",
    "sessions.patch",
    "sessions.reset",
    "sessions.delete",
    "sessions.subscribe",
    "sessions.messages.subscribe",
    "models.list",
    "agents.list",
    "config.get",
    "config.schema",
    "config.set",
    "config.patch",
    "logs.tail",
    "sessions.timeline",
    "sessions.stateAt",
    "artifacts.list",
    "artifacts.get",
    "artifacts.download",
    "sandbox.explain",
    "sandbox.probe",
    "exec.approval.list",
    "exec.approval.get",
    "exec.approval.request",
    "exec.approval.waitDecision",
    "exec.approval.resolve",
    "exec.approval.grants.list",
    "exec.approval.grants.revoke",
    "exec.approvals.get",
    "exec.approvals.set",
    "vfs.list",
    "vfs.stat",
    "vfs.read",
    "vfs.write",
    "vfs.mkdir",
    "vfs.rename",
    "vfs.remove",
    "vfs.diff",
    "vfs.history",
    "vfs.restore",
    "vfs.snapshot",
    "vfs.snapshots",
    "vfs.usage",
    "rpc.discover",
];

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

struct Table {
    ws: Ws,
    described: BTreeMap<String, Value>,
    /// Parameters that were accepted, per method.
    used: BTreeMap<String, BTreeSet<String>>,
    /// Calls that had to be refused.
    refusals: usize,
}

impl Table {
    fn new(gateway: &Gateway) -> Self {
        let mut ws = gateway.ws();
        let document = ws.call("rpc.discover", json!({}));
        let methods = document["methods"].as_array().expect("methods");
        let described = methods.iter().map(|method| (text(&method["name"]), method.clone())).collect();
        Self { ws, described, used: BTreeMap::new(), refusals: 0 }
    }

    /// Everything wrong with these parameters is refused, then they work and the result is as described.
    fn check(&mut self, method: &str, params: Value) -> Value {
        let described = self.described.get(method).unwrap_or_else(|| panic!("{method} is not described")).clone();
        self.refuses_what_does_not_fit(method, &described, &params);
        for name in params.as_object().expect("by name").keys() {
            self.used.entry(method.to_owned()).or_default().insert(name.clone());
        }
        self.used.entry(method.to_owned()).or_default();
        let result = self.ws.call(method, params);
        let schema = &described["result"]["schema"];
        assert_eq!(problems(schema, &result), Vec::<String>::new(), "{method}: {result}");
        assert_eq!(unnamed(schema, &result), Vec::<&str>::new(), "{method} has members that are not described");
        result
    }

    /// Everything wrong with these parameters is refused, and then there is nothing of that name.
    fn misses(&mut self, method: &str, params: Value) {
        let described = self.described.get(method).unwrap_or_else(|| panic!("{method} is not described")).clone();
        self.refuses_what_does_not_fit(method, &described, &params);
        let names = params.as_object().expect("by name").keys().cloned();
        self.used.entry(method.to_owned()).or_default().extend(names);
        let response = self.ws.request(method, params);
        assert_eq!(response["error"]["data"]["kind"], "not_found", "{response}");
    }

    fn refuses_what_does_not_fit(&mut self, method: &str, described: &Value, params: &Value) {
        self.refused(method, with(params, "surprise", json!(1)), "surprise");
        for param in described["params"].as_array().expect("params") {
            let name = text(&param["name"]);
            if param["required"] == true {
                let mut without = params.clone();
                without.as_object_mut().expect("by name").remove(&name);
                self.refused(method, without, &name);
                self.refused(method, with(params, &name, Value::Null), &name);
            } else {
                assert_eq!(param["required"], false, "{method}.{name}");
            }
            let candidates = [
                json!({}),
                json!([]),
                json!([1]),
                json!(true),
                json!(1.5),
                json!(-1),
                json!(1),
                json!(9_007_199_254_740_993_u64),
                json!(""),
                json!("unheard-of"),
                json!("x".repeat(600)),
            ];
            let mut wrong = 0;
            for value in candidates {
                if !problems(&param["schema"], &value).is_empty() {
                    self.refused(method, with(params, &name, value), &name);
                    wrong += 1;
                }
            }
            assert!(wrong >= 4, "{method}.{name} is described as nearly anything: {}", param["schema"]);
        }
    }

    fn refused(&mut self, method: &str, params: Value, param: &str) {
        let response = self.ws.request(method, params.clone());
        let error = &response["error"];
        assert_eq!(error["code"], -32602, "{method} {params}: {response}");
        assert_eq!(error["data"]["kind"], "invalid_input", "{response}");
        assert_eq!(error["data"]["details"]["param"], param, "{method} {params}: {response}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(param)), "{response}");
        assert!(error["data"]["hint"].is_string(), "{response}");
        self.refusals += 1;
    }

    /// Each method was called, each parameter was accepted at least once.
    fn is_complete(&self) {
        for (method, described) in &self.described {
            let used = self.used.get(method).unwrap_or_else(|| panic!("{method} is not in this test"));
            let params: BTreeSet<String> =
                described["params"].as_array().expect("params").iter().map(|param| text(&param["name"])).collect();
            assert_eq!(*used, params, "{method}");
        }
        assert!(self.refusals > 500, "only {} calls were refused", self.refusals);
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn with(params: &Value, name: &str, value: Value) -> Value {
    let mut params = params.clone();
    params[name] = value;
    params
}

#[track_caller]
fn has(value: &Value, members: &[&str]) {
    let missing: Vec<&&str> = members.iter().filter(|name| value.get(**name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in {value}");
}

/// The main fields of a row of the session list, for a session whose run is over.
const ROW: &[&str] = &[
    "key",
    "kind",
    "classification",
    "agentId",
    "sessionId",
    "isMain",
    "createdAt",
    "updatedAt",
    "lastInteractionAt",
    "archived",
    "pinned",
    "unread",
    "status",
    "startedAt",
    "endedAt",
    "runtimeMs",
    "lastRunId",
    "hasActiveRun",
    "activeRunIds",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "totalTokensFresh",
    "contextTokens",
    "estimatedCostUsd",
    "modelProvider",
    "model",
    "modelOverrideSource",
    "snapshotAt",
];

#[test]
fn every_method_takes_and_gives_what_discover_says() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["fine"]));
    let gateway = Home::new(provider.config("openai-completions")).start();
    let mut table = Table::new(&gateway);
    for method in METHODS {
        assert!(table.described.contains_key(*method), "{method} is missing");
    }
    for (name, method) in &table.described {
        let scope = text(&method["x-scope"]);
        assert!(["operator.read", "operator.write", "operator.admin"].contains(&scope.as_str()), "{name}: {scope}");
        assert_eq!(method["tags"][0]["name"], scope.as_str());
    }
    table.check("rpc.discover", json!({}));
    has(
        &table.check("health", json!({"probe": true})),
        &[
            "ok",
            "ts",
            "durationMs",
            "defaultAgentId",
            "agents",
            "sessions",
            "state",
            "channels",
            "channelOrder",
            "channelLabels",
            "plugins",
            "heartbeatSeconds",
        ],
    );

    let send = json!({
        "sessionKey": "main", "message": "look", "idempotencyKey": "m-1", "agentId": "main", "model": "fake/model-a",
        "thinking": "low", "timeoutMs": 60_000, "queueMode": "followup", "deliver": false,
        "filesystemMode": "vfs-only", "trajectory": true,
        "attachments": [{"type": "image", "mimeType": "image/png", "fileName": "a.png", "content": PNG}],
    });
    let sent = table.check("chat.send", send);
    has(&sent, &["runId", "status", "messageSeq", "serverTiming"]);
    assert_eq!((&sent["runId"], &sent["status"]), (&json!("m-1"), &json!("started")));
    let session = sent["sessionId"].clone();
    let waited = table.check("agent.wait", json!({"runId": "m-1", "timeoutMs": 30_000}));
    has(&waited, &["runId", "status", "startedAt", "endedAt", "stopReason"]);
    assert_eq!(waited["status"], "ok");
    let unended = table.ws.request("agent.wait", json!({"runId": "nobody-knows"}));
    assert_eq!(unended["error"]["data"]["kind"], "not_found");
    table.check(
        "chat.send",
        json!({"sessionKey": "main", "message": "more", "idempotencyKey": "m-2", "sessionId": session}),
    );
    table.check("agent.wait", json!({"runId": "m-2"}));

    let agent = json!({
        "message": "hi", "idempotencyKey": "m-3", "sessionKey": "side", "agentId": "main", "model": "fake/model-a",
        "thinking": "off", "timeout": 60, "channel": "test", "extraSystemPrompt": "Be brief.", "deliver": false,
        "filesystemMode": "disk", "trajectory": false,
        "attachments": [{"fileName": "a.txt", "content": "aGVsbG8="}],
    });
    let accepted = table.check("agent", agent);
    has(&accepted, &["runId", "sessionKey", "agentId", "status", "acceptedAt"]);
    assert_eq!(accepted["status"], "accepted");
    table.check("agent.wait", json!({"runId": "m-3"}));
    let by_id = json!({"message": "again", "idempotencyKey": "m-4", "sessionId": accepted["sessionId"]});
    let by_id = table.check("agent", by_id);
    assert_eq!(by_id["sessionKey"], accepted["sessionKey"], "a transcript id names its conversation");
    table.check("agent.wait", json!({"runId": "m-4"}));

    let history = json!({
        "sessionKey": "main", "agentId": "main", "limit": 10, "offset": 0, "cursor": 1_000, "maxBytes": 100_000,
    });
    let history = table.check("chat.history", history);
    has(
        &history,
        &[
            "sessionKey",
            "sessionId",
            "messages",
            "pendingInputs",
            "hasMore",
            "totalMessages",
            "defaults",
            "sessionInfo",
        ],
    );
    has(&history["messages"][0], &["role", "content", "timestamp", "idempotencyKey", "__openclaw"]);
    has(
        &history["messages"][1],
        &["role", "content", "timestamp", "api", "provider", "model", "usage", "stopReason", "responseId"],
    );
    has(&history["messages"][1]["__openclaw"], &["id", "seq", "runId", "recordTimestampMs", "transcriptPosition"]);
    has(&history["messages"][1]["usage"], &["input", "output", "cacheRead", "cacheWrite", "totalTokens", "cost"]);
    has(&history["sessionInfo"], ROW);

    table.check(
        "sessions.list",
        json!({
            "limit": 5, "offset": 0, "search": "agent", "agentId": "main", "activeMinutes": 60, "archived": "include",
            "includeDerivedTitles": true, "includeLastMessage": true, "includeGlobal": true, "includeUnknown": true,
            "configuredAgentsOnly": true, "ownerFirst": true, "sortBy": "updatedAt",
        }),
    );
    let list = table.ws.call("sessions.list", json!({}));
    has(
        &list,
        &[
            "ts",
            "path",
            "count",
            "totalCount",
            "limitApplied",
            "nextOffset",
            "hasMore",
            "owners",
            "defaults",
            "sessions",
        ],
    );
    has(&list["sessions"][0], ROW);
    has(&list["sessions"][0], &["derivedTitle", "lastMessagePreview"]);
    has(&list["defaults"], &["modelProvider", "model", "contextTokens"]);
    has(&table.check("sessions.describe", json!({"key": "main", "agentId": "main"}))["session"], ROW);
    let patched = table.check(
        "sessions.patch",
        json!({
            "key": "side", "agentId": "main", "label": "a name", "model": "fake/model-a", "thinkingLevel": "high",
            "archived": false, "pinned": true, "unread": true,
        }),
    );
    has(&patched, &["ok", "path", "key", "entry", "resolved"]);
    has(&patched["resolved"], &["modelProvider", "model"]);

    let page = table.check(
        "sessions.timeline",
        json!({"key": "main", "agentId": "main", "sessionId": session, "after": 1, "limit": 2}),
    );
    has(&page["events"][0], &["seq", "id", "parentId", "ts", "kind", "runId", "summary"]);
    has(
        &table.check("sessions.stateAt", json!({"key": "main", "agentId": "main", "sessionId": session, "seq": 3}))["state"],
        &["tip", "values", "messages", "usage", "counts", "eventCount"],
    );

    let list = json!({
        "limit": 5, "offset": 0, "search": "a", "agentId": "main", "activeMinutes": 60, "archived": false,
        "includeDerivedTitles": false, "includeLastMessage": false, "includeGlobal": false, "includeUnknown": false,
        "configuredAgentsOnly": false, "ownerFirst": false, "sortBy": "updated",
    });
    has(&table.check("sessions.subscribe", list), &["subscribed", "list"]);
    table.check("sessions.unsubscribe", json!({}));
    let follow = json!({"key": "main", "agentId": "main", "includeApprovals": false});
    assert_eq!(table.check("sessions.messages.subscribe", follow)["key"], "agent:main:main");
    table.check("sessions.messages.unsubscribe", json!({"key": "main", "agentId": "main"}));

    let models = json!({
        "view": "all", "includeDetails": true, "agentId": "main", "sessionKey": "main", "preparedOnly": false,
    });
    let models = table.check("models.list", models);
    has(
        &models["models"][0],
        &[
            "id",
            "name",
            "provider",
            "contextWindow",
            "reasoning",
            "input",
            "thinkingLevels",
            "thinkingDefault",
            "available",
        ],
    );
    let agents = table.check("agents.list", json!({}));
    has(&agents, &["defaultId", "ownership", "selectionRequired", "mainKey", "scope", "agents"]);
    has(&agents["agents"][0], &["id", "kind", "workspace", "model", "thinkingDefault"]);
    assert_eq!(agents["agents"][0]["model"]["primary"], "fake/model-a");

    has(&table.check("config.schema", json!({})), &["schema", "uiHints", "version"]);
    let config = table.check("config.get", json!({}));
    has(
        &config,
        &[
            "path",
            "exists",
            "raw",
            "parsed",
            "sourceConfig",
            "resolved",
            "config",
            "runtimeConfig",
            "valid",
            "issues",
            "warnings",
            "legacyIssues",
            "hash",
            "appliedConfigHash",
        ],
    );
    let set = table.check(
        "config.set",
        json!({"raw": config["raw"], "baseHash": config["hash"], "dryRun": false, "note": "the same"}),
    );
    has(&set, &["ok", "path", "hash", "config"]);
    assert_eq!(set["hash"], config["hash"], "redacted secrets keep their value");
    table.check(
        "config.patch",
        json!({
            "raw": "{logging: {level: 'debug'}}", "baseHash": config["hash"], "dryRun": true, "note": "louder",
            "replacePaths": ["logging"],
        }),
    );
    let tail = table.check("logs.tail", json!({"cursor": 0, "limit": 3, "maxBytes": 4096}));
    has(&tail, &["file", "cursor", "size", "lines"]);
    let status = table.check("status", json!({"includeChannelSummary": false}));
    has(&status, &["runtimeVersion", "sessions", "uptimeMs", "gateway", "runs", "state", "config"]);
    assert!(status["processMemory"]["rssBytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000), "{status}");
    has(&status["sessions"], &["paths", "count", "defaults", "recent"]);

    virtual_files(&mut table);
    artifacts_and_sandbox(&mut table);
    approvals(&mut table);

    let abort = json!({"sessionKey": "main", "runId": "m-1", "agentId": "main"});
    assert_eq!(table.check("chat.abort", abort), json!({"ok": true, "aborted": false, "runIds": []}));
    table.check("sessions.reset", json!({"key": "side", "agentId": "main", "reason": "new"}));
    let delete = json!({"key": "side", "agentId": "main", "deleteTranscript": true});
    assert_eq!(table.check("sessions.delete", delete)["deleted"], true);
    table.is_complete();
}

/// `artifacts.*`, `sandbox.*`.
fn artifacts_and_sandbox(table: &mut Table) {
    let of = json!({"sessionKey": "main", "runId": "m-1", "agentId": "main"});
    let listed = table.check("artifacts.list", with(&with(&of, "type", json!("trajectory")), "limit", json!(5)));
    let artifact = &listed["artifacts"][0];
    has(artifact, &["id", "type", "title", "mimeType", "sizeBytes", "runId", "sessionKey", "createdAt", "download"]);
    let one = with(&of, "artifactId", artifact["id"].clone());
    assert_eq!(table.check("artifacts.get", one.clone())["artifact"], *artifact);
    assert!(table.check("artifacts.download", one)["data"].as_str().is_some_and(|data| !data.is_empty()));

    let explained = table.check("sandbox.explain", json!({"agentId": "main", "sessionKey": "main"}));
    has(&explained, &["level", "works", "guarantees", "workspace", "protected", "limits", "environment", "tools"]);
    has(&explained["guarantees"][0], &["name", "summary", "required", "granted", "mayBeMissing"]);
    let probed = table.check("sandbox.probe", json!({"level": "none", "backend": "plain"}));
    has(&probed["probes"][0], &["level", "backend", "granted", "missing", "attempts"]);
}

/// `exec.approval.*`, `exec.approvals.*`.
fn approvals(table: &mut Table) {
    let request = json!({
        "command": "make test", "commandArgv": ["make", "test"], "id": "ap-1", "cwd": "/", "env": {"A": "b"}, "agentId": "main",
        "sessionKey": "main", "warningText": "it builds", "timeoutMs": 60_000, "twoPhase": true, "host": "gateway",
        "nodeId": "n", "security": "full", "ask": "always", "resolvedPath": "/usr/bin/make",
    });
    has(&table.check("exec.approval.request", request), &["id", "createdAtMs", "expiresAtMs"]);
    assert_eq!(table.check("exec.approval.list", json!({})).as_array().map(Vec::len), Some(1));
    has(&table.check("exec.approval.get", json!({"id": "ap-1"})), &["id", "kind", "status", "createdAtMs", "request"]);
    let decision = json!({"id": "ap-1", "decision": "allow-once", "reviewer": "ada", "grantExpiresInDays": 7});
    assert_eq!(table.check("exec.approval.resolve", decision)["ok"], true);
    let waited = table.check("exec.approval.waitDecision", json!({"id": "ap-1", "timeoutMs": 1000}));
    assert_eq!(waited["decision"], "allow-once");
    assert_eq!(table.check("exec.approval.grants.list", json!({"limit": 10}))["grants"], json!([]));
    // Only a question of a run can be allowed for always: rpc_approvals.rs has one.
    table.misses("exec.approval.grants.revoke", json!({"grantId": "nobody-has-it"}));
    let document = table.check("exec.approvals.get", json!({}));
    let replaced = json!({"file": {"version": 1, "agents": {}}, "baseHash": document["hash"]});
    has(&table.check("exec.approvals.set", replaced), &["hash"]);
}

/// `vfs.*`.
fn virtual_files(table: &mut Table) {
    const NODE: &[&str] = &["path", "name", "kind", "size", "mode", "hash", "revision", "modifiedAt", "runId"];
    let tree = |mut params: Value| {
        params["agentId"] = json!("main");
        params["namespace"] = json!("scratch");
        params
    };
    let write = tree(json!({
        "path": "notes/a.md", "data": "aGVsbG8=", "encoding": "base64", "mode": 0o644, "append": false,
        "createParents": true, "mustExist": false, "mustNotExist": false, "more": true, "offset": 0,
    }));
    let mut begun = write.clone();
    begun.as_object_mut().expect("by name").remove("upload");
    let upload = table.ws.call("vfs.write", begun)["upload"].clone();
    let last = with(&with(&with(&write, "upload", upload), "offset", json!(5)), "more", json!(false));
    has(&table.check("vfs.write", last), &["path", "size", "created", "revision"]);
    assert_eq!(table.check("vfs.mkdir", tree(json!({"path": "empty"})))["ok"], true);
    let list = tree(json!({"path": "notes", "at": "now", "recursive": true, "after": "notes", "limit": 5}));
    has(&table.check("vfs.list", list)["entries"][0], NODE);
    has(&table.check("vfs.stat", tree(json!({"path": "notes/a.md", "at": 2})))["entry"], NODE);
    let read = tree(json!({"path": "notes/a.md", "at": 2, "offset": 5, "length": 100, "encoding": "auto"}));
    assert_eq!(table.check("vfs.read", read)["data"], "hello");
    let named = table.check("vfs.snapshot", tree(json!({"name": "one", "note": "the first", "drop": false})));
    has(&named["snapshot"], &["name", "revision", "note", "runId", "createdAt"]);
    has(&table.check("vfs.snapshots", tree(json!({}))), &["snapshots"]);
    let rename = tree(json!({"from": "notes/a.md", "to": "b/c.md", "replace": true, "createParents": true}));
    table.ws.call("vfs.write", tree(json!({"path": "b/c.md", "data": ""})));
    assert_eq!(table.check("vfs.rename", rename)["ok"], true);
    let diff = table.check("vfs.diff", tree(json!({"from": "one", "to": "now", "path": "", "limit": 10})));
    has(&diff["changes"][0], &["path", "change", "before", "after"]);
    let history = table.check("vfs.history", tree(json!({"path": "b/c.md", "limit": 10})));
    has(&history["versions"][0], &["current", "ended", "endedAt", "endedByRun", "held"]);
    let removed = table.check("vfs.remove", tree(json!({"path": "b", "recursive": true})));
    assert_eq!(removed["removed"], 2);
    let restored = table.check("vfs.restore", tree(json!({"path": "", "at": "one"})));
    assert_eq!(restored["total"], 1, "{restored}");
    let usage = table.check("vfs.usage", tree(json!({})));
    has(&usage["limits"], &["bytes", "files", "fileBytes", "historyBytes", "depth", "pathBytes", "snapshots"]);
}

#[test]
fn discover_says_that_every_secret_has_every_scope() {
    let gateway = Home::new(json!({})).start();
    let document = gateway.call("rpc.discover", json!({}));
    let scopes = &document["x-scopes"];
    assert_eq!(scopes["enforced"], false);
    assert!(scopes["note"].as_str().is_some_and(|note| note.contains("every valid secret")), "{scopes}");
    let names: Vec<&String> = scopes["scopes"].as_object().expect("scopes").keys().collect();
    assert_eq!(names, ["operator.read", "operator.write", "operator.admin"]);
}
