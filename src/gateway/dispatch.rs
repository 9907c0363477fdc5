//! From a message to its answer: parse, call, reply. Independent of the transport and of the methods.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;

use super::events::Connection;
use super::jsonrpc::{self, Entry, Message, Request, RpcError};
use crate::core::{Error, Result};

/// Calls of one batch that run at the same time.
const BATCH_CONCURRENCY: usize = 16;

/// Answers method calls.
pub(crate) trait Dispatcher: Send + Sync + 'static {
    /// Runs one call. `params` is an object or an array.
    fn call<'a>(&'a self, method: &'a str, params: Option<Value>, caller: &'a Caller) -> BoxFuture<'a, Result<Value>>;

    /// Ends the work behind the methods: let it finish for `grace`, then record what is left.
    fn shutdown(&self, _grace: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// Who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The WebSocket connection, if the call came over one: only there events can follow.
    pub(crate) connection: Option<Arc<Connection>>,
    /// When the call was read.
    pub(crate) received: Instant,
}

impl Caller {
    /// A caller without a connection (HTTP).
    pub(crate) fn anonymous() -> Self {
        Self { connection: None, received: Instant::now() }
    }

    /// A caller on a WebSocket.
    pub(crate) fn connected(connection: Arc<Connection>) -> Self {
        Self { connection: Some(connection), received: Instant::now() }
    }
}

/// Answers one message; `None` when it held only notifications.
pub(crate) async fn answer(dispatcher: &dyn Dispatcher, caller: &Caller, message: &[u8]) -> Option<String> {
    match jsonrpc::parse(message) {
        Err(error) => Some(jsonrpc::failure(None, &error)),
        Ok(Message::Single(entry)) => answer_entry(dispatcher, caller, entry).await,
        Ok(Message::Batch(entries)) => {
            let calls: Vec<BoxFuture<'_, Option<String>>> =
                entries.into_iter().map(|entry| answer_entry(dispatcher, caller, entry).boxed()).collect();
            let answers: Vec<String> =
                stream::iter(calls).buffered(BATCH_CONCURRENCY).filter_map(std::future::ready).collect().await;
            (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
        }
    }
}

async fn answer_entry(dispatcher: &dyn Dispatcher, caller: &Caller, entry: Entry<'_>) -> Option<String> {
    let Request { id, method, params } = match entry {
        Entry::Request(request) => request,
        Entry::Invalid { id, error } => return Some(jsonrpc::failure(id, &error)),
    };
    let outcome = match params {
        Ok(params) => guarded(dispatcher, &method, params, caller).await.map_err(RpcError::from),
        Err(error) => Err(error),
    };
    let id = id?;
    Some(match outcome {
        Ok(result) => jsonrpc::success(id, &result),
        Err(error) => jsonrpc::failure(Some(id), &error),
    })
}

/// A bug in one method must not take the connection of its caller with it.
async fn guarded(dispatcher: &dyn Dispatcher, method: &str, params: Option<Value>, caller: &Caller) -> Result<Value> {
    let call = std::panic::AssertUnwindSafe(dispatcher.call(method, params, caller));
    match call.catch_unwind().await {
        Ok(result) => result,
        Err(_panic) => {
            tracing::error!(method, "a method panicked");
            Err(Error::internal(format!("the method {method} failed because of a bug in this program"))
                .hint("the log has the place: openclaw logs; please report it"))
        }
    }
}
