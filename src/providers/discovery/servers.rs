//! What each kind of server says about itself and its models.

use std::time::Instant;

use serde_json::Value;

use super::probe::Probe;
use super::{LocalKind, LocalServer, Target, local_model};
use crate::providers::ModelInfo;

/// Asks the target; `None` if nothing of the expected kind answers, or it has no model that can chat.
pub(super) fn ask(target: &Target, deadline: Instant) -> Option<LocalServer> {
    let probe = Probe::new(&target.base_url, deadline);
    let models = match target.kind {
        LocalKind::Ollama => ollama(&probe),
        LocalKind::LlamaCpp => llama_cpp(&probe),
        LocalKind::LmStudio => lm_studio(&probe),
    }?;
    if models.is_empty() {
        return None;
    }
    Some(LocalServer { kind: target.kind, base_url: target.base_url.clone(), models })
}

/// Ollama lists the most recently changed model first; models that only embed are left out.
fn ollama(probe: &Probe<'_>) -> Option<Vec<ModelInfo>> {
    let tags = probe.get("/api/tags")?;
    let models = tags.get("models")?.as_array()?.iter().filter_map(|entry| {
        let id = text(entry, "name").or_else(|| text(entry, "model"))?;
        let family = entry.pointer("/details/family").and_then(Value::as_str).unwrap_or_default();
        (!family.contains("bert") && !embeds(id)).then(|| local_model(LocalKind::Ollama, id))
    });
    Some(models.collect())
}

/// Port 8080 is a popular one, so the answer must look like llama.cpp's.
fn llama_cpp(probe: &Probe<'_>) -> Option<Vec<ModelInfo>> {
    let entries = listed(probe)?;
    let props = probe.get("/props").filter(|props| props.get("default_generation_settings").is_some());
    let ours = |entry: &Value| text(entry, "owned_by") == Some("llamacpp");
    if props.is_none() && !entries.iter().any(ours) {
        return None;
    }
    let props = props.unwrap_or_default();
    let window = props.pointer("/default_generation_settings/n_ctx").and_then(Value::as_u64);
    let images = props.pointer("/modalities/vision").and_then(Value::as_bool).unwrap_or(false);
    let models = entries.iter().filter_map(|entry| {
        let id = text(entry, "id")?;
        let mut model = local_model(LocalKind::LlamaCpp, id);
        // A server started with a path and no alias names the model by its file.
        id.rsplit('/').next().unwrap_or(id).trim_end_matches(".gguf").clone_into(&mut model.name);
        set_window(&mut model, window.or_else(|| entry.pointer("/meta/n_ctx_train").and_then(Value::as_u64)));
        if images {
            model.input.push("image".into());
        }
        Some(model)
    });
    Some(models.collect())
}

/// LM Studio lists what is downloaded; models in memory come first, models that only embed are left out.
fn lm_studio(probe: &Probe<'_>) -> Option<Vec<ModelInfo>> {
    let entries = listed(probe)?;
    let details = probe.get("/api/v0/models").unwrap_or_default();
    let detail_of =
        |id: &str| details.get("data").and_then(Value::as_array)?.iter().find(|detail| text(detail, "id") == Some(id));
    let mut models: Vec<(bool, ModelInfo)> = entries
        .iter()
        .filter_map(|entry| {
            let id = text(entry, "id")?;
            let detail = detail_of(id).unwrap_or(&Value::Null);
            let kind = text(detail, "type").unwrap_or("llm");
            if kind == "embeddings" || embeds(id) {
                return None;
            }
            let mut model = local_model(LocalKind::LmStudio, id);
            let window = detail.get("loaded_context_length").or_else(|| detail.get("max_context_length"));
            set_window(&mut model, window.and_then(Value::as_u64));
            if kind == "vlm" {
                model.input.push("image".into());
            }
            Some((text(detail, "state") == Some("loaded"), model))
        })
        .collect();
    models.sort_by_key(|(loaded, _)| !loaded);
    Some(models.into_iter().map(|(_, model)| model).collect())
}

/// The entries of an OpenAI-shaped model list.
fn listed(probe: &Probe<'_>) -> Option<Vec<Value>> {
    match probe.get("/v1/models")?.get_mut("data")?.take() {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}

fn set_window(model: &mut ModelInfo, window: Option<u64>) {
    if let Some(window) = window.filter(|window| *window > 0) {
        model.context_window = window;
        model.max_tokens = model.max_tokens.min(window);
    }
}

fn embeds(id: &str) -> bool {
    id.to_ascii_lowercase().contains("embed")
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}
