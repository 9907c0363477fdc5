//! Finds, checks and runs methods.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::args::Args;
use super::services::Services;
use super::spec::{Call, Lifetime, Method};
use super::suggest::nearest;
use crate::core::{Error, ErrorKind, Result};
use crate::gateway::dispatch::{Caller, Dispatcher};

/// The table, ready for look-ups.
pub(crate) struct MethodTable {
    services: Arc<Services>,
    methods: HashMap<&'static str, &'static Method>,
}

impl MethodTable {
    /// All methods over these services.
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { services, methods: super::all().map(|method| (method.name, method)).collect() }
    }

    async fn run(&self, method: &str, params: Option<Value>, caller: &Caller) -> Result<Value> {
        let method = self.methods.get(method).ok_or_else(|| unknown_method(method))?;
        let args = Args::check(method, params)?;
        let call = Call { services: Arc::clone(&self.services), args, caller: caller.clone() };
        let running = (method.handler)(call);
        match method.lifetime {
            Lifetime::WhileConnected => running.await,
            Lifetime::ToTheEnd => tokio::spawn(running).await.map_err(|error| {
                Error::internal(format!("the method {} failed because of a bug in this program", method.name))
                    .hint("the log has the place: openclaw logs; please report it")
                    .source(error)
            })?,
        }
    }
}

impl Dispatcher for MethodTable {
    fn call<'a>(&'a self, method: &'a str, params: Option<Value>, caller: &'a Caller) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            self.services.vitals.calls.fetch_add(1, Ordering::Relaxed);
            let result = self.run(method, params, caller).await;
            if let Err(error) = &result {
                self.services.vitals.failed_calls.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(method, kind = error.kind().as_str(), %error, "a call was answered with an error");
            }
            result
        })
    }

    fn shutdown(&self, grace: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.services.runtime.shutdown(grace))
    }
}

pub(super) fn unknown_method(name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    let hint = match nearest(name, super::all().map(|method| method.name)) {
        Some(near) => format!("did you mean {near}? rpc.discover lists all methods"),
        None => "rpc.discover lists all methods".to_owned(),
    };
    Error::new(ErrorKind::MethodNotFound, format!("there is no method {shown:?}")).hint(hint)
}
