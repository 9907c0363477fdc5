//! `vfs.write`, `vfs.mkdir`, `vfs.rename`, `vfs.remove`.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::open;
use crate::core::{Error, Result};
use crate::fs::virtual_fs::RenameOptions;
use crate::fs::{RelPath, VirtualAgentFs, WriteOptions, Written};
use crate::gateway::methods::args::Args;

pub(super) fn write(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let path = open::path(files, args, "path")?;
    let bytes = data(args)?;
    let options = WriteOptions {
        create_parents: args.flag("createParents").unwrap_or(true),
        must_exist: args.flag("mustExist").unwrap_or(false),
        must_not_exist: args.flag("mustNotExist").unwrap_or(false),
    };
    let mode = args.integer("mode").and_then(|mode| u32::try_from(mode).ok()); // dropped: the description bounds it
    let append = args.flag("append").unwrap_or(false);
    let (more, upload) = (args.flag("more").unwrap_or(false), args.integer("upload"));
    if more || upload.is_some() {
        if append {
            return Err(Error::user("vfs.write: append and pieces do not go together")
                .hint("read the file, and send the whole of it in pieces")
                .details(json!({"param": "append"})));
        }
        return piece(files, args, &path, bytes, mode, options);
    }
    let written = if append {
        let written = files.append(&path, &bytes, &options)?;
        if let Some(mode) = mode {
            files.set_mode(&path, mode)?;
        }
        written
    } else {
        files.write(&path, bytes, mode, &options)?
    };
    done(files, &path, &written)
}

/// A piece of an upload. The first one has no number yet; the last one makes the file.
fn piece(
    files: &VirtualAgentFs,
    args: &Args,
    path: &RelPath,
    bytes: Vec<u8>,
    mode: Option<u32>,
    options: WriteOptions,
) -> Result<Value> {
    let upload = match args.integer("upload") {
        Some(upload) => upload,
        None => files.begin_upload(path)?.id,
    };
    let offset = args.integer("offset").map_or(0, i64::unsigned_abs);
    let progress = files.extend_upload(path, upload, offset, bytes)?;
    if args.flag("more").unwrap_or(false) {
        return Ok(json!({ "path": path.as_str(), "upload": progress.id, "size": progress.size }));
    }
    done(files, path, &files.finish_upload(path, upload, mode, &options)?)
}

fn done(files: &VirtualAgentFs, path: &RelPath, written: &Written) -> Result<Value> {
    let revision = files.usage()?.0.revision;
    Ok(json!({ "path": path.as_str(), "size": written.bytes, "created": written.created, "revision": revision }))
}

fn data(args: &Args) -> Result<Vec<u8>> {
    let data = args.required("data")?;
    if args.text("encoding") != Some("base64") {
        return Ok(data.as_bytes().to_vec());
    }
    BASE64.decode(data.as_bytes()).map_err(|error| {
        Error::user("vfs.write: the parameter data is not base64")
            .hint("use the standard alphabet with padding, or encoding utf8")
            .details(json!({"param": "data"}))
            .source(error)
    })
}

pub(super) fn mkdir(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let path = open::path(files, args, "path")?;
    files.make_directory(&path)?;
    Ok(json!({ "path": path.as_str(), "ok": true }))
}

pub(super) fn rename(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let (from, to) = (open::path(files, args, "from")?, open::path(files, args, "to")?);
    let options = RenameOptions {
        replace: args.flag("replace").unwrap_or(false),
        create_parents: args.flag("createParents").unwrap_or(true),
    };
    files.rename(&from, &to, options)?;
    Ok(json!({ "from": from.as_str(), "to": to.as_str(), "ok": true }))
}

pub(super) fn remove(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let path = open::path(files, args, "path")?;
    let removed = if args.flag("recursive").unwrap_or(false) {
        files.remove_tree(&path)?
    } else {
        files.remove(&path).map(|()| 1)?
    };
    Ok(json!({ "path": path.as_str(), "removed": removed }))
}
