//! Colour by meaning, from the 16-colour palette. Colour never stands alone: a word or sign says the same.

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// As it should be.
    Ok,
    /// Needs a look.
    Warn,
    /// Broken.
    Error,
    /// A name or command to notice.
    Accent,
    /// Less important.
    Dim,
}

impl Meaning {
    /// The SGR parameter (ECMA-48 §8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warn => "33",
            Self::Error => "31",
            Self::Accent => "36",
            Self::Dim => "2",
        }
    }

    /// The text in its colour, or as it is.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        if colour && !text.is_empty() { format!("\u{1b}[{}m{text}\u{1b}[0m", self.code()) } else { text.to_owned() }
    }
}

/// Whether to colour a stream: flags, `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`, terminal or not
/// (<https://no-color.org>, <https://bixense.com/clicolors/>).
pub(crate) fn colour(env: impl Fn(&str) -> Option<String>, refused: bool, terminal: bool) -> bool {
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    if refused || set("NO_COLOR") {
        return false;
    }
    if env("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") {
        return true;
    }
    terminal && env("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(vars: &[(&str, &str)], refused: bool, terminal: bool) -> bool {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        colour(find, refused, terminal)
    }

    #[test]
    fn colour_follows_the_conventions() {
        assert!(decide(&[], false, true));
        assert!(!decide(&[], false, false));
        assert!(!decide(&[], true, true));
        assert!(!decide(&[("NO_COLOR", "1")], false, true));
        assert!(decide(&[("NO_COLOR", "")], false, true));
        assert!(decide(&[("CLICOLOR_FORCE", "1")], false, false));
        assert!(!decide(&[("CLICOLOR_FORCE", "0")], false, false));
        assert!(!decide(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, true));
        assert!(!decide(&[("TERM", "dumb")], false, true));
    }

    #[test]
    fn paint_wraps_only_with_colour() {
        assert_eq!(Meaning::Ok.paint("ok", true), "\u{1b}[32mok\u{1b}[0m");
        assert_eq!(Meaning::Ok.paint("ok", false), "ok");
        assert_eq!(Meaning::Ok.paint("", true), "");
    }
}
