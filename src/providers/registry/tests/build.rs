use super::super::ModelsMode;
use super::*;

#[test]
fn a_bare_machine_has_the_offline_model() {
    let registry = World::default().registry(&config(vec![]), &env(&[]));
    assert_eq!(references(&registry), ["offline/offline"]);
    assert_eq!(registry.default_model().info.reference(), "offline/offline");
    assert_eq!(registry.problems(), []);
}

#[test]
fn keys_in_the_environment_bring_their_providers() {
    let world = World::default();
    let cases = [
        (vec![("ANTHROPIC_API_KEY", "k")], "anthropic/claude-sonnet-5-5"),
        (vec![("OPENAI_API_KEY", "k")], "openai/gpt-6.1-sol"),
        (vec![("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")], "anthropic/claude-sonnet-5-5"),
        (vec![("OPENROUTER_API_KEY", "k")], "openrouter/openrouter/auto"),
        (vec![("GROQ_API_KEY", "k")], "groq/openai/gpt-oss-120b"),
        (vec![("MISTRAL_API_KEY", "k")], "mistral/mistral-large-latest"),
        (vec![("DEEPSEEK_API_KEY", "k")], "deepseek/deepseek-v4-flash"),
        (vec![("XAI_API_KEY", "k")], "xai/grok-4.3"),
        (vec![("GOOGLE_API_KEY", "k")], "gemini/gemini-3.6-flash"),
        (vec![("ANTHROPIC_API_KEY", " ")], "offline/offline"),
        (vec![("ANTHROPIC_BASE_URL", "http://x")], "offline/offline"),
    ];
    for (vars, expected) in cases {
        let registry = world.registry(&config(vec![]), &env(&vars));
        let default = registry.default_model().info;
        assert_eq!(default.reference(), expected, "{vars:?}");
        assert!(default.available);
    }
    assert!(world.connected().is_empty(), "building makes no client");
}

#[test]
fn an_environment_key_goes_before_a_configured_provider() {
    let own = config(vec![("aaa", provider("http://127.0.0.1:9/v1", None, &["m"]))]);
    let world = World::default();
    assert_eq!(world.registry(&own, &env(&[])).default_model().info.reference(), "aaa/m");
    let with_key = world.registry(&own, &env(&[("XAI_API_KEY", "k")]));
    assert_eq!(with_key.default_model().info.reference(), "xai/grok-4.3");
    assert_eq!(references(&with_key), ["aaa/m", "xai/grok-4.3", "offline/offline"]);
}

#[tokio::test]
async fn base_urls_come_from_configuration_then_environment_then_the_table() {
    let vars = [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://env:1/v1/")];
    let cases = [
        (vec![], &vars[..1], ("openai-responses", "")),
        (vec![], &vars[..], ("openai-completions", "http://env:1/v1")),
        (vec![("openai", provider("http://own/v1/", None, &[]))], &vars[..], ("openai-completions", "http://own/v1")),
        (vec![("openai", provider("", None, &[]))], &vars[..1], ("openai-responses", "")),
        (
            vec![(
                "openai",
                ProviderConfig { api: Some("openai-responses".into()), ..provider("http://own/v1", None, &[]) },
            )],
            &vars[..],
            ("openai-responses", "http://own/v1"),
        ),
    ];
    for (providers, vars, expected) in cases {
        let world = World::default();
        let model = world.registry(&config(providers), &env(vars)).resolve("openai/x").expect("a model");
        model.provider.stream(request("x")).await.map(drop).expect("a stream");
        let (api, endpoint) = world.connected().remove(0);
        assert_eq!((api.as_str(), endpoint.base_url.as_str()), expected);
        assert_eq!(endpoint.api_key.as_ref().map(Secret::expose), Some("k"));
    }
}

#[test]
fn a_configured_provider_inherits_and_merges() {
    let mut own = model("claude-opus-5-5");
    own.name = Some("My Opus".into());
    own.context_window = Some(50_000);
    let anthropic = ProviderConfig { models: vec![own, model("claude-next")], ..provider("", None, &[]) };
    let config = config(vec![("anthropic", anthropic)]);
    let world = World::default();
    let merged = world.registry(&config, &env(&[("ANTHROPIC_API_KEY", "k")]));
    insta::assert_snapshot!(references(&merged).join("\n"), @r"
    anthropic/claude-opus-5-5
    anthropic/claude-next
    anthropic/claude-sonnet-5-5
    anthropic/claude-fable-5-1
    anthropic/claude-haiku-4-5
    offline/offline
    ");
    let opus = merged.default_model().info;
    assert_eq!((opus.name.as_str(), opus.context_window, opus.max_tokens), ("My Opus", 50_000, 50_000));
    assert!(opus.reasoning && opus.cost.output > 0.0 && opus.input == ["text", "image"], "{opus:?}");

    let options = RegistryOptions { mode: ModelsMode::Replace, ..world.options() };
    let vars = env(&[("ANTHROPIC_API_KEY", "k"), ("OPENAI_API_KEY", "k")]);
    let replaced = ProviderRegistry::build_with(&config, &vars, options);
    assert_eq!(references(&replaced), ["anthropic/claude-opus-5-5", "anthropic/claude-next", "offline/offline"]);
    assert!(replaced.resolve("openai/gpt-5-mini").is_err(), "only configured providers exist");
    assert!(replaced.resolve("ollama/qwen3").is_err());
}

#[test]
fn a_gateway_in_front_of_a_known_provider_lists_only_what_is_configured() {
    let config = config(vec![("openai", provider("http://litellm:4000/v1", plain("k"), &["house-model"]))]);
    let registry = World::default().registry(&config, &env(&[]));
    assert_eq!(references(&registry), ["openai/house-model", "offline/offline"]);
    assert_eq!(registry.default_model().info.api, "openai-completions");
}

#[test]
fn broken_providers_do_not_hide_the_others() {
    let config = config(vec![
        (
            "bedrock",
            ProviderConfig { api: Some("bedrock-converse-stream".into()), ..provider("http://x", None, &["b"]) },
        ),
        ("forgotten", provider("http://x/v1", reference("env", "FORGOTTEN_KEY"), &["f"])),
        ("groq", provider("", None, &[])),
        ("nowhere", provider("", plain("k"), &["n"])),
        ("offline", provider("http://x", None, &["o"])),
        ("good", provider("http://x/v1", None, &["g"])),
    ]);
    let registry = World::default().registry(&config, &env(&[]));
    insta::assert_snapshot!(references(&registry).join("\n"), @r"
    bedrock/b (unavailable)
    forgotten/f (unavailable)
    good/g
    groq/openai/gpt-oss-120b (unavailable)
    groq/openai/gpt-oss-20b (unavailable)
    nowhere/n (unavailable)
    offline/offline
    ");
    let problems: Vec<String> =
        registry.problems().iter().map(|p| format!("{}: {}. {}", p.path, p.message, p.hint)).collect();
    insta::assert_snapshot!(problems.join("\n"), @r"
    models.providers.offline: the provider id offline belongs to the built-in model, so this entry is ignored. give the provider another id
    models.providers.bedrock.api: the API bedrock-converse-stream is not supported. use one of anthropic-messages, openai-completions, openai-responses
    models.providers.forgotten.apiKey: the environment variable FORGOTTEN_KEY is not set. set FORGOTTEN_KEY, or change models.providers.forgotten.apiKey
    models.providers.groq.apiKey: there is no API key for groq. set GROQ_API_KEY, or put one into models.providers.groq.apiKey
    models.providers.nowhere.baseUrl: the provider nowhere has no baseUrl and is not one of the well-known ones. set models.providers.nowhere.baseUrl, or its api to mean that API's own host
    ");
    // The first provider that is described well enough; that its key is missing is said when it is used.
    assert_eq!(registry.default_model().info.reference(), "forgotten/f");
}

#[tokio::test]
async fn per_model_apis_and_ollamas_own_api_are_understood() {
    let mut claude = model("claude");
    claude.api = Some("anthropic-messages".into());
    let config = config(vec![
        (
            "gateway",
            ProviderConfig { models: vec![model("gpt"), claude], ..provider("http://g/v1", plain(" key\n"), &[]) },
        ),
        ("box", ProviderConfig { api: Some("ollama".into()), ..provider("http://box:11434", None, &["q"]) }),
        ("ollama", provider("http://127.0.0.1:1/", None, &["q"])),
    ]);
    let world = World::default();
    let registry = world.registry(&config, &env(&[]));
    for reference in ["gateway/gpt", "gateway/claude", "box/q", "ollama/q"] {
        let model = registry.resolve(reference).expect("a model");
        assert_eq!(model.info.local, reference == "ollama/q");
        model.provider.stream(request("x")).await.map(drop).expect("a stream");
    }
    let seen: Vec<String> =
        world.connected().iter().map(|(api, endpoint)| format!("{api} {}", endpoint.base_url)).collect();
    assert_eq!(
        seen,
        [
            "openai-completions http://g/v1",
            "anthropic-messages http://g/v1",
            "openai-completions http://box:11434/v1",
            "openai-completions http://127.0.0.1:1/v1"
        ]
    );
    assert_eq!(world.connected()[0].1.api_key.as_ref().map(Secret::expose), Some("key"));
}

#[test]
fn building_is_fast() {
    let providers: Vec<(String, ProviderConfig)> = (0..20)
        .map(|n| (format!("p{n}"), provider("http://x/v1", reference("exec", "slow"), &["a", "b", "c"])))
        .collect();
    let config = config(providers.iter().map(|(id, provider)| (id.as_str(), provider.clone())).collect());
    let env = env(&[("ANTHROPIC_API_KEY", "k"), ("OPENAI_API_KEY", "k")]);
    let world = World::default();
    let best = (0..20)
        .map(|_| {
            let began = std::time::Instant::now();
            drop(world.registry(&config, &env));
            began.elapsed()
        })
        .min();
    // The budget is 1 ms in a release build; this is a debug build.
    assert!(best.is_some_and(|best| best < std::time::Duration::from_millis(10)), "{best:?}");
    assert!(world.asked.lock().unwrap().is_empty(), "no secret is resolved");
}

#[test]
fn models_are_shown_as_clients_expect_them() {
    let config = config(vec![("mine", provider("http://127.0.0.1:9/v1", None, &["tiny"]))]);
    let registry = World::default().registry(&config, &env(&[("XAI_API_KEY", "k")]));
    let items = registry.models_json(Some("mine/tiny"), ThinkingLevel::Low);
    insta::assert_json_snapshot!(items, @r#"
    [
      {
        "id": "tiny",
        "name": "tiny",
        "provider": "mine",
        "contextWindow": 128000,
        "local": true,
        "input": [
          "text"
        ],
        "reasoning": false,
        "tags": [
          "default"
        ],
        "thinkingLevels": [
          {
            "id": "off",
            "label": "off"
          }
        ],
        "thinkingDefault": "off",
        "available": true
      },
      {
        "id": "grok-4.3",
        "name": "Grok 4.3",
        "provider": "xai",
        "contextWindow": 1000000,
        "input": [
          "text",
          "image"
        ],
        "reasoning": true,
        "thinkingLevels": [
          {
            "id": "off",
            "label": "off"
          },
          {
            "id": "minimal",
            "label": "minimal"
          },
          {
            "id": "low",
            "label": "low"
          },
          {
            "id": "medium",
            "label": "medium"
          },
          {
            "id": "high",
            "label": "high"
          }
        ],
        "thinkingDefault": "low",
        "available": true
      },
      {
        "id": "offline",
        "name": "Offline (built in, not a language model)",
        "provider": "offline",
        "contextWindow": 1000000,
        "local": true,
        "input": [
          "text"
        ],
        "reasoning": false,
        "thinkingLevels": [
          {
            "id": "off",
            "label": "off"
          }
        ],
        "thinkingDefault": "off",
        "available": true
      }
    ]
    "#);
    let other = registry.models_json(Some("mine/unlisted"), ThinkingLevel::Off);
    assert_eq!(other[0]["id"], "unlisted");
    assert_eq!(other[0]["tags"][0], "default");
    assert!(registry.models_json(Some("nope/nope"), ThinkingLevel::Off).iter().all(|item| item.get("tags").is_none()));
    assert_eq!(registry.models_json(None, ThinkingLevel::Off)[1]["tags"][0], "default");
}
