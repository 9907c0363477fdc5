//! `POST /rpc`.

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};

use super::body;
use super::respond::{Answer, HttpError, json_text, no_content};
use crate::core::ErrorKind;
use crate::gateway::dispatch::{Caller, answer};
use crate::gateway::shared::Shared;

/// Reads, answers. Notifications get 204.
pub(super) async fn post(shared: &Shared, request: Request<Incoming>) -> Result<Answer, HttpError> {
    if let Some(value) = request.headers().get(CONTENT_TYPE)
        && !is_json(value.as_bytes())
    {
        return Err(HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorKind::User,
            "the request body must be JSON",
            "send Content-Type: application/json, or none",
        ));
    }
    let message = body::read(request, &shared.tuning, &shared.body_memory).await?;
    let reply = answer(&*shared.dispatcher, &Caller::anonymous(), &message).await;
    Ok(reply.map_or_else(no_content, |text| json_text(StatusCode::OK, text)))
}

/// `application/json`, `application/json-rpc`, `application/jsonrequest`, `…+json`, with or without parameters.
fn is_json(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("+json")
        || matches!(essence.as_str(), "application/json" | "application/json-rpc" | "application/jsonrequest")
}
