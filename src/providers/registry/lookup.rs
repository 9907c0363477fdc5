//! From what a person typed to a model.

use super::entry::{Entry, Rank};
use super::{Inner, ResolvedModel, offline_model};
use crate::core::suggest::did_you_mean;
use crate::core::{Error, Result};
use crate::providers::{ModelInfo, offline};

const HINT: &str = "openclaw models list shows the models at hand";

pub(super) fn resolve(inner: &Inner, reference: &str) -> Result<ResolvedModel> {
    let typed = reference.trim();
    if typed.is_empty() {
        return Err(Error::user("the model reference is empty").hint(HINT));
    }
    let reference = alias_target(inner, typed).unwrap_or(typed);
    // An idle provider gives way to a listed model of that whole name: `anthropic/x` with only an OpenRouter key.
    let named = under_provider(inner, reference);
    if let Some(Under { resolved, idle: false }) = named {
        return Ok(resolved);
    }
    match by_bare_id(inner, reference)? {
        Some(resolved) => Ok(resolved),
        None => named.map(|under| under.resolved).ok_or_else(|| not_found(inner, reference)),
    }
}

/// The alias with exactly that name, else one that differs in letter case only.
fn alias_target<'i>(inner: &'i Inner, typed: &str) -> Option<&'i str> {
    let exact = inner.aliases.iter().find(|(alias, _)| alias == typed);
    let found = exact.or_else(|| inner.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(typed)));
    found.map(|(_, target)| target.trim())
}

struct Under {
    resolved: ResolvedModel,
    idle: bool,
}

/// `provider/model` with a provider we know.
fn under_provider(inner: &Inner, reference: &str) -> Option<Under> {
    let (provider, model) = reference.split_once('/')?;
    if model.is_empty() {
        return None;
    }
    if provider == offline::ID {
        return (model == offline::ID).then(|| Under { resolved: offline_model(), idle: false });
    }
    if let Some(entry) = find_entry(inner, provider) {
        let resolved = entry.resolved(entry.any_model(model));
        return Some(Under { resolved, idle: entry.rank == Rank::Idle && !entry.listed });
    }
    let resolved = inner.local.resolve(provider, model)?;
    Some(Under { resolved, idle: false })
}

fn find_entry<'i>(inner: &'i Inner, provider: &str) -> Option<&'i Entry> {
    let exact = inner.entries.iter().find(|entry| entry.id == provider);
    exact.or_else(|| inner.entries.iter().find(|entry| entry.id.eq_ignore_ascii_case(provider)))
}

/// A model id alone, if exactly one provider lists it, or exactly one that can be used.
fn by_bare_id(inner: &Inner, id: &str) -> Result<Option<ResolvedModel>> {
    let models = listed_models(inner);
    let tagged = format!("{id}:latest");
    let tests: [&dyn Fn(&str) -> bool; 3] =
        [&|other| other == id, &|other| other == tagged, &|other| other.eq_ignore_ascii_case(id)];
    for test in tests {
        let matches: Vec<&ModelInfo> = models.iter().filter(|model| test(&model.id)).collect();
        let usable: Vec<&ModelInfo> = matches.iter().filter(|model| model.available).copied().collect();
        let chosen = match (matches.as_slice(), usable.as_slice()) {
            ([], _) => continue,
            ([only], _) | (_, [only]) => only,
            _ => return Err(ambiguous(id, &matches)),
        };
        return Ok(with_provider(inner, chosen));
    }
    Ok(None)
}

fn listed_models(inner: &Inner) -> Vec<ModelInfo> {
    let listed = inner.entries.iter().filter(|entry| entry.listed).flat_map(Entry::models);
    listed.chain(inner.local.models()).chain([offline::model_info()]).collect()
}

fn with_provider(inner: &Inner, model: &ModelInfo) -> Option<ResolvedModel> {
    under_provider(inner, &model.reference()).map(|under| under.resolved)
}

fn ambiguous(id: &str, matches: &[&ModelInfo]) -> Error {
    let references: Vec<String> = matches.iter().map(|model| model.reference()).collect();
    Error::user(format!("the model id {id} is ambiguous"))
        .why(format!("{} providers have it", matches.len()))
        .hint(format!("name the provider too: {}", references.join(" or ")))
        .details(serde_json::json!({ "candidates": references }))
}

fn not_found(inner: &Inner, reference: &str) -> Error {
    let error = Error::not_found(format!("there is no model {reference}"));
    if reference.ends_with('/') {
        return error.why("the model id after the provider is missing").hint(HINT);
    }
    let models = listed_models(inner);
    let references: Vec<String> = models.iter().map(ModelInfo::reference).collect();
    let names = references.iter().map(String::as_str).chain(models.iter().map(|model| model.id.as_str()));
    let aliases = inner.aliases.iter().map(|(alias, _)| alias.as_str());
    if let Some(suggestion) = did_you_mean(reference, aliases.chain(names)) {
        return error.hint(format!("did you mean {suggestion}? {HINT}"));
    }
    let Some((provider, model)) = reference.split_once('/').filter(|(provider, _)| !provider.is_empty()) else {
        return error.hint(HINT);
    };
    if provider == offline::ID {
        return error.why(format!("the built-in provider has one model, {0}/{0}", offline::ID)).hint(HINT);
    }
    let local = inner.local.providers();
    let providers = inner.entries.iter().map(|entry| entry.id.as_str()).chain(local.iter().copied());
    let error = error.why(format!("there is no provider {provider}"));
    match did_you_mean(provider, providers) {
        Some(suggestion) => error.hint(format!("did you mean {suggestion}/{model}? {HINT}")),
        None => error.hint(format!("describe it in models.providers.{provider}, or choose another model; {HINT}")),
    }
}
