//! Line 1: credentials and the environment they come from.
//!
//! A secret stands in the configuration as plain text or as a reference `{source, provider, id}`. [`SecretResolver`] turns
//! both into a [`Secret`]. Nothing is cached on disk, and no error or debug output holds a secret's text.

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
