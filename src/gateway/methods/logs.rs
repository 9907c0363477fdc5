//! `logs.*`.

use serde_json::Value;

use super::services::blocking;
use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::{Error, Result};

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[Method {
    name: "logs.tail",
    summary: "The end of the gateway's log, or what was added since a cursor",
    params: &[
        Param::optional("cursor", Type::Integer(0, i64::MAX), "byte position of an earlier answer"),
        Param::optional("limit", Type::Integer(1, 5000), "most lines; 500 without it"),
        Param::optional("maxBytes", Type::Integer(1024, 4 * 1024 * 1024), "most bytes; 262144 without it"),
    ],
    result: || {
        object_schema(
            &[("file", "string"), ("cursor", "integer"), ("size", "integer"), ("lines", "array")],
            &[("truncated", "boolean"), ("reset", "boolean")],
        )
    },
    scope: Scope::Read,
    lifetime: Lifetime::WhileConnected,
    handler: |call| Box::pin(tail(call)),
}];

async fn tail(call: Call) -> Result<Value> {
    let file = call.services.options.log_file.clone();
    let cursor = call.args.integer("cursor").map(i64::unsigned_abs);
    let limit = call.args.count("limit").unwrap_or(500);
    let max_bytes = u64::try_from(call.args.count("maxBytes").unwrap_or(262_144)).unwrap_or(u64::MAX);
    blocking(move || {
        let tail = crate::fs::tail(&file, cursor, limit, max_bytes)
            .map_err(|error| Error::from(error).hint("logging.file in the configuration says where the log is"))?;
        serde_json::to_value(tail)
            .map_err(|error| Error::internal("a log tail could not be written as JSON").source(error))
    })
    .await
}
