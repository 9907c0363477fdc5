use futures_util::StreamExt;

use super::*;
use crate::core::ProviderErrorClass;

async fn call(registry: &ProviderRegistry, reference: &str) -> Result<Vec<Delta>, ProviderError> {
    let model = registry.resolve(reference).expect("a model");
    let stream = model.provider.stream(request(&model.info.id)).await?;
    Ok(stream.filter_map(|delta| async { delta.ok() }).collect().await)
}

#[tokio::test]
async fn secrets_are_resolved_on_first_use_and_once() {
    let mut own = provider("http://x/v1", reference("exec", "key"), &["m"]);
    own.headers = [
        ("x-team".to_owned(), SecretInput::Plain("red".into())),
        ("x-sign".to_owned(), reference("file", "sign").unwrap()),
    ]
    .into();
    own.timeout_seconds = 7;
    own.connect_timeout_ms = 80;
    own.max_retries = 9;
    let world = World::default();
    world
        .secrets
        .lock()
        .unwrap()
        .extend([("key".to_owned(), "sk-1\n".to_owned()), ("sign".to_owned(), "s".to_owned())]);
    let registry = world.registry(&config(vec![("own", own)]), &env(&[]));
    assert!(registry.models()[0].available && world.asked.lock().unwrap().is_empty());
    for _ in 0..3 {
        call(&registry.clone(), "own/m").await.expect("an answer");
    }
    assert_eq!(*world.asked.lock().unwrap(), ["key", "sign"]);
    let connected = world.connected();
    assert_eq!(connected.len(), 1, "one client");
    let (api, endpoint) = &connected[0];
    assert_eq!(api, "openai-completions");
    assert_eq!(endpoint.api_key.as_ref().map(Secret::expose), Some("sk-1"));
    let headers: Vec<(&str, &str)> =
        endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("x-sign", "s"), ("x-team", "red")]);
    assert_eq!(
        (endpoint.silence_timeout.as_secs(), endpoint.connect_timeout.as_millis(), endpoint.max_retries),
        (7, 80, 9)
    );
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_fails_only_its_provider_and_may_be_repaired() {
    let world = World::default();
    let config = config(vec![
        ("bad", provider("http://x/v1", reference("file", "gone"), &["m"])),
        ("good", provider("http://x/v1", None, &["m"])),
    ]);
    let registry = world.registry(&config, &env(&[]));
    let error = call(&registry, "bad/m").await.expect_err("no key");
    assert_eq!(error.class, ProviderErrorClass::Auth);
    assert_eq!(error.message, "no secret gone (models.providers.bad.apiKey; store it)");
    call(&registry, "good/m").await.expect("an answer");
    assert_eq!(references(&registry), ["bad/m (unavailable)", "good/m", "offline/offline"]);
    assert_eq!(registry.problems().len(), 1);
    assert_eq!(registry.default_model().info.reference(), "bad/m", "a broken key does not silently change the model");

    world.secrets.lock().unwrap().insert("gone".into(), "back".into());
    call(&registry, "bad/m").await.expect("an answer");
    assert!(registry.models()[0].available);
    assert_eq!(registry.problems(), []);
}

#[tokio::test]
async fn a_variable_as_key_is_left_to_the_secret_source() {
    let world = World::default();
    world.secrets.lock().unwrap().insert("$MY_KEY".into(), "sk-2".into());
    let config = config(vec![("own", provider("http://x/v1", plain("$MY_KEY"), &["m"]))]);
    let unset = world.registry(&config, &env(&[]));
    assert_eq!(unset.problems()[0].message, "the environment variable MY_KEY is not set");
    let set = world.registry(&config, &env(&[("MY_KEY", "sk-2")]));
    call(&set, "own/m").await.expect("an answer");
    assert_eq!(world.connected()[0].1.api_key.as_ref().map(Secret::expose), Some("sk-2"));
}

#[tokio::test]
async fn check_asks_every_secret_store() {
    let world = World::default();
    let config = config(vec![
        ("a", provider("http://x/v1", reference("exec", "one"), &["m"])),
        ("b", provider("http://x/v1", reference("exec", "two"), &["m"])),
    ]);
    world.secrets.lock().unwrap().insert("two".into(), "2".into());
    let registry = world.registry(&config, &env(&[]));
    assert_eq!(registry.problems(), []);
    let problems = registry.check().await;
    assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["models.providers.a.apiKey"]);
}

#[tokio::test]
async fn a_missing_key_is_explained_when_the_model_is_used() {
    let registry = World::default().registry(&config(vec![]), &env(&[]));
    let error = call(&registry, "anthropic/claude-sonnet-5-5").await.expect_err("no key");
    assert_eq!(error.class, ProviderErrorClass::Auth);
    insta::assert_snapshot!(error.message, @"there is no API key for anthropic (models.providers.anthropic.apiKey; set ANTHROPIC_API_KEY, or put one into models.providers.anthropic.apiKey)");
}

#[tokio::test]
async fn a_secret_source_that_panics_is_an_error() {
    let options = RegistryOptions { secrets: Some(Arc::new(|_| panic!("a bug"))), ..World::default().options() };
    let config = config(vec![("a", provider("http://x/v1", reference("exec", "one"), &["m"]))]);
    let registry = ProviderRegistry::build_with(&config, &env(&[]), options);
    let error = call(&registry, "a/m").await.expect_err("a failure");
    assert!(error.message.contains("ended unexpectedly"), "{error}");
}

#[tokio::test]
async fn usage_is_priced_by_the_model() {
    let mut own = model("m");
    own.cost = [1.0, 2.0, 0.5, 4.0];
    let own = ProviderConfig { models: vec![own, model("free")], ..provider("http://x/v1", None, &[]) };
    let registry = World::default().registry(&config(vec![("own", own)]), &env(&[]));
    let cost = |deltas: Vec<Delta>| match deltas.first() {
        Some(Delta::Usage(usage)) => usage.cost,
        other => panic!("no usage: {other:?}"),
    };
    let priced = cost(call(&registry, "own/m").await.expect("an answer"));
    let costs = [priced.input, priced.output, priced.cache_read, priced.cache_write, priced.total];
    assert_eq!(format!("{costs:.3?}"), "[1.000, 2.000, 0.500, 4.000, 7.500]");
    assert_eq!(cost(call(&registry, "own/free").await.expect("an answer")).total.to_bits(), 0.0_f64.to_bits());
}

#[tokio::test]
async fn the_offline_model_answers_through_the_registry() {
    let registry = World::default().registry(&config(vec![]), &env(&[]));
    let deltas = call(&registry, "offline").await.expect("an answer");
    assert!(matches!(deltas.last(), Some(Delta::Done { .. })));
}
