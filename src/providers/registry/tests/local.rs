use std::time::Duration;

use super::*;
use crate::providers::discovery::tests::serve;
use crate::providers::discovery::{LocalKind, Target};

const OLLAMA: &[(&str, &str)] = &[("/api/tags", r#"{"models":[{"name":"qwen3:latest"},{"name":"llama3.2:1b"}]}"#)];
const PATIENT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn discovered_models_appear_in_all_clones_and_can_be_used() {
    let world = World::default();
    let registry = world.registry(&config(vec![]), &env(&[]));
    let clone = registry.clone();
    let base_url = serve(OLLAMA);
    let target = Target { kind: LocalKind::Ollama, base_url: base_url.clone() };
    let found = registry.discover_at(vec![target.clone()], PATIENT).await;
    assert_eq!(found.len(), 2);
    assert_eq!(references(&clone), ["ollama/qwen3:latest", "ollama/llama3.2:1b", "offline/offline"]);
    assert_eq!(clone.resolve("qwen3").map(|model| model.info.reference()).ok().as_deref(), Some("ollama/qwen3:latest"));

    let model = clone.default_model();
    assert_eq!(model.info.reference(), "ollama/qwen3:latest");
    model.provider.stream(request(&model.info.id)).await.map(drop).expect("a stream");
    let (api, endpoint) = world.connected().remove(0);
    assert_eq!((api.as_str(), endpoint.base_url), ("openai-completions", format!("{base_url}/v1")));
    assert!(endpoint.api_key.is_none());

    let rebuilt = world.registry(&config(vec![]), &env(&[]));
    assert_eq!(references(&rebuilt), ["offline/offline"]);
    rebuilt.set_local(registry.local_servers());
    assert_eq!(references(&rebuilt), references(&registry));

    registry.discover_at(vec![], PATIENT).await;
    assert_eq!(references(&clone), ["offline/offline"], "what no longer answers is gone");
    assert_eq!(clone.default_model().info.reference(), "offline/offline");
}

#[tokio::test]
async fn a_local_model_yields_to_keys_and_configuration() {
    let target = || vec![Target { kind: LocalKind::Ollama, base_url: serve(OLLAMA) }];
    let with_key = World::default().registry(&config(vec![]), &env(&[("GROQ_API_KEY", "k")]));
    with_key.discover_at(target(), PATIENT).await;
    assert_eq!(with_key.default_model().info.provider, "groq");
    let configured =
        World::default().registry(&config(vec![("own", provider("http://x/v1", None, &["m"]))]), &env(&[]));
    configured.discover_at(target(), PATIENT).await;
    assert_eq!(configured.default_model().info.provider, "own");
}

#[tokio::test]
async fn discovery_follows_the_configuration() {
    let ollama_host = serve(OLLAMA);
    let vars = env(&[("OLLAMA_HOST", &ollama_host)]);
    let mut off = config(vec![]);
    off.discover_local = false;
    assert_eq!(World::default().registry(&off, &vars).discover_local().await, []);
    let described = config(vec![("ollama", provider("", None, &["mine"]))]);
    let registry = World::default().registry(&described, &vars);
    let found = registry.discover_local().await;
    assert!(found.iter().all(|model| model.provider != "ollama"), "a described server is not searched for: {found:?}");
    assert_eq!(registry.resolve("ollama/mine").map(|model| model.info.local).ok(), Some(true));
}
