//! `openclaw fs put`.

use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use clap::Args;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{bytes, one_line};
use crate::core::{Error, Result};
use crate::state::Access;

use super::tree::{Tree, TreeArgs};

/// Bytes of a piece; a smaller file goes in one call.
const PIECE: u64 = 4 * 1024 * 1024;

/// Flags of `fs put`.
#[derive(Debug, Args)]
pub(super) struct PutArgs {
    /// File of this machine, or - for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where it goes; a path that ends with / is a directory. Without it, the file's own name.
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// Add to the end of the file.
    #[arg(long)]
    append: bool,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Copies a file in. Nobody sees a part of it.
pub(super) fn run(context: &Context, args: &PutArgs) -> Outcome {
    let path = target(args)?;
    let (mut reader, executable): (Box<dyn Read>, bool) = if args.file.as_os_str() == "-" {
        (Box::new(std::io::stdin().lock()), false)
    } else {
        let opened = files::open_file(&args.file, &context.load.cwd)?;
        let executable = opened.file.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
        (Box::new(opened.file), executable)
    };
    let tree = Tree::new(context, &args.tree, Access::Write)?;
    let mut upload = Value::Null;
    let mut offset = 0;
    let mut piece = read_piece(args, &mut reader)?;
    let answer = loop {
        let next = if piece.len() as u64 == PIECE { read_piece(args, &mut reader)? } else { Vec::new() };
        let more = !next.is_empty();
        let mut params = json!({ "path": path, "data": BASE64.encode(&piece), "encoding": "base64" });
        if executable {
            params["mode"] = 0o755.into();
        }
        if args.append && (more || !upload.is_null()) {
            return Err(Error::user(format!("only up to {} can be appended at once", bytes(PIECE)))
                .hint("append smaller parts, or put the whole file")
                .into());
        }
        if args.append {
            params["append"] = true.into();
        }
        if more || !upload.is_null() {
            params["more"] = more.into();
            params["offset"] = offset.into();
            params["upload"] = upload.clone();
        }
        let answer = tree.call("vfs.write", params)?;
        if !more {
            break answer;
        }
        upload = answer["upload"].clone();
        offset += piece.len() as u64;
        piece = next;
    };
    let size = answer["size"].as_u64().unwrap_or(0);
    let shown = one_line(answer["path"].as_str().unwrap_or(&path), 200);
    context.out.done(answer, &format!("wrote {shown}, {}", bytes(size)))
}

/// Where the file goes.
fn target(args: &PutArgs) -> Result<String> {
    let own = || match args.file.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != "-" => Ok(name.to_owned()),
        _ => Err(Error::user("the file needs a path").hint("openclaw fs put - notes/today.md")),
    };
    match args.path.as_deref() {
        None => own(),
        Some(path) if path.is_empty() || path.ends_with('/') => Ok(format!("{path}{}", own()?)),
        Some(path) => Ok(path.to_owned()),
    }
}

/// As much as a piece may be, or what is left.
fn read_piece(args: &PutArgs, reader: &mut dyn Read) -> Result<Vec<u8>> {
    let mut piece = Vec::new();
    reader.take(PIECE).read_to_end(&mut piece).map_err(|error| {
        Error::user(format!("cannot read {}", args.file.display())).hint("check the file").source(error)
    })?;
    Ok(piece)
}
