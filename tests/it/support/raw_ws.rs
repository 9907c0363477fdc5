//! A WebSocket by hand, so that a test decides about every bit of a frame (RFC 6455 §5.2).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Opcodes, with the bit that says that the message is complete.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

pub(crate) struct RawWs {
    pub(crate) stream: TcpStream,
    bytes: Vec<u8>,
}

impl RawWs {
    pub(crate) fn connect(port: u16, token: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut socket = Self { stream, bytes: Vec::new() };
        let end = loop {
            if let Some(at) = socket.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(socket.fill(), "the handshake is answered");
        };
        let head = String::from_utf8_lossy(&socket.bytes[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        socket.bytes.drain(..end);
        socket
    }

    fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.bytes.extend_from_slice(&chunk[..count]);
                true
            }
        }
    }

    /// Sends bytes as they are; a server that has closed already is no failure here.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next frame: first byte and payload. `None` when the connection has ended.
    pub(crate) fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        while self.bytes.len() < 2 {
            self.fill().then_some(())?;
        }
        let (start, length) = loop {
            let length = usize::from(self.bytes[1] & 0x7F);
            let wide = match length {
                126 => 2,
                127 => 8,
                _ => break (2, length),
            };
            if self.bytes.len() >= 2 + wide {
                let value = self.bytes[2..2 + wide].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                break (2 + wide, value);
            }
            self.fill().then_some(())?;
        };
        while self.bytes.len() < start + length {
            self.fill().then_some(())?;
        }
        let first = self.bytes[0];
        let payload = self.bytes[start..start + length].to_vec();
        self.bytes.drain(..start + length);
        Some((first, payload))
    }

    /// The next text frame as JSON.
    pub(crate) fn json(&mut self) -> Value {
        let (first, payload) = self.frame().expect("the connection lives");
        assert_eq!(first, TEXT, "{}", String::from_utf8_lossy(&payload));
        serde_json::from_slice(&payload).expect("frames are JSON")
    }

    /// The next answer; events of a run may come before it.
    pub(crate) fn reply(&mut self) -> Value {
        loop {
            let frame = self.json();
            if frame.get("id").is_some() {
                return frame;
            }
        }
    }

    /// The code of the next close frame; `None` when the connection ends without one.
    pub(crate) fn close_code(&mut self) -> Option<u16> {
        loop {
            let (first, payload) = self.frame()?;
            if first == CLOSE {
                return payload.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes));
            }
        }
    }
}

/// A frame as clients must send it: masked.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = head(first, payload.len(), 0x80);
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame without a mask, which only servers may send.
pub(crate) fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len(), 0);
    frame.extend_from_slice(payload);
    frame
}

/// The head of a masked frame that announces `length` bytes; none of them follow.
pub(crate) fn announcing(first: u8, length: usize) -> Vec<u8> {
    let mut frame = head(first, length, 0x80);
    frame.extend_from_slice(&[0; 4]);
    frame
}

fn head(first: u8, length: usize, mask: u8) -> Vec<u8> {
    let mut head = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => head.push(mask | short),
        (_, Ok(medium)) => {
            head.push(mask | 0x7E);
            head.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            head.push(mask | 0x7F);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head
}
