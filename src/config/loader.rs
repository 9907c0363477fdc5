//! The pipeline: read → JSON5 → `$include` → environment → `${VAR}` → validate → view.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use serde_json::{Map, Value};

use super::error::{Fault, Problem, SourceFile, combine};
use super::include::Includer;
use super::json5::{Kind, Node, Span, parse};
use super::{
    Config, ConfigIssue, LoadOptions, LoadedConfig, build, check_tools, environment, files, issue, known, no_effect,
    parse_warnings, substitute, validate,
};
use crate::core::limits::MAX_CONFIG_BYTES;
use crate::core::{Error, ErrorKind, Result};
use crate::secrets::Environment;

/// File names of earlier products, beside `openclaw.json`.
const OLD_NAMES: &[&str] = &["clawdbot.json", "moltbot.json", "moldbot.json"];

/// Everything the pipeline found out, whether or not the result can be used.
pub(super) struct Pipeline {
    pub(super) path: PathBuf,
    pub(super) exists: bool,
    pub(super) raw: String,
    /// Every file read, the configuration first.
    pub(super) files: Vec<SourceFile>,
    /// The configuration file's own tree; `None` if it does not parse.
    pub(super) own: Option<Node>,
    /// After includes and variables.
    pub(super) merged: Node,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<ConfigIssue>,
    pub(super) env: Environment,
    pub(super) hash: String,
    pub(super) view: Option<Config>,
}

/// Where the configuration is: the option, `OPENCLAW_CONFIG_PATH`, `<state root>/openclaw.json`.
pub(super) fn config_path(options: &LoadOptions) -> PathBuf {
    if let Some(path) = &options.config_path {
        return path.clone();
    }
    let named = options.process_env.get("OPENCLAW_CONFIG_PATH").map(|path| path.trim()).filter(|path| !path.is_empty());
    match named {
        Some(path) => options.cwd.join(expand_home(path, environment::home(&options.process_env))),
        None => options.state_root.join("openclaw.json"),
    }
}

/// `~` and `~/…` with the home directory; unchanged without one.
pub(super) fn expand_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

/// Reads the file and runs the pipeline.
pub(super) fn run(options: &LoadOptions) -> Result<Pipeline> {
    let path = config_path(options);
    let read = files::read_text(&path, MAX_CONFIG_BYTES).map_err(|error| {
        let problem = Problem::file(Fault::File, &path, error.to_string());
        combine(&[problem], last_good(&path).as_deref())
    })?;
    let exists = read.is_some();
    let mut pipeline = run_text(options, path, read.unwrap_or_default());
    pipeline.exists = exists;
    if !exists {
        let directory = pipeline.path.parent().unwrap_or(Path::new("."));
        for old in OLD_NAMES.iter().map(|name| directory.join(name)).filter(|old| old.exists()) {
            pipeline
                .warnings
                .push(issue("", format!("{} is not read any more; rename it to openclaw.json", old.display())));
        }
    }
    Ok(pipeline)
}

/// Runs the pipeline on a text that stands, or is to stand, at `path`. An empty text is the empty configuration.
pub(super) fn run_text(options: &LoadOptions, path: PathBuf, raw: String) -> Pipeline {
    let mut warnings = Vec::new();
    let mut problems = Vec::new();
    let mut vars = environment::base(options, &mut warnings);
    let mut sources = vec![SourceFile { path: path.clone(), text: raw.clone() }];
    let mut own = None;
    let mut merged = empty();
    if !raw.trim().is_empty() {
        match parse(&raw, 0) {
            Err(error) => problems.push(Problem::syntax(&sources[0], error)),
            Ok(parsed) if !parsed.root.is_object() => {
                let message = format!("the whole file is {}, but it must be an object", parsed.root.describe());
                problems.push(Problem::at(Fault::Value, &sources, parsed.root.span, "", message));
            }
            Ok(parsed) => {
                parse_warnings(&parsed, &sources, &mut warnings);
                own = Some(parsed.root.clone());
                let directory = path.parent().unwrap_or(Path::new(".")).to_owned();
                let roots = options.process_env.get("OPENCLAW_INCLUDE_ROOTS").map(String::as_str);
                let mut includer = Includer::new(&path, roots, &mut sources, &mut warnings);
                match includer.resolve(parsed.root, &directory, "") {
                    Ok(node) => merged = node,
                    Err(problem) => problems.push(*problem),
                }
            }
        }
    }
    let hash = hash(&sources);
    environment::add_block(&mut vars, &merged, &mut warnings);
    let env = Environment { vars };
    let mut view = None;
    if problems.is_empty() {
        substitute::tree(&mut merged, &env, &sources, &mut problems);
        known::check(&merged, &sources, &mut warnings);
        no_effect::check(&merged, &sources, &mut warnings);
        validate::check(&merged, &sources, &mut problems);
        check_tools::check(&merged, environment::home(&env.vars), &sources, &mut problems);
        if problems.iter().all(|problem| problem.fault == Fault::MissingVariable) {
            match build::view(&merged, environment::home(&env.vars), &sources) {
                Ok(config) => view = problems.is_empty().then_some(config),
                Err(found) => problems.extend(found),
            }
        }
    }
    Pipeline { path, exists: true, raw, files: sources, own, merged, problems, warnings, env, hash, view }
}

impl Pipeline {
    /// The error for its problems.
    pub(super) fn error(&self) -> Error {
        combine(&self.problems, last_good(&self.path).as_deref())
    }

    /// The configuration, if it can be used.
    pub(super) fn finish(self) -> Result<LoadedConfig> {
        let Some(view) = self.view else { return Err(self.error()) };
        let source = self.own.as_ref().map_or_else(|| Value::Object(Map::new()), Node::to_value);
        Ok(LoadedConfig {
            path: self.path,
            exists: self.exists,
            raw: self.raw,
            source,
            resolved: self.merged.to_value(),
            warnings: self.warnings,
            hash: self.hash,
            view: Arc::new(view),
            env: self.env,
        })
    }
}

/// `OPENCLAW_STATE_DIR`, else `~/.openclaw-<profile>`, else `~/.openclaw`.
pub(super) fn state_root(env: &BTreeMap<String, String>, profile: Option<&str>) -> Result<PathBuf> {
    let home = environment::home(env);
    if let Some(named) = env.get("OPENCLAW_STATE_DIR").map(|path| path.trim()).filter(|path| !path.is_empty()) {
        let path = expand_home(named, home);
        return std::path::absolute(&path).map_err(|error| {
            Error::new(ErrorKind::Config, format!("OPENCLAW_STATE_DIR names no directory: {named}")).source(error)
        });
    }
    let name = match profile {
        None | Some("" | "default") => ".openclaw".to_owned(),
        Some(profile) if profile.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) => {
            format!(".openclaw-{profile}")
        }
        Some(profile) => {
            return Err(Error::user(format!("`{profile}` cannot be the name of a profile"))
                .hint("Use letters, digits, `-` and `_`."));
        }
    };
    let home = home.ok_or_else(|| {
        let problem = environment::no_home(Path::new(&name));
        Error::new(ErrorKind::Config, "the state directory cannot be found")
            .why(problem.message)
            .hint("Set HOME or OPENCLAW_STATE_DIR.")
    })?;
    Ok(home.join(name))
}

/// The copy to go back to: `.last-good`, else the newest `.bak*`.
pub(super) fn last_good(path: &Path) -> Option<PathBuf> {
    let with = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let good = with(".last-good");
    if good.is_file() {
        return Some(good);
    }
    let backups = [".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4"].map(with);
    backups
        .into_iter()
        .filter_map(|copy| Some((copy.metadata().ok()?.modified().ok()?, copy))) // dropped: a copy that cannot be read is not offered
        .max()
        .map(|(_, copy)| copy)
}

fn empty() -> Node {
    Node { span: Span { file: 0, start: 0, end: 0 }, kind: Kind::Object(Vec::new()) }
}

/// `sha256:` and the hex digest of the file, followed by path, length and bytes of every include.
fn hash(sources: &[SourceFile]) -> String {
    let mut context = Context::new(&SHA256);
    for (index, source) in sources.iter().enumerate() {
        if index > 0 {
            context.update(format!("\0{}\0{}\0", source.path.display(), source.text.len()).as_bytes());
        }
        context.update(source.text.as_bytes());
    }
    format!("sha256:{}", data_encoding::HEXLOWER.encode(context.finish().as_ref()))
}
