//! `rpc.*`.

use super::discover;
use super::spec::{Lifetime, Method, Scope, object_schema};

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[Method {
    name: "rpc.discover",
    summary: "Describes every method as an OpenRPC document",
    params: &[],
    result: || {
        object_schema(
            &[
                ("openrpc", "string"),
                ("info", "object"),
                ("servers", "array"),
                ("x-scopes", "object"),
                ("methods", "array"),
                ("components", "object"),
            ],
            &[],
        )
    },
    scope: Scope::Read,
    lifetime: Lifetime::WhileConnected,
    handler: |_call| Box::pin(std::future::ready(Ok(discover::document()))),
}];
