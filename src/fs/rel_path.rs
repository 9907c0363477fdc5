//! A path below a root, checked once.

use std::fmt;
use std::path::Path;

use super::FsError;

/// Longest name of one component, in bytes (`NAME_MAX`).
const MAX_COMPONENT: usize = 255;
/// Longest path, in bytes (`PATH_MAX`).
const MAX_PATH: usize = 4096;

/// A path below a root: parsed once; no NUL, no `.`/`..`/empty components, ≤ 255 bytes a component, ≤ 4096 in all. The empty path is the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelPath(String);

impl RelPath {
    /// Checks `text`. [`FsError::InvalidPath`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, FsError> {
        let invalid = |why| Err(FsError::InvalidPath { path: shorten(text), why });
        if text.len() > MAX_PATH {
            return invalid("it is longer than 4096 bytes");
        }
        if text.contains('\0') {
            return invalid("it contains a NUL character");
        }
        if text.is_empty() {
            return Ok(Self::root());
        }
        for component in text.split('/') {
            match component {
                "" => return invalid("it has an empty component"),
                "." | ".." => return invalid("it has a . or .. component"),
                long if long.len() > MAX_COMPONENT => return invalid("one of its names is longer than 255 bytes"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The root itself.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the root down; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// The last name; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The directory that holds it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned())))
    }

    /// This path and one name (or several, by `/`) more.
    pub fn join(&self, name: &str) -> Result<Self, FsError> {
        if self.is_root() || name.is_empty() {
            Self::parse(if self.is_root() { name } else { &self.0 })
        } else {
            Self::parse(&format!("{}/{name}", self.0))
        }
    }

    /// Whether it is `ancestor` or lies below it.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        ancestor.is_root()
            || self.0.strip_prefix(&ancestor.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path for people: `.` for the root.
    pub fn display(&self) -> &str {
        if self.is_root() { "." } else { &self.0 }
    }
}

impl AsRef<Path> for RelPath {
    /// The empty path for the root.
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.display())
    }
}

/// Keeps error messages short whatever came in.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 200;
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(SHOWN)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_parses_names_nothing_above_the_root(text in "(\\PC|[./\0]){0,40}") {
            if let Ok(path) = RelPath::parse(&text) {
                prop_assert_eq!(path.as_str(), &text);
                prop_assert!(!text.contains('\0') && !text.starts_with('/') && !text.ends_with('/'));
                prop_assert!(path.components().all(|name| !name.is_empty() && name != "." && name != ".."));
                prop_assert_eq!(path.components().collect::<Vec<_>>().join("/"), text);
            }
        }

        #[test]
        fn clean_components_always_parse_and_take_apart_again(names in prop::collection::vec("[a-z.]{1,8}x", 1..6)) {
            let path = RelPath::parse(&names.join("/")).unwrap();
            let parent = path.parent().unwrap();
            prop_assert_eq!(path.name(), names.last().unwrap());
            prop_assert_eq!(parent.join(path.name()).unwrap(), path.clone());
            prop_assert!(path.is_within(&parent) && path.is_within(&RelPath::root()));
        }
    }

    #[test]
    fn refuses_what_could_climb_or_confuse() {
        for text in
            ["..", "a/../b", "./a", "a/.", "/etc/passwd", "a//b", "a/", "a\0b", &"x".repeat(256), &"a/".repeat(2100)]
        {
            assert!(matches!(RelPath::parse(text), Err(FsError::InvalidPath { .. })), "{text:?}");
        }
        for text in ["", "a", "...", "..a/b", "a b/ü", "-rf", "~", &"x".repeat(255)] {
            assert!(RelPath::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_name_that_only_begins_alike_is_not_within() {
        let parse = |text| RelPath::parse(text).unwrap();
        assert!(!parse("abc").is_within(&parse("ab")));
        assert!(parse("ab/c").is_within(&parse("ab")));
    }
}
