//! A scripted server on a loopback port, for tests. It speaks raw TCP, so that it can also break the rules of HTTP.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What to do with one request.
pub(crate) enum Reply {
    /// Write this and close.
    Close(Vec<u8>),
    /// Write this and wait for the next request on the same connection.
    Stay(Vec<u8>),
    /// Write this and stay silent until the client closes.
    Hang(Vec<u8>),
    /// Write this many bytes of `x` after the head, as fast as they are taken, and close.
    Flood(Vec<u8>, usize),
}

/// A request as it came.
pub(crate) struct Seen {
    /// Request line and headers, the names in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// The server; its tasks end with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    /// When a client closed a connection that hung.
    pub(crate) closed: mpsc::UnboundedReceiver<Instant>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers the requests of all connections with these replies in turn; when they are used up it closes.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let replies: Arc<Mutex<VecDeque<Reply>>> = Arc::new(Mutex::new(replies.into_iter().collect()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen_in, seen) = mpsc::unbounded_channel();
        let (closed_in, closed) = mpsc::unbounded_channel();
        let counter = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, replies.clone(), seen_in.clone(), closed_in.clone()));
            }
        });
        Self { url, seen, closed, connections }
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> Seen {
        self.seen.recv().await.expect("a request")
    }

    /// Requests that came and were not looked at.
    pub(crate) fn further_requests(&mut self) -> usize {
        std::iter::from_fn(|| self.seen.try_recv().ok()).count()
    }
}

async fn serve(
    mut stream: TcpStream,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: mpsc::UnboundedSender<Seen>,
    closed: mpsc::UnboundedSender<Instant>,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let head: String = String::from_utf8_lossy(&buffer[..end])
            .lines()
            .map(|line| match line.split_once(": ") {
                Some((name, value)) => format!("{}: {value}\n", name.to_ascii_lowercase()),
                None => format!("{line}\n"),
            })
            .collect();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        buffer.drain(..end + 4);
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        }
        let body = buffer.drain(..length).collect();
        // dropped: a test that ended does not look at requests any more
        seen.send(Seen { head, body }).ok();
        let reply = replies.lock().expect("not poisoned").pop_front()?;
        match reply {
            Reply::Stay(bytes) => stream.write_all(&bytes).await.ok()?,
            Reply::Close(bytes) => return stream.write_all(&bytes).await.ok(),
            Reply::Flood(bytes, count) => {
                stream.write_all(&bytes).await.ok()?;
                let block = vec![b'x'; 256 * 1024];
                for _ in 0..count.div_ceil(block.len()) {
                    stream.write_all(&block).await.ok()?;
                }
                return Some(());
            }
            Reply::Hang(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
                return closed.send(Instant::now()).ok();
            }
        }
    }
}

/// A whole response with its true length.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The head of an event stream and one chunk of it; without `last` the stream stays open.
pub(crate) fn events(body: &str, last: bool) -> Vec<u8> {
    let end = if last { "0\r\n\r\n" } else { "" };
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n{end}",
        body.len()
    )
    .into_bytes()
}
