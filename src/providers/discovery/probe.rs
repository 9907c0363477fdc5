//! One-shot GET requests to a server that may be slow, strange, or something else entirely.

use std::time::Instant;

use serde_json::Value;

/// Largest answer read, in bytes.
const MAX_BODY: u64 = 1024 * 1024;

/// Asks one server until a deadline.
pub(super) struct Probe<'u> {
    agent: ureq::Agent,
    base_url: &'u str,
    deadline: Instant,
}

impl<'u> Probe<'u> {
    /// A probe of `base_url`. Proxies are not used and redirects not followed: it asks this machine and no other.
    pub(super) fn new(base_url: &'u str, deadline: Instant) -> Self {
        let agent = ureq::Agent::config_builder().proxy(None).max_redirects(0).build().new_agent();
        Self { agent, base_url, deadline }
    }

    /// The JSON at `path`; `None` when there is no such thing.
    pub(super) fn get(&self, path: &str) -> Option<Value> {
        let left = self.deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let url = format!("{}{path}", self.base_url);
        match self.fetch(&url, left) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::trace!(url, error, "no local model server here");
                None
            }
        }
    }

    fn fetch(&self, url: &str, left: std::time::Duration) -> Result<Value, String> {
        let request = self.agent.get(url).config().timeout_global(Some(left)).build();
        let mut response = request.call().map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("HTTP status {}", response.status()));
        }
        let body =
            response.body_mut().with_config().limit(MAX_BODY).read_to_vec().map_err(|error| error.to_string())?;
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}
