//! Liveness, readiness and start-up probes, OpenClaw's shapes (`shared/protocol/PROTOCOL.md` §6).

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;

use super::respond::{Answer, json_text, json_value};
use crate::gateway::vitals::Vitals;

/// The process answers.
pub(super) fn live() -> Answer {
    json_text(StatusCode::OK, Bytes::from_static(br#"{"ok":true,"status":"live"}"#))
}

/// It takes work; 503 while it shuts down.
pub(super) fn ready(vitals: &Vitals) -> Answer {
    let draining = vitals.is_draining();
    let failing: &[&str] = if draining { &["shutting-down"] } else { &[] };
    let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    json_value(status, &json!({"ready": !draining, "failing": failing, "uptimeMs": vitals.uptime_ms()}))
}

/// Start-up is over.
pub(super) fn started(vitals: &Vitals) -> Answer {
    json_value(
        StatusCode::OK,
        &json!({
            "ok": true, "status": "started", "version": env!("CARGO_PKG_VERSION"), "uptimeMs": vitals.uptime_ms(),
        }),
    )
}
