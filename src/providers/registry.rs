//! Which models there are and who answers for them: from configuration, environment and loopback.
//!
//! Providers come from three places. `models.providers.<id>` in the configuration; the well-known ones of [`known`] whose key is in the
//! environment; servers found on this machine by [`super::discovery`]. A configured provider with a well-known id inherits what it
//! leaves open. Building touches no network and no secret store: a key reference is resolved when the provider is first used,
//! and one broken provider never hides the others — it is listed with `available: false` and explains itself when used
//! and in [`ProviderRegistry::problems`]. The `offline` model is always there.

mod build;
mod client;
mod entry;
pub mod known;
mod listing;
mod local;
mod lookup;
mod priced;
mod problem;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use problem::ProviderProblem;

use self::client::Tools;
use self::entry::{Entry, Rank};
use self::local::LocalState;
use super::discovery::{self, LocalServer, Target};
use super::endpoint::Endpoint;
use super::offline::{self, OfflineProvider};
use super::{ModelInfo, Provider};
use crate::config::Config;
use crate::core::Result;
use crate::secrets::{Environment, Secret, SecretInput};

/// A model with its provider.
#[derive(Clone)]
pub struct ResolvedModel {
    /// What it is.
    pub info: ModelInfo,
    /// Who answers; prices the usage it reports by `info.cost`.
    pub provider: Arc<dyn Provider>,
}

/// `models.mode` of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ModelsMode {
    /// Configured providers beside the well-known ones.
    #[default]
    Merge,
    /// Only configured providers, with only their configured models if they list any. Nothing is looked for on loopback.
    Replace,
}

/// Turns a secret input into a secret; called off the async threads for references.
pub type SecretSource = Arc<dyn Fn(&SecretInput) -> Result<Secret> + Send + Sync>;
/// Makes the client of a wire API.
pub type Connector = Arc<dyn Fn(&str, Endpoint) -> Result<Arc<dyn Provider>> + Send + Sync>;

/// What [`ProviderRegistry::build_with`] may be told besides configuration and environment.
#[derive(Clone, Default)]
pub struct RegistryOptions {
    /// `models.mode`.
    pub mode: ModelsMode,
    /// Directory of the configuration file, for relative paths in `secrets.providers`; default: where the environment puts it.
    pub config_dir: Option<PathBuf>,
    /// Replaces the secret resolver.
    pub secrets: Option<SecretSource>,
    /// Replaces the wire clients.
    pub connector: Option<Connector>,
}

/// All models at hand. Built once per configuration; a clone shares everything, also what is discovered later.
#[derive(Clone)]
pub struct ProviderRegistry {
    inner: Arc<Inner>,
}

struct Inner {
    /// Configured providers by id, then well-known ones in table order.
    entries: Vec<Entry>,
    /// Alias → reference.
    aliases: Vec<(String, String)>,
    /// Findings about the configuration itself.
    problems: Vec<ProviderProblem>,
    discover: bool,
    targets: Vec<Target>,
    local: LocalState,
    tools: Arc<Tools>,
}

impl ProviderRegistry {
    /// From configuration and environment; no network, no secret store. Never fails for the sake of one provider.
    pub fn build(config: &Config, env: &Environment) -> Result<Self> {
        Ok(Self::build_with(config, env, RegistryOptions::default()))
    }

    /// Like [`Self::build`], with options.
    pub fn build_with(config: &Config, env: &Environment, options: RegistryOptions) -> Self {
        Self { inner: Arc::new(build::inner(config, env, options)) }
    }

    /// Looks for model servers on loopback (at most [`discovery::BOUND`]) and makes their models resolvable in this registry and
    /// all its clones. Does nothing if `models.discoverLocal` is off. Meant for the background: nothing waits for it.
    pub async fn discover_local(&self) -> Vec<ModelInfo> {
        if !self.inner.discover {
            return Vec::new();
        }
        self.discover_at(self.inner.targets.clone(), discovery::BOUND).await
    }

    /// Like [`Self::discover_local`] at given places and with a given bound, whatever the configuration says.
    pub async fn discover_at(&self, targets: Vec<Target>, bound: Duration) -> Vec<ModelInfo> {
        let servers = discovery::discover(targets, bound).await;
        let models = servers.iter().flat_map(|server| server.models.iter().cloned()).collect();
        self.set_local(servers);
        models
    }

    /// Replaces what is known about local servers, for example by what a former registry found ([`Self::local_servers`]).
    pub fn set_local(&self, servers: Vec<LocalServer>) {
        self.inner.local.set(servers, &self.inner.tools);
    }

    /// The local servers known at the moment.
    pub fn local_servers(&self) -> Vec<LocalServer> {
        self.inner.local.servers()
    }

    /// Every model: configured providers first, then those with a key in the environment, then local ones, `offline` last.
    pub fn models(&self) -> Vec<ModelInfo> {
        let listed = self.inner.entries.iter().filter(|entry| entry.listed);
        let mut models: Vec<ModelInfo> = listed.flat_map(Entry::models).collect();
        models.extend(self.inner.local.models());
        models.push(offline::model_info());
        models
    }

    /// `provider/model` (the model id may contain slashes), an alias, or a model id that only one provider has.
    /// A model nobody listed is accepted under a known provider, with default figures. Otherwise `NotFound` with a suggestion,
    /// or `User` when a bare id is ambiguous.
    pub fn resolve(&self, reference: &str) -> Result<ResolvedModel> {
        lookup::resolve(&self.inner, reference)
    }

    /// The model to use when nobody chose one: the default model of the first provider whose key is in the environment, else the
    /// first model of the first configured provider, else a local model, else `offline/offline`.
    pub fn default_model(&self) -> ResolvedModel {
        let of_rank = |rank: Rank| {
            let mut candidates: Vec<&Entry> = self.inner.entries.iter().filter(|entry| entry.rank == rank).collect();
            candidates.sort_by_key(|entry| entry.order);
            candidates.into_iter().find_map(|entry| Some((entry, entry.default_model()?)))
        };
        if let Some((entry, info)) = of_rank(Rank::Environment).or_else(|| of_rank(Rank::Configured)) {
            return entry.resolved(info);
        }
        self.inner.local.default_model().unwrap_or_else(offline_model)
    }

    /// The model an agent's configuration asks for, or [`Self::default_model`] if it asks for none.
    pub fn default_model_for(&self, configured: Option<&str>) -> Result<ResolvedModel> {
        configured
            .filter(|reference| !reference.trim().is_empty())
            .map_or_else(|| Ok(self.default_model()), |reference| self.resolve(reference))
    }

    /// What is wrong with providers and aliases, as far as it is known without asking a secret store or the network.
    pub fn problems(&self) -> Vec<ProviderProblem> {
        let of_entries = self.inner.entries.iter().filter(|entry| entry.listed).filter_map(Entry::problem);
        let of_aliases = self.inner.aliases.iter().filter_map(|(alias, target)| {
            let error = self.resolve(target).err()?;
            Some(ProviderProblem::alias(alias, target, &error))
        });
        self.inner.problems.iter().cloned().chain(of_entries).chain(of_aliases).collect()
    }

    /// Resolves the secrets of every configured provider, which may run commands, and then tells all problems.
    pub async fn check(&self) -> Vec<ProviderProblem> {
        let listed = self.inner.entries.iter().filter(|entry| entry.listed);
        futures_util::future::join_all(listed.map(Entry::connect)).await;
        self.problems()
    }
}

/// The built-in model with its provider.
fn offline_model() -> ResolvedModel {
    ResolvedModel { info: offline::model_info(), provider: OfflineProvider::shared() }
}

#[cfg(test)]
mod tests;
