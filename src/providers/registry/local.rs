//! Servers on this machine. They come and go while the registry lives, so this part is behind a lock.

use std::sync::{Arc, PoisonError, RwLock};

use super::ResolvedModel;
use super::build::{CONNECT_TIMEOUT, MAX_RETRIES, SILENCE_TIMEOUT};
use super::client::{Reach, Tools};
use super::entry::{Entry, Parts, Rank};
use crate::providers::ModelInfo;
use crate::providers::discovery::{LocalServer, Target, local_model};

/// The local providers: where they would be, and what is known to be there.
pub(super) struct LocalState {
    slots: RwLock<Vec<Slot>>,
}

#[derive(Clone)]
struct Slot {
    target: Target,
    entry: Arc<Entry>,
    models: Vec<ModelInfo>,
}

impl Slot {
    fn new(target: Target, models: Vec<ModelInfo>, tools: &Arc<Tools>) -> Self {
        let reach = Reach {
            provider: target.kind.provider().into(),
            base_url: format!("{}/v1", target.base_url),
            key: None,
            headers: Vec::new(),
            // A local server may load a model from disk before it says its first word.
            silence_timeout: SILENCE_TIMEOUT * 3,
            connect_timeout: CONNECT_TIMEOUT,
            max_retries: MAX_RETRIES,
        };
        let parts = Parts {
            reach,
            api: "openai-completions".into(),
            rank: Rank::Idle,
            order: 0,
            listed: false,
            blocked: None,
            known: None,
            local: true,
            models: models.clone(),
        };
        Self { entry: Arc::new(Entry::new(parts, true, tools)), target, models }
    }
}

impl LocalState {
    /// With a slot for every usual place, so that `ollama/<model>` works before anybody has looked.
    pub(super) fn new(targets: &[Target], tools: &Arc<Tools>) -> Self {
        let slots = targets.iter().map(|target| Slot::new(target.clone(), Vec::new(), tools)).collect();
        Self { slots: RwLock::new(slots) }
    }

    fn slots(&self) -> Vec<Slot> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces what was found; places that did not answer keep their slot without models.
    pub(super) fn set(&self, servers: Vec<LocalServer>, tools: &Arc<Tools>) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        for slot in slots.iter_mut().filter(|slot| !slot.models.is_empty()) {
            *slot = Slot::new(slot.target.clone(), Vec::new(), tools);
        }
        for LocalServer { kind, base_url, models } in servers {
            let slot = Slot::new(Target { kind, base_url }, models, tools);
            match slots.iter_mut().find(|other| other.target.kind == kind) {
                Some(other) => *other = slot,
                None => slots.push(slot),
            }
        }
    }

    /// What was found.
    pub(super) fn servers(&self) -> Vec<LocalServer> {
        let found = self.slots().into_iter().filter(|slot| !slot.models.is_empty());
        found
            .map(|Slot { target, models, .. }| LocalServer { kind: target.kind, base_url: target.base_url, models })
            .collect()
    }

    /// The models found, the best choice first.
    pub(super) fn models(&self) -> Vec<ModelInfo> {
        self.slots().into_iter().flat_map(|slot| slot.models).collect()
    }

    /// The first model found.
    pub(super) fn default_model(&self) -> Option<ResolvedModel> {
        self.slots().into_iter().find_map(|slot| Some(slot.entry.resolved(slot.models.into_iter().next()?)))
    }

    /// A model of a local provider, found or not.
    pub(super) fn resolve(&self, provider: &str, id: &str) -> Option<ResolvedModel> {
        let slot = self.slots().into_iter().find(|slot| slot.target.kind.provider() == provider)?;
        let found = slot.models.iter().find(|model| model.id == id);
        let info = found.cloned().unwrap_or_else(|| local_model(slot.target.kind, id));
        Some(slot.entry.resolved(info))
    }

    /// Ids of the local providers.
    pub(super) fn providers(&self) -> Vec<&'static str> {
        self.slots().iter().map(|slot| slot.target.kind.provider()).collect()
    }
}
