//! Who listens on a port of this machine.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Time allowed for each step.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Most bytes of an answer looked at.
const LOOK: u64 = 16 * 1024;

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// A gateway.
    Gateway,
    /// Nobody.
    Nobody,
    /// Something that answers otherwise.
    Stranger,
    /// Something that stays silent.
    Silent,
}

/// Asks `GET /health` on loopback. The probe endpoint needs no token, so no secret is sent.
pub(super) fn listener(port: u16) -> Listener {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut socket = match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(socket) => socket,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Listener::Nobody,
        Err(_) => return Listener::Silent,
    };
    let request = format!("GET /health HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    let sent = socket
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| socket.set_write_timeout(Some(PATIENCE)))
        .and_then(|()| socket.write_all(request.as_bytes()));
    if sent.is_err() {
        return Listener::Stranger;
    }
    let mut answer = Vec::new();
    let read = socket.take(LOOK).read_to_end(&mut answer);
    match (read, answer.is_empty()) {
        (Err(error), true) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Listener::Silent,
        _ if is_gateway(&String::from_utf8_lossy(&answer)) => Listener::Gateway,
        _ => Listener::Stranger,
    }
}

/// `{"ok":true,"status":"live"}`, as OpenClaw's gateways answer too.
fn is_gateway(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    head.starts_with("HTTP/1.1 ") && body.contains("\"ok\"") && body.contains("\"status\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn serve(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("bound").port();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a client");
            let mut seen = [0; 1024];
            let size = socket.read(&mut seen).expect("a request");
            assert!(size > 0);
            socket.write_all(answer).expect("the client reads");
        });
        port
    }

    #[test]
    fn listeners_are_told_apart() {
        let ours = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\n{\"ok\":true,\"status\":\"live\"}  ");
        assert_eq!(listener(ours), Listener::Gateway);
        assert_eq!(listener(serve(b"HTTP/1.1 200 OK\r\n\r\n<html>")), Listener::Stranger);
        assert_eq!(listener(serve(b"SSH-2.0-x\r\n")), Listener::Stranger);
        assert_eq!(listener(serve(b"")), Listener::Stranger, "it hangs up");
        let gone = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = gone.local_addr().expect("bound").port();
        drop(gone);
        assert_eq!(listener(port), Listener::Nobody);
    }
}
