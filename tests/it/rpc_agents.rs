//! Several agents and providers: the lists, and `agent` with everything it takes.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, Script, completions};

/// Two providers, two agents.
fn gateway(first: &FakeProvider, second: &FakeProvider) -> Gateway {
    let mut config = first.config("openai-completions");
    let provider = json!({
        "baseUrl": format!("http://127.0.0.1:{}/v1", second.port), "api": "openai-completions", "apiKey": "another-key-123",
        "models": [
            {"id": "thinker", "name": "Thinker", "reasoning": true, "contextWindow": 200_000, "maxTokens": 9000},
            {"id": "plain", "contextWindow": 8000},
        ],
    });
    config["models"]["providers"]["second"] = provider;
    config["agents"]["defaults"]["models"] = json!({"second/thinker": {"alias": "deep"}});
    config["agents"]["list"] = json!([
        {"id": "main", "default": true, "name": "Main", "identity": {"name": "Claw", "emoji": "🦞"}},
        {"id": "ops", "model": {"primary": "second/thinker", "fallbacks": ["fake/model-a"]}, "thinkingDefault": "medium",
         "workspace": "~/ops-files", "tools": {"allow": ["read", "ls"]}},
    ]);
    Home::new(config).start()
}

fn tool_names(body: &Value) -> Vec<&str> {
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).collect()
}

#[test]
fn lists_of_models_and_agents() {
    let (first, second) = (FakeProvider::start(), FakeProvider::start());
    let gateway = gateway(&first, &second);
    let agents = gateway.call("agents.list", json!({}));
    assert_eq!((&agents["defaultId"], &agents["mainKey"]), (&json!("main"), &json!("main")));
    let [main, ops] = agents["agents"].as_array().expect("agents").as_slice() else { panic!("{agents}") };
    assert_eq!(
        (&main["id"], &main["name"], &main["identity"]["emoji"]),
        (&json!("main"), &json!("Main"), &json!("🦞"))
    );
    assert_eq!(main["model"]["primary"], "fake/model-a");
    assert_eq!(main["workspace"], json!(gateway.home.workspace()));
    assert_eq!((&ops["isDefault"], &ops["thinkingDefault"]), (&json!(false), &json!("medium")));
    assert_eq!(ops["model"], json!({"primary": "second/thinker", "fallbacks": ["fake/model-a"]}));
    assert_eq!(ops["workspace"], json!(gateway.home.root().join("ops-files")));

    let list = |params: Value| gateway.call("models.list", params);
    let all = list(json!({}));
    assert_eq!(all["defaultModel"], "fake/model-a");
    let find = |list: &Value, id: &str| -> Value {
        list["models"].as_array().expect("models").iter().find(|model| model["id"] == id).cloned().unwrap_or_default()
    };
    let thinker = find(&all, "thinker");
    assert_eq!((&thinker["provider"], &thinker["name"]), (&json!("second"), &json!("Thinker")));
    assert_eq!((&thinker["contextWindow"], &thinker["reasoning"]), (&json!(200_000), &json!(true)));
    assert_eq!(thinker["thinkingLevels"].as_array().map(Vec::len), Some(5));
    assert_eq!(find(&all, "plain")["thinkingLevels"], json!([{"id": "off", "label": "off"}]));
    assert_eq!(find(&all, "model-a")["input"], json!(["text", "image"]));
    assert!(thinker.get("cost").is_none());
    let detailed = find(&list(json!({"includeDetails": true})), "model-a");
    assert_eq!((&detailed["api"], &detailed["maxTokens"]), (&json!("openai-completions"), &json!(4096)));
    assert_eq!(detailed["cost"]["output"], 2.0);
    for agent in ["ops", "OPS"] {
        let of_ops = list(json!({"agentId": agent}));
        assert_eq!(
            (&of_ops["defaultModel"], &find(&of_ops, "thinker")["default"]),
            (&json!("second/thinker"), &json!(true))
        );
    }
    let of_session = list(json!({"sessionKey": "agent:ops:main"}));
    assert_eq!(of_session["defaultModel"], "second/thinker", "the agent that the session key names");
    let nobody = gateway.request("models.list", &json!({"agentId": "opps"}));
    assert_eq!(nobody["error"]["data"]["kind"], "not_found", "{nobody}");
    assert!(nobody["error"]["data"]["hint"].as_str().is_some_and(|hint| hint.contains("ops")), "{nobody}");
}

#[test]
fn agent_takes_an_agent_a_model_a_level_and_words() {
    let (first, second) = (FakeProvider::start(), FakeProvider::start());
    first.always(completions::text(&["from the first"]));
    second.always(completions::text(&["from the second"]));
    let gateway = gateway(&first, &second);
    let run = |params: Value| -> (Value, Value) {
        let accepted = gateway.call("agent", params.clone());
        (accepted, gateway.call("agent.wait", json!({"runId": params["idempotencyKey"]})))
    };
    // The agent by its id: its model, level, tools and main session.
    let (accepted, outcome) = run(json!({"message": "hi", "idempotencyKey": "a-1", "agentId": "ops"}));
    assert_eq!((&accepted["sessionKey"], &accepted["agentId"]), (&json!("agent:ops:main"), &json!("ops")));
    assert_eq!(outcome["result"]["payloads"][0]["text"], "from the second");
    assert_eq!(outcome["result"]["meta"]["agentMeta"]["model"], "thinker");
    let asked = second.wait_seen(1)[0].body.clone();
    assert_eq!((&asked["model"], &asked["reasoning_effort"]), (&json!("thinker"), &json!("medium")));
    assert_eq!(tool_names(&asked), ["read", "ls"]);
    // By the session key alone.
    let (accepted, _) = run(json!({"message": "hi", "idempotencyKey": "a-2", "sessionKey": "agent:ops:room"}));
    assert_eq!(accepted["agentId"], "ops");
    // A key that contradicts the agent is refused; a short key is one of that agent's.
    let contradiction =
        json!({"message": "hi", "idempotencyKey": "a-x", "sessionKey": "agent:ops:room", "agentId": "main"});
    assert_eq!(gateway.request("agent", &contradiction)["error"]["code"], -32602);
    let (accepted, _) = run(json!({"message": "hi", "idempotencyKey": "a-3", "sessionKey": "room", "agentId": "ops"}));
    assert_eq!(accepted["sessionKey"], "agent:ops:room");
    // Model by alias, level and extra words for one run only.
    let params = json!({"message": "hi", "idempotencyKey": "a-4", "model": "deep", "thinking": "high",
                        "extraSystemPrompt": "Speak like a pirate."});
    let (_, outcome) = run(params);
    assert_eq!(outcome["result"]["payloads"][0]["text"], "from the second");
    let asked = second.wait_seen(4)[3].body.clone();
    assert_eq!((&asked["model"], &asked["reasoning_effort"]), (&json!("thinker"), &json!("high")));
    assert!(asked["messages"][0]["content"].to_string().contains("Speak like a pirate."));
    let (_, outcome) = run(json!({"message": "hi", "idempotencyKey": "a-5"}));
    assert_eq!(outcome["result"]["payloads"][0]["text"], "from the first");
    assert!(!first.wait_seen(1)[0].body.to_string().contains("pirate"));

    for (wrong, kind) in [
        (json!({"model": "nobody/unheard-of"}), "not_found"),
        (json!({"thinking": "brilliant"}), "invalid_input"),
        (json!({"agentId": "nobody"}), "not_found"),
        (json!({"sessionKey": "agent:nobody:main"}), "not_found"),
        (json!({"sessionKey": "agent:"}), "invalid_input"),
        (json!({"deliver": true}), "invalid_input"),
        (json!({"message": " \n"}), "invalid_input"),
    ] {
        let mut params = json!({"message": "hi", "idempotencyKey": "a-wrong"});
        params.as_object_mut().expect("an object").extend(wrong.as_object().expect("an object").clone());
        let response = gateway.request("agent", &params);
        assert_eq!(response["error"]["data"]["kind"], kind, "{wrong}: {response}");
        assert!(response["error"]["data"]["hint"].is_string(), "{wrong}: {response}");
    }
    // What was refused left nothing behind: the key is free.
    assert_eq!(run(json!({"message": "hi", "idempotencyKey": "a-wrong"})).1["status"], "ok");
}

#[test]
fn a_session_id_names_a_conversation() {
    let (first, second) = (FakeProvider::start(), FakeProvider::start());
    first.always(completions::text(&["yes"]));
    let gateway = gateway(&first, &second);
    // What OpenClaw's CLI sends for `agent --session-id cap1`, every time.
    for number in 1..=2 {
        let params = json!({"message": "hi", "sessionId": "cap1", "sessionKey": "agent:main:explicit:cap1", "deliver": false,
                            "timeout": 600, "idempotencyKey": format!("id-{number}")});
        let accepted = gateway.call("agent", params);
        assert_eq!(accepted["sessionKey"], "agent:main:explicit:cap1");
        assert_eq!(gateway.call("agent.wait", json!({"runId": format!("id-{number}")}))["status"], "ok");
    }
    // The id alone: of a transcript, or a name.
    let by_name = gateway.call("agent", json!({"message": "hi", "sessionId": "cap1", "idempotencyKey": "id-3"}));
    assert_eq!(by_name["sessionKey"], "agent:main:explicit:cap1");
    let by_transcript = json!({"message": "hi", "sessionId": by_name["sessionId"], "idempotencyKey": "id-4"});
    assert_eq!(gateway.call("agent", by_transcript)["sessionKey"], "agent:main:explicit:cap1");
    gateway.call("agent.wait", json!({"runId": "id-4"}));
    assert_eq!(gateway.call("chat.history", json!({"sessionKey": "explicit:cap1"}))["totalMessages"], 8);
    // With another key it says which transcript the caller has seen.
    gateway.call("sessions.reset", json!({"key": "explicit:cap1"}));
    let stale = json!({"message": "hi", "sessionKey": "explicit:cap1", "sessionId": by_name["sessionId"], "idempotencyKey": "id-5"});
    for method in ["agent", "chat.send"] {
        assert_eq!(gateway.request(method, &stale)["error"]["data"]["kind"], "conflict", "{method}");
    }
}

#[test]
fn a_run_that_takes_too_long_is_a_timeout_and_keeps_what_was_said() {
    let (first, second) = (FakeProvider::start(), FakeProvider::start());
    first.push(Script::Hang(completions::text_events(&["as far as ", "it got"])));
    let gateway = gateway(&first, &second);
    gateway.call("agent", json!({"message": "hi", "idempotencyKey": "slow", "timeout": 1}));
    let early = gateway.call("agent.wait", json!({"runId": "slow", "timeoutMs": 1}));
    assert_eq!(early, json!({"runId": "slow", "status": "timeout"}), "the wait is over, the run is not");
    let outcome = gateway.call("agent.wait", json!({"runId": "slow"}));
    assert_eq!((&outcome["status"], &outcome["error"]["code"]), (&json!("error"), &json!("timeout")), "{outcome}");
    assert!(outcome["error"]["hint"].is_string());
    assert_eq!(outcome["result"]["payloads"][0]["text"], "as far as it got");
    first.wait_gone(1);
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    let last = &history["messages"][1];
    assert_eq!(last["content"][0]["text"], "as far as it got");
    assert!(last["errorMessage"].as_str().is_some_and(|message| message.contains("limit of 1 s")), "{last}");
    assert_eq!(gateway.call("sessions.describe", json!({"key": "main"}))["session"]["status"], "error");
    first.push(completions::text(&["better"]));
    assert_eq!(gateway.turn("main", "again", "quick")["status"], "ok");
}

#[test]
fn runs_beyond_the_limit_wait_and_can_be_stopped_while_they_do() {
    let provider = FakeProvider::start();
    provider.push(Script::Hang(completions::text_events(&["busy"])));
    let mut config = provider.config("openai-completions");
    config["agents"]["defaults"]["maxConcurrent"] = json!(1);
    let gateway = Home::new(config).start();
    gateway.call("agent", json!({"message": "one", "idempotencyKey": "first", "sessionKey": "a"}));
    provider.wait_seen(1);
    gateway.call("agent", json!({"message": "two", "idempotencyKey": "second", "sessionKey": "b"}));
    let stopped = gateway.call("chat.abort", json!({"sessionKey": "b"}));
    assert_eq!(stopped["runIds"], json!(["second"]));
    let outcome = gateway.call("agent.wait", json!({"runId": "second", "timeoutMs": 10_000}));
    assert_eq!(outcome["status"], "aborted", "{outcome}");
    assert_eq!(provider.seen().len(), 1);
    let history = gateway.call("chat.history", json!({"sessionKey": "b"}));
    assert_eq!(history["messages"][0]["content"][0]["text"], "two", "what was said stays");
    // What is changed while a run waits counts for it.
    gateway.call("agent", json!({"message": "three", "idempotencyKey": "third", "sessionKey": "b"}));
    gateway.call("sessions.patch", json!({"key": "b", "model": "fake/model-b"}));
    provider.push(completions::text(&["three"]));
    gateway.call("chat.abort", json!({"sessionKey": "a"}));
    assert_eq!(gateway.call("agent.wait", json!({"runId": "first"}))["status"], "aborted");
    assert_eq!(gateway.call("agent.wait", json!({"runId": "third"}))["status"], "ok");
    assert_eq!(provider.seen()[1].body["model"], "model-b");
}
