//! Puts the parts together: runtime, methods, event pump, server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::auth::Authenticator;
use super::dispatch::Dispatcher;
use super::events::{self, Hub};
use super::http::BodyMemory;
use super::methods::{MethodTable, Services, rows};
use super::options::GatewayOptions;
use super::origin::OriginPolicy;
use super::server::{self, Server};
use super::shared::Shared;
use super::tuning::Tuning;
use super::vitals::Vitals;
use crate::core::Result;
use crate::runtime::Runtime;

/// A running gateway. Dropping it cuts all connections; [`Gateway::shutdown`] ends it in order.
pub struct Gateway {
    server: Server,
    pump_stop: CancellationToken,
    pump: TaskTracker,
}

/// Starts a gateway in front of `runtime`.
///
/// Errors: `Conflict` when the port is taken, `Config` for an address that is not loopback, `User` for an empty secret.
pub async fn serve(runtime: Runtime, options: GatewayOptions) -> Result<Gateway> {
    let events = runtime.subscribe();
    let listener = server::bind(options.bind, options.port).await?;
    let vitals = Arc::new(vitals(&listener, &options)?);
    let hub = Arc::new(Hub::default());
    let tuning = Tuning::default();
    let services = Arc::new(Services::new(runtime, options.clone(), Arc::clone(&vitals), Arc::clone(&hub)));
    let row_services = Arc::clone(&services);
    let dispatcher = Arc::new(MethodTable::new(services));
    let tick = tuning.tick_interval;
    let server = start(listener, dispatcher, &options, vitals, Arc::clone(&hub), tuning)?;
    let pump_stop = CancellationToken::new();
    let pump = TaskTracker::new();
    let row =
        Arc::new(move |entry: &_, key: &_, agent: &_| rows::session_row(&row_services.runtime, entry, key, agent));
    pump.spawn(events::pump(hub, events, row, tick, pump_stop.clone()));
    pump.close();
    tracing::info!(address = %server.address(), auth = options.auth.as_str(), "the gateway listens");
    Ok(Gateway { server, pump_stop, pump })
}

fn vitals(listener: &tokio::net::TcpListener, options: &GatewayOptions) -> Result<Vitals> {
    let address = listener
        .local_addr()
        .map_err(|error| crate::core::Error::internal("the system does not say which port it gave us").source(error))?;
    Ok(Vitals::new(address, options.auth.as_str()))
}

/// The server alone, in front of any dispatcher.
pub(super) fn start(
    listener: tokio::net::TcpListener,
    dispatcher: Arc<dyn Dispatcher>,
    options: &GatewayOptions,
    vitals: Arc<Vitals>,
    hub: Arc<Hub>,
    tuning: Tuning,
) -> Result<Server> {
    let shared = Arc::new(Shared {
        auth: Authenticator::new(&options.auth)?,
        origins: OriginPolicy::new(vitals.address.port(), &options.allowed_origins),
        vitals,
        dispatcher,
        hub,
        body_memory: BodyMemory::new(tuning.max_body_memory),
        tuning,
        tasks: TaskTracker::new(),
        closing: CancellationToken::new(),
        kill: CancellationToken::new(),
    });
    Ok(Server::start(listener, shared))
}

impl Gateway {
    /// Where it listens; with port 0 in the options, this has the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.address()
    }

    /// Ends the gateway: no further connections, a `shutdown` event with `reason`, runs get `grace` to finish and are
    /// recorded otherwise, what is queued is written, sockets close with 1012.
    ///
    /// A second call waits for the first. The error is the runtime's, after everything is closed.
    pub async fn shutdown(&self, reason: &str, grace: Duration) -> Result<()> {
        if !self.server.begin_shutdown(reason) {
            self.server.wait().await;
            return Ok(());
        }
        tracing::info!(reason, "the gateway shuts down");
        let recorded = self.server.shared.dispatcher.shutdown(grace).await;
        self.pump_stop.cancel();
        self.pump.wait().await;
        self.server.close().await;
        recorded
    }

    /// Resolves when a shutdown is complete.
    pub async fn wait(&self) {
        self.server.wait().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.pump_stop.cancel();
    }
}
