//! Which paths are taken, in both directions.

/// Longest name, in bytes.
const MAX_NAME: usize = 255;
/// Longest path, in bytes.
pub(super) const MAX_PATH: usize = 4096;

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// No bytes.
    #[error("it is empty")]
    Empty,
    /// Begins with `/`.
    #[error("it is absolute")]
    Absolute,
    /// `//`, or a `/` at the end.
    #[error("it has an empty component")]
    EmptyComponent,
    /// `.` or `..`.
    #[error("it has a . or .. component")]
    DotComponent,
    /// A zero byte.
    #[error("it contains a NUL character")]
    Nul,
    /// Not text.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A name of more than 255 bytes.
    #[error("one of its names is longer than 255 bytes")]
    NameTooLong,
    /// More than 4096 bytes.
    #[error("it is longer than 4096 bytes")]
    TooLong,
    /// More names than allowed.
    #[error("it is below too many directories")]
    TooDeep,
}

/// Takes relative paths of at most `depth` names, none of which is empty, `.` or `..`.
pub fn check_path(bytes: &[u8], depth: usize) -> Result<&str, PathProblem> {
    if bytes.is_empty() {
        return Err(PathProblem::Empty);
    }
    if bytes.len() > MAX_PATH {
        return Err(PathProblem::TooLong);
    }
    if bytes.starts_with(b"/") {
        return Err(PathProblem::Absolute);
    }
    if bytes.contains(&0) {
        return Err(PathProblem::Nul);
    }
    let Ok(path) = std::str::from_utf8(bytes) else {
        return Err(PathProblem::NotUtf8);
    };
    for (index, name) in path.split('/').enumerate() {
        match name {
            "" => return Err(PathProblem::EmptyComponent),
            "." | ".." => return Err(PathProblem::DotComponent),
            long if long.len() > MAX_NAME => return Err(PathProblem::NameTooLong),
            _ if index >= depth => return Err(PathProblem::TooDeep),
            _ => {}
        }
    }
    Ok(path)
}

/// The directory that holds `path`; `None` for what lies in the root.
pub(super) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_of_bad_path_is_refused() {
        let cases: [(&[u8], PathProblem); 12] = [
            (b"", PathProblem::Empty),
            (b"/etc/passwd", PathProblem::Absolute),
            (b"..", PathProblem::DotComponent),
            (b"a/../b", PathProblem::DotComponent),
            (b"./a", PathProblem::DotComponent),
            (b"a//b", PathProblem::EmptyComponent),
            (b"a/", PathProblem::EmptyComponent),
            (b"a\0b", PathProblem::Nul),
            (b"a\xff", PathProblem::NotUtf8),
            (&[b'n'; 256], PathProblem::NameTooLong),
            (&[b'n'; 4097], PathProblem::TooLong),
            (b"a/b/c/d/e", PathProblem::TooDeep),
        ];
        for (path, problem) in cases {
            assert_eq!(check_path(path, 4), Err(problem), "{:?}", String::from_utf8_lossy(path));
        }
        for good in ["a", "...", "a/b/c/d", "-rf", "new\nline", "..a", "%2e%2e", "a\\b", "ä"] {
            assert_eq!(check_path(good.as_bytes(), 4), Ok(good));
        }
        assert_eq!(check_path(&[b'n'; 255], 4).map(str::len), Ok(255));
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_below_its_root(bytes in "(\\PC|[./\0]){0,40}") {
            if let Ok(path) = check_path(bytes.as_bytes(), 8) {
                let joined = std::path::Path::new("/root").join(path);
                prop_assert!(joined.components().all(|part| !matches!(part, std::path::Component::ParentDir)));
                prop_assert!(joined.starts_with("/root") && joined != std::path::Path::new("/root"));
                prop_assert!(path.split('/').count() <= 8);
            }
        }
    }
}
