//! Reads request bodies without trusting their sender: bounded in size, in time and in memory over all connections.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::EXPECT;
use hyper::{Request, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::respond::HttpError;
use crate::core::ErrorKind;
use crate::gateway::tuning::Tuning;

/// Unread rest of a body that is too large: read and thrown away, so that the client gets to read our answer.
const MAX_DISCARD: usize = 128 * 1024 * 1024;
/// Memory is reserved in steps of this many bytes.
const STEP: usize = 64 * 1024;

/// Counts the bytes of bodies being read, over all connections.
pub(crate) struct BodyMemory {
    steps: Semaphore,
}

impl BodyMemory {
    /// Room for this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { steps: Semaphore::new(bytes.div_ceil(STEP)) }
    }
}

/// The whole body.
pub(super) async fn read(
    request: Request<Incoming>,
    tuning: &Tuning,
    memory: &BodyMemory,
) -> Result<Vec<u8>, HttpError> {
    let waits_for_continue = request.headers().contains_key(EXPECT);
    let mut body = request.into_body();
    let deadline = Instant::now() + tuning.body_total;
    let announced = body.size_hint().lower();
    if announced > tuning.max_body as u64 {
        if !waits_for_continue {
            discard(&mut body, deadline, tuning.body_idle).await;
        }
        return Err(too_large(tuning.max_body));
    }
    let mut collected = Vec::new();
    let mut reserved = memory.steps.try_acquire_many(0).map_err(|error| no_memory(&error))?;
    while let Some(piece) = next(&mut body, deadline, tuning.body_idle).await? {
        if collected.len() + piece.len() > tuning.max_body {
            drop(collected);
            discard(&mut body, deadline, tuning.body_idle).await;
            return Err(too_large(tuning.max_body));
        }
        let wanted = (collected.len() + piece.len()).div_ceil(STEP).saturating_sub(reserved.num_permits());
        if wanted > 0 {
            let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
            reserved.merge(memory.steps.try_acquire_many(wanted).map_err(|error| no_memory(&error))?);
        }
        collected.extend_from_slice(&piece);
    }
    Ok(collected)
}

async fn next(body: &mut Incoming, deadline: Instant, idle: Duration) -> Result<Option<bytes::Bytes>, HttpError> {
    loop {
        let until = deadline.min(Instant::now() + idle);
        match timeout_at(until, body.frame()).await {
            Err(_elapsed) => {
                return Err(HttpError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    ErrorKind::Timeout,
                    "the request body did not arrive in time",
                    "send as many bytes as Content-Length says, without long pauses",
                )
                .closing());
            }
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(Some(Err(error))) => {
                return Err(HttpError::new(
                    StatusCode::BAD_REQUEST,
                    ErrorKind::User,
                    format!("the request body cannot be read: {error}"),
                    "send as many bytes as Content-Length says",
                )
                .closing());
            }
        }
    }
}

async fn discard(body: &mut Incoming, deadline: Instant, idle: Duration) {
    let mut left = MAX_DISCARD;
    while let Ok(Some(piece)) = next(body, deadline, idle).await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn too_large(limit: usize) -> HttpError {
    HttpError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::TooLarge,
        format!("the request body is larger than {limit} bytes"),
        "send less at once; attachments count as base64",
    )
    .closing()
}

fn no_memory(error: &tokio::sync::TryAcquireError) -> HttpError {
    tracing::warn!(%error, "request bodies use all the memory they may");
    HttpError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Unavailable,
        "too many large requests are being read right now",
        "send the request again in a moment",
    )
    .closing()
}
