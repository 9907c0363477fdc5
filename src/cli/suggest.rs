//! "Did you mean" as a hint.

use crate::core::suggest::did_you_mean;

/// `did you mean 'x'?`, or `otherwise` when no name is near.
pub(crate) fn hint<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>, otherwise: &str) -> String {
    did_you_mean(wanted, names).map_or_else(|| otherwise.to_owned(), |name| format!("did you mean '{name}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_far_ones_are_not() {
        let names = ["main", "research", "home"];
        assert_eq!(hint("mian", names, "openclaw agents list"), "did you mean 'main'?");
        assert_eq!(hint("weather", names, "openclaw agents list"), "openclaw agents list");
    }
}
