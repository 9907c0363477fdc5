//! `artifacts.*`: what runs left behind besides their transcript.

use serde_json::{Value, json};

use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::{AgentId, Error, ErrorKind, Result, RunId, limits};
use crate::runtime::{artifact_content, artifacts::summary};
use crate::state::{ArtifactEntry, ArtifactQuery};

/// Artifacts of a list when the caller names no number.
const DEFAULT_LIMIT: usize = 100;

const ID: Param = Param::required("artifactId", Type::Key, "the artifact");
const SESSION: Param = Param::optional("sessionKey", Type::Key, "only of this conversation");
const RUN: Param = Param::optional("runId", Type::Key, "only of this run");
const AGENT: Param = Param::optional("agentId", Type::Key, "only of this agent");

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "artifacts.list",
        summary: "Images and trajectories that runs left behind, newest first, without their content",
        params: &[
            SESSION,
            RUN,
            AGENT,
            Param::optional(
                "type",
                Type::OneOf(&["image", "media", "trajectory"]),
                "only of this kind; image is media",
            ),
            Param::optional("limit", Type::Integer(1, 1000), "most artifacts; 100 without it"),
        ],
        result: || object_schema(&[("artifacts", "array")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(list(call)),
    },
    Method {
        name: "artifacts.get",
        summary: "What is known about one artifact",
        params: &[ID, SESSION, RUN, AGENT],
        result: || object_schema(&[("artifact", "object")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(get(call)),
    },
    Method {
        name: "artifacts.download",
        summary: "The content of one artifact as base64; a trajectory as JSON lines in OpenClaw's form",
        params: &[ID, SESSION, RUN, AGENT],
        result: || object_schema(&[("artifact", "object"), ("encoding", "string"), ("data", "string")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(download(call)),
    },
];

async fn list(call: Call) -> Result<Value> {
    let args = &call.args;
    let kind = args.text("type").map(|kind| if kind == "image" { "media" } else { kind }.to_owned());
    let query = ArtifactQuery { kind, limit: args.count("limit").unwrap_or(DEFAULT_LIMIT), ..wanted(&call)? };
    let found = call.services.read(move |tx| tx.artifact_list(&query)).await?;
    Ok(json!({"artifacts": found.iter().map(summary).collect::<Vec<_>>()}))
}

async fn get(call: Call) -> Result<Value> {
    Ok(json!({"artifact": summary(&find(&call).await?)}))
}

async fn download(call: Call) -> Result<Value> {
    let entry = find(&call).await?;
    let summary = summary(&entry);
    let content = call.services.read(move |tx| artifact_content(tx, &entry)).await?;
    if content.len() > limits::MAX_ATTACHMENT_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, format!("the artifact has {} bytes", content.len()))
            .why(format!("an answer carries at most {}", limits::MAX_ATTACHMENT_BYTES))
            .hint("on the gateway's machine: openclaw artifacts export ID -o FILE"));
    }
    Ok(json!({"artifact": summary, "encoding": "base64", "data": data_encoding::BASE64.encode(&content)}))
}

/// What the caller narrows the search to.
fn wanted(call: &Call) -> Result<ArtifactQuery> {
    let args = &call.args;
    let session_key = match args.text("sessionKey") {
        Some(key) => Some(call.services.key(Some(key), args.text("agentId"))?.0),
        None => None,
    };
    Ok(ArtifactQuery {
        agent: args.text("agentId").map(AgentId::from),
        run: args.text("runId").map(RunId::from),
        session_key,
        kind: None,
        limit: 0,
    })
}

async fn find(call: &Call) -> Result<ArtifactEntry> {
    let id = call.args.required("artifactId")?.to_owned();
    let (wanted, read) = (wanted(call)?, id.clone());
    let found = call.services.read(move |tx| tx.artifact(&read)).await?.filter(|entry| {
        wanted.agent.is_none_or(|agent| agent == entry.agent_id)
            && wanted.run.is_none_or(|run| run == entry.run_id)
            && wanted.session_key.is_none_or(|key| Some(key) == entry.session_key)
    });
    found.ok_or_else(|| Error::not_found(format!("there is no artifact {id:?}")).hint("artifacts.list shows them"))
}
