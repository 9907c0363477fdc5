//! Line 1: credentials and the environment they come from.
//!
//! A secret stands in the configuration as plain text or as a reference `{source, provider, id}`. [`SecretResolver`] turns
//! both into a [`Secret`]. Nothing is cached on disk, and no error or debug output holds a secret's text.
//!
//! ```
//! use openclaw::secrets::{Environment, SecretInput, SecretResolver};
//!
//! # fn main() -> openclaw::core::Result<()> {
//! let mut env = Environment::default();
//! env.vars.insert("MY_KEY".to_owned(), "s3cret".to_owned());
//! let resolver = SecretResolver::new(serde_json::json!({}), env, ".".into());
//! let secret = resolver.resolve(&SecretInput::Plain("$MY_KEY".to_owned()))?;
//! assert_eq!(secret.expose(), "s3cret");
//! assert!(!format!("{secret:?}").contains("s3cret"));
//! # Ok(())
//! # }
//! ```

mod environment;
mod exec;
mod exec_protocol;
mod file;
mod provider;
mod resolver;
mod secret;
#[cfg(test)]
mod tests;

pub use environment::Environment;
pub use resolver::SecretResolver;
pub use secret::{Secret, SecretInput, SecretRef};
