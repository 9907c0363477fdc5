//! What a person reads when the gateway is up.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::commands::models::OFFLINE_NOTE;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::Meaning;
use crate::gateway::AuthMode;

/// What the banner says.
pub(super) struct Banner {
    pub(super) address: SocketAddr,
    pub(super) workspace: PathBuf,
    pub(super) model: String,
    pub(super) auth: Auth,
    pub(super) log: PathBuf,
}

/// How callers prove who they are, without the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auth {
    Token,
    Password,
    None,
}

impl From<&AuthMode> for Auth {
    fn from(mode: &AuthMode) -> Self {
        match mode {
            AuthMode::Token(_) => Self::Token,
            AuthMode::Password(_) => Self::Password,
            AuthMode::None => Self::None,
        }
    }
}

impl Banner {
    /// On stderr for people, one object on stdout with `--json`.
    pub(super) fn show(&self, context: &Context) -> Outcome {
        if !context.out.is_text() {
            return context.out.json_line(&self.json(context));
        }
        let token = context.paths.gateway_token();
        for line in self.lines(&token, |meaning, text| context.out.paint_err(meaning, text)) {
            context.out.note(&line);
        }
        Ok(())
    }

    fn json(&self, context: &Context) -> Value {
        json!({
            "event": "ready", "url": format!("http://{}", self.address), "port": self.address.port(),
            "workspace": self.workspace, "model": self.model, "stateDir": context.paths.root, "logFile": self.log,
            "auth": match self.auth { Auth::Token => "token", Auth::Password => "password", Auth::None => "none" },
            "pid": std::process::id(), "version": env!("CARGO_PKG_VERSION"),
        })
    }

    fn lines(&self, token: &Path, paint: impl Fn(Meaning, &str) -> String) -> Vec<String> {
        let mut lines = vec![
            format!("openclaw {} gateway is ready", env!("CARGO_PKG_VERSION")),
            format!("  url        {}", paint(Meaning::Accent, &format!("http://{}", self.address))),
            format!("  workspace  {}", self.workspace.display()),
            format!("  model      {}", self.model),
        ];
        if self.model.starts_with("offline/") {
            lines.push(format!("             {}", paint(Meaning::Warn, OFFLINE_NOTE)));
        }
        lines.push(match self.auth {
            Auth::Token => format!("  token      in {}", token.display()),
            Auth::Password => "  password   as configured".to_owned(),
            Auth::None => {
                format!("  auth       {}", paint(Meaning::Warn, "none: every program on this machine may use it"))
            }
        });
        lines.push(format!("  log        {}", self.log.display()));
        lines.push("  try        openclaw agent -m \"list the files here\"      (Ctrl-C stops the gateway)".to_owned());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_says_where_and_which_model() {
        let banner = Banner {
            address: ([127, 0, 0, 1], 18789).into(),
            workspace: "/home/ana/.openclaw/workspace".into(),
            model: "offline/offline".into(),
            auth: Auth::Token,
            log: "/home/ana/.openclaw/logs/openclaw.log".into(),
        };
        let lines = banner.lines(Path::new("/home/ana/.openclaw/state/gateway-token"), |_, text| text.to_owned());
        insta::assert_snapshot!(lines.join("\n"), @r#"
        openclaw 0.1.0 gateway is ready
          url        http://127.0.0.1:18789
          workspace  /home/ana/.openclaw/workspace
          model      offline/offline
                     offline model: not a language model; set ANTHROPIC_API_KEY or OPENAI_API_KEY, configure models.providers, or start Ollama for real answers
          token      in /home/ana/.openclaw/state/gateway-token
          log        /home/ana/.openclaw/logs/openclaw.log
          try        openclaw agent -m "list the files here"      (Ctrl-C stops the gateway)
        "#);
    }
}
