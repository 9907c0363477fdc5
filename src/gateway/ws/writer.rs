//! The writing side of a connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, frame::coding::CloseCode};

use super::session::Socket;
use crate::gateway::events::{Close, Connection, Outgoing};

/// For the last frame when the client does not read.
const FAREWELL: Duration = Duration::from_millis(500);

/// Writes what is queued until the queue is closed or the client cannot be written to.
pub(super) async fn run(
    connection: Arc<Connection>,
    mut sink: SplitSink<Socket, Message>,
    write_timeout: Duration,
) -> SplitSink<Socket, Message> {
    let close = loop {
        let (items, close) = connection.outbox.take().await;
        let written = tokio::select! {
            biased;
            () = connection.outbox.overflow.cancelled() => break connection.outbox.take().await.1,
            written = timeout(write_timeout, write(&mut sink, items)) => written,
        };
        match written {
            Ok(Ok(())) if close.is_none() => {}
            Ok(Ok(())) => break close,
            Ok(Err(error)) => {
                tracing::debug!(connection = connection.id, %error, "a WebSocket client cannot be written to");
                break None;
            }
            Err(_elapsed) => {
                tracing::debug!(connection = connection.id, "a WebSocket client does not read");
                break Some(Close { code: 1008, reason: "slow consumer: the client does not read what it asked for" });
            }
        }
    };
    if let Some(close) = close {
        let frame = CloseFrame { code: CloseCode::from(close.code), reason: close.reason.into() };
        let farewell = async {
            sink.send(Message::Close(Some(frame))).await?;
            sink.flush().await
        };
        if !matches!(timeout(FAREWELL, farewell).await, Ok(Ok(()))) {
            tracing::debug!(connection = connection.id, code = close.code, "the client did not take the close frame");
        }
    }
    connection.gone.cancel();
    sink
}

async fn write(sink: &mut SplitSink<Socket, Message>, items: Vec<Outgoing>) -> Result<(), WsError> {
    for item in items {
        sink.feed(match item {
            Outgoing::Text(text) => Message::text(text),
            Outgoing::Ping => Message::Ping(bytes::Bytes::new()),
        })
        .await?;
    }
    sink.flush().await
}
