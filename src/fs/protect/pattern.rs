//! Patterns of paths below a root.

use super::fold::fold;

/// `name`, `dir/name`, `*.ext`, `a/**/b`; a slash at the end means everything below as well.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    below: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Exactly this name, folded.
    Name(String),
    /// `*` stands for any text within a name; folded.
    Wild(String),
    /// Any number of directories, none included.
    Any,
}

impl Pattern {
    /// A pattern that may begin anywhere below the root.
    pub(super) fn anywhere(text: &str) -> Self {
        let mut pattern = Self::from_root(text);
        pattern.parts.insert(0, Part::Any);
        pattern
    }

    /// A pattern that begins at the root.
    pub(super) fn from_root(text: &str) -> Self {
        let parts = text
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .map(|part| match part {
                "**" => Part::Any,
                wild if wild.contains('*') => Part::Wild(fold(wild)),
                name => Part::Name(fold(name)),
            })
            .collect();
        Self { parts, below: text.ends_with('/') }
    }

    /// Exactly these names and everything below.
    pub(super) fn exactly<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self { parts: names.map(|name| Part::Name(fold(name))).collect(), below: true }
    }

    /// What a person wrote in the configuration: a bare name counts anywhere, one with a slash in it from the root; both with everything below.
    pub(super) fn configured(text: &str) -> Option<Self> {
        let trimmed = text.trim().trim_matches('/');
        let trimmed = trimmed.strip_prefix("./").unwrap_or(trimmed);
        let bare = !trimmed.contains('/');
        let mut pattern = if bare { Self::anywhere(trimmed) } else { Self::from_root(trimmed) };
        pattern.below = true;
        let names = pattern.parts.iter().any(|part| *part != Part::Any);
        names.then_some(pattern)
    }

    /// Whether the path, as folded names, is one that the pattern names, or lies below one when that counts.
    pub(super) fn covers(&self, names: &[String]) -> bool {
        if self.below {
            (1..=names.len()).any(|length| matches(&self.parts, &names[..length]))
        } else {
            matches(&self.parts, names)
        }
    }

    /// Whether everything below what it names counts as well.
    pub(super) fn has_below(&self) -> bool {
        self.below
    }

    /// The last name, when it is a fixed one: for finding the patterns that can name a file.
    pub(super) fn last_name(&self) -> Option<&str> {
        match self.parts.last() {
            Some(Part::Name(name)) => Some(name),
            _ => None,
        }
    }
}

fn matches(parts: &[Part], names: &[String]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Part::Any, rest)), _) => (0..=names.len()).any(|skipped| matches(rest, &names[skipped..])),
        (Some((Part::Name(part), rest)), Some((name, names))) => part == name && matches(rest, names),
        (Some((Part::Wild(part), rest)), Some((name, names))) => wildcard(part, name) && matches(rest, names),
        _ => false,
    }
}

/// `*` stands for any text; everything else for itself.
fn wildcard(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|start| name.strip_prefix(start)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(end) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &Pattern, path: &str) -> bool {
        pattern.covers(&path.split('/').map(fold).collect::<Vec<_>>())
    }

    #[test]
    fn places_and_depths() {
        let hooks = Pattern::anywhere(".git/**/hooks/");
        for path in [".git/hooks", ".git/hooks/x/y", "a/.Git/modules/m/HOOKS/x"] {
            assert!(covers(&hooks, path), "{path}");
        }
        for path in [".git", "hooks", ".git/hooks2", "git/hooks"] {
            assert!(!covers(&hooks, path), "{path}");
        }
        let file = Pattern::anywhere(".vscode/tasks.json");
        assert!(covers(&file, "a/b/.vscode/tasks.json") && !covers(&file, ".vscode/tasks.json/x"));
        assert!(covers(&Pattern::from_root("a/b"), "a/b") && !covers(&Pattern::from_root("a/b"), "x/a/b"));
    }

    #[test]
    fn configured_names_count_anywhere_and_paths_from_the_root() {
        let configured = |text| Pattern::configured(text).unwrap();
        assert!(
            covers(&configured("secrets"), "a/Secrets/x") && covers(&configured("./deploy/prod/"), "deploy/prod/x")
        );
        assert!(!covers(&configured("deploy/prod"), "a/deploy/prod"));
        assert!(covers(&configured("*.pem"), "a/b.PEM") && covers(&configured("a/**/*.k*y"), "a/x/y/z.key"));
        assert!(!covers(&configured("*.pem"), "a/pem"));
        for nothing in ["", " / ", "**", "./"] {
            assert!(Pattern::configured(nothing).is_none(), "{nothing:?}");
        }
    }

    #[test]
    fn wildcards_in_names() {
        for (pattern, name, expected) in
            [("*", "", true), ("a*", "abc", true), ("*a*b*", "xaybz", true), ("a*a", "a", false), ("*.x", ".x", true)]
        {
            assert_eq!(wildcard(pattern, name), expected, "{pattern} {name}");
        }
    }
}
