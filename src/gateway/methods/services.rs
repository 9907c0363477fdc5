//! What methods work with.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::config::GatewayConfig;
use crate::core::{AgentId, Error, Result, SessionKey};
use crate::gateway::events::Hub;
use crate::gateway::options::GatewayOptions;
use crate::gateway::vitals::Vitals;
use crate::runtime::Runtime;
use crate::state::ReadTx;

/// One per gateway.
pub(crate) struct Services {
    /// Does the work.
    pub(crate) runtime: Runtime,
    /// What the gateway was started with.
    pub(crate) options: GatewayOptions,
    /// Identity and counters.
    pub(crate) vitals: Arc<Vitals>,
    /// Subscriptions.
    pub(crate) hub: Arc<Hub>,
    /// The settings the gateway was started with; those it cannot take over stay in force until it is started again.
    pub(super) in_force: GatewayConfig,
    /// One change of the configuration at a time.
    pub(super) config_writes: tokio::sync::Mutex<()>,
    /// Session figures of `health`, with the number of session changes they were read at.
    pub(super) health_sessions: Mutex<Option<(u64, Arc<Value>)>>,
}

impl Services {
    /// For a gateway that starts.
    pub(crate) fn new(runtime: Runtime, options: GatewayOptions, vitals: Arc<Vitals>, hub: Arc<Hub>) -> Self {
        let in_force = runtime.config().view.gateway.clone();
        Self {
            runtime,
            options,
            in_force,
            vitals,
            hub,
            config_writes: tokio::sync::Mutex::new(()),
            health_sessions: Mutex::new(None),
        }
    }

    /// Canonical key and agent of what a client sent.
    pub(super) fn key(&self, key: Option<&str>, agent: Option<&str>) -> Result<(SessionKey, AgentId)> {
        self.runtime.session_key(key, agent)
    }

    /// Reads the database.
    pub(super) async fn read<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T> + Send + 'static,
    {
        self.runtime.store().read(operation).await
    }
}

/// Runs blocking work (files) off the async threads.
pub(super) async fn blocking<T, F>(operation: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(operation)
        .await
        .map_err(|error| Error::internal("a background task of the gateway did not finish").source(error))?
}
