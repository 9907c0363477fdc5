//! `vfs.*`: the agents' virtual files.
//!
//! A method is a function from a tree and parameters to a result. It does not know whether the gateway or, without one, the command
//! line runs it: [`here`] is how the latter does.

mod open;
mod past;
mod read;
mod shapes;
mod write;

use serde_json::Value;

use super::args::Args;
use super::services::blocking;
use super::spec::{Call, Handler, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::config::Config;
use crate::core::{Error, Result};
use crate::fs::VirtualAgentFs;
use crate::state::Store;

/// Most bytes of a file in one answer or one piece of an upload.
pub(crate) const MAX_PIECE: u64 = 8 * 1024 * 1024;
/// Longest `data`: base64 of a piece with room to spare.
const MAX_DATA: usize = 12 * 1024 * 1024;
/// Longest path in parameters, in bytes.
const MAX_PATH: usize = 4200;
/// Most rows in one answer.
const MAX_ROWS: i64 = 10_000;

const AGENT: Param = Param::optional("agentId", Type::Key, "whose files; the default agent's without it");
const NAMESPACE: Param = Param::optional(
    "namespace",
    Type::Text(600),
    "workspace, scratch or run/ID; without it workspace for an agent in vfs-only mode, scratch for others",
);
const PATH: Param = Param::required("path", Type::Text(MAX_PATH), "the path, relative to the root");
const UNDER: Param =
    Param::optional("path", Type::Text(MAX_PATH), "the path, relative to the root; the root without it");
const LIMIT: Param = Param::optional("limit", Type::Integer(1, MAX_ROWS), "most rows; 1000 without it");
const MOMENT: Type = Type::AnyOf(&[Type::Integer(0, i64::MAX), Type::Text(128)]);
const AT: Param = Param::optional("at", MOMENT, "a revision, a snapshot's name, or now");
const PARENTS: Param = Param::optional("createParents", Type::Boolean, "make missing directories; true without it");

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    method("vfs.list", "The entries of a directory of an agent's virtual files", Scope::Read, |call| {
        run(call, read::list)
    })
    .takes(&[
        UNDER,
        AT,
        Param::optional("recursive", Type::Boolean, "everything below it, too"),
        Param::optional(
            "after",
            Type::Text(MAX_PATH),
            "only entries after this path: the last one of an answer that was truncated",
        ),
        LIMIT,
        AGENT,
        NAMESPACE,
    ])
    .gives(|| tree_schema(&[("path", "string"), ("entries", "array"), ("truncated", "boolean")], &[])),
    method("vfs.stat", "What is known about a virtual file or directory", Scope::Read, |call| run(call, read::stat))
        .takes(&[PATH, AT, AGENT, NAMESPACE])
        .gives(|| tree_schema(&[("path", "string"), ("entry", "object")], &[])),
    method("vfs.read", "The content of a virtual file, or a part of it", Scope::Read, |call| run(call, read::read))
        .takes(&[
            PATH,
            AT,
            Param::optional("offset", Type::Integer(0, i64::MAX), "first byte; 0 without it"),
            Param::optional("length", Type::Integer(0, MAX_PIECE.cast_signed()), "most bytes; 1048576 without it"),
            Param::optional(
                "encoding",
                Type::OneOf(&["auto", "utf8", "base64"]),
                "of data; auto is utf8 for text and base64 for everything else",
            ),
            AGENT,
            NAMESPACE,
        ])
        .gives(|| {
            tree_schema(
                &[
                    ("path", "string"),
                    ("encoding", "string"),
                    ("data", "string"),
                    ("offset", "integer"),
                    ("length", "integer"),
                    ("size", "integer"),
                    ("eof", "boolean"),
                    ("revision", "integer"),
                    ("hash", "string"),
                ],
                &[],
            )
        }),
    method("vfs.write", "Replaces, creates or extends a virtual file, at once or in pieces", Scope::Write, |call| {
        run(call, write::write)
    })
    .takes(&[
        PATH,
        Param::required("data", Type::Text(MAX_DATA), "the bytes, or a piece of them"),
        Param::optional("encoding", Type::OneOf(&["utf8", "base64"]), "of data; utf8 without it"),
        Param::optional("mode", Type::Integer(0, 0o777), "permission bits; the present ones without it"),
        Param::optional("append", Type::Boolean, "add to the end of the file"),
        PARENTS,
        Param::optional("mustExist", Type::Boolean, "fail if there is no such file"),
        Param::optional("mustNotExist", Type::Boolean, "fail if there is such a file already"),
        Param::optional("more", Type::Boolean, "further pieces follow; the file changes with the last one"),
        Param::optional(
            "upload",
            Type::Integer(1, i64::MAX),
            "the upload this piece belongs to, from the first answer",
        ),
        Param::optional("offset", Type::Integer(0, i64::MAX), "where in the upload this piece begins"),
        AGENT,
        NAMESPACE,
    ])
    .gives(|| {
        tree_schema(
            &[("path", "string"), ("size", "integer")],
            &[("created", "boolean"), ("upload", "integer"), ("revision", "integer")],
        )
    }),
    method("vfs.mkdir", "Makes a directory and its missing parents", Scope::Write, |call| run(call, write::mkdir))
        .takes(&[PATH, AGENT, NAMESPACE])
        .gives(|| tree_schema(&[("path", "string"), ("ok", "boolean")], &[])),
    method("vfs.rename", "Moves a virtual file or directory", Scope::Write, |call| run(call, write::rename))
        .takes(&[
            Param::required("from", Type::Text(MAX_PATH), "what to move"),
            Param::required("to", Type::Text(MAX_PATH), "its other path"),
            Param::optional("replace", Type::Boolean, "replace a file by a file, or an empty directory by a directory"),
            PARENTS,
            AGENT,
            NAMESPACE,
        ])
        .gives(|| tree_schema(&[("from", "string"), ("to", "string"), ("ok", "boolean")], &[])),
    method("vfs.remove", "Removes a virtual file or directory", Scope::Write, |call| run(call, write::remove))
        .takes(&[
            PATH,
            Param::optional("recursive", Type::Boolean, "a directory with everything below it, too"),
            AGENT,
            NAMESPACE,
        ])
        .gives(|| tree_schema(&[("path", "string"), ("removed", "integer")], &[])),
    method("vfs.diff", "What is not the same at two moments", Scope::Read, |call| run(call, past::diff))
        .takes(&[
            Param::required("from", MOMENT, "a revision, a snapshot's name, or now"),
            Param::optional("to", MOMENT, "the same; now without it"),
            UNDER,
            LIMIT,
            AGENT,
            NAMESPACE,
        ])
        .gives(|| {
            tree_schema(
                &[
                    ("path", "string"),
                    ("from", "string"),
                    ("to", "string"),
                    ("changes", "array"),
                    ("truncated", "boolean"),
                ],
                &[],
            )
        }),
    method("vfs.history", "The versions of a virtual file or directory, newest first", Scope::Read, |call| {
        run(call, past::history)
    })
    .takes(&[PATH, LIMIT, AGENT, NAMESPACE])
    .gives(|| tree_schema(&[("path", "string"), ("versions", "array"), ("truncated", "boolean")], &[])),
    method(
        "vfs.restore",
        "Makes a file or tree what it was, by a further revision; without a path everything",
        Scope::Write,
        |call| run(call, past::restore),
    )
    .takes(&[Param::required("at", MOMENT, "a revision or a snapshot's name"), UNDER, AGENT, NAMESPACE])
    .gives(|| {
        tree_schema(
            &[
                ("path", "string"),
                ("at", "string"),
                ("changes", "array"),
                ("revision", "integer"),
                ("total", "integer"),
            ],
            &[],
        )
    }),
    method("vfs.snapshot", "Gives the present state of the files a name, or takes a name away", Scope::Write, |call| {
        run(call, past::snapshot)
    })
    .takes(&[
        Param::required("name", Type::Text(128), "the name; not a number, not now"),
        Param::optional("note", Type::Text(1000), "what it is for"),
        Param::optional("drop", Type::Boolean, "forget the snapshot of that name"),
        AGENT,
        NAMESPACE,
    ])
    .gives(|| tree_schema(&[("name", "string")], &[("snapshot", "object"), ("dropped", "boolean")])),
    method("vfs.snapshots", "The named states of the files, oldest first", Scope::Read, |call| {
        run(call, past::snapshots)
    })
    .takes(&[AGENT, NAMESPACE])
    .gives(|| tree_schema(&[("snapshots", "array")], &[])),
    method("vfs.usage", "What an agent's virtual files come to, and their limits", Scope::Read, |call| {
        run(call, read::usage)
    })
    .takes(&[AGENT, NAMESPACE])
    .gives(|| {
        tree_schema(
            &[
                ("revision", "integer"),
                ("bytes", "integer"),
                ("files", "integer"),
                ("directories", "integer"),
                ("historyBytes", "integer"),
                ("snapshotBytes", "integer"),
                ("prunedBefore", "integer"),
                ("limits", "object"),
                ("namespaces", "array"),
            ],
            &[],
        )
    }),
];

/// A method on a tree. Changes run to their end.
const fn method(name: &'static str, summary: &'static str, scope: Scope, handler: Handler) -> Method {
    let lifetime = if matches!(scope, Scope::Read) { Lifetime::WhileConnected } else { Lifetime::ToTheEnd };
    Method { name, summary, params: &[], result: || Value::Null, scope, lifetime, handler }
}

impl Method {
    const fn takes(self, params: &'static [Param]) -> Self {
        Self { params, ..self }
    }

    const fn gives(self, result: fn() -> Value) -> Self {
        Self { result, ..self }
    }
}

/// Every result names its tree.
fn tree_schema(members: &[(&str, &str)], optional: &[(&str, &str)]) -> Value {
    let tree = [("agentId", "string"), ("namespace", "string")];
    object_schema(&[&tree, members].concat(), optional)
}

/// A method's work.
type Work = fn(&VirtualAgentFs, &Args) -> Result<Value>;

/// In the gateway: off the async threads.
fn run(call: Call, work: Work) -> futures_util::future::BoxFuture<'static, Result<Value>> {
    Box::pin(async move {
        let (store, config) = (call.services.runtime.store().clone(), call.services.runtime.config());
        blocking(move || answer(store, &config.view, &call.args, work)).await
    })
}

fn answer(store: Store, config: &Config, args: &Args, work: Work) -> Result<Value> {
    let files = open::tree(store, config, args)?;
    let mut result = work(&files, args)?;
    if let Some(result) = result.as_object_mut() {
        result.insert("agentId".to_owned(), files.agent().as_str().into());
        result.insert("namespace".to_owned(), files.namespace().to_string().into());
    }
    Ok(result)
}

/// Without a gateway: runs a `vfs.*` method on a database of this machine.
pub(crate) fn here(store: &Store, config: &Config, name: &str, params: Value) -> Result<Value> {
    let works: [(&str, Work); 13] = [
        ("vfs.list", read::list),
        ("vfs.stat", read::stat),
        ("vfs.read", read::read),
        ("vfs.usage", read::usage),
        ("vfs.write", write::write),
        ("vfs.mkdir", write::mkdir),
        ("vfs.rename", write::rename),
        ("vfs.remove", write::remove),
        ("vfs.diff", past::diff),
        ("vfs.history", past::history),
        ("vfs.restore", past::restore),
        ("vfs.snapshot", past::snapshot),
        ("vfs.snapshots", past::snapshots),
    ];
    let described = METHODS.iter().find(|method| method.name == name);
    let work = works.iter().find(|(known, _)| *known == name);
    let (Some(described), Some((_, work))) = (described, work) else {
        return Err(Error::internal(format!("{name} is no method of virtual files")));
    };
    answer(store.clone(), config, &Args::check(described, Some(params))?, *work)
}
