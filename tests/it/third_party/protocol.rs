//! Our JSON-RPC and its description, as others read them.

use serde_json::json;

use super::install::{Installation, installed, succeed};
use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};

fn gateway() -> (Gateway, FakeProvider) {
    let provider = FakeProvider::start();
    (Home::new(provider.config("openai-completions")).start(), provider)
}

#[test]
fn the_openrpc_document_fits_the_meta_schema() {
    let Some(parts) = installed("openrpc") else { return };
    let home = tempfile::tempdir().expect("a directory");
    let (gateway, _provider) = gateway();
    let document = gateway.call("rpc.discover", json!({}));
    let file = home.path().join("openrpc.json");
    let validate = |document: &serde_json::Value| {
        std::fs::write(&file, document.to_string()).expect("a file");
        let mut command = parts.python(home.path());
        command
            .arg(Installation::script("openrpc.py"))
            .arg(parts.module("@open-rpc/meta-schema/index.js"))
            .arg(parts.module("@json-schema-tools/meta-schema/schema.json"))
            .arg(&file);
        command
    };
    let report = succeed("the validation of rpc.discover", &mut validate(&document));
    assert!(report.contains("methods"), "{report}");

    // The validator can say no, of the document as well as of a schema inside it.
    for (pointer, wrong) in [("/openrpc", json!("0.9")), ("/methods/0/result/schema", json!({"type": "bogus"}))] {
        let mut broken = document.clone();
        *broken.pointer_mut(pointer).expect(pointer) = wrong;
        let output = validate(&broken).output().expect("it starts");
        assert_eq!(output.status.code(), Some(1), "{pointer}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn an_independent_client_runs_turns_and_hears_of_them() {
    let Some(parts) = installed("client") else { return };
    let home = tempfile::tempdir().expect("a directory");
    let (gateway, provider) = gateway();
    std::fs::create_dir_all(gateway.home.workspace()).expect("a workspace");
    std::fs::write(gateway.home.workspace().join("note.txt"), "hello\n").expect("a file");
    provider.push(completions::tools(&[("call_1", "ls", json!({}))]));
    provider.push(completions::text(&["One ", "file."]));
    provider.always(completions::text(&["Once more."]));
    let report = succeed(
        "the client",
        parts
            .python(home.path())
            .arg(Installation::script("client.py"))
            .arg(format!("ws://127.0.0.1:{}/ws", gateway.port()))
            .arg(&gateway.token),
    );
    assert!(report.contains("methods"), "{report}");
    assert!(provider.seen().len() >= 2, "{report}");
}
