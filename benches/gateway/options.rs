//! The command line.

use std::path::PathBuf;

use crate::rows::{GROUPS, Group};

/// What was asked for.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) help: bool,
    /// Fewer rounds, shorter loads.
    pub(crate) quick: bool,
    only: Vec<String>,
    rounds: Option<usize>,
    /// The program under test; without it the one cargo built beside this benchmark.
    pub(crate) binary: Option<PathBuf>,
    /// Programs to compare with.
    pub(crate) peers: Vec<PathBuf>,
    /// Do not look for peers on PATH.
    pub(crate) alone: bool,
    /// Where temporary directories are made.
    pub(crate) directory: Option<PathBuf>,
}

/// The text of `--help`.
pub(crate) const USAGE: &str = include_str!("usage.txt");

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value; see scripts/bench --help"));
            match arg.as_str() {
                // What cargo adds.
                "--bench" => {}
                "--help" | "-h" => options.help = true,
                "--quick" => options.quick = true,
                "--no-peers" => options.alone = true,
                "--only" => options.only.push(value()?),
                "--peer" => options.peers.push(value()?.into()),
                "--binary" => options.binary = Some(value()?.into()),
                "--dir" => options.directory = Some(value()?.into()),
                "--rounds" => {
                    let text = value()?;
                    options.rounds =
                        Some(text.parse().map_err(|error| format!("--rounds: {text:?} is not a number: {error}"))?);
                }
                _ => return Err(format!("unknown argument {arg}; see scripts/bench --help")),
            }
        }
        for name in &options.only {
            if !GROUPS.iter().any(|group| group.name == *name) {
                return Err(format!("--only: there is no group {name}; see scripts/bench --help"));
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, group: &Group) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == group.name)
    }

    pub(crate) fn rounds(&self, group: &Group) -> usize {
        if group.exact { 1 } else { self.rounds.unwrap_or(if self.quick { 2 } else { 5 }) }
    }
}
