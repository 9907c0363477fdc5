//! Load over kept-alive HTTP connections.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stats::{ms, quantile};

/// Sends GET requests over `connections` for `time`: requests per second, and p99 in milliseconds.
pub(crate) async fn load(port: u16, path: &str, connections: usize, time: Duration) -> Result<(f64, f64), String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let local = tokio::task::LocalSet::new();
    let began = Instant::now();
    let tasks: Vec<_> =
        (0..connections).map(|_| local.spawn_local(drive(port, request.clone().into_bytes(), began + time))).collect();
    local.await;
    let took = began.elapsed().as_secs_f64();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.map_err(|error| error.to_string())??);
    }
    let count = times.len() as f64;
    Ok((count / took, quantile(&mut times, 0.99)))
}

async fn drive(port: u16, request: Vec<u8>, end: Instant) -> Result<Vec<f64>, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let mut times = Vec::new();
    let mut buffer = Vec::with_capacity(8192);
    while Instant::now() < end {
        let began = Instant::now();
        stream.write_all(&request).await.map_err(text)?;
        buffer.clear();
        loop {
            if stream.read_buf(&mut buffer).await.map_err(text)? == 0 {
                return Err("the server closed the connection".to_owned());
            }
            if complete(&buffer) {
                break;
            }
        }
        if !buffer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("an answer was {}", String::from_utf8_lossy(&buffer[..buffer.len().min(40)])));
        }
        times.push(ms(began.elapsed()));
    }
    Ok(times)
}

/// Whether this is a whole answer with a Content-Length, or the last chunk of one without.
fn complete(buffer: &[u8]) -> bool {
    let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let length = buffer[..head].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| String::from_utf8_lossy(value).trim().parse::<usize>())
    });
    match length {
        Some(Ok(length)) => buffer.len() >= head + 4 + length,
        _ => buffer.ends_with(b"0\r\n\r\n"),
    }
}

/// Milliseconds for writing `body` as JSON and a POST of it on an open connection, to the end of the chunked answer.
pub(crate) async fn post_time(port: u16, body: &impl serde::Serialize) -> Result<f64, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let mut answer = Vec::with_capacity(8192);
    let began = Instant::now();
    let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
    let head = format!("POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.map_err(text)?;
    stream.write_all(&body).await.map_err(text)?;
    while !complete(&answer) {
        if stream.read_buf(&mut answer).await.map_err(text)? == 0 {
            return Err("the model server closed the connection".to_owned());
        }
    }
    Ok(ms(began.elapsed()))
}
