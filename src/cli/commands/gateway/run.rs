//! `openclaw gateway run`: open the state, start the runtime, serve, stop cleanly.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::commands::{agents, files};
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::logging;
use crate::cli::output::quantity;
use crate::cli::signals::Signals;
use crate::config::{self, LoadedConfig};
use crate::core::{Error, ErrorKind, FilesystemMode, Result};
use crate::gateway::{self, Gateway, GatewayOptions};
use crate::providers::ProviderRegistry;
use crate::runtime::{Runtime, modes};
use crate::state::{Access, OpenOptions, Store};

use super::banner::{Auth, Banner};
use super::options::RunArgs;

/// How long runs may go on after the first signal.
const GRACE: Duration = Duration::from_secs(20);
/// Threads that serve requests; the work itself waits for networks and for the one writer.
const MAX_THREADS: usize = 4;

/// Runs until a signal.
pub(crate) fn run(context: &Context, args: &RunArgs) -> Outcome {
    let config = context.config()?;
    let log_file = context.log_file(Some(&config));
    let (port, bind) = (args.port(context, &config)?, args.bind(&config)?);
    // Before a token is made: a directory that is not ours stays as it is.
    let store = Store::open(
        &context.paths,
        &OpenOptions { durability_full: config.view.durability_full, access: Access::Write },
    )
    .map_err(|error| already_running(context, error))?;
    let options = GatewayOptions {
        port,
        bind,
        auth: args.auth(context, &config)?,
        allowed_origins: config.view.gateway.allowed_origins.clone(),
        paths: context.paths.clone(),
        config: context.load.clone(),
        log_file: log_file.clone(),
    };
    logging::start(context, &config, args.verbose)?;
    for issue in &config.warnings {
        tracing::warn!(path = %issue.path, "configuration: {}", issue.message);
    }
    prepare_workspaces(context, &config)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, MAX_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("gateway")
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot start the network runtime").source(error))?;
    let served = runtime.block_on(serve(context, config, options, store.clone()));
    let closed = runtime.block_on(store.close());
    served?;
    closed?;
    Ok(())
}

async fn serve(context: &Context, loaded: LoadedConfig, options: GatewayOptions, store: Store) -> Outcome {
    let loaded = Arc::new(loaded);
    let config = &loaded;
    let providers = ProviderRegistry::build(&config.view, &config.env)?;
    let mut signals = Signals::listen()?;
    let runtime = Runtime::start(store, context.paths.clone(), Arc::clone(&loaded), providers.clone()).await?;
    let (auth, log) = (Auth::from(&options.auth), options.log_file.clone());
    let gateway = match gateway::serve(runtime.clone(), options).await {
        Ok(gateway) => gateway,
        Err(error) => {
            runtime.shutdown(Duration::ZERO).await?;
            return Err(error.into());
        }
    };
    let default = config.view.agents.iter().find(|agent| agent.is_default).or(config.view.agents.first());
    let banner = Banner {
        address: gateway.local_addr(),
        workspace: default
            .map_or_else(|| context.paths.default_workspace(), |agent| agents::workspace(agent, &context.paths)),
        model: default
            .and_then(|agent| agent.model.clone())
            .unwrap_or_else(|| providers.default_model().info.reference()),
        auth,
        log,
    };
    tracing::info!(address = %banner.address, model = %banner.model, pid = std::process::id(), "gateway ready");
    if let Err(error) = config::mark_last_good(&loaded) {
        tracing::warn!(%error, "the working configuration could not be kept as the last good one");
    }
    banner.show(context)?;
    let discovery = config.view.discover_local.then(|| {
        let context = context.clone();
        let before = banner.model.clone();
        tokio::spawn(async move { discover(&context, &providers, &before).await })
    });
    runtime.probe_sandbox_soon();
    let ended = tokio::select! {
        signal = signals.next() => Some(signal.name()),
        () = gateway.wait() => None,
    };
    if let Some(task) = discovery {
        task.abort();
    }
    stop(context, &gateway, &runtime, &mut signals, ended.unwrap_or("stopped")).await
}

/// Finishes or records every run; a second signal shortens the wait.
async fn stop(
    context: &Context,
    gateway: &Gateway,
    runtime: &Runtime,
    signals: &mut Signals,
    reason: &'static str,
) -> Outcome {
    let active = runtime.active_run_count();
    if active > 0 {
        let grace = GRACE.as_secs();
        let runs = quantity(active, "run", "runs");
        context.out.note(&format!("{reason}: letting {runs} finish (at most {grace} s; again to stop them)"));
    }
    tracing::info!(reason, active, "gateway stops");
    let mut patient = std::pin::pin!(gateway.shutdown(reason, GRACE));
    tokio::select! {
        finished = &mut patient => finished?,
        _second = signals.next() => {
            context.out.note("stopping the runs; each is recorded");
            runtime.shutdown(Duration::ZERO).await?;
            patient.await?;
        }
    }
    context.out.note("the gateway has stopped");
    Ok(())
}

/// Looks for model servers on loopback while the gateway already answers.
async fn discover(context: &Context, providers: &ProviderRegistry, before: &str) {
    let found = providers.discover_local().await;
    if found.is_empty() {
        return;
    }
    tracing::info!(models = found.len(), "model servers found on this machine");
    let default = providers.default_model().info.reference();
    if default != before && before.starts_with("offline/") {
        context.out.note(&format!("  model      {default} (found on this machine)"));
    }
}

fn prepare_workspaces(context: &Context, config: &LoadedConfig) -> Result<()> {
    config.view.agents.iter().try_for_each(|agent| match modes::of_agent(config, agent)? {
        FilesystemMode::VfsOnly => Ok(()),
        FilesystemMode::Disk | FilesystemMode::VfsScratch => {
            files::make_directory(&agents::workspace(agent, &context.paths))
        }
    })
}

/// The lock's error, with the way to the gateway that holds it.
fn already_running(context: &Context, error: Error) -> Error {
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    let why = error.reason().unwrap_or_else(|| error.message().to_owned());
    Error::new(ErrorKind::Conflict, format!("a gateway already uses {}", context.paths.root.display()))
        .why(why)
        .hint("openclaw gateway status; stop it with Ctrl-C there, or use another --profile")
}
