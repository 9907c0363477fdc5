//! `$include`: parts of the configuration in other files.
//!
//! A string or a list of strings at any object. One file replaces the object; with sibling keys, or several files, everything
//! is merged deeply from left to right and the siblings come last.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::error::{Fault, Problem, SourceFile};
use super::files;
use super::json5::{Kind, Member, Node, Span, parse};
use super::merge::merge;
use super::path::join;
use super::{ConfigIssue, parse_warnings};
use crate::core::limits::MAX_CONFIG_BYTES;

/// The key that includes.
pub(super) const KEY: &str = "$include";
/// Deepest chain of files that include each other.
const MAX_DEPTH: usize = 10;
/// Most files in all, so that a small tree of files cannot make a huge configuration.
const MAX_FILES: usize = 256;

/// A file name in an `$include` and its place.
type Named = (String, Span);
/// What an include gives, or why it cannot be followed.
type Followed<T> = Result<T, Box<Problem>>;

/// Follows includes for one load.
pub(super) struct Includer<'l> {
    /// Every file read, the configuration itself first.
    pub(super) files: &'l mut Vec<SourceFile>,
    /// Findings that do not stop the load.
    pub(super) warnings: &'l mut Vec<ConfigIssue>,
    roots: Vec<PathBuf>,
    stack: Vec<PathBuf>,
}

impl<'l> Includer<'l> {
    /// `config_path` is the first file; `extra_roots` is the value of `OPENCLAW_INCLUDE_ROOTS` (directories separated by `:`).
    pub(super) fn new(
        config_path: &Path,
        extra_roots: Option<&str>,
        files: &'l mut Vec<SourceFile>,
        warnings: &'l mut Vec<ConfigIssue>,
    ) -> Self {
        let own = config_path.parent().unwrap_or(Path::new("."));
        let mut roots = Vec::new();
        let extra = extra_roots.into_iter().flat_map(|list| list.split(':')).filter(|root| !root.is_empty());
        for root in std::iter::once(own).chain(extra.map(Path::new)) {
            match root.canonicalize() {
                Ok(real) if real != Path::new("/") || root == Path::new("/") => roots.push(real),
                Ok(_) => {}
                Err(error) => warnings
                    .push(super::issue(KEY, format!("the include directory {} was not used: {error}", root.display()))),
            }
        }
        let stack = vec![config_path.canonicalize().unwrap_or_else(|_missing| config_path.to_owned())];
        Self { files, warnings, roots, stack }
    }

    /// The node with all includes under it followed. `directory` is where relative paths start.
    pub(super) fn resolve(&mut self, node: Node, directory: &Path, key: &str) -> Followed<Node> {
        let span = node.span;
        match node.kind {
            Kind::Array(elements) => {
                let resolved = elements
                    .into_iter()
                    .enumerate()
                    .map(|(index, element)| self.resolve(element, directory, &format!("{key}[{index}]")));
                Ok(Node { span, kind: Kind::Array(resolved.collect::<Result<_, _>>()?) })
            }
            Kind::Object(members) => self.object(span, members, directory, key),
            _ => Ok(node),
        }
    }

    fn object(&mut self, span: Span, members: Vec<Member>, directory: &Path, key: &str) -> Followed<Node> {
        let mut include = None;
        let mut siblings = Vec::new();
        for member in members {
            if member.key == KEY {
                include = Some(member.value);
            } else {
                let child = join(key, &member.key);
                siblings.push(Member { value: self.resolve(member.value, directory, &child)?, ..member });
            }
        }
        let own = Node { span, kind: Kind::Object(siblings) };
        let Some(include) = include else { return Ok(own) };
        let at = join(key, KEY);
        let (names, many) = self.names(&include, &at)?;
        let mut merged: Option<Node> = None;
        for (name, place) in names {
            let part = self.read(&name, place, directory, &at, key)?;
            if (many || !own.members().is_empty()) && !part.is_object() {
                let message = format!("{name} holds {}, but only an object can be merged with others", part.describe());
                return Err(self.problem(place, &at, message).into());
            }
            merged = Some(match merged {
                Some(before) => merge(before, part),
                None => part,
            });
        }
        Ok(match merged {
            Some(part) if own.members().is_empty() => part,
            Some(part) => merge(part, own),
            None => own,
        })
    }

    fn problem(&self, span: Span, key: &str, message: impl Into<String>) -> Problem {
        Problem::at(Fault::Include, self.files, span, key, message)
    }

    fn names(&self, include: &Node, key: &str) -> Followed<(Vec<Named>, bool)> {
        let bad = |node: &Node| {
            self.problem(
                node.span,
                key,
                format!("`$include` takes a file name or a list of them, but this is {}", node.describe()),
            )
        };
        match &include.kind {
            Kind::String(name) => Ok((vec![(name.clone(), include.span)], false)),
            Kind::Array(elements) => {
                let names = elements.iter().map(|element| match element.as_str() {
                    Some(name) => Ok((name.to_owned(), element.span)),
                    None => Err(Box::new(bad(element))),
                });
                Ok((names.collect::<Result<_, _>>()?, true))
            }
            _ => Err(bad(include).into()),
        }
    }

    fn read(&mut self, name: &str, place: Span, directory: &Path, at: &str, key: &str) -> Followed<Node> {
        if self.stack.len() > MAX_DEPTH {
            return Err(self
                .problem(place, at, format!("more than {MAX_DEPTH} files include each other in a chain"))
                .into());
        }
        if self.files.len() > MAX_FILES {
            return Err(self.problem(place, at, format!("more than {MAX_FILES} files are included")).into());
        }
        let (real, text) =
            self.open(name, directory).map_err(|why| Box::new(self.problem(place, at, format!("{name}: {why}"))))?;
        if self.stack.contains(&real) {
            return Err(self.problem(place, at, format!("{name} includes itself, directly or through others")).into());
        }
        let number = self.files.len();
        let file = SourceFile { path: real.clone(), text };
        let parsed = parse(&file.text, number).map_err(|error| Box::new(Problem::syntax(&file, error)))?;
        self.files.push(file);
        parse_warnings(&parsed, self.files, self.warnings);
        let inner = real.parent().unwrap_or(directory).to_owned();
        self.stack.push(real);
        let node = self.resolve(parsed.root, &inner, key);
        self.stack.pop();
        node
    }

    /// Opens an include: inside the roots by name and by real path, regular, without hard links, bounded.
    fn open(&self, name: &str, directory: &Path) -> Result<(PathBuf, String), String> {
        if name.is_empty() || name.contains('\0') {
            return Err("this is no file name".into());
        }
        let named = lexical(&directory.join(name));
        let lexically_inside = self.contains(&named)
            || directory.canonicalize().is_ok_and(|real| self.contains(&lexical(&real.join(name))));
        if !lexically_inside {
            return Err(self.outside());
        }
        let real = named.canonicalize().map_err(|error| error.to_string())?;
        let below = self.roots.iter().find_map(|root| Some((root, real.strip_prefix(root).ok()?)));
        let Some((root, below)) = below else { return Err(self.outside()) };
        // Links were resolved above; one that appears since then is not followed.
        let file = files::open_below(root, below).map_err(|error| error.to_string())?;
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        if metadata.is_file() && metadata.nlink() > 1 {
            return Err("the file has hard links, so it may be one from elsewhere; copy it instead".into());
        }
        let text = files::read_open(file, MAX_CONFIG_BYTES).map_err(|error| error.to_string())?;
        Ok((real, text))
    }

    fn contains(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }

    fn outside(&self) -> String {
        let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        format!("the file is outside {} (more directories can be named in OPENCLAW_INCLUDE_ROOTS)", roots.join(", "))
    }
}

/// The path without `.` and `..`, by its text alone.
fn lexical(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(result.pop()),
            other => result.push(other),
        }
    }
    result
}
