//! `config.*`: read with secrets hidden, write surgically, apply at once.

use std::sync::Arc;

use serde_json::{Value, json};

use super::services::{Services, blocking};
use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::config::{self, EditOutcome, GatewayConfig, LoadOptions, LoadedConfig};
use crate::core::{Error, Result, limits};
use crate::providers::ProviderRegistry;

/// Longest text taken.
#[expect(clippy::cast_possible_truncation, reason = "2 MiB fits everywhere")]
const MAX_RAW: usize = limits::MAX_CONFIG_BYTES as usize;

const RAW: Param = Param::required("raw", Type::Text(MAX_RAW), "JSON5 text");
const BASE_HASH: Param = Param::optional("baseHash", Type::Key, "hash of config.get; refuse if the file changed since");
const DRY_RUN: Param = Param::optional("dryRun", Type::Boolean, "check and show the change, write nothing");
const NOTE: Param = Param::optional("note", Type::Text(1000), "accepted for OpenClaw's clients; not stored");

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "config.get",
        summary: "The configuration, secrets replaced by __OPENCLAW_REDACTED__",
        params: &[],
        result: || {
            object_schema(
                &[
                    ("path", "string"),
                    ("exists", "boolean"),
                    ("valid", "boolean"),
                    ("issues", "array"),
                    ("warnings", "array"),
                    ("legacyIssues", "array"),
                    ("appliedConfigHash", "string"),
                ],
                &[
                    ("raw", "string"),
                    ("parsed", "any"),
                    ("sourceConfig", "any"),
                    ("resolved", "any"),
                    ("config", "any"),
                    ("runtimeConfig", "any"),
                    ("hash", "string"),
                ],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(get(call)),
    },
    Method {
        name: "config.schema",
        summary: "JSON Schema of the configuration",
        params: &[],
        result: || object_schema(&[("schema", "object"), ("uiHints", "object"), ("version", "string")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |_call| Box::pin(std::future::ready(Ok(schema()))),
    },
    Method {
        name: "config.set",
        summary: "Replaces the whole configuration file; redacted secrets keep their present value",
        params: &[RAW, BASE_HASH, DRY_RUN, NOTE],
        result: write_schema,
        scope: Scope::Admin,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(set(call)),
    },
    Method {
        name: "config.patch",
        summary: "Changes parts of the configuration: objects merge, other values replace, null deletes",
        params: &[
            RAW,
            BASE_HASH,
            Param::optional(
                "replacePaths",
                Type::Texts(100, 512),
                "paths whose value replaces the present one instead of merging",
            ),
            DRY_RUN,
            NOTE,
        ],
        result: write_schema,
        scope: Scope::Admin,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(patch(call)),
    },
];

fn write_schema() -> Value {
    object_schema(
        &[
            ("ok", "boolean"),
            ("path", "string"),
            ("hash", "string"),
            ("changedPaths", "array"),
            ("warnings", "array"),
            ("dryRun", "boolean"),
            ("requiresRestart", "boolean"),
            ("restartPaths", "array"),
        ],
        &[("config", "any"), ("diff", "string")],
    )
}

async fn get(call: Call) -> Result<Value> {
    let options = call.services.options.config.clone();
    let applied = call.services.runtime.config();
    blocking(move || {
        let loaded = match config::load(&options) {
            Ok(loaded) => loaded,
            Err(error) => return broken(&options, &applied, &error),
        };
        let parsed = config::redact(&loaded.source);
        let resolved = config::redact_resolved(&loaded);
        Ok(json!({
            "path": loaded.path, "exists": loaded.exists, "raw": config::redact_raw(&loaded.raw),
            "parsed": parsed, "sourceConfig": parsed, "resolved": resolved, "config": resolved, "runtimeConfig": resolved,
            "valid": true, "issues": [], "warnings": loaded.warnings, "legacyIssues": [],
            "hash": loaded.hash, "appliedConfigHash": applied.hash,
        }))
    })
    .await
}

/// The file cannot be used; the gateway works on with what it loaded before. The text and its hash are there, so that a
/// client can repair it.
fn broken(options: &LoadOptions, applied: &LoadedConfig, error: &Error) -> Result<Value> {
    let found = config::inspect(options)?;
    let mut issues = json!(found.issues);
    if found.issues.is_empty() {
        issues = json!([{"path": "", "message": error.to_string()}]);
    }
    let present = config::redact_resolved(applied);
    Ok(json!({
        "path": found.path, "exists": found.exists, "raw": found.raw, "parsed": found.source, "sourceConfig": found.source,
        "valid": false, "issues": issues, "warnings": found.warnings, "legacyIssues": [],
        "config": present, "runtimeConfig": present, "hash": found.hash, "appliedConfigHash": applied.hash,
    }))
}

fn schema() -> Value {
    json!({"schema": config::schema(), "uiHints": config::ui_hints(), "version": env!("CARGO_PKG_VERSION")})
}

async fn set(call: Call) -> Result<Value> {
    let raw = call.args.required("raw")?.to_owned();
    write(&call, move |options, base_hash, dry_run| config::replace(options, &raw, base_hash, dry_run)).await
}

async fn patch(call: Call) -> Result<Value> {
    let raw = call.args.required("raw")?.to_owned();
    let replace: Vec<String> =
        call.args.list("replacePaths").iter().filter_map(|path| path.as_str().map(str::to_owned)).collect();
    write(&call, move |options, base_hash, dry_run| config::patch(options, &raw, &replace, base_hash, dry_run)).await
}

/// Writes, then applies what was written.
async fn write<F>(call: &Call, change: F) -> Result<Value>
where
    F: FnOnce(&LoadOptions, Option<&str>, bool) -> Result<EditOutcome> + Send + 'static,
{
    let services = &call.services;
    let _turn = services.config_writes.lock().await;
    let options = services.options.config.clone();
    let base_hash = call.args.text("baseHash").map(str::to_owned);
    let dry_run = call.args.flag("dryRun") == Some(true);
    let (outcome, loaded) = blocking(move || {
        let outcome = change(&options, base_hash.as_deref(), dry_run)?;
        Ok((outcome, config::load(&options)?))
    })
    .await?;
    let restart = restart_paths(&services.in_force, &loaded.view.gateway);
    let mut answer = json!({
        "ok": true, "path": outcome.path, "hash": outcome.hash, "changedPaths": outcome.changed_paths,
        "warnings": outcome.warnings, "dryRun": dry_run, "requiresRestart": !dry_run && !restart.is_empty(),
        "restartPaths": if dry_run { Vec::new() } else { restart },
    });
    if dry_run {
        answer["diff"] = json!(outcome.diff);
        return Ok(answer);
    }
    answer["config"] = config::redact(&loaded.source);
    apply(services, loaded).await?;
    services.hub.config_changed(&outcome.path.to_string_lossy(), &outcome.hash);
    Ok(answer)
}

/// Future runs use the configuration from here on.
async fn apply(services: &Services, loaded: LoadedConfig) -> Result<()> {
    let registry = ProviderRegistry::build(&loaded.view, &loaded.env)?;
    if loaded.view.discover_local {
        registry.discover_local().await;
    }
    services.runtime.reconfigure(Arc::new(loaded), registry);
    Ok(())
}

/// Settings that the running gateway cannot take over and that differ from those in force.
fn restart_paths(before: &GatewayConfig, after: &GatewayConfig) -> Vec<&'static str> {
    [
        ("gateway.port", before.port != after.port),
        ("gateway.bind", before.bind != after.bind),
        ("gateway.auth.mode", before.auth_mode != after.auth_mode),
        ("gateway.auth.token", before.token != after.token),
        ("gateway.auth.password", before.password != after.password),
        ("gateway.controlUi.allowedOrigins", before.allowed_origins != after.allowed_origins),
    ]
    .into_iter()
    .filter_map(|(path, changed)| changed.then_some(path))
    .collect()
}
