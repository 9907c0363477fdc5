//! Model providers that refuse, stall, break off or answer nonsense, over each of the three wire APIs: the run ends with an
//! error of the right class and a hint, and the session goes on with the next healthy answer.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::support::free_port;
use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, Script};
use crate::support::wire_api::{Fault, WireApi};

const KEY: &str = "sk-test-fake-key-0123456789";

/// One gateway with a provider per API.
struct Bench {
    gateway: Gateway,
    providers: [FakeProvider; 3],
}

/// One API on it: its provider, and a session of its own.
struct Lane<'b> {
    api: WireApi,
    provider: &'b FakeProvider,
    gateway: &'b Gateway,
}

impl Bench {
    fn new(adjust: impl Fn(&mut Value)) -> Self {
        let providers = WireApi::ALL.map(|_| FakeProvider::start());
        let mut entries = Map::new();
        for (api, provider) in WireApi::ALL.iter().zip(&providers) {
            let mut entry = provider.config(api.name())["models"]["providers"]["fake"].clone();
            if *api == WireApi::Anthropic {
                entry["baseUrl"] = json!(format!("http://127.0.0.1:{}", provider.port));
            }
            adjust(&mut entry);
            entries.insert(api.name().to_owned(), entry);
        }
        let config = json!({
            "models": {"discoverLocal": false, "providers": entries},
            "agents": {"defaults": {"model": {"primary": "openai-completions/model-a"}}},
        });
        Self { gateway: Home::new(config).start(), providers }
    }

    /// Runs `check` for the three APIs side by side; each session must take a healthy turn afterwards.
    fn each(&self, check: impl Fn(&Lane<'_>) + Sync) {
        std::thread::scope(|scope| {
            for (api, provider) in WireApi::ALL.into_iter().zip(&self.providers) {
                let (lane, check) = (Lane { api, provider, gateway: &self.gateway }, &check);
                let worker = std::thread::Builder::new().name(api.name().to_owned());
                let run = move || {
                    check(&lane);
                    lane.goes_on();
                };
                worker.spawn_scoped(scope, run).expect("a thread");
            }
        });
        assert_eq!(self.gateway.call("status", json!({}))["runs"]["active"], 0);
        assert!(!self.gateway.log().contains(KEY), "the key is not in the log");
    }
}

impl Lane<'_> {
    fn session(&self) -> String {
        format!("agent:main:{}", self.api.name())
    }

    fn run(&self) -> String {
        format!("bad-{}", self.api.name())
    }

    fn start(&self) {
        let model = format!("{}/model-a", self.api.name());
        self.gateway.call(
            "agent",
            json!({"sessionKey": self.session(), "message": "the first question", "idempotencyKey": self.run(), "model": model}),
        );
    }

    fn wait(&self) -> Value {
        self.gateway.call("agent.wait", json!({"runId": self.run(), "timeoutMs": 30_000}))
    }

    /// The turn must end with this class, and say what to do.
    fn fails(&self, class: &str) -> Value {
        self.start();
        let outcome = self.wait();
        assert_eq!(outcome["status"], "error", "{}: {outcome}", self.api.name());
        let error = &outcome["error"];
        assert_eq!(
            (&error["code"], &error["class"]),
            (&json!("provider"), &json!(class)),
            "{}: {outcome}",
            self.api.name()
        );
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(self.api.name()), "the provider is named: {message}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{outcome}");
        assert_eq!(error["details"]["provider"], self.api.name());
        assert!(!outcome.to_string().contains(KEY), "the key is not in the error: {outcome}");
        let seen = self.provider.seen();
        for request in &seen {
            assert_eq!(request.path, self.api.path());
            let (name, value) = self.api.key_header(KEY);
            assert!(request.headers.contains(&(name.to_owned(), value)), "{:?}", request.headers);
        }
        // The transcript says it too, and nothing of a key.
        let history = self.gateway.call("chat.history", json!({"sessionKey": self.session()}));
        let last = history["messages"].as_array().and_then(|list| list.last()).expect("messages").clone();
        assert_eq!((&last["role"], &last["stopReason"]), (&json!("assistant"), &json!("error")), "{history}");
        assert!(!history.to_string().contains(KEY));
        outcome
    }

    fn answers(&self, status: u16, fault: &Fault) -> Script {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Script::Status(status, headers, self.api.error_body(fault))
    }

    fn requests(&self) -> usize {
        self.provider.seen().len()
    }

    /// The same session, with a provider that is well again.
    fn goes_on(&self) {
        self.provider.always(self.api.text(&["well ", "again"]));
        let model = format!("{}/model-a", self.api.name());
        let run = format!("good-{}", self.api.name());
        self.gateway.call(
            "agent",
            json!({"sessionKey": self.session(), "message": "the second question", "idempotencyKey": run, "model": model}),
        );
        let outcome = self.gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}));
        assert_eq!(outcome["status"], "ok", "{}: {outcome}", self.api.name());
        assert_eq!(outcome["result"]["payloads"][0]["text"], "well again");
        let asked = self.provider.seen().last().expect("a request").body.clone();
        let conversation = self.api.conversation(&asked);
        let questions = conversation.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
        assert!(
            questions.contains("the first question") && questions.contains("the second question"),
            "{conversation:?}"
        );
        assert!(conversation.iter().all(|(_, text)| !text.is_empty()), "no empty message: {conversation:?}");
        // Anthropic and many compatible servers refuse two messages of one role in a row; Responses takes any list of items.
        let in_turns = conversation.windows(2).all(|pair| pair[0].0 != pair[1].0);
        assert!(in_turns || self.api == WireApi::Responses, "{conversation:?}");
    }
}

#[test]
fn a_wrong_key() {
    let fault = Fault {
        anthropic: "authentication_error",
        openai: Some("invalid_api_key"),
        message: "Incorrect API key provided: sk-test-fake-key-0123456789. You can find your key in the console.",
    };
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(lane.answers(401, &fault));
        let outcome = lane.fails("auth");
        assert!(outcome["error"]["hint"].as_str().expect("a hint").contains("key"), "{outcome}");
        assert_eq!(outcome["error"]["details"]["status"], 401);
        assert_eq!(lane.requests(), 1, "another try with the same key is useless");
    });
}

#[test]
fn a_missing_key() {
    let bench =
        Bench::new(|entry| entry["apiKey"] = json!({"source": "env", "provider": "default", "id": "NO_SUCH_KEY"}));
    std::thread::scope(|scope| {
        for (api, provider) in WireApi::ALL.into_iter().zip(&bench.providers) {
            let lane = Lane { api, provider, gateway: &bench.gateway };
            scope.spawn(move || {
                let model = format!("{}/model-a", api.name());
                let params = json!({"sessionKey": lane.session(), "message": "hi", "idempotencyKey": lane.run(), "model": model});
                let answer = lane.gateway.request("agent", &params);
                // Refused at once, or when the run starts; either way the variable is named.
                let error = if answer.get("error").is_some() { answer["error"].clone() } else { lane.wait()["error"].clone() };
                let text = error.to_string();
                assert!(text.contains("NO_SUCH_KEY") && text.contains("\"auth\""), "{error}");
                assert!(text.contains("\"hint\""), "{error}");
                assert_eq!(lane.requests(), 0, "nothing is sent without the key");
            });
        }
    });
    // A well-known provider that nobody gave a key.
    for model in ["anthropic/claude-sonnet-5-5", "openai/gpt-6.1-sol"] {
        let params = json!({"sessionKey": "main", "message": "hi", "idempotencyKey": model, "model": model});
        let answer = bench.gateway.request("agent", &params);
        let error = if answer.get("error").is_some() {
            answer["error"].clone()
        } else {
            bench.gateway.call("agent.wait", json!({"runId": model}))["error"].clone()
        };
        assert!(error.to_string().contains("_API_KEY"), "the variable to set is named: {error}");
    }
    let params =
        json!({"sessionKey": "main", "message": "hi", "idempotencyKey": "offline", "model": "offline/offline"});
    bench.gateway.call("agent", params);
    assert_eq!(bench.gateway.call("agent.wait", json!({"runId": "offline"}))["status"], "ok");
}

#[test]
fn a_request_the_provider_refuses() {
    let fault = Fault { anthropic: "invalid_request_error", openai: None, message: "temperature: out of range" };
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(lane.answers(400, &fault));
        let outcome = lane.fails("invalid_request");
        assert!(outcome["error"]["message"].as_str().expect("words").contains("out of range"), "{outcome}");
        assert_eq!(lane.requests(), 1);
    });
}

#[test]
fn a_model_that_does_not_exist() {
    let fault = Fault { anthropic: "not_found_error", openai: Some("model_not_found"), message: "model: model-a" };
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(lane.answers(404, &fault));
        let outcome = lane.fails("model_not_found");
        assert!(outcome["error"]["hint"].as_str().expect("a hint").contains("models list"), "{outcome}");
        assert_eq!(lane.requests(), 1);
    });
}

#[test]
fn too_many_requests_wait_as_long_as_asked_and_are_then_reported() {
    let fault = Fault { anthropic: "rate_limit_error", openai: Some("rate_limit_exceeded"), message: "slow down" };
    Bench::new(|_| ()).each(|lane| {
        let Script::Status(status, mut headers, body) = lane.answers(429, &fault) else { unreachable!() };
        headers.push(("Retry-After".to_owned(), "1".to_owned()));
        for _ in 0..3 {
            lane.provider.push(Script::Status(status, headers.clone(), body.clone()));
        }
        let outcome = lane.fails("rate_limit");
        assert_eq!(outcome["error"]["details"]["retryAfterMs"], 1000, "{outcome}");
        let seen = lane.provider.seen();
        assert_eq!(seen.len(), 3, "two repetitions");
        for pair in seen.windows(2) {
            let waited = pair[1].at - pair[0].at;
            assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(5), "{waited:?}");
        }
    });
}

#[test]
fn a_wait_that_is_too_long_and_an_empty_account_are_reported_at_once() {
    Bench::new(|_| ()).each(|lane| {
        let fault =
            Fault { anthropic: "rate_limit_error", openai: Some("rate_limit_exceeded"), message: "come back later" };
        let Script::Status(status, mut headers, body) = lane.answers(429, &fault) else { unreachable!() };
        headers.push(("Retry-After".to_owned(), "3600".to_owned()));
        lane.provider.push(Script::Status(status, headers, body));
        let outcome = lane.fails("rate_limit");
        assert_eq!(outcome["error"]["details"]["retryAfterMs"], 3_600_000, "{outcome}");
        assert_eq!(lane.requests(), 1);
    });
    let fault = Fault { anthropic: "billing_error", openai: Some("insufficient_quota"), message: "no credit is left" };
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(lane.answers(if lane.api == WireApi::Anthropic { 402 } else { 429 }, &fault));
        lane.fails("rate_limit");
        assert_eq!(lane.requests(), 1);
    });
}

#[test]
fn broken_and_overloaded_servers_are_asked_again() {
    let broken = Fault { anthropic: "api_error", openai: Some("server_error"), message: "Internal server error" };
    let busy = Fault { anthropic: "overloaded_error", openai: None, message: "Overloaded" };
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(lane.answers(500, &broken));
        lane.provider.push(lane.answers(529, &busy));
        lane.provider.push(lane.api.text(&["third ", "time"]));
        lane.start();
        let outcome = lane.wait();
        assert_eq!(outcome["status"], "ok", "{outcome}");
        assert_eq!(outcome["result"]["payloads"][0]["text"], "third time");
        assert_eq!(lane.requests(), 3);
        let seen = lane.provider.seen();
        assert!(seen.iter().all(|request| request.body == seen[0].body), "the same request every time");
    });
}

#[test]
fn servers_that_stay_broken_or_overloaded() {
    for (status, fault) in [
        (500, Fault { anthropic: "api_error", openai: Some("server_error"), message: "Internal server error" }),
        (529, Fault { anthropic: "overloaded_error", openai: None, message: "Overloaded" }),
    ] {
        Bench::new(|entry| entry["maxRetries"] = json!(1)).each(|lane| {
            lane.provider.always(lane.answers(status, &fault));
            let outcome = lane.fails("overloaded");
            assert_eq!(outcome["error"]["details"]["status"], status);
            assert_eq!(lane.requests(), 2);
        });
    }
}

#[test]
fn a_conversation_that_is_too_long() {
    let fault = Fault {
        anthropic: "invalid_request_error",
        openai: Some("context_length_exceeded"),
        message: "prompt is too long: 210000 tokens > 200000 maximum",
    };
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(lane.answers(400, &fault));
        let outcome = lane.fails("context_overflow");
        assert!(outcome["error"]["hint"].as_str().expect("a hint").contains("session"), "{outcome}");
        assert_eq!(lane.requests(), 1);
    });
}

#[test]
fn an_answer_in_html() {
    let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please log in to the proxy</body></html>";
    for (status, kind, class) in
        [(200, "text/html", "protocol"), (200, "text/event-stream", "protocol"), (502, "text/html", "overloaded")]
    {
        Bench::new(|entry| entry["maxRetries"] = json!(0)).each(|lane| {
            lane.provider.push(Script::Status(
                status,
                vec![("Content-Type".to_owned(), kind.to_owned())],
                page.to_owned(),
            ));
            let outcome = lane.fails(class);
            let message = outcome["error"]["message"].as_str().expect("words");
            assert!(message.contains("<!DOCTYPE html>") && message.contains(&status.to_string()), "{message}");
            assert!(message.len() < 500);
        });
    }
}

#[test]
fn answers_that_are_not_what_was_asked_for() {
    for (kind, body, class) in [
        ("application/json", "{\"unexpected\":true}", "protocol"),
        ("application/json", "{\"choices\":", "protocol"),
        ("text/plain", "OK", "protocol"),
        ("application/json", "", "network"),
        ("text/event-stream", "data: {not json\n\n", "protocol"),
    ] {
        Bench::new(|entry| entry["maxRetries"] = json!(0)).each(|lane| {
            lane.provider.push(Script::Status(
                200,
                vec![("Content-Type".to_owned(), kind.to_owned())],
                body.to_owned(),
            ));
            lane.fails(class);
        });
    }
}

#[test]
fn a_provider_that_hangs_can_be_stopped_at_once() {
    let bench = Bench::new(|_| ());
    for (what, begun) in [("before the head", false), ("in the middle", true)] {
        std::thread::scope(|scope| {
            for (api, provider) in WireApi::ALL.into_iter().zip(&bench.providers) {
                let lane = Lane { api, provider, gateway: &bench.gateway };
                scope.spawn(move || {
                    let (run, session) = (format!("{}-{begun}", lane.run()), format!("{}-{begun}", lane.session()));
                    let gone = usize::from(begun);
                    provider.push(if begun { Script::Hang(api.partial(&["half ", "a reply"])) } else { Script::Silence });
                    let model = format!("{}/model-a", api.name());
                    lane.gateway.call(
                        "agent",
                        json!({"sessionKey": session, "message": "the first question", "idempotencyKey": run, "model": model}),
                    );
                    provider.wait_seen(gone + 1);
                    if begun {
                        crate::support::until("the text has come", || {
                            let history = lane.gateway.call("chat.history", json!({"sessionKey": session}));
                            (history["inFlightRun"]["text"] == "half a reply").then_some(())
                        });
                    }
                    let began = Instant::now();
                    let aborted = lane.gateway.call("chat.abort", json!({"sessionKey": session}));
                    let answered = began.elapsed();
                    assert_eq!(aborted["runIds"], json!([run]));
                    let closed = provider.wait_gone(gone + 1)[gone].saturating_duration_since(began);
                    let outcome = lane.gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}));
                    let ended = began.elapsed();
                    eprintln!(
                        "{} {what}: abort answered after {answered:?}, connection closed after {closed:?}, run ended after {ended:?}",
                        api.name()
                    );
                    assert!(answered.max(closed).max(ended) < Duration::from_secs(1));
                    assert_eq!((&outcome["status"], &outcome["error"]["code"]), (&json!("aborted"), &json!("cancelled")));
                    let text = outcome["result"]["payloads"][0]["text"].as_str().unwrap_or_default();
                    assert_eq!(text, if begun { "half a reply" } else { "" });
                });
            }
        });
    }
    bench.each(|lane| {
        lane.provider.push(lane.api.text(&["fine"]));
        lane.start();
        assert_eq!(lane.wait()["status"], "ok");
    });
}

#[test]
fn a_provider_that_hangs_is_given_up_after_its_time() {
    for begun in [false, true] {
        Bench::new(|entry| entry["timeoutSeconds"] = json!(1)).each(|lane| {
            lane.provider.push(if begun { Script::Hang(lane.api.partial(&["half a reply"])) } else { Script::Silence });
            let outcome = lane.fails("timeout");
            let took = outcome["result"]["meta"]["durationMs"].as_u64().expect("a time");
            assert!((900..4000).contains(&took), "{took} ms");
            assert_eq!(lane.requests(), 1, "a provider that fell silent may still be at work on the first call");
            let text = outcome["result"]["payloads"][0]["text"].as_str().unwrap_or_default();
            assert_eq!(text, if begun { "half a reply" } else { "" });
        });
    }
}

#[test]
fn a_stream_that_ends_in_the_middle_keeps_what_came() {
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(Script::Cut(lane.api.partial(&["half ", "a reply"])));
        let outcome = lane.fails("network");
        assert_eq!(outcome["result"]["payloads"][0]["text"], "half a reply", "{outcome}");
        assert_eq!(lane.requests(), 1, "what was begun is not repeated behind the reader's back");
        let history = lane.gateway.call("chat.history", json!({"sessionKey": lane.session()}));
        let last = history["messages"].as_array().and_then(|list| list.last()).expect("messages").clone();
        assert_eq!(last["content"][0]["text"], "half a reply", "{history}");
    });
}

#[test]
fn a_stream_that_ends_in_order_but_too_early_is_cut_too() {
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(Script::Sse(lane.api.partial(&["half ", "a reply"])));
        let outcome = lane.fails("network");
        assert_eq!(outcome["result"]["payloads"][0]["text"], "half a reply", "{outcome}");
    });
    // Before any of the answer it is asked for again.
    Bench::new(|_| ()).each(|lane| {
        lane.provider.push(Script::Cut(lane.api.partial(&[])));
        lane.provider.push(lane.api.text(&["second ", "time"]));
        lane.start();
        let outcome = lane.wait();
        assert_eq!(outcome["result"]["payloads"][0]["text"], "second time", "{outcome}");
        assert_eq!(lane.requests(), 2);
    });
}

#[test]
fn an_error_in_the_middle_of_a_stream_keeps_what_came() {
    let fault = Fault { anthropic: "overloaded_error", openai: Some("server_error"), message: "the model broke down" };
    Bench::new(|_| ()).each(|lane| {
        let mut events = lane.api.partial(&["half ", "a reply"]);
        events.push(lane.api.error_event(&fault));
        lane.provider.push(Script::Sse(events));
        let outcome = lane.fails("overloaded");
        assert!(outcome["error"]["message"].as_str().expect("words").contains("the model broke down"), "{outcome}");
        assert_eq!(outcome["result"]["payloads"][0]["text"], "half a reply", "{outcome}");
        assert_eq!(lane.requests(), 1);
    });
}

#[test]
fn a_provider_that_is_not_there() {
    let port = free_port();
    let bench = Bench::new(|entry| {
        entry["maxRetries"] = json!(1);
        entry["baseUrl"] = json!(format!("http://127.0.0.1:{port}/v1"));
    });
    for api in WireApi::ALL {
        let (run, model) = (format!("refused-{}", api.name()), format!("{}/model-a", api.name()));
        bench
            .gateway
            .call("agent", json!({"sessionKey": "main", "message": "hi", "idempotencyKey": run, "model": model}));
        let outcome = bench.gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}));
        let error = &outcome["error"];
        assert_eq!((&error["code"], &error["class"]), (&json!("provider"), &json!("network")), "{outcome}");
        assert!(error["message"].as_str().expect("words").to_lowercase().contains("refused"), "{outcome}");
        assert!(error["hint"].as_str().expect("a hint").contains("baseUrl"), "{outcome}");
    }
    bench.gateway.call(
        "agent",
        json!({"sessionKey": "main", "message": "hi", "idempotencyKey": "own", "model": "offline/offline"}),
    );
    assert_eq!(bench.gateway.call("agent.wait", json!({"runId": "own"}))["status"], "ok");
}
