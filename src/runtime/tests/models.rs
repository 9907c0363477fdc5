//! Fallback models.

use serde_json::json;

use super::support::{Bench, Piece, call_tool, failure, say, text, told, used};
use crate::core::ProviderErrorClass as Class;
use crate::runtime::RunStatus;
use crate::session::EventBody;

async fn bench() -> Bench {
    Bench::configured(json!({"defaults": {"model": {"primary": "fake/plain", "fallbacks": ["spare/plain"]}}})).await
}

#[tokio::test]
async fn another_model_answers_when_the_first_cannot() {
    let bench = bench().await;
    let mut events = bench.runtime.subscribe();
    bench.model.then(vec![Piece::Fail(failure(Class::Overloaded, false))]);
    bench.spare.then(call_tool("c", "ls", &json!({"path": "."}))).then(say("here I am"));
    let outcome = bench.turn("anybody?", "run").await;
    assert_eq!((outcome.status, outcome.provider.as_str()), (RunStatus::Ok, "spare"));
    assert_eq!(outcome.text, "here I am");
    assert_eq!(outcome.steps, 2);
    assert_eq!((outcome.usage.input, outcome.usage.output), (20, 10));
    assert_eq!(bench.model.requests().len(), 1, "the first is not asked again in this run");
    let models: Vec<String> = told(&mut events).into_iter().filter(|what| what.starts_with("model")).collect();
    assert_eq!(models, ["model fake", "model spare", "model spare"]);
    assert_eq!(bench.entry().model_provider.as_deref(), Some("spare"));
    assert_eq!(bench.entry().usage.total_tokens, 30);
}

#[tokio::test]
async fn nobody_else_is_asked_once_an_answer_has_begun() {
    for started in [true, false] {
        let bench = bench().await;
        bench.model.then(vec![text("half"), used(10, 1), Piece::Fail(failure(Class::Network, started))]);
        let outcome = bench.turn("go", "run").await;
        assert_eq!((outcome.status, outcome.text.as_str()), (RunStatus::Error, "half"));
        assert_eq!(bench.spare.requests().len(), 0, "started: {started}");
        assert_eq!(bench.entry().usage.total_tokens, 11, "what was used is billed");
        let partial = bench.events().iter().any(|event| match &event.body {
            EventBody::AgentResponse(data) => data.error.is_some() && !data.content.is_empty(),
            _ => false,
        });
        assert!(partial);
    }
}

#[tokio::test]
async fn faults_of_ours_are_not_hidden_behind_another_model() {
    for class in [Class::Auth, Class::InvalidRequest, Class::ContextOverflow, Class::ModelNotFound, Class::Protocol] {
        let bench = bench().await;
        bench.model.then(vec![Piece::Fail(failure(class, false))]);
        let outcome = bench.turn("go", "run").await;
        assert_eq!(outcome.status, RunStatus::Error);
        assert_eq!(outcome.error.expect("an error")["class"], class.as_str());
        assert_eq!(bench.spare.requests().len(), 0);
    }
}

#[tokio::test]
async fn the_last_error_counts_when_nobody_can() {
    let bench = bench().await;
    bench.model.then(vec![Piece::Fail(failure(Class::Overloaded, false))]);
    bench.spare.then(vec![Piece::Fail(failure(Class::RateLimit, false))]);
    let outcome = bench.turn("go", "run").await;
    assert_eq!(outcome.error.expect("an error")["class"], "rate_limit");
    assert_eq!(bench.turn("again", "next").await.status, RunStatus::Ok);
    assert_eq!(bench.model.requests().len(), 2, "the next run begins with the first model");
    bench.assert_linear();
}

#[tokio::test]
async fn usage_beyond_all_numbers_breaks_nothing() {
    let bench = bench().await;
    bench.model.then(vec![
        text("big"),
        Piece::Say(crate::providers::Delta::Usage(crate::session::Usage {
            input: u64::MAX,
            cache_read: u64::MAX,
            output: u64::MAX,
            total_tokens: u64::MAX,
            ..crate::session::Usage::default()
        })),
        super::support::done(crate::session::StopReason::Stop),
    ]);
    assert_eq!(bench.turn("go", "run").await.status, RunStatus::Ok);
    assert_eq!(bench.turn("again", "next").await.status, RunStatus::Ok);
}
