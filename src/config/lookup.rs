//! Finding agents in the typed view.

use super::view::{AgentConfig, Config};
use crate::core::AgentId;

impl Config {
    /// The agent with that id.
    pub fn agent(&self, id: &AgentId) -> Option<&AgentConfig> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// The agent that gets messages which name none.
    ///
    /// # Panics
    /// On a view without agents, which the loader never makes.
    pub fn default_agent(&self) -> &AgentConfig {
        self.agents
            .iter()
            .find(|agent| agent.is_default)
            .or_else(|| self.agents.first())
            .expect("the loader always makes at least the agent main")
    }
}
