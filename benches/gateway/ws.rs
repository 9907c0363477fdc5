//! A JSON-RPC client over WebSocket that costs as little as it can: the machine's cores are shared with the gateway.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Ws {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of `buffer` has been handed out.
    used: usize,
    next_id: u64,
}

impl Ws {
    pub(crate) async fn connect(port: u16, token: &str) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.map_err(text)?;
        let mut socket = Self { stream, buffer: Vec::with_capacity(64 * 1024), used: 0, next_id: 0 };
        loop {
            socket.fill().await?;
            if let Some(at) = socket.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                if !socket.buffer.starts_with(b"HTTP/1.1 101") {
                    return Err(format!("the handshake failed: {}", String::from_utf8_lossy(&socket.buffer)));
                }
                socket.used = at + 4;
                return Ok(socket);
            }
        }
    }

    async fn fill(&mut self) -> Result<(), String> {
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        }
        self.buffer.reserve(16 * 1024);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the gateway closed the connection".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Sends a call and gives its id. `params` is JSON.
    pub(crate) async fn send(&mut self, method: &str, params: &str) -> Result<u64, String> {
        self.next_id += 1;
        let id = self.next_id;
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        let mut frame = Vec::with_capacity(body.len() + 14);
        frame.push(0x81);
        match u16::try_from(body.len()) {
            Ok(short) if short < 126 => frame.push(0x80 | short as u8),
            Ok(length) => {
                frame.push(0x80 | 0x7e);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(body.len() as u64).to_be_bytes());
            }
        }
        // A mask of zeros leaves the text as it is.
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(body.as_bytes());
        self.stream.write_all(&frame).await.map_err(|error| error.to_string())?;
        Ok(id)
    }

    /// The next text frame. Pings are left unanswered: no measurement lasts as long as the gateway's patience.
    pub(crate) async fn next(&mut self) -> Result<&str, String> {
        loop {
            match self.frame() {
                Some((0x1, begin, end)) => {
                    self.used = end;
                    return std::str::from_utf8(&self.buffer[begin..end]).map_err(|error| error.to_string());
                }
                Some((0x8, begin, end)) => {
                    return Err(format!("closed: {}", String::from_utf8_lossy(&self.buffer[begin..end])));
                }
                Some((_, _, end)) => self.used = end,
                None => self.fill().await?,
            }
        }
    }

    /// Kind, begin and end of the frame at hand.
    fn frame(&self) -> Option<(u8, usize, usize)> {
        let bytes = &self.buffer[self.used..];
        let (head, length) = match bytes.get(1)? & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        let begin = self.used + head;
        (self.buffer.len() >= begin + length).then_some((bytes[0] & 0x0f, begin, begin + length))
    }

    /// Calls and gives the whole answer; notifications on the way are dropped.
    pub(crate) async fn call(&mut self, method: &str, params: &str) -> Result<String, String> {
        let id = self.send(method, params).await?;
        let wanted = format!("\"id\":{id}");
        loop {
            let text = self.next().await?;
            let head = &text[..text.len().min(64)];
            if head.contains(&wanted) {
                if text.contains("\"error\":{") && !text.contains("\"result\":") {
                    return Err(format!("{method}: {text}"));
                }
                return Ok(text.to_owned());
            }
        }
    }
}
