//! From a request to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ALLOW, HOST, HeaderValue, ORIGIN, UPGRADE, VARY,
};
use hyper::{HeaderMap, Method, Request, StatusCode};

use super::respond::{Answer, HttpError, no_content};
use super::{dashboard, probes, rpc};
use crate::core::ErrorKind;
use crate::gateway::auth::{Denied, secret_in_query};
use crate::gateway::origin::OriginVerdict;
use crate::gateway::shared::Shared;
use crate::gateway::ws;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Live,
    Ready,
    Started,
    Rpc,
    Socket,
    /// `/`: a page, or a WebSocket if the client asks for one.
    Root,
    Other,
}

impl Route {
    fn of(path: &str) -> Self {
        match path {
            "/health" | "/healthz" => Self::Live,
            "/ready" | "/readyz" => Self::Ready,
            "/startup" | "/startupz" => Self::Started,
            "/rpc" => Self::Rpc,
            "/ws" => Self::Socket,
            "/" => Self::Root,
            _ => Self::Other,
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Rpc => "POST, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }
}

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(crate) async fn handle(shared: Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let route = Route::of(request.uri().path());
    let allowed_origin = match admit(&shared, &request) {
        Ok(origin) => origin,
        Err(error) => return error.into_answer(route == Route::Rpc),
    };
    let mut answer = match dispatch(&shared, peer, route, request).await {
        Ok(answer) => answer,
        Err(error) => error.into_answer(route == Route::Rpc),
    };
    if let Some(origin) = allowed_origin {
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    answer
}

/// Host and Origin checks; gives back the origin if it needs CORS headers.
fn admit(shared: &Shared, request: &Request<Incoming>) -> Result<Option<HeaderValue>, HttpError> {
    let headers = request.headers();
    let host = single_header(headers, &HOST).ok_or_else(|| {
        HttpError::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::User,
            "the request needs exactly one Host header",
            "use an HTTP/1.1 client",
        )
    })?;
    let authority_fits =
        request.uri().authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(host));
    if !authority_fits || !shared.origins.host_is_ours(host) {
        return Err(HttpError::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Policy,
            "the Host header does not name this gateway",
            "call it by 127.0.0.1 or localhost and its port; for a proxy, add the proxy's origin to gateway.controlUi.allowedOrigins",
        ));
    }
    if !headers.contains_key(ORIGIN) {
        return Ok(None);
    }
    let verdict =
        single_header(headers, &ORIGIN).map_or(OriginVerdict::Refused, |origin| shared.origins.judge(origin, host));
    match verdict {
        OriginVerdict::Own => Ok(None),
        OriginVerdict::Allowed => Ok(headers.get(ORIGIN).cloned()),
        OriginVerdict::Refused => Err(HttpError::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Policy,
            "web pages of this origin may not call the gateway",
            "open the gateway's own page, or add the origin to gateway.controlUi.allowedOrigins",
        )),
    }
}

/// The header's text, if there is exactly one and it is text.
fn single_header<'h>(headers: &'h HeaderMap, name: &hyper::header::HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    // dropped: a header that is not text is treated like a missing one
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

async fn dispatch(
    shared: &Arc<Shared>,
    peer: IpAddr,
    route: Route,
    request: Request<Incoming>,
) -> Result<Answer, HttpError> {
    if request.method() == Method::OPTIONS {
        return Ok(options(route));
    }
    if request.uri().query().is_some_and(secret_in_query) {
        return Err(HttpError::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::Auth,
            "credentials in the URL are refused, because URLs end up in logs and histories",
            "send Authorization: Bearer <token>; browsers: the WebSocket subprotocol openclaw.bearer.<token>",
        ));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match route {
        Route::Rpc if *request.method() == Method::POST => {
            authenticate(shared, peer, &request)?;
            rpc::post(shared, request).await
        }
        Route::Rpc => Err(HttpError::wrong_method(route.allow())),
        _ if !reads => Err(HttpError::wrong_method(route.allow())),
        Route::Live => Ok(probes::live()),
        Route::Ready => Ok(probes::ready(&shared.vitals)),
        Route::Started => Ok(probes::started(&shared.vitals)),
        Route::Socket => socket(shared, peer, request),
        Route::Root if request.headers().contains_key(UPGRADE) => socket(shared, peer, request),
        Route::Root | Route::Other => dashboard::page(request.uri().path(), request.headers()).ok_or_else(|| {
            HttpError::new(
                StatusCode::NOT_FOUND,
                ErrorKind::NotFound,
                "there is nothing at this path",
                "POST /rpc and GET /ws take method calls; GET /health answers without a token",
            )
        }),
    }
}

fn socket(shared: &Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Result<Answer, HttpError> {
    let accept = ws::check_handshake(&request)?;
    authenticate(shared, peer, &request)?;
    Ok(ws::upgrade(shared, request, &accept))
}

fn authenticate(shared: &Shared, peer: IpAddr, request: &Request<Incoming>) -> Result<(), HttpError> {
    match shared.auth.check(request.headers(), peer, Instant::now()) {
        Ok(()) => Ok(()),
        Err(Denied::Missing) => Err(HttpError::unauthorized("this needs the gateway's token or password")),
        Err(Denied::Wrong) => {
            tracing::warn!(%peer, "a wrong gateway token or password was sent");
            Err(HttpError::unauthorized("the token or password is wrong"))
        }
        Err(Denied::Limited { retry_after }) => Err(HttpError::too_many_failures(retry_after.as_secs() + 1)),
    }
}

fn options(route: Route) -> Answer {
    let mut answer = no_content();
    let headers = answer.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(route.allow()));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    answer
}
