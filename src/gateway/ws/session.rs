//! The reading side of a connection.
//!
//! A call that is ready at once is answered from here; others get their own task, so a slow call holds up nobody.
//! When `Tuning::in_flight` calls run, nothing more is read: the client's socket fills up instead of our memory.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::SplitStream;
use futures_util::{FutureExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::writer;
use crate::gateway::dispatch::{Caller, answer};
use crate::gateway::events::Connection;
use crate::gateway::shared::Shared;

/// The stream over the socket hyper hands over.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long a client may take to read the reason of a close before the socket goes away.
const LINGER: Duration = Duration::from_secs(2);

/// Serves one connection to its end.
pub(super) async fn run(shared: Arc<Shared>, socket: Upgraded) {
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = 8 * 1024;
    config.write_buffer_size = 16 * 1024;
    config.max_message_size = Some(shared.tuning.max_message);
    config.max_frame_size = Some(shared.tuning.max_message);
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(socket), Role::Server, Some(config)).await;
    let connection = shared.hub.connect(&shared.tuning);
    let (sink, stream) = socket.split();
    let writer = tokio::spawn(writer::run(Arc::clone(&connection), sink, shared.tuning.write_timeout));
    let stream = read(&shared, &connection, stream).await;
    shared.hub.disconnect(&connection);
    connection.outbox.close(1000, "");
    match timeout(LINGER, writer).await {
        Ok(Ok(sink)) => {
            if let Ok(socket) = sink.reunite(stream) {
                linger(socket).await;
            }
        }
        Ok(Err(error)) => tracing::error!(%error, "the writer of a WebSocket failed"),
        Err(_elapsed) => connection.outbox.overflow.cancel(),
    }
}

/// Reads until the connection ends for whatever reason.
async fn read(
    shared: &Arc<Shared>,
    connection: &Arc<Connection>,
    mut stream: SplitStream<Socket>,
) -> SplitStream<Socket> {
    let interval = shared.tuning.ping_interval;
    let mut pings = interval_at(Instant::now() + interval, interval);
    let mut last_heard = Instant::now();
    let in_flight = Arc::new(Semaphore::new(shared.tuning.in_flight));
    loop {
        let message = tokio::select! {
            message = stream.next() => message,
            _ = pings.tick() => {
                if last_heard.elapsed() >= 2 * interval {
                    tracing::debug!(connection = connection.id, "a WebSocket client is silent, also when pinged");
                    connection.outbox.close(1001, "no answer to pings");
                    connection.outbox.overflow.cancel();
                    return stream;
                }
                if last_heard.elapsed() >= interval / 2 {
                    connection.outbox.ping();
                }
                continue;
            }
            () = connection.gone.cancelled() => return stream,
            () = shared.kill.cancelled() => return stream,
        };
        last_heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => {
                if !serve(shared, connection, &in_flight, text).await {
                    return stream;
                }
            }
            Some(Ok(Message::Binary(_))) => {
                connection.outbox.close(1003, "only text frames with JSON-RPC 2.0 are understood");
                return stream;
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_))) => {}
            Some(Err(error)) => {
                refuse(connection, &error);
                return stream;
            }
            None => return stream,
        }
    }
}

/// Starts answering one message; false when the connection ended while waiting for a free place.
async fn serve(
    shared: &Arc<Shared>,
    connection: &Arc<Connection>,
    in_flight: &Arc<Semaphore>,
    text: Utf8Bytes,
) -> bool {
    let permit = tokio::select! {
        permit = Arc::clone(in_flight).acquire_owned() => permit,
        () = connection.gone.cancelled() => return false,
        () = shared.kill.cancelled() => return false,
    };
    let Ok(permit) = permit else { return false };
    let dispatcher = Arc::clone(&shared.dispatcher);
    let caller = Caller::connected(Arc::clone(connection));
    let mut call = Box::pin(async move {
        if let Some(reply) = answer(&*dispatcher, &caller, text.as_bytes()).await
            && let Some(connection) = &caller.connection
        {
            connection.outbox.reply(reply);
        }
        drop(permit);
    });
    if call.as_mut().now_or_never().is_none() {
        let gone = connection.gone.clone();
        shared.tasks.spawn(async move {
            tokio::select! {
                () = call => {}
                () = gone.cancelled() => {}
            }
        });
    }
    true
}

fn refuse(connection: &Connection, error: &WsError) {
    match error {
        WsError::Capacity(_) => connection.outbox.close(1009, "the message is larger than this server accepts"),
        WsError::Utf8(_) => connection.outbox.close(1007, "the text is not valid UTF-8"),
        WsError::Protocol(_) => connection.outbox.close(1002, "this is not valid WebSocket framing"),
        WsError::ConnectionClosed | WsError::AlreadyClosed | WsError::Io(_) => {}
        other => {
            tracing::debug!(connection = connection.id, error = %other, "a WebSocket ended");
            connection.outbox.close(1011, "the connection cannot go on");
        }
    }
}

/// Reads what the client still sends for a moment: closing a socket with unread bytes would throw away our last frames.
async fn linger(mut socket: Socket) {
    let inner = socket.get_mut();
    let drain = async {
        let mut waste = vec![0_u8; 16 * 1024];
        while let Ok(count) = inner.read(&mut waste).await {
            if count == 0 {
                return;
            }
        }
    };
    if timeout(LINGER, drain).await.is_err() {
        tracing::trace!("a WebSocket client kept the socket open after the close");
    }
}
