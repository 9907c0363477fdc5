//! Variables, passed as values: this program never changes its own environment.

use std::collections::BTreeMap;
use std::fmt;

/// The variables configuration may use, merged by precedence (process, `./.env`, `<state>/.env`, `env` block). Never `set_var`.
#[derive(Clone, Default)]
pub struct Environment {
    /// Name to value.
    pub vars: BTreeMap<String, String>,
}

impl Environment {
    /// The value, if the variable is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.vars.keys()).finish()
    }
}
