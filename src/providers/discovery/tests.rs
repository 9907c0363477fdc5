use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Instant as Clock;

use super::*;

/// A loopback HTTP server with fixed answers; unknown paths are 404.
pub(in crate::providers) fn serve(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream, answers));
        }
    });
    url
}

fn answer(stream: TcpStream, answers: &[(&str, &str)]) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            request.push_str(&line);
            line.clear();
        }
        let Some(path) = request.split_whitespace().nth(1) else { return };
        let (status, body) = answers
            .iter()
            .find(|(known, _)| *known == path)
            .map_or(("404 Not Found", "{}"), |(_, body)| ("200 OK", *body));
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if reader.get_mut().write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// A server that accepts and then says nothing until the sender is dropped.
fn silent() -> (String, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound address"));
    let (hold, held) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let first = listener.accept();
        let ended = held.recv();
        drop((first, ended));
    });
    (url, hold)
}

/// An address where nothing listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("a bound address"))
}

fn target(kind: LocalKind, base_url: impl Into<String>) -> Target {
    Target { kind, base_url: base_url.into() }
}

const PATIENT: Duration = Duration::from_secs(10);

const OLLAMA: &[(&str, &str)] = &[(
    "/api/tags",
    r#"{"models":[{"name":"qwen3:latest","details":{"family":"qwen3"}},
        {"name":"nomic-embed-text:latest","details":{"family":"nomic-bert"}},
        {"name":"all-minilm:l6","details":{"family":"bert"}},
        {"name":"llama3.2:1b","details":{"family":"llama"}}]}"#,
)];

#[tokio::test]
async fn every_kind_is_found_and_listed_in_order() {
    let lm_studio = serve(&[
        ("/v1/models", r#"{"data":[{"id":"cold"},{"id":"qwen/vl"},{"id":"text-embedding-x"},{"id":"kind-embeds"}]}"#),
        (
            "/api/v0/models",
            r#"{"data":[{"id":"cold","type":"llm","state":"not-loaded","max_context_length":4096},
                {"id":"qwen/vl","type":"vlm","state":"loaded","max_context_length":32768,"loaded_context_length":16384},
                {"id":"kind-embeds","type":"embeddings"}]}"#,
        ),
    ]);
    let llama_cpp = serve(&[
        ("/v1/models", r#"{"data":[{"id":"models/tiny.gguf","owned_by":"llamacpp","meta":{"n_ctx_train":512}}]}"#),
        ("/props", r#"{"default_generation_settings":{"n_ctx":2048},"modalities":{"vision":true}}"#),
    ]);
    let ollama = serve(OLLAMA);
    let found = discover(
        vec![
            target(LocalKind::LmStudio, lm_studio),
            target(LocalKind::LlamaCpp, llama_cpp),
            target(LocalKind::Ollama, ollama.clone()),
        ],
        PATIENT,
    )
    .await;
    assert_eq!(found[0].base_url, ollama);
    let models: Vec<String> = found
        .iter()
        .flat_map(|server| &server.models)
        .map(|model| {
            format!("{} «{}» {} {}", model.reference(), model.name, model.context_window, model.input.join("+"))
        })
        .collect();
    insta::assert_snapshot!(models.join("\n"), @r"
    ollama/qwen3:latest «qwen3:latest» 32768 text
    ollama/llama3.2:1b «llama3.2:1b» 32768 text
    llamacpp/models/tiny.gguf «tiny» 2048 text+image
    lmstudio/qwen/vl «qwen/vl» 16384 text+image
    lmstudio/cold «cold» 4096 text
    ");
    assert!(found.iter().flat_map(|server| &server.models).all(|model| model.local && model.available));
    assert!(found.iter().flat_map(|server| &server.models).all(|model| model.max_tokens <= model.context_window));
}

#[tokio::test]
async fn something_else_on_port_8080_is_not_llama_cpp() {
    let other = serve(&[("/v1/models", r#"{"data":[{"id":"gpt-x","owned_by":"vllm"}]}"#)]);
    let page = serve(&[("/v1/models", "<html>hello</html>"), ("/props", "<html>hello</html>")]);
    for base_url in [other, page] {
        assert_eq!(discover(vec![target(LocalKind::LlamaCpp, base_url)], PATIENT).await, []);
    }
    let without_props =
        serve(&[("/v1/models", r#"{"data":[{"id":"m","owned_by":"llamacpp","meta":{"n_ctx_train":512}}]}"#)]);
    let found = discover(vec![target(LocalKind::LlamaCpp, without_props)], PATIENT).await;
    assert_eq!(found[0].models[0].context_window, 512);
}

#[tokio::test]
async fn nothing_listening_is_no_error() {
    let targets = LocalKind::ALL.into_iter().map(|kind| target(kind, nobody())).collect();
    assert_eq!(discover(targets, PATIENT).await, []);
}

#[tokio::test]
async fn a_silent_server_neither_delays_nor_hides_the_others() {
    assert!(BOUND <= Duration::from_millis(150));
    let (silent_url, hold) = silent();
    let targets = vec![target(LocalKind::LlamaCpp, silent_url), target(LocalKind::Ollama, serve(OLLAMA))];
    // A longer bound than the real one lets the healthy server answer on a busy machine; the silent one never would.
    let bound = BOUND * 4;
    let began = Clock::now();
    let found = tokio::time::timeout(PATIENT, discover(targets, bound)).await.expect("the search ends by itself");
    let took = began.elapsed();
    drop(hold);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, LocalKind::Ollama);
    assert!(took < bound * 4, "{took:?}");
}

#[tokio::test]
async fn the_blocking_probe_ends_by_itself() {
    let (silent_url, hold) = silent();
    let target = target(LocalKind::Ollama, silent_url);
    let probe = tokio::task::spawn_blocking(move || servers::ask(&target, Clock::now() + BOUND));
    let ended = tokio::time::timeout(Duration::from_secs(5), probe).await;
    drop(hold);
    assert!(matches!(ended, Ok(Ok(None))), "{ended:?}");
}

#[test]
fn ollama_host_is_read_as_ollama_reads_it() {
    let cases = [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        (":8000", "http://127.0.0.1:8000"),
        ("box.local", "http://box.local:11434"),
        ("box.local:99/", "http://box.local:99"),
        ("http://box", "http://box:80"),
        ("https://box/ollama/", "https://box:443/ollama"),
        ("http://box:99/ollama", "http://box:99/ollama"),
        ("[::1]:99", "http://[::1]:99"),
        ("[::]", "http://127.0.0.1:11434"),
    ];
    for (host, url) in cases {
        assert_eq!(ollama_url(host), url, "OLLAMA_HOST={host}");
    }
    let env = Environment { vars: [("OLLAMA_HOST".to_owned(), "box".to_owned())].into() };
    assert_eq!(targets(&env)[0].base_url, "http://box:11434");
    assert_eq!(targets(&Environment::default())[0].base_url, "http://127.0.0.1:11434");
}
