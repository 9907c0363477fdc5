//! Where the approvals are: at the gateway if one runs, else in this machine's database.

use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::core::{Error, ErrorKind, Result, now_ms};
use crate::runtime::approvals::{self, document, shape};
use crate::sandbox::SandboxLevel;
use crate::state::{Access, OpenOptions, Store};
use crate::tools::policy::{ExecApprovals, ExecPolicy};

/// Who decides, for the record.
pub(super) const REVIEWER: &str = "openclaw approvals";

/// Asks the gateway; without one, and unless a person named it, does `here` instead.
pub(super) fn ask(
    context: &Context,
    connect: &ConnectArgs,
    method: &str,
    params: &Value,
    here: impl FnOnce() -> Result<Value>,
) -> Result<Value> {
    let config = context.config().ok(); // dropped: approvals need no configuration, only a reachable gateway or the database
    let target = Target::resolve(context, connect, config.as_ref())?;
    let explicit = target.explicit;
    match RpcClient::new(target, connect.patience(), &context.out).call(method, params) {
        Err(error) if error.kind() == ErrorKind::Unreachable && !explicit => here(),
        answer => answer,
    }
}

/// The error of what only a running gateway can do.
pub(super) fn needs_gateway() -> Error {
    Error::new(ErrorKind::Unreachable, "no gateway is running, so nothing waits for a decision")
        .why("questions end when the process that asked them ends")
        .hint("openclaw gateway run")
}

/// `exec.approvals.get`.
pub(super) fn get(context: &Context, connect: &ConnectArgs) -> Result<Value> {
    ask(context, connect, "exec.approvals.get", &json!({}), || match context.store()? {
        Some(store) => shown(context, &store.read_blocking(document::load)?),
        None => shown(
            context,
            &document::Snapshot { exists: false, document: ExecApprovals::default(), hash: String::new() },
        ),
    })
}

/// `exec.approvals.set`.
pub(super) fn set(context: &Context, connect: &ConnectArgs, file: &Value, base_hash: Option<&str>) -> Result<Value> {
    let mut params = json!({"file": file});
    if let Some(hash) = base_hash.filter(|hash| !hash.is_empty()) {
        params["baseHash"] = hash.into();
    }
    ask(context, connect, "exec.approvals.set", &params, || {
        let approvals = ExecApprovals::parse(file.clone())?;
        let base = base_hash.filter(|hash| !hash.is_empty()).map(str::to_owned);
        let snapshot =
            write(context, move |tx| document::replace(tx, &approvals, base.as_deref(), REVIEWER, now_ms()))?;
        shown(context, &snapshot)
    })
}

/// `exec.approval.grants.list`.
pub(super) fn grants(context: &Context, connect: &ConnectArgs) -> Result<Value> {
    ask(context, connect, "exec.approval.grants.list", &json!({}), || {
        let grants = match context.store()? {
            Some(store) => store.read_blocking(|tx| tx.standing_grants(now_ms()))?,
            None => Vec::new(),
        };
        Ok(json!({"grants": grants.iter().map(shape::grant).collect::<Vec<_>>()}))
    })
}

/// `exec.approval.grants.revoke`.
pub(super) fn revoke(context: &Context, connect: &ConnectArgs, id: &str) -> Result<Value> {
    ask(context, connect, "exec.approval.grants.revoke", &json!({"grantId": id}), || {
        let grant = id.to_owned();
        write(context, move |tx| approvals::revoke(tx, &grant, REVIEWER))?;
        Ok(json!({"ok": true, "grantId": id}))
    })
}

fn write<T: Send + 'static>(
    context: &Context,
    change: impl FnOnce(&crate::state::WriteTx<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let store = Store::open(&context.paths, &OpenOptions { durability_full: false, access: Access::Write })?;
    let result = store.write_blocking(change);
    store.close_blocking()?;
    result
}

fn shown(context: &Context, snapshot: &document::Snapshot) -> Result<Value> {
    let config = context.config()?;
    let agent = config.view.default_agent();
    let level = agent.sandbox.level.as_deref().and_then(SandboxLevel::parse).unwrap_or(SandboxLevel::Strict);
    let policy = ExecPolicy::new(&agent.tools, &snapshot.document, "", level);
    Ok(shape::document(snapshot, &context.paths.database().display().to_string(), &policy))
}
