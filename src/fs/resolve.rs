//! From what a model wrote to a [`RelPath`]: by the text alone, without asking the file system.

use std::path::Path;

use super::rel_path::shorten;
use super::{FsError, RelPath};

/// Normalises `text` and takes the root off absolute paths. `roots` are the names of the root directory (as configured, and its real path).
///
/// `a/../b` becomes `b`: symbolic links are never followed below the root, so the text and the file system agree about `..`.
pub(super) fn resolve(text: &str, roots: &[&Path]) -> Result<RelPath, FsError> {
    let outside = |why| FsError::OutsideRoot { path: shorten(text), why };
    if text == "~" || text.starts_with("~/") {
        // A literal `~` directory made by mistake is a trap for whoever cleans it up with a shell.
        return Err(FsError::InvalidPath {
            path: shorten(text),
            why: "~ is not expanded here; write ./~ for a file of that name",
        });
    }
    if !text.starts_with('/') {
        let components = normalise(text).ok_or_else(|| outside("it goes above the workspace"))?;
        return RelPath::parse(&components.join("/"));
    }
    let components = normalise(text).ok_or_else(|| outside("it goes above /"))?;
    let below = roots.iter().filter_map(|root| root.to_str()).find_map(|root| {
        let root: Vec<&str> = root.split('/').filter(|name| !name.is_empty()).collect();
        components.strip_prefix(root.as_slice())
    });
    match below {
        Some(rest) => RelPath::parse(&rest.join("/")),
        None => Err(outside("it is an absolute path elsewhere")),
    }
}

/// Components without empty ones and `.`, with `..` applied; `None` if it climbs above its start.
fn normalise(text: &str) -> Option<Vec<&str>> {
    let mut components = Vec::new();
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop()?;
            }
            name => components.push(name),
        }
    }
    Some(components)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Result<String, &'static str> {
        resolve(text, &[Path::new("/home/me/ws"), Path::new("/data/ws")])
            .map(|path| path.as_str().to_owned())
            .map_err(|error| error.code())
    }

    #[test]
    fn relative_and_absolute_forms_meet() {
        for text in
            ["a/b", "./a/b", "a//b/", "a/./b", "x/../a/b", "/home/me/ws/a/b", "/data/ws/a/b", "/home/me/../me/ws/a/b"]
        {
            assert_eq!(at(text).as_deref(), Ok("a/b"), "{text}");
        }
        for text in ["", ".", "./", "/home/me/ws", "/home/me/ws/", "a/.."] {
            assert_eq!(at(text).as_deref(), Ok(""), "{text}");
        }
    }

    #[test]
    fn ways_out_are_refused() {
        for text in
            ["..", "a/../..", "../ws/a", "/etc/passwd", "/home/me/ws2/a", "/home/me/ws/../x", "/home/me", "/..", "/"]
        {
            assert_eq!(at(text), Err("outside_root"), "{text}");
        }
        assert_eq!(at("~/x"), Err("invalid_path"));
        assert_eq!(at("./~/x").as_deref(), Ok("~/x"));
        assert_eq!(at("a\0b"), Err("invalid_path"));
    }

    proptest! {
        #[test]
        fn resolving_again_changes_nothing(text in "[a-c./]{0,24}") {
            if let Ok(once) = at(&text) {
                prop_assert_eq!(at(&once), Ok(once.clone()));
                let absolute = format!("/home/me/ws/{once}");
                prop_assert_eq!(at(&absolute), Ok(once));
            }
        }
    }
}
