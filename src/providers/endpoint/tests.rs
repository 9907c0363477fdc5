//! The three APIs against real sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::json;

use super::fixtures::{self, fold};
use super::{AuthStyle, Endpoint, provider};
use crate::core::ProviderErrorClass as Class;
use crate::providers::http::HttpClient;
use crate::providers::http::server::{Reply, Server, events, response};
use crate::providers::types::{Delta, ModelAnswer, ModelRequest, Provider, ProviderError};
use crate::secrets::Secret;

const KEY: &str = "sk-very-secret-0123456789";
const APIS: [&str; 3] = ["anthropic-messages", "openai-completions", "openai-responses"];

fn endpoint(server: &Server) -> Endpoint {
    Endpoint { api_key: Some(Secret::new(KEY)), max_retries: 0, ..Endpoint::new("mine", server.url.as_str()) }
}

fn at(api: &str, server: &Server) -> Arc<dyn Provider> {
    provider(api, endpoint(server), HttpClient::new()).expect("a good endpoint")
}

fn request() -> ModelRequest {
    fixtures::request("m", vec![fixtures::user("hi")])
}

/// All deltas, and the error that ended them.
async fn run(provider: &dyn Provider) -> (Vec<Delta>, Option<ProviderError>) {
    let mut stream = match provider.stream(request()).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut deltas = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(delta) => deltas.push(delta),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing follows an error");
                return (deltas, Some(error));
            }
        }
    }
    assert!(matches!(deltas.last(), Some(Delta::Done { .. })), "{deltas:?}");
    (deltas, None)
}

async fn answer(provider: &dyn Provider) -> ModelAnswer {
    let (deltas, error) = run(provider).await;
    assert!(error.is_none(), "{error:?}");
    fold(&deltas)
}

async fn error(provider: &dyn Provider) -> ProviderError {
    run(provider).await.1.expect("an error")
}

/// An event stream that says `hello` and, if `whole`, ends properly.
fn hello(api: &str, whole: bool) -> String {
    let (begin, end) = match api {
        "anthropic-messages" => (
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}),
            format!("data: {}\n\n", json!({"type": "message_stop"})),
        ),
        "openai-completions" => (
            json!({"choices": [{"index": 0, "delta": {"content": "hello"}}]}),
            format!(
                "data: {}\n\ndata: [DONE]\n\n",
                json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            ),
        ),
        _ => (
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hello"}),
            format!("data: {}\n\n", json!({"type": "response.completed", "response": {"status": "completed"}})),
        ),
    };
    let end = if whole { end } else { String::new() };
    format!(": keep-alive\n\ndata: {begin}\n\n{end}")
}

#[tokio::test]
async fn each_api_sends_its_path_headers_and_body() {
    for (api, path, key_header) in [
        ("anthropic-messages", "/v1/messages", format!("x-api-key: {KEY}\n")),
        ("openai-completions", "/v1/chat/completions", format!("authorization: Bearer {KEY}\n")),
        ("openai-responses", "/v1/responses", format!("authorization: Bearer {KEY}\n")),
    ] {
        let mut server = Server::start([Reply::Close(events(&hello(api, true), true))]).await;
        let mut endpoint = endpoint(&server);
        endpoint.headers = vec![("X-Title".into(), Secret::new("a person's gateway"))];
        let provider = provider(api, endpoint, HttpClient::new()).expect("a good endpoint");
        assert_eq!(provider.id(), "mine");
        assert_eq!(answer(&*provider).await.content[0].as_text(), Some("hello"));
        let seen = server.request().await;
        assert!(seen.head.starts_with(&format!("POST {path} HTTP/1.1\n")), "{}", seen.head);
        for line in [
            key_header.as_str(),
            "content-type: application/json\n",
            "accept: text/event-stream\n",
            "x-title: a person's gateway\n",
            &format!("content-length: {}\n", seen.body.len()),
            &format!("host: {}\n", server.url.trim_start_matches("http://")),
            concat!("user-agent: openclaw/", env!("CARGO_PKG_VERSION"), "\n"),
        ] {
            assert!(seen.head.contains(line), "{line} in {}", seen.head);
        }
        assert_eq!(seen.head.contains("anthropic-version: 2023-06-01\n"), api == "anthropic-messages");
        assert!(!seen.head.contains("accept-encoding"), "no compression is asked for");
        let body: serde_json::Value = serde_json::from_slice(&seen.body).expect("JSON");
        assert_eq!((&body["model"], &body["stream"]), (&json!("m"), &json!(true)));
    }
}

#[tokio::test]
async fn the_key_is_sent_as_configured() {
    for (auth, expected) in [
        (AuthStyle::Bearer, Some(format!("authorization: Bearer {KEY}"))),
        (AuthStyle::ApiKeyHeader, Some(format!("x-api-key: {KEY}"))),
        (AuthStyle::None, None),
    ] {
        let mut server = Server::start([Reply::Close(events(&hello(APIS[0], true), true))]).await;
        let endpoint = Endpoint { auth, ..endpoint(&server) };
        answer(&*provider(APIS[0], endpoint, HttpClient::new()).expect("a good endpoint")).await;
        let head = server.request().await.head;
        assert_eq!(head.lines().find(|line| line.contains(KEY)), expected.as_deref());
    }
}

#[tokio::test]
async fn endpoints_that_cannot_work_are_refused_without_showing_secrets() {
    let with = |change: &dyn Fn(&mut Endpoint)| {
        let mut endpoint = Endpoint::new("mine", "https://host.example/v1?key=hidden-in-url");
        change(&mut endpoint);
        provider(APIS[1], endpoint, HttpClient::new()).err()
    };
    assert!(with(&|_| ()).is_none());
    for error in [
        with(&|endpoint| endpoint.api_key = Some(Secret::new("hidden\nkey"))),
        with(&|endpoint| endpoint.headers = vec![("bad name".into(), Secret::new("hidden"))]),
        with(&|endpoint| endpoint.headers = vec![("x".into(), Secret::new("hidden\r\ny: z"))]),
        with(&|endpoint| endpoint.headers = vec![("Content-Length".into(), Secret::new("hidden"))]),
        with(&|endpoint| endpoint.base_url = "mailto:hidden".into()),
    ] {
        let error = error.expect("refused");
        let text = format!("{error:?}");
        assert_eq!(error.kind(), crate::core::ErrorKind::Config);
        assert!(!text.contains("hidden") && text.contains("mine"), "{text}");
    }
    let mut endpoint = Endpoint::new("mine", "https://host.example/v1?key=hidden-in-url");
    endpoint.api_key = Some(Secret::new("hidden"));
    assert!(!format!("{endpoint:?}").contains("hidden"));
}

#[tokio::test]
async fn statuses_become_classes_over_the_network() {
    for (status, class) in [
        ("400 Bad Request", Class::InvalidRequest),
        ("401 Unauthorized", Class::Auth),
        ("404 Not Found", Class::ModelNotFound),
        ("429 Too Many Requests", Class::RateLimit),
        ("500 Internal Server Error", Class::Overloaded),
        ("529 Overloaded", Class::Overloaded),
    ] {
        let body = json!({"error": {"message": format!("no: key {KEY} is bad")}}).to_string();
        for api in APIS {
            let server = Server::start([Reply::Close(response(status, "retry-after: 7\r\n", &body))]).await;
            let error = error(&*at(api, &server)).await;
            assert_eq!((error.class, error.started, error.retry_after), (class, false, Some(Duration::from_secs(7))));
            assert_eq!(error.status.map(|code| code.to_string()).as_deref(), status.get(..3));
            assert!(error.to_string().starts_with("mine: answered HTTP"), "{error}");
            assert!(!format!("{error:?}").contains(KEY), "an echoed key is hidden: {error}");
        }
    }
}

#[tokio::test]
async fn passing_faults_are_repeated_and_others_are_not() {
    let busy = || Reply::Close(response("529 Overloaded", "retry-after: 0\r\n", "{}"));
    let good = || Reply::Close(events(&hello(APIS[0], true), true));
    let cut = |text: &str| Reply::Close(events(text, false));
    let with_retries = |server: &Server| {
        let endpoint = Endpoint { max_retries: 2, ..endpoint(server) };
        provider(APIS[0], endpoint, HttpClient::new()).expect("a good endpoint")
    };
    let mut server = Server::start([busy(), Reply::Close(Vec::new()), good()]).await;
    assert_eq!(answer(&*with_retries(&server)).await.content[0].as_text(), Some("hello"));
    let first = server.request().await.body;
    assert_eq!(server.request().await.body, first, "the repetition is the same request");
    assert_eq!(server.further_requests(), 1);

    let overloaded =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n";
    let mut server = Server::start([cut(overloaded), cut(": nothing yet\n\n"), good()]).await;
    assert_eq!(answer(&*with_retries(&server)).await.content.len(), 1, "nothing of an answer had come");
    assert_eq!(server.further_requests(), 3);

    let mut server = Server::start([cut(&hello(APIS[0], false)), good()]).await;
    let (deltas, error_after) = run(&*with_retries(&server)).await;
    let error_after = error_after.expect("cut");
    assert_eq!((fold(&deltas).content.len(), error_after.class, error_after.started), (1, Class::Network, true));
    assert_eq!(server.further_requests(), 1, "what a person has seen is not repeated");

    for (reply, class) in [
        (response("401 Unauthorized", "", "{}"), Class::Auth),
        (response("429 Too Many Requests", "retry-after: 3600\r\n", "{}"), Class::RateLimit),
        (
            response("429 Too Many Requests", "", r#"{"error":{"code":"insufficient_quota","message":"m"}}"#),
            Class::RateLimit,
        ),
        (response("302 Found", "location: http://127.0.0.1:1/\r\n", ""), Class::Protocol),
    ] {
        let mut server = Server::start([Reply::Close(reply), good()]).await;
        assert_eq!(error(&*with_retries(&server)).await.class, class);
        assert_eq!(server.further_requests(), 1);
    }
}

#[tokio::test]
async fn a_dropped_call_closes_the_socket_within_50_ms() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
    let said = events(&hello(APIS[1], false), false);
    // Before the head, before the first delta, after the first delta.
    for (name, sent) in [("head", Vec::new()), ("delta", head), ("rest", said)] {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let mut server = Server::start([Reply::Hang(sent.clone())]).await;
            let provider = at(APIS[1], &server);
            let (started, wait) = tokio::sync::oneshot::channel();
            let call = tokio::spawn(async move {
                let mut stream = provider.stream(request()).await.expect("a stream");
                while let Some(Ok(delta)) = stream.next().await {
                    if matches!(delta, Delta::Text { .. }) {
                        break;
                    }
                }
                started.send(()).expect("the test waits");
                stream.next().await
            });
            server.request().await;
            if name == "rest" {
                wait.await.expect("the first delta");
            }
            // Lets the connection's task go to sleep on the socket: a dropped body has to wake it.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let begin = Instant::now();
            call.abort();
            let closed = server.closed.recv().await.expect("the client closes");
            best = best.min(closed.saturating_duration_since(begin));
            if best < Duration::from_millis(50) {
                break;
            }
        }
        assert!(best < Duration::from_millis(50), "waiting for the {name}: {best:?}");
    }
}

#[tokio::test]
async fn silence_is_a_time_out_and_is_not_repeated() {
    for sent in [Vec::new(), events(": thinking\n\n", false)] {
        let mut server = Server::start([Reply::Hang(sent), Reply::Close(events(&hello(APIS[2], true), true))]).await;
        let endpoint = Endpoint { silence_timeout: Duration::from_millis(60), max_retries: 2, ..endpoint(&server) };
        let provider = provider(APIS[2], endpoint, HttpClient::new()).expect("a good endpoint");
        let error = error(&*provider).await;
        assert_eq!((error.class, error.started), (Class::Timeout, false));
        assert_eq!(server.further_requests(), 1, "the provider may still be at work on the first call");
        server.closed.recv().await.expect("the connection is given up");
    }
}

#[tokio::test]
async fn an_answer_that_only_lacks_its_closing_mark_is_whole() {
    let finished = hello(APIS[1], true).replace("data: [DONE]\n\n", "");
    let server = Server::start([Reply::Hang(events(&finished, false))]).await;
    let endpoint = Endpoint { silence_timeout: Duration::from_millis(60), ..endpoint(&server) };
    let silent = provider(APIS[1], endpoint, HttpClient::new()).expect("a good endpoint");
    assert_eq!(answer(&*silent).await.content[0].as_text(), Some("hello"));
    let server = Server::start([Reply::Close(events(&finished, false))]).await;
    assert_eq!(answer(&*at(APIS[1], &server)).await.content[0].as_text(), Some("hello"), "the connection broke");
}

#[tokio::test]
async fn answers_of_the_wrong_form_are_shown_in_part() {
    let html = format!("<!DOCTYPE html>\r\n<title>Portal</title>{}", "<p>".repeat(1000));
    for api in APIS {
        let server = Server::start([Reply::Close(response("200 OK", "content-type: text/html\r\n", &html))]).await;
        let error = error(&*at(api, &server)).await;
        assert_eq!((error.class, error.status), (Class::Protocol, Some(200)));
        assert!(error.message.contains("HTTP 200 OK with text/html"), "{error}");
        assert!(error.message.contains("<!DOCTYPE html> <title>Portal</title>"), "{error}");
        assert!(error.message.len() < 300, "{error}");
    }
    let lie = response("200 OK", "content-type: text/event-stream\r\n", &html);
    let server = Server::start([Reply::Close(lie)]).await;
    assert_eq!(error(&*at(APIS[0], &server)).await.class, Class::Protocol);
    let server = Server::start([Reply::Close(response("200 OK", "content-encoding: gzip\r\n", "\u{1f}x"))]).await;
    let error = error(&*at(APIS[0], &server)).await;
    assert!(error.class == Class::Protocol && error.message.contains("gzip"), "{error}");
}

#[tokio::test]
async fn the_body_decides_when_the_content_type_does_not() {
    let stream = hello(APIS[1], true);
    let completion =
        json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}], "usage": null}).to_string();
    for (kind, body) in
        [("", &stream), ("content-type: text/plain\r\n", &stream), ("content-type: application/json\r\n", &completion)]
    {
        let server = Server::start([Reply::Close(response("200 OK", kind, body))]).await;
        assert_eq!(answer(&*at(APIS[1], &server)).await.content[0].as_text(), Some("hello"), "{kind}");
    }
}

#[tokio::test]
async fn lying_lengths_and_early_ends_are_network_errors() {
    let body = hello(APIS[0], true);
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n{}",
        hello(APIS[0], false)
    );
    let server = Server::start([Reply::Close(long.into_bytes())]).await;
    let broken = error(&*at(APIS[0], &server)).await;
    assert_eq!((broken.class, broken.started), (Class::Network, true));
    let short = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len() - 9
    );
    let server = Server::start([Reply::Close(short.into_bytes())]).await;
    assert_eq!(error(&*at(APIS[0], &server)).await.class, Class::Network);
    let server = Server::start([Reply::Close(response("200 OK", "", ""))]).await;
    assert_eq!(error(&*at(APIS[0], &server)).await.class, Class::Network);
    let server = Server::start([Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec())]).await;
    assert_eq!(error(&*at(APIS[0], &server)).await.class, Class::Network);
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}?key={KEY}", listener.local_addr().expect("an address"));
    drop(listener);
    let endpoint = Endpoint { max_retries: 0, ..Endpoint::new("mine", url) };
    let error = error(&*provider(APIS[0], endpoint, HttpClient::new()).expect("a good endpoint")).await;
    assert_eq!(error.class, Class::Network);
    assert!(error.message.contains("refused") && !error.message.contains(KEY), "{error}");
}

#[tokio::test]
async fn huge_errors_and_endless_events_are_bounded() {
    let head = b"HTTP/1.1 500 Oops\r\n\r\n".to_vec();
    let server = Server::start([Reply::Flood(head, 8 << 20)]).await;
    assert!(error(&*at(APIS[0], &server)).await.message.len() < 300);
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ".to_vec();
    let server = Server::start([Reply::Flood(head, 20 << 20)]).await;
    let endless = error(&*at(APIS[0], &server)).await;
    assert!(endless.class == Class::Protocol && endless.message.contains("larger than"), "{endless}");
}

#[tokio::test]
async fn calls_share_connections() {
    let calls = 10;
    let server = Server::start((0..calls).map(|_| Reply::Stay(events(&hello(APIS[1], true), true)))).await;
    let provider = at(APIS[1], &server);
    for _ in 0..calls {
        assert_eq!(answer(&*provider).await.content.len(), 1);
    }
    assert!(server.connections() <= calls / 2, "{} connections for {calls} calls", server.connections());
}

#[tokio::test]
async fn a_hundred_calls_at_once_get_their_own_answers() {
    let server = Server::start((0..100).map(|_| Reply::Stay(events(&hello(APIS[2], true), true)))).await;
    let provider = at(APIS[2], &server);
    let answers = futures_util::future::join_all((0..100).map(|_| answer(&*provider))).await;
    assert!(answers.iter().all(|answer| answer.content[0].as_text() == Some("hello")));
}
