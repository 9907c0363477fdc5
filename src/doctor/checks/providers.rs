//! Who answers.

use crate::doctor::{Facts, Finding, Severity};
use crate::providers::ProviderRegistry;

pub(super) const KEYS: &str = "providers.keys";

/// A model is at hand, and the one that each agent names exists.
pub(super) fn keys(facts: &Facts<'_>) -> Vec<Finding> {
    let Ok(config) = &facts.config else { return Vec::new() };
    let registry = match ProviderRegistry::build(&config.view, &config.env) {
        Ok(registry) => registry,
        Err(error) => {
            return vec![
                Finding::new(KEYS, Severity::Error, "models.providers", error.to_string())
                    .effect("no model can be used")
                    .fix(
                        error.fix().unwrap_or("correct the configuration"),
                        Some("openclaw config validate".to_owned()),
                    ),
            ];
        }
    };
    let mut findings: Vec<Finding> = registry
        .problems()
        .into_iter()
        .map(|problem| {
            Finding::new(KEYS, Severity::Warning, problem.path, problem.message)
                .effect(format!("calls to {} are refused", problem.provider))
                .fix(problem.hint, None)
        })
        .collect();
    let default = registry.default_model().info;
    if default.provider == "offline" {
        findings.push(
            Finding::new(KEYS, Severity::Info, default.reference(), "no provider has a key, and none is configured")
                .effect("the built-in offline model answers; it is not a language model")
                .fix("set ANTHROPIC_API_KEY or OPENAI_API_KEY, configure models.providers, or start Ollama", None),
        );
    } else if !default.available {
        findings.push(
            Finding::new(KEYS, Severity::Error, default.reference(), "the default model has no key")
                .effect("messages are answered with an error")
                .fix("give its provider a key", Some("openclaw models list --all".to_owned())),
        );
    }
    for agent in &config.view.agents {
        for wanted in agent.model.iter().chain(&agent.fallbacks) {
            match registry.resolve(wanted) {
                Ok(found) if found.info.available => {}
                Ok(found) => findings.push(
                    Finding::new(
                        KEYS,
                        Severity::Warning,
                        format!("agent {}: {wanted}", agent.id),
                        "no key is found for it",
                    )
                    .effect(format!("calls to {} are refused", found.info.provider))
                    .fix("give its provider a key", Some("openclaw models list --all".to_owned())),
                ),
                Err(error) => findings.push(
                    Finding::new(KEYS, Severity::Error, format!("agent {}: {wanted}", agent.id), error.to_string())
                        .effect("messages to this agent are answered with an error")
                        .fix(error.fix().unwrap_or("choose another model"), Some("openclaw models list".to_owned())),
                ),
            }
        }
    }
    findings
}
