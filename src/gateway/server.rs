//! The listening socket, its connections, and their orderly end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::http;
use super::shared::Shared;
use crate::core::{Error, ErrorKind, Result};

/// Pause after the system refused a connection (no file descriptors, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds the address; refuses what is not loopback.
pub(super) async fn bind(address: IpAddr, port: u16) -> Result<TcpListener> {
    if !address.is_loopback() {
        return Err(Error::new(ErrorKind::Config, format!("the gateway does not listen on {address}"))
            .why("this version speaks plain HTTP, so it only listens on loopback addresses")
            .hint(
                "set gateway.bind to \"loopback\"; for other machines use an SSH tunnel or a TLS proxy on this one",
            ));
    }
    TcpListener::bind((address, port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Error::new(ErrorKind::Conflict, format!("port {port} on {address} is in use"))
            .why("another program, perhaps another openclaw gateway, listens there")
            .hint("stop it, or choose another port: gateway run --port <n>, or gateway.port in the configuration")
            .details(json!({"port": port, "address": address.to_string()}))
            .source(error),
        std::io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::Policy, format!("port {port} on {address} may not be used"))
                .why("ports below 1024 are reserved for the system")
                .hint("choose a port above 1023")
                .source(error)
        }
        _ => Error::new(ErrorKind::Unavailable, format!("the gateway cannot listen on {address} port {port}"))
            .hint("check the address with: ip address show lo")
            .source(error),
    })
}

/// A running server.
pub(super) struct Server {
    pub(super) shared: Arc<Shared>,
    stop_accepting: CancellationToken,
    stopped: CancellationToken,
}

impl Server {
    /// Starts accepting on a bound socket.
    pub(super) fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let stop_accepting = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::clone(&shared), stop_accepting.clone()));
        Self { shared, stop_accepting, stopped: CancellationToken::new() }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.shared.vitals.address
    }

    /// No further connections; the open ones hear why. True the first time.
    pub(super) fn begin_shutdown(&self, reason: &str) -> bool {
        if !self.shared.vitals.start_draining() {
            return false;
        }
        self.stop_accepting.cancel();
        self.shared.hub.broadcast("shutdown", &json!({"reason": reason}));
        true
    }

    /// Closes every connection after what is queued for it.
    pub(super) async fn close(&self) {
        let shared = &self.shared;
        for connection in shared.hub.everybody() {
            connection.outbox.close(1012, "service restart");
        }
        shared.closing.cancel();
        shared.tasks.close();
        if timeout(shared.tuning.close_timeout, shared.tasks.wait()).await.is_err() {
            tracing::info!(open = shared.tasks.len(), "connections that do not close are cut");
            shared.kill.cancel();
            if timeout(shared.tuning.close_timeout, shared.tasks.wait()).await.is_err() {
                tracing::warn!(open = shared.tasks.len(), "connections are still open");
            }
        }
        self.stopped.cancel();
    }

    /// Resolves when [`Self::close`] has ended.
    pub(super) async fn wait(&self) {
        self.stopped.cancelled().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting.cancel();
        self.shared.closing.cancel();
        self.shared.kill.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(shared.tuning.max_connections));
    let builder = builder(&shared);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    shared.tasks.spawn(connection(builder.clone(), stream, peer.ip(), Arc::clone(&shared), place));
                }
                Err(_none_left) => {
                    tracing::warn!(limit = shared.tuning.max_connections, "a connection is refused: too many are open");
                }
            },
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(shared: &Shared) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(shared.tuning.header_timeout)
        .max_buf_size(64 * 1024)
        .max_header_size(shared.tuning.max_head)
        .max_headers(64);
    builder
}

async fn connection(
    builder: http1::Builder,
    stream: TcpStream,
    peer: IpAddr,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    shared.vitals.connections.fetch_add(1, Ordering::Relaxed);
    let service_shared = Arc::clone(&shared);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&service_shared);
        async move { Ok::<_, std::convert::Infallible>(http::handle(shared, peer, request).await) }
    });
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let mut closing = std::pin::pin!(shared.closing.cancelled());
    let mut kill = std::pin::pin!(shared.kill.cancelled());
    let mut asked_to_close = false;
    loop {
        tokio::select! {
            biased;
            result = serving.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%peer, %error, "an HTTP connection ended early");
                }
                break;
            }
            () = closing.as_mut(), if !asked_to_close => {
                asked_to_close = true;
                serving.as_mut().graceful_shutdown();
            }
            () = kill.as_mut() => break,
        }
    }
    shared.vitals.connections.fetch_sub(1, Ordering::Relaxed);
}
