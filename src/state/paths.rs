//! Where things are below the state root.

use std::path::PathBuf;

/// Where the state lives.
#[derive(Debug, Clone)]
pub struct StatePaths {
    /// `~/.openclaw` (or `OPENCLAW_STATE_DIR`, or `~/.openclaw-<profile>`).
    pub root: PathBuf,
}

impl StatePaths {
    /// The layout below `root`. Touches no file.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `<root>/state`, mode 0700.
    pub fn state_dir(&self) -> PathBuf {
        self.root.join("state")
    }

    /// `<root>/state/openclaw.sqlite`, mode 0600.
    pub fn database(&self) -> PathBuf {
        self.state_dir().join("openclaw.sqlite")
    }

    /// `<root>/state/gateway-token`, mode 0600.
    pub fn gateway_token(&self) -> PathBuf {
        self.state_dir().join("gateway-token")
    }

    /// `<root>/logs/openclaw.log`
    pub fn log_file(&self) -> PathBuf {
        self.root.join("logs").join("openclaw.log")
    }

    /// `<root>/workspace`
    pub fn default_workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }
}
