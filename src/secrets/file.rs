//! Secrets in files.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Secret;
use super::provider::{FileMode, FileProvider};

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Reads one secret. Errors are sentences without any of the file's content.
pub(super) fn read(provider: &FileProvider, id: &str, config_dir: &Path, home: Option<&str>) -> Result<Secret, String> {
    let path = expand(&provider.path, config_dir, home)?;
    let shown = path.display().to_string();
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(&path)
        .map_err(|error| format!("{shown}: {error}"))?;
    check(&file, provider).map_err(|why| format!("{shown} {why}"))?;
    let mut bytes = Vec::new();
    file.take(provider.max_bytes() + 1).read_to_end(&mut bytes).map_err(|error| format!("{shown}: {error}"))?;
    if bytes.len() as u64 > provider.max_bytes() {
        return Err(format!("{shown} is larger than {} bytes", provider.max_bytes()));
    }
    let text = String::from_utf8(bytes).map_err(|_content| format!("{shown} is not UTF-8 text"))?;
    match provider.mode {
        FileMode::SingleValue if id == "value" => Ok(Secret::new(text.trim_end_matches(['\r', '\n']))),
        FileMode::SingleValue => Err("a file of mode singleValue has one secret, and its id is `value`".into()),
        FileMode::Json => pointer(&text, id).map_err(|why| format!("{shown} {why}")),
    }
}

fn expand(path: &str, config_dir: &Path, home: Option<&str>) -> Result<PathBuf, String> {
    match path.strip_prefix("~/") {
        Some(rest) => match home {
            Some(home) => Ok(Path::new(home).join(rest)),
            None => Err("HOME is not set, so `~` has no meaning".into()),
        },
        None => Ok(config_dir.join(path)),
    }
}

/// A regular file that only its owner, who is this user or root, may read.
fn check(file: &File, provider: &FileProvider) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("is not a regular file".into());
    }
    if provider.allow_insecure_path {
        return Ok(());
    }
    if metadata.uid() != nix::unistd::geteuid().as_raw() && metadata.uid() != 0 {
        return Err("belongs to another user".into());
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(format!(
            "may be read or changed by others (mode {:04o}); run `chmod 600` on it",
            metadata.mode() & 0o7777
        ));
    }
    Ok(())
}

fn pointer(text: &str, id: &str) -> Result<Secret, String> {
    if !id.starts_with('/') {
        return Err("is a JSON file: ids are JSON pointers like `/providers/openai/apiKey`".into());
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("is not valid JSON (line {}, column {})", error.line(), error.column()))?;
    match value.pointer(id) {
        Some(Value::String(secret)) => Ok(Secret::new(secret.as_str())),
        Some(_) => Err(format!("has no string at `{id}`")),
        None => Err(format!("has nothing at `{id}`")),
    }
}
