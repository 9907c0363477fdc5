//! One provider with its models.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::ResolvedModel;
use super::client::{Health, LazyClient, Reach, Tools};
use super::known::{APIS, KnownProvider};
use super::priced::Priced;
use super::problem::ProviderProblem;
use crate::core::ProviderErrorClass;
use crate::providers::catalog::{self, CatalogModel};
use crate::providers::{ModelInfo, Provider};
use crate::session::message::Cost;

/// How a provider takes part in the choice of a default model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Its key is in an environment variable of its own.
    Environment,
    /// The configuration describes it.
    Configured,
    /// It is known, but nobody asked for it.
    Idle,
}

/// What an entry is made of.
pub(super) struct Parts {
    pub reach: Reach,
    /// Wire API of models that name none.
    pub api: String,
    pub rank: Rank,
    /// Position among the known providers, or after them.
    pub order: usize,
    pub listed: bool,
    pub blocked: Option<ProviderProblem>,
    pub known: Option<&'static KnownProvider>,
    /// At a loopback address.
    pub local: bool,
    /// In order of preference.
    pub models: Vec<ModelInfo>,
}

/// One provider.
pub(super) struct Entry {
    pub id: String,
    pub rank: Rank,
    pub order: usize,
    /// Shown in model lists and checked for problems.
    pub listed: bool,
    api: String,
    known: Option<&'static KnownProvider>,
    local: bool,
    has_own_models: bool,
    models: Vec<ModelInfo>,
    clients: BTreeMap<String, Arc<LazyClient>>,
    blocked: Option<ProviderProblem>,
    health: Arc<Health>,
}

impl Entry {
    /// `own_models`: the first model was listed by the configuration, so it is preferred to the provider's usual default.
    pub(super) fn new(parts: Parts, own_models: bool, tools: &Arc<Tools>) -> Self {
        let id = parts.reach.provider.clone();
        let (reach, health) = (Arc::new(parts.reach), Arc::new(Health::default()));
        let mut clients = BTreeMap::new();
        for api in std::iter::once(&parts.api).chain(parts.models.iter().map(|model| &model.api)) {
            clients.entry(api.clone()).or_insert_with(|| {
                Arc::new(LazyClient {
                    reach: Arc::clone(&reach),
                    api: api.clone(),
                    tools: Arc::clone(tools),
                    health: Arc::clone(&health),
                    blocked: parts.blocked.clone().or_else(|| unsupported_api(&id, api)),
                    made: OnceCell::new(),
                })
            });
        }
        Self {
            id,
            rank: parts.rank,
            order: parts.order,
            listed: parts.listed,
            api: parts.api,
            known: parts.known,
            local: parts.local,
            has_own_models: own_models,
            models: parts.models,
            clients,
            blocked: parts.blocked,
            health,
        }
    }

    fn available(&self, api: &str) -> bool {
        let usable = self.clients.get(api).is_some_and(|client| client.blocked.is_none());
        usable && self.health.problem().is_none()
    }

    /// Its listed models, with what is known about its key at the moment.
    pub(super) fn models(&self) -> Vec<ModelInfo> {
        self.models.iter().map(|model| self.with_availability(model.clone())).collect()
    }

    fn with_availability(&self, mut info: ModelInfo) -> ModelInfo {
        info.available = self.available(&info.api);
        info
    }

    /// A listed model.
    pub(super) fn listed_model(&self, id: &str) -> Option<ModelInfo> {
        self.models.iter().find(|model| model.id == id).map(|model| self.with_availability(model.clone()))
    }

    /// Any model of this provider: listed, of the catalog, or with default figures.
    pub(super) fn any_model(&self, id: &str) -> ModelInfo {
        self.listed_model(id).unwrap_or_else(|| {
            self.with_availability(described(&self.id, id, &self.api, catalog::find(&self.id, id), self.local))
        })
    }

    /// The model to start with; `None` if there is none that this program could ever call. A missing key is no such reason: that the
    /// key is missing is the answer its owner needs, not another model.
    pub(super) fn default_model(&self) -> Option<ModelInfo> {
        let callable = |info: &ModelInfo| {
            let blocked = self.clients.get(&info.api).and_then(|client| client.blocked.as_ref());
            blocked.is_none_or(|problem| problem.class == ProviderErrorClass::Auth)
        };
        let usual = self.known.filter(|_| !self.has_own_models).map(|known| self.any_model(known.default_model));
        let listed = self.models.iter().map(|model| self.with_availability(model.clone()));
        usual.into_iter().chain(listed).find(callable)
    }

    /// The model together with this provider.
    pub(super) fn resolved(&self, info: ModelInfo) -> ResolvedModel {
        let client = self.clients.get(&info.api).or_else(|| self.clients.get(&self.api));
        let provider = Arc::clone(client.expect("an entry has a client for every api of its models and its own"));
        let provider: Arc<dyn Provider> =
            if info.cost == Cost::default() { provider } else { Arc::new(Priced { provider, price: info.cost }) };
        ResolvedModel { info, provider }
    }

    /// What is wrong with it, as far as it is known.
    pub(super) fn problem(&self) -> Option<ProviderProblem> {
        let of_clients = || self.clients.values().find_map(|client| client.blocked.clone());
        self.blocked.clone().or_else(of_clients).or_else(|| self.health.problem())
    }

    /// Makes its clients, resolving secrets; failures end up in [`Self::problem`].
    pub(super) async fn connect(&self) {
        for client in self.clients.values() {
            if let Err(error) = client.client().await {
                tracing::debug!(provider = self.id, %error, "a provider cannot be used");
            }
        }
    }
}

fn unsupported_api(provider: &str, api: &str) -> Option<ProviderProblem> {
    (!APIS.contains(&api)).then(|| {
        ProviderProblem::new(
            ProviderErrorClass::InvalidRequest,
            provider,
            "api",
            format!("the API {api} is not supported"),
            format!("use one of {}", APIS.join(", ")),
        )
    })
}

/// A model by its catalog entry, or with default figures.
pub(super) fn described(provider: &str, id: &str, api: &str, figures: Option<&CatalogModel>, local: bool) -> ModelInfo {
    let images = figures.is_some_and(|figures| figures.images);
    ModelInfo {
        provider: provider.into(),
        id: id.into(),
        name: figures.map_or(id, |figures| figures.name).into(),
        api: api.into(),
        context_window: figures.map_or(catalog::DEFAULT_CONTEXT_WINDOW, |figures| figures.context_window),
        max_tokens: figures.map_or(catalog::DEFAULT_MAX_TOKENS, |figures| figures.max_tokens),
        reasoning: figures.is_some_and(|figures| figures.reasoning),
        input: if images { vec!["text".into(), "image".into()] } else { vec!["text".into()] },
        cost: figures.map_or_else(Cost::default, CatalogModel::cost),
        available: true,
        local,
    }
}
