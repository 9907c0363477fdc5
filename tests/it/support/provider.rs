//! A scripted model server on loopback that records what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

use super::PATIENCE;

/// One scripted answer.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    /// Server-sent events, each written as its own chunk.
    Sse(Vec<String>),
    /// Server-sent events, then the connection breaks.
    Cut(Vec<String>),
    /// A whole answer.
    Status(u16, Vec<(String, String)>, String),
    /// Some events, then silence until the client goes away.
    Hang(Vec<String>),
    /// Not a byte until the client goes away.
    Silence,
    /// Some events, then silence until [`FakeProvider::release`], then the rest.
    Gated(Vec<String>, Vec<String>),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct State {
    script: VecDeque<Script>,
    fallback: Option<Script>,
    seen: Vec<Seen>,
    /// Hanging connections that the client has closed.
    gone: Vec<Instant>,
    /// Gated answers that may go on.
    released: usize,
}

/// The server; it lives as long as the process.
#[derive(Clone)]
pub(crate) struct FakeProvider {
    pub(crate) port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl FakeProvider {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let server = Self { port, state };
        let accepting = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = accepting.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    pub(crate) fn push(&self, script: Script) {
        self.state.0.lock().expect("no panic inside").script.push_back(script);
    }

    /// Answers everything that no script is left for.
    pub(crate) fn always(&self, script: Script) {
        self.state.0.lock().expect("no panic inside").fallback = Some(script);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.0.lock().expect("no panic inside").seen.clone()
    }

    /// Blocks until that many requests have come.
    pub(crate) fn wait_seen(&self, count: usize) -> Vec<Seen> {
        let (lock, changed) = &*self.state;
        let state = lock.lock().expect("no panic inside");
        let (state, timeout) =
            changed.wait_timeout_while(state, PATIENCE, |state| state.seen.len() < count).expect("no panic inside");
        assert!(!timeout.timed_out(), "only {} of {count} requests came", state.seen.len());
        state.seen.clone()
    }

    /// Blocks until that many hanging connections were closed by the client.
    pub(crate) fn wait_gone(&self, count: usize) -> Vec<Instant> {
        let (lock, changed) = &*self.state;
        let state = lock.lock().expect("no panic inside");
        let (state, timeout) =
            changed.wait_timeout_while(state, PATIENCE, |state| state.gone.len() < count).expect("no panic inside");
        assert!(!timeout.timed_out(), "the client kept its connection");
        state.gone.clone()
    }

    /// Lets one gated answer go on.
    pub(crate) fn release(&self) {
        self.state.0.lock().expect("no panic inside").released += 1;
        self.state.1.notify_all();
    }

    fn wait_released(&self) {
        let (lock, changed) = &*self.state;
        let state = lock.lock().expect("no panic inside");
        let (mut state, timeout) =
            changed.wait_timeout_while(state, PATIENCE, |state| state.released == 0).expect("no panic inside");
        assert!(!timeout.timed_out(), "nobody released the answer");
        state.released -= 1;
    }

    /// Configuration with this server as provider `fake`, speaking `api`.
    pub(crate) fn config(&self, api: &str) -> Value {
        json!({
            "models": {"discoverLocal": false, "providers": {"fake": {
                "baseUrl": format!("http://127.0.0.1:{}/v1", self.port),
                "apiKey": "sk-test-fake-key-0123456789", "api": api,
                "models": [{"id": "model-a", "name": "A", "input": ["text", "image"], "contextWindow": 100_000, "maxTokens": 4096,
                            "cost": {"input": 1.0, "output": 2.0, "cacheRead": 0.1, "cacheWrite": 1.25}}],
            }}},
            "agents": {"defaults": {"model": {"primary": "fake/model-a"}}},
        })
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut stream = stream;
        while let Some(seen) = read_request(&mut reader) {
            let script = {
                let (lock, changed) = &*self.state;
                let mut state = lock.lock().expect("no panic inside");
                state.seen.push(seen);
                changed.notify_all();
                state.script.pop_front().or_else(|| state.fallback.clone())
            };
            let script = script.unwrap_or_else(|| Script::Status(500, Vec::new(), "no script left".to_owned()));
            match script {
                Script::Status(status, headers, body) => {
                    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                    for (key, value) in headers {
                        head.push_str(&format!("{key}: {value}\r\n"));
                    }
                    head.push_str("\r\n");
                    head.push_str(&body);
                    if stream.write_all(head.as_bytes()).is_err() {
                        return;
                    }
                }
                Script::Sse(events) => {
                    if begin(&mut stream).and_then(|()| chunks(&mut stream, &events)).is_err()
                        || stream.write_all(b"0\r\n\r\n").is_err()
                    {
                        return;
                    }
                }
                Script::Cut(events) => {
                    // dropped: the client may have gone first
                    drop(begin(&mut stream).and_then(|()| chunks(&mut stream, &events)));
                    return;
                }
                Script::Gated(before, after) => {
                    let begun = begin(&mut stream).and_then(|()| chunks(&mut stream, &before));
                    self.wait_released();
                    let ended = begun.and_then(|()| chunks(&mut stream, &after));
                    if ended.and_then(|()| stream.write_all(b"0\r\n\r\n")).is_err() {
                        return;
                    }
                }
                Script::Hang(events) => {
                    let written = begin(&mut stream).and_then(|()| chunks(&mut stream, &events));
                    return self.hang(&mut reader, written.is_ok());
                }
                Script::Silence => return self.hang(&mut reader, true),
            }
        }
    }

    /// Says nothing until the client closes.
    fn hang(&self, reader: &mut BufReader<TcpStream>, open: bool) {
        if open {
            let mut rest = Vec::new();
            // dropped: an error means the same as the end
            drop(reader.read_to_end(&mut rest));
        }
        let (lock, changed) = &*self.state;
        lock.lock().expect("no panic inside").gone.push(Instant::now());
        changed.notify_all();
    }
}

fn begin(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
}

fn chunks(stream: &mut TcpStream, events: &[String]) -> std::io::Result<()> {
    for event in events {
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
    }
    stream.flush()
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let (key, value) = header.split_once(':')?;
        if key.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { path, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null), at: Instant::now() })
}

/// `openai-completions` streams.
pub(crate) mod completions {
    use super::{Script, Value, json};

    fn chunk(delta: Value, finish: Option<&str>) -> String {
        let body = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model-a",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {body}\n\n")
    }

    fn end() -> [String; 2] {
        let usage = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model-a", "choices": [],
            "usage": {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24}});
        [format!("data: {usage}\n\n"), "data: [DONE]\n\n".to_owned()]
    }

    pub(crate) fn text_events(parts: &[&str]) -> Vec<String> {
        let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
        events.extend(parts.iter().map(|part| chunk(json!({"content": part}), None)));
        events
    }

    pub(crate) fn text(parts: &[&str]) -> Script {
        let mut events = text_events(parts);
        events.extend(stop());
        Script::Sse(events)
    }

    /// What ends a text.
    pub(crate) fn stop() -> Vec<String> {
        let mut events = vec![chunk(json!({}), Some("stop"))];
        events.extend(end());
        events
    }

    /// A text that stops in the middle until it is released.
    pub(crate) fn gated(before: &[&str], after: &[&str]) -> Script {
        let mut rest: Vec<String> = after.iter().map(|part| chunk(json!({"content": part}), None)).collect();
        rest.extend(stop());
        Script::Gated(text_events(before), rest)
    }

    pub(crate) fn tools(calls: &[(&str, &str, Value)]) -> Script {
        let mut events = vec![chunk(json!({"role": "assistant", "content": null}), None)];
        for (index, (id, name, arguments)) in calls.iter().enumerate() {
            let text = arguments.to_string();
            let (first, second) = text.split_at(text.len() / 2);
            events.push(chunk(
                json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": first}}]}),
                None,
            ));
            events.push(chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": second}}]}), None));
        }
        events.push(chunk(json!({}), Some("tool_calls")));
        events.extend(end());
        Script::Sse(events)
    }
}
