use super::*;
use crate::core::ErrorKind;

fn registry() -> ProviderRegistry {
    let mut config = config(vec![
        ("alpha", provider("http://a/v1", None, &["shared", "only-alpha", "vendor/deep/model"])),
        ("beta", provider("http://b/v1", None, &["shared", "Mixed-Case"])),
        ("broken", provider("http://c/v1", reference("env", "MISSING"), &["shared-once", "only-alpha"])),
        ("router", provider("http://r/v1", None, &["mistral/large"])),
    ]);
    config.aliases =
        [("opus", "anthropic/claude-opus-5-5"), ("Fast", "beta/quick"), ("lost", "gamma/x"), ("shared", "beta/shared")]
            .map(|(alias, target)| (alias.to_owned(), target.to_owned()))
            .into();
    World::default().registry(&config, &env(&[("ANTHROPIC_API_KEY", "k")]))
}

#[test]
fn references_resolve_by_the_table() {
    let registry = registry();
    let cases = [
        ("alpha/shared", "alpha/shared"),
        (" alpha/shared ", "alpha/shared"),
        ("ALPHA/shared", "alpha/shared"),
        ("alpha/vendor/deep/model", "alpha/vendor/deep/model"),
        ("alpha/anything/at:all", "alpha/anything/at:all"),
        ("vendor/deep/model", "alpha/vendor/deep/model"),
        ("opus", "anthropic/claude-opus-5-5"),
        ("OPUS", "anthropic/claude-opus-5-5"),
        ("fast", "beta/quick"),
        ("shared", "beta/shared"),
        ("only-alpha", "alpha/only-alpha"),
        ("mixed-case", "beta/Mixed-Case"),
        ("claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
        ("anthropic/claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5-20251001"),
        ("offline", "offline/offline"),
        ("offline/offline", "offline/offline"),
        ("ollama/qwen3:4b", "ollama/qwen3:4b"),
        ("openai/gpt-5-mini", "openai/gpt-5-mini"),
        ("mistral/large", "router/mistral/large"),
        ("mistral/small", "mistral/small"),
    ];
    for (typed, expected) in cases {
        let resolved = registry.resolve(typed).map(|model| (model.info.reference(), model.provider.id().to_owned()));
        let provider = expected.split('/').next().unwrap().to_owned();
        assert_eq!(resolved.ok(), Some((expected.to_owned(), provider)), "{typed}");
    }
    let dated = registry.resolve("anthropic/claude-haiku-4-5-20251001").map(|model| model.info.context_window);
    assert_eq!(dated.ok(), Some(200_000), "figures of the undated name");
    assert!(!registry.resolve("openai/gpt-5-mini").unwrap().info.available, "known, but there is no key");
}

#[test]
fn what_cannot_be_resolved_is_explained() {
    let registry = registry();
    let told: Vec<String> = [
        "",
        "  ",
        "alpha/",
        "onlyalpha",
        "shered",
        "gamma/x",
        "antropic/claude-opus-5-5",
        "bta/other",
        "offline/big",
        "zzzzzz",
    ]
    .iter()
    .map(|typed| {
        let error = registry.resolve(typed).map(|model| model.info.reference()).expect_err(typed);
        format!("«{typed}» {}: {error}. {}", error.kind().as_str(), error.fix().unwrap_or("-"))
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    «» invalid_input: the model reference is empty. openclaw models list shows the models at hand
    «  » invalid_input: the model reference is empty. openclaw models list shows the models at hand
    «alpha/» not_found: there is no model alpha/: the model id after the provider is missing. openclaw models list shows the models at hand
    «onlyalpha» not_found: there is no model onlyalpha. did you mean only-alpha? openclaw models list shows the models at hand
    «shered» not_found: there is no model shered. did you mean shared? openclaw models list shows the models at hand
    «gamma/x» not_found: there is no model gamma/x: there is no provider gamma. describe it in models.providers.gamma, or choose another model; openclaw models list shows the models at hand
    «antropic/claude-opus-5-5» not_found: there is no model antropic/claude-opus-5-5. did you mean anthropic/claude-opus-5-5? openclaw models list shows the models at hand
    «bta/other» not_found: there is no model bta/other: there is no provider bta. did you mean beta/other? openclaw models list shows the models at hand
    «offline/big» not_found: there is no model offline/big: the built-in provider has one model, offline/offline. openclaw models list shows the models at hand
    «zzzzzz» not_found: there is no model zzzzzz. openclaw models list shows the models at hand
    ");
}

#[test]
fn an_ambiguous_id_names_the_candidates() {
    let mut config = config(vec![
        ("alpha", provider("http://a/v1", None, &["shared"])),
        ("beta", provider("http://b/v1", None, &["shared"])),
    ]);
    let world = World::default();
    let error = world.registry(&config, &env(&[])).resolve("shared").map(|model| model.info).expect_err("two have it");
    assert_eq!(error.kind(), ErrorKind::User);
    assert_eq!(error.fix(), Some("name the provider too: alpha/shared or beta/shared"));
    config.providers.entry("beta".into()).and_modify(|beta| beta.api_key = reference("env", "MISSING"));
    let usable = world.registry(&config, &env(&[])).resolve("shared").map(|model| model.info.reference());
    assert_eq!(usable.ok().as_deref(), Some("alpha/shared"), "the only one that can be used");
}

#[test]
fn aliases_that_lead_nowhere_are_problems() {
    let problems = registry().problems();
    let lost = problems.iter().find(|problem| problem.provider == "lost").expect("a finding");
    assert_eq!(lost.message, "the alias lost leads nowhere: there is no model gamma/x: there is no provider gamma");
    assert_eq!(problems.len(), 2, "the alias and the missing variable: {problems:?}");
}

#[test]
fn an_agents_choice_goes_before_the_default() {
    let registry = registry();
    let chosen = |configured| registry.default_model_for(configured).map(|model| model.info.reference()).ok();
    assert_eq!(chosen(Some("fast")).as_deref(), Some("beta/quick"));
    assert_eq!(chosen(None).as_deref(), Some("anthropic/claude-sonnet-5-5"));
    assert_eq!(chosen(Some(" ")).as_deref(), Some("anthropic/claude-sonnet-5-5"));
    assert_eq!(chosen(Some("gamma/x")), None, "a wrong choice is an error, not silently another model");
}
