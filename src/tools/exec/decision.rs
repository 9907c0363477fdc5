//! Whether a command may run: the one place where `exec` asks.

use ring::digest::{SHA256, digest};
use serde_json::json;

use super::context::ExecContext;
use super::prepare::Prepared;
use super::profile::ExecProfile;
use super::request::Request;
use crate::sandbox::SandboxLevel;
use crate::tools::support::Failure;
use crate::tools::{ApprovalDecision, ApprovalRequest, ToolContext};

/// Fails unless the command may run; waits for a person where the settings ask for one.
pub(super) async fn decide(
    context: &ToolContext,
    exec: &ExecContext,
    profile: &ExecProfile,
    request: &Request,
    prepared: &Prepared,
) -> Result<(), Failure> {
    let confined = profile.level() != SandboxLevel::None;
    let security = exec.settings.security.as_deref().unwrap_or(if confined { "full" } else { "allowlist" });
    let ask = exec.settings.ask.as_deref().unwrap_or(if confined { "off" } else { "on-miss" });
    let reason = match (security, ask) {
        ("full", "off" | "on-miss") => return Ok(()),
        ("full" | "allowlist", "always") => "tools.exec.ask is always",
        ("allowlist", "on-miss") => "commands run without a sandbox here",
        _ => {
            return Err(Failure::new(
                "The command was not run: tools.exec.security does not allow it. A person can change that.",
            ));
        }
    };
    let mut environment = Vec::new();
    for (name, value) in &prepared.command.env {
        environment.extend_from_slice(name.as_encoded_bytes());
        environment.push(b'=');
        environment.extend_from_slice(value.as_encoded_bytes());
        environment.push(0);
    }
    let binding = json!({
        "argv": request.argv,
        "cwd": prepared.cwd.to_string_lossy(),
        "environment": data_encoding::HEXLOWER.encode(digest(&SHA256, &environment).as_ref()),
        "sandbox": profile.level(),
    });
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, binding.to_string().as_bytes()).as_ref());
    let asked = ApprovalRequest {
        kind: "exec",
        tool: "exec".to_owned(),
        summary: request.command.clone(),
        reason: reason.to_owned(),
        binding,
        fingerprint,
        may_stand: false,
    };
    let decision = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(Failure::cancelled()),
        decision = context.approver.decide(&context.call, asked) => decision,
    };
    match decision {
        ApprovalDecision::Allowed { .. } => Ok(()),
        ApprovalDecision::Denied { reason } => Err(Failure::new(format!("The command was not run: {reason}."))),
    }
}
