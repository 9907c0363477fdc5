//! The program itself: size, start, a command.

use std::path::Path;
use std::process::Command;

use super::Bench;
use crate::process::time;
use crate::rows::Figures;
use crate::stats::{median, ms};
use crate::subject::{Kind, Subject};

/// Bytes of the program; of a Node package with everything it needs.
pub(crate) fn size(_bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let bytes = match (&subject.kind, &subject.path_prefix) {
        (Kind::Node, prefix) => {
            let modules = prefix.as_deref().and_then(Path::parent).map(Path::to_owned);
            let binary = std::fs::canonicalize(&subject.binary).map_err(|error| error.to_string())?;
            folder(&modules.unwrap_or_else(|| binary.parent().unwrap_or(&binary).to_owned()))
        }
        _ => std::fs::metadata(&subject.binary).map_err(|error| error.to_string())?.len(),
    };
    Ok(vec![("size", bytes as f64 / 1e6)])
}

fn folder(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            Some(if meta.is_dir() { folder(&entry.path()) } else { meta.len() })
        })
        .sum()
}

/// `--version`, and the cheapest process there is in between.
pub(crate) fn version(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let root = std::env::temp_dir();
    let (mut times, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..bench.count(40) {
        times.push(ms(time(subject.command(&root).arg("--version"))?));
        floor.push(ms(time(Command::new("/bin/true").env_clear())?));
    }
    Ok(vec![("version", median(&times)), ("version.spawn", median(&floor))])
}

/// `status` while a gateway runs.
pub(crate) fn status(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    let (gateway, _) = home.start()?;
    let count = if subject.kind == Kind::Node { 2 } else { bench.count(40) };
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(ms(time(&mut home.command(&["status"]))?));
    }
    gateway.stop()?;
    Ok(vec![("status", median(&times))])
}
