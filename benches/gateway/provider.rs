//! A model server that answers at once, and notes when what happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Times of the newest request, in nanoseconds since the server's start.
#[derive(Default)]
pub(crate) struct Times {
    /// The last bytes of the request.
    request: AtomicU64,
    /// Just before the first piece of text is written.
    first: AtomicU64,
    /// The last byte is written.
    last: AtomicU64,
    /// Bytes of the request's body.
    body: AtomicU64,
    /// Pause between the first and the last piece, in microseconds.
    pause: AtomicU64,
}

/// The server, on a thread of its own.
pub(crate) struct Provider {
    pub(crate) port: u16,
    began: Instant,
    times: Arc<Times>,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, began: Instant::now(), times: Arc::default() };
        let (began, times) = (server.began, Arc::clone(&server.times));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let answers = Arc::new(Answers::new());
                loop {
                    let Ok((stream, _)) = listener.accept().await else { continue };
                    let (answers, times) = (Arc::clone(&answers), Arc::clone(&times));
                    tokio::spawn(async move {
                        // dropped: the client closed the connection
                        drop(serve(stream, &answers, &times, began).await);
                    });
                }
            });
        });
        server
    }

    /// Waits so long after the first piece of text, so that it is on its way alone.
    pub(crate) fn pause_after_first(&self, pause: Duration) {
        self.times.pause.store(u64::try_from(pause.as_micros()).unwrap(), Ordering::SeqCst);
    }

    fn at(&self, time: &AtomicU64) -> Instant {
        self.began + Duration::from_nanos(time.load(Ordering::SeqCst))
    }

    /// When the newest request was complete.
    pub(crate) fn request(&self) -> Instant {
        self.at(&self.times.request)
    }

    /// When the newest answer's first text was about to be written.
    pub(crate) fn first(&self) -> Instant {
        self.at(&self.times.first)
    }

    /// When the newest answer was written.
    pub(crate) fn last(&self) -> Instant {
        self.at(&self.times.last)
    }

    /// Bytes of the newest request's body.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.times.body.load(Ordering::SeqCst)
    }
}

/// The answer in its parts.
struct Answers {
    whole: Vec<u8>,
    first: Vec<u8>,
    rest: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let chunk = |delta: Value, finish: Option<&str>| {
            event(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "instant",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let role = chunk(json!({"role": "assistant", "content": ""}), None);
        let text = chunk(json!({"content": "ok"}), None);
        let usage =
            event(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "instant",
            "choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21}}));
        let end = format!("{}{usage}{}0\r\n\r\n", chunk(json!({}), Some("stop")), framed("data: [DONE]\n\n"));
        let first = format!("{head}{role}{text}");
        Self { whole: format!("{first}{end}").into(), first: first.into(), rest: end.into() }
    }
}

fn event(body: &Value) -> String {
    framed(&format!("data: {body}\n\n"))
}

fn framed(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

async fn serve(mut stream: TcpStream, answers: &Answers, times: &Times, began: Instant) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let now = || u64::try_from(began.elapsed().as_nanos()).unwrap();
    let mut buffer: Vec<u8> = Vec::with_capacity(64 * 1024);
    loop {
        buffer.clear();
        let mut head_end = None;
        let mut length = 0;
        while head_end.is_none_or(|end| buffer.len() < end + length) {
            buffer.reserve(64 * 1024);
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            if head_end.is_none()
                && let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n")
            {
                head_end = Some(at + 4);
                length = content_length(&buffer[..at]);
            }
        }
        times.request.store(now(), Ordering::SeqCst);
        times.body.store(length as u64, Ordering::SeqCst);
        let pause = times.pause.load(Ordering::SeqCst);
        times.first.store(now(), Ordering::SeqCst);
        if pause > 0 {
            stream.write_all(&answers.first).await?;
            tokio::time::sleep(Duration::from_micros(pause)).await;
            stream.write_all(&answers.rest).await?;
        } else {
            stream.write_all(&answers.whole).await?;
        }
        times.last.store(now(), Ordering::SeqCst);
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}
