//! Models as clients see them (`models.list`).

use serde_json::{Value, json};

use super::ProviderRegistry;
use crate::providers::{ModelInfo, ThinkingLevel};

const LEVELS: [ThinkingLevel; 5] =
    [ThinkingLevel::Off, ThinkingLevel::Minimal, ThinkingLevel::Low, ThinkingLevel::Medium, ThinkingLevel::High];

impl ProviderRegistry {
    /// The items of `models.list`: `{id, name, provider, contextWindow, local?, input, reasoning, tags?, thinkingLevels,
    /// thinkingDefault, available}`. `id` is the provider's model id without the provider, as OpenClaw's clients expect. `default` is the
    /// reference or alias of the model to tag `default`; [`Self::default_model`] if `None`. `thinking` is the configured
    /// default level, which models that cannot reason ignore.
    pub fn models_json(&self, default: Option<&str>, thinking: ThinkingLevel) -> Vec<Value> {
        let default = default.map_or_else(
            || Some(self.default_model().info),
            |reference| self.resolve(reference).map(|model| model.info).ok(), // dropped: a wrong default tags no model; problems() and the run tell
        );
        let mut models = self.models();
        if let Some(info) = default.as_ref().filter(|info| !models.iter().any(|model| is_same(model, info))) {
            models.insert(0, info.clone());
        }
        models
            .iter()
            .map(|model| item(model, default.as_ref().is_some_and(|info| is_same(model, info)), thinking))
            .collect()
    }
}

fn is_same(left: &ModelInfo, right: &ModelInfo) -> bool {
    left.provider == right.provider && left.id == right.id
}

fn item(model: &ModelInfo, is_default: bool, thinking: ThinkingLevel) -> Value {
    let levels = if model.reasoning { &LEVELS[..] } else { &LEVELS[..1] };
    let levels: Vec<Value> =
        levels.iter().map(|level| json!({ "id": level.as_str(), "label": level.as_str() })).collect();
    let thinking = if model.reasoning { thinking } else { ThinkingLevel::Off };
    let mut item = json!({
        "id": model.id,
        "name": model.name,
        "provider": model.provider,
        "contextWindow": model.context_window,
    });
    if model.local {
        item["local"] = true.into();
    }
    item["input"] = json!(model.input);
    item["reasoning"] = model.reasoning.into();
    if is_default {
        item["tags"] = json!(["default"]);
    }
    item["thinkingLevels"] = levels.into();
    item["thinkingDefault"] = thinking.as_str().into();
    item["available"] = model.available.into();
    item
}
