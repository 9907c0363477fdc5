//! Plain HTTP/1.1 over a socket, so that a test decides about every byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Sends raw bytes and reads one answer; `None` when the server closes without one.
pub(crate) fn raw(port: u16, request: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // A server may refuse before it has read everything.
    if stream.write_all(request).is_err() {
        return read_reply(&mut stream);
    }
    read_reply(&mut stream)
}

/// Reads one answer off a connection; what follows it is lost.
pub(crate) fn read_reply(stream: &mut TcpStream) -> Option<Reply> {
    Replies::new(stream).next()
}

/// Answers that come one after the other on one connection.
pub(crate) struct Replies<'s> {
    stream: &'s mut TcpStream,
    bytes: Vec<u8>,
}

impl<'s> Replies<'s> {
    pub(crate) fn new(stream: &'s mut TcpStream) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    fn fill(&mut self) -> Option<()> {
        let mut chunk = [0; 8192];
        match self.stream.read(&mut chunk) {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.bytes.extend_from_slice(&chunk[..count]);
                Some(())
            }
        }
    }
}

impl Iterator for Replies<'_> {
    type Item = Reply;

    /// `None` when the server closes or falls silent.
    fn next(&mut self) -> Option<Reply> {
        let head_end = loop {
            if let Some(at) = self.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.bytes[..head_end]).into_owned();
        self.bytes.drain(..head_end);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = match reply.header("content-length") {
            _ if matches!(status, 100..=199 | 204 | 304) => Some(0),
            Some(value) => value.parse::<usize>().ok(),
            None => None,
        };
        while length.is_none_or(|length| self.bytes.len() < length) {
            if self.fill().is_none() {
                break;
            }
        }
        let end = length.unwrap_or(self.bytes.len()).min(self.bytes.len());
        reply.body = self.bytes.drain(..end).collect();
        Some(reply)
    }
}

/// A request as text.
pub(crate) fn request(method: &str, path: &str, port: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    for (key, value) in headers {
        text.push_str(&format!("{key}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A connection on which these bytes were sent.
pub(crate) fn send(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream.write_all(bytes).expect("the server reads");
    stream
}

/// GET without credentials.
pub(crate) fn get(port: u16, path: &str) -> Reply {
    raw(port, &request("GET", path, port, &[], b"")).expect("an answer")
}
