use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Request};

use super::server::{Reply, Server, response};
use super::{HttpClient, HttpError, Timeouts};
use crate::core::limits;

const PATIENT: Timeouts = Timeouts { connect: Duration::from_secs(20), silence: Duration::from_secs(20) };

fn request(url: &str) -> Request<Full<Bytes>> {
    Request::post(url).body(Full::new(Bytes::from_static(b"{}"))).expect("a request")
}

#[tokio::test]
async fn a_response_without_end_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let server = Server::start([Reply::Flood(head, limits::MAX_PROVIDER_RESPONSE_BYTES * 2)]).await;
    let mut response = HttpClient::new().send(request(&server.url), PATIENT).await.expect("a head");
    let (mut total, error) = (
        0,
        loop {
            match response.body.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no end was sent"),
                Err(error) => break error,
            }
        },
    );
    total += limits::MAX_PROVIDER_RESPONSE_BYTES;
    assert!(matches!(error, HttpError::TooLarge(limit) if limit == total), "{error}");
}

#[tokio::test]
async fn a_model_list_is_bounded() {
    let server = Server::start([Reply::Close(response("200 OK", "", &"y".repeat(1000)))]).await;
    let uri = server.url.parse().expect("a URL");
    let (status, body) = HttpClient::new().get(uri, HeaderMap::new(), PATIENT, 100).await.expect("an answer");
    assert_eq!((status.as_u16(), body.len()), (200, 100));
}

#[tokio::test]
async fn a_server_that_takes_no_tls_runs_into_the_connect_time_out() {
    let server = Server::start([]).await;
    let url = server.url.replace("http://", "https://");
    let timeouts = Timeouts { connect: Duration::from_millis(50), ..PATIENT };
    let Err(error) = HttpClient::new().send(request(&url), timeouts).await else { panic!("no TLS there") };
    assert!(matches!(error, HttpError::ConnectTimeout(_)), "{error}");
}

#[tokio::test]
async fn what_is_not_http_is_a_broken_connection() {
    let server = Server::start([Reply::Close(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec())]).await;
    let Err(error) = HttpClient::new().send(request(&server.url), PATIENT).await else { panic!("no HTTP there") };
    assert!(matches!(error, HttpError::Broken(_)), "{error}");
}
