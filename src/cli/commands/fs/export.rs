//! `openclaw fs export`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{bytes, quantity};
use crate::core::{Error, ErrorKind, Result};
use crate::fs::{FsError, HostCapabilityFs, HostFsOptions, RelPath};
use crate::state::Access;

use super::tree::{Tree, TreeArgs, moment};

/// Entries asked for at once.
const PAGE: usize = 5000;

/// Flags of `fs export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Directory of this machine that is empty or does not exist.
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Only what is below this directory.
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    path: String,
    /// As it was at that revision or snapshot.
    #[arg(long, value_name = "REVISION")]
    at: Option<String>,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Copies files out: one state of the tree, whatever is changed meanwhile.
pub(super) fn run(context: &Context, args: &ExportArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Read)?;
    let at = match moment(args.at.as_ref()) {
        Value::Null => tree.call("vfs.usage", json!({}))?["revision"].clone(),
        at => at,
    };
    // Asked before anything is made, so that a wrong path leaves nothing behind.
    let mut page = list(&tree, args, &at, None)?;
    let host = open_empty(context, args)?;
    let top = format!("{}/", page["path"].as_str().unwrap_or_default());
    let top = if top == "/" { "" } else { top.as_str() };
    let (mut files, mut size) = (0_usize, 0_u64);
    loop {
        let entries = page["entries"].as_array().map_or(&[][..], Vec::as_slice);
        for entry in entries {
            let path = entry["path"].as_str().unwrap_or_default();
            let target = RelPath::parse(path.strip_prefix(top).unwrap_or(path)).map_err(Error::from)?;
            if entry["kind"] == "directory" {
                match host.mkdirs(&target) {
                    // A directory such as .git may hold files but may not be made for itself.
                    Ok(()) | Err(FsError::Protected { .. }) => {}
                    Err(error) => return Err(Error::from(error).into()),
                }
                continue;
            }
            let mut content = Vec::new();
            tree.each_piece(path, &at, |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            })?;
            host.write(&target, &content, true).map_err(Error::from)?;
            if entry["mode"].as_u64().is_some_and(|mode| mode & 0o111 != 0) {
                make_executable(&host, &target)?;
            }
            files += 1;
            size += content.len() as u64;
        }
        if page["truncated"] != true {
            break;
        }
        let Some(last) = entries.last().and_then(|entry| entry["path"].as_str()).map(ToOwned::to_owned) else { break };
        page = list(&tree, args, &at, Some(&last))?;
    }
    let fields = json!({ "directory": host.root(), "files": files, "bytes": size, "at": at });
    let text = format!("exported {}, {}, to {}", quantity(files, "file", "files"), bytes(size), host.root().display());
    context.out.done(fields, &text)
}

fn list(tree: &Tree<'_>, args: &ExportArgs, at: &Value, after: Option<&str>) -> Result<Value> {
    tree.call("vfs.list", json!({ "path": args.path, "at": at, "recursive": true, "limit": PAGE, "after": after }))
}

/// The directory, made if it is missing; one with anything in it is refused.
fn open_empty(context: &Context, args: &ExportArgs) -> Result<HostCapabilityFs> {
    let options = HostFsOptions { create: true, ..HostFsOptions::default() };
    let host = HostCapabilityFs::open_with(&context.load.cwd.join(&args.directory), &options)?;
    if host.list_bounded(&RelPath::root(), 1)?.entries.is_empty() {
        return Ok(host);
    }
    Err(Error::new(ErrorKind::Conflict, format!("{} is not empty", args.directory.display()))
        .why("what is there could be replaced")
        .hint("name a directory that is empty or does not exist"))
}

fn make_executable(host: &HostCapabilityFs, path: &RelPath) -> Result<()> {
    let opened = host.open_for_read(path)?;
    let changed = opened.file.metadata().and_then(|meta| {
        let mut permissions = meta.permissions();
        permissions.set_mode(permissions.mode() | 0o111);
        opened.file.set_permissions(permissions)
    });
    changed.map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("{path} could not be made executable")).source(error)
    })
}
