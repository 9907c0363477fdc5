//! Whose files are meant, and how they are reached.

use std::cell::OnceCell;

use clap::Args;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::config::LoadedConfig;
use crate::core::{Error, ErrorKind, Result};
use crate::gateway;
use crate::state::{Access, OpenOptions, Store};

/// Flags of every subcommand.
#[derive(Debug, Clone, Args)]
pub(super) struct TreeArgs {
    /// Whose files [default: the default agent's].
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// workspace, scratch or run/ID [default: by the agent's mode].
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// One tree of virtual files.
pub(super) struct Tree<'c> {
    context: &'c Context,
    args: TreeArgs,
    config: Option<LoadedConfig>,
    access: Access,
    client: RpcClient,
    /// Nobody else may stand in for a gateway that a person named.
    explicit: bool,
    /// Set when no gateway answers.
    store: OnceCell<Store>,
}

impl<'c> Tree<'c> {
    /// The tree that the flags mean; nothing is asked yet.
    pub(super) fn new(context: &'c Context, args: &TreeArgs, access: Access) -> Result<Self> {
        let config = context.config().ok(); // dropped: a gateway can be asked with a broken configuration too; `here` loads it again
        let target = Target::resolve(context, &args.connect, config.as_ref())?;
        let explicit = target.explicit;
        let client = RpcClient::new(target, args.connect.patience(), &context.out);
        Ok(Self { context, args: args.clone(), config, access, client, explicit, store: OnceCell::new() })
    }

    /// Runs a `vfs.*` method on the tree.
    pub(super) fn call(&self, method: &str, mut params: Value) -> Result<Value> {
        if let Some(agent) = &self.args.agent {
            params["agentId"] = agent.as_str().into();
        }
        if let Some(namespace) = &self.args.namespace {
            params["namespace"] = namespace.as_str().into();
        }
        if self.store.get().is_none() {
            match self.client.call(method, &params) {
                Err(error) if error.kind() == ErrorKind::Unreachable && !self.explicit => {}
                answer => return answer,
            }
        }
        self.here(method, params)
    }

    /// A part of a file: its bytes, and the answer they came in.
    pub(super) fn read(&self, path: &str, at: &Value, offset: u64, length: u64) -> Result<(Vec<u8>, Value)> {
        let params = json!({ "path": path, "at": at, "offset": offset, "length": length, "encoding": "base64" });
        let mut answer = self.call("vfs.read", params)?;
        let data = answer["data"].take();
        let bytes = data.as_str().and_then(|data| BASE64.decode(data.as_bytes()).ok()); // dropped: reported as one of two causes below
        match bytes {
            Some(bytes) => Ok((bytes, answer)),
            None => Err(Error::internal(format!("the content of {path} did not come as base64"))),
        }
    }

    /// The whole of a file, piece by piece; all of them are of one version.
    pub(super) fn each_piece(
        &self,
        path: &str,
        at: &Value,
        mut take: impl FnMut(&[u8]) -> crate::cli::error::Outcome,
    ) -> crate::cli::error::Outcome {
        let (mut offset, mut at) = (0, at.clone());
        loop {
            let (bytes, answer) = self.read(path, &at, offset, gateway::VFS_MAX_PIECE)?;
            take(&bytes)?;
            offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if answer["eof"] == true || bytes.is_empty() {
                return Ok(());
            }
            if at.is_null() {
                at = answer["revision"].clone();
            }
        }
    }

    fn here(&self, method: &str, params: Value) -> Result<Value> {
        let store = if let Some(store) = self.store.get() {
            store
        } else {
            let options = OpenOptions { durability_full: false, access: self.access };
            let opened = Store::open(&self.context.paths, &options)?;
            self.store.get_or_init(|| opened)
        };
        match &self.config {
            Some(config) => gateway::vfs_here(store, &config.view, method, params),
            None => gateway::vfs_here(store, &self.context.config()?.view, method, params),
        }
    }
}

/// `--at` as a parameter: a number is a revision.
pub(super) fn moment(text: Option<&String>) -> Value {
    match text {
        Some(text) => text.parse::<u64>().map_or_else(|_| text.as_str().into(), Value::from),
        None => Value::Null,
    }
}
