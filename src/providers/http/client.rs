//! The client and its calls.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::HttpBody;
use super::error::{HttpError, root_cause};
use crate::core::limits;

const POOL_IDLE: Duration = Duration::from_secs(90);
const POOL_IDLE_PER_HOST: usize = 8;
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How long a call may stall.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until the connection stands: name, TCP and TLS.
    pub connect: Duration,
    /// Without one byte: before the response's head, and between any two parts of its body.
    pub silence: Duration,
}

/// A response whose body is still to come.
pub struct HttpResponse {
    /// Status, of any kind.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: HttpBody,
}

/// The HTTP client. Clones share one connection pool; nothing is allocated before the first call.
#[derive(Clone, Default)]
pub struct HttpClient {
    inner: Arc<OnceLock<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>>,
}

impl HttpClient {
    /// A client with a pool of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request and waits for the head of its response. Dropping the future closes the connection.
    pub async fn send(&self, mut request: Request<Full<Bytes>>, timeouts: Timeouts) -> Result<HttpResponse, HttpError> {
        let upload = upload_time(request.body().size_hint().lower());
        let mut connection = capture_connection(&mut request);
        let mut responding = std::pin::pin!(self.client().request(request));
        let early = tokio::select! {
            response = &mut responding => Some(response),
            () = connected(&mut connection) => None,
            () = tokio::time::sleep(timeouts.connect) => return Err(HttpError::ConnectTimeout(timeouts.connect)),
        };
        let response = match early {
            Some(response) => response,
            None => tokio::time::timeout(timeouts.silence + upload, responding)
                .await
                .map_err(|_elapsed| HttpError::Silence(timeouts.silence))?,
        };
        let response = response.map_err(|error| {
            let cause = root_cause(&error);
            if error.is_connect() { HttpError::Connect(cause) } else { HttpError::Broken(cause) }
        })?;
        let (head, incoming) = response.into_parts();
        let body = HttpBody::new(incoming, timeouts.silence, limits::MAX_PROVIDER_RESPONSE_BYTES);
        Ok(HttpResponse { status: head.status, headers: head.headers, body })
    }

    /// GET with the whole body, at most `most` bytes of it. For model lists.
    pub async fn get(
        &self,
        uri: Uri,
        headers: HeaderMap,
        timeouts: Timeouts,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), HttpError> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let mut response = self.send(request, timeouts).await?;
        let body = response.body.head(most).await?;
        Ok((response.status, body))
    }

    fn client(&self) -> &Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
        self.inner.get_or_init(|| {
            Client::builder(TokioExecutor::new())
                .pool_idle_timeout(POOL_IDLE)
                .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
                .pool_timer(TokioTimer::new())
                .build(connector())
        })
    }
}

/// What a large request may take on its way before the server's silence begins: a long conversation with images over a slow line.
fn upload_time(bytes: u64) -> Duration {
    const BYTES_PER_MILLISECOND: u64 = 64;
    const QUICK: u64 = 256 * 1024;
    Duration::from_millis(bytes.saturating_sub(QUICK) / BYTES_PER_MILLISECOND)
}

fn connector() -> HttpsConnector<HttpConnector> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
    tcp.enforce_http(false);
    HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(tcp)
}

/// Resolves when the request has its connection; never if there will be none, because then the response has the error.
async fn connected(connection: &mut CaptureConnection) {
    if connection.wait_for_connection_metadata().await.is_none() {
        std::future::pending::<()>().await;
    }
}
