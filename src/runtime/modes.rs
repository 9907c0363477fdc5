//! Which files a run works in. Chosen before it starts, by those who may: the configuration, the gateway's environment over
//! it, and the message over both as far as that narrows what the run can reach.

use crate::config::{AgentConfig, LoadedConfig};
use crate::core::{Error, ErrorKind, FilesystemMode, Result};
use crate::secrets::Environment;

/// The environment variable that overrides `filesystemMode` of every agent.
pub const VARIABLE: &str = "OPENCLAW_AGENT_WORKER_FILESYSTEM_MODE";

/// The mode that the environment asks for.
pub fn from_environment(env: &Environment) -> Result<Option<FilesystemMode>> {
    let Some(text) = env.get(VARIABLE).map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    FilesystemMode::parse(text).map(Some).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("{VARIABLE} is {text:?}, which is no file system mode"))
            .why(format!("the modes are {}", names()))
            .hint(format!("{VARIABLE}=vfs-only, or unset it"))
    })
}

/// The mode of an agent's runs: the environment's, else the configured one.
pub fn of_agent(config: &LoadedConfig, agent: &AgentConfig) -> Result<FilesystemMode> {
    Ok(from_environment(&config.env)?.unwrap_or(agent.filesystem_mode))
}

/// A mode by its name.
pub fn parse(text: &str) -> Result<FilesystemMode> {
    FilesystemMode::parse(text)
        .ok_or_else(|| Error::user(format!("there is no file system mode {text:?}")).hint(format!("use {}", names())))
}

/// The mode of one run. Whoever sends a message may keep its run away from the host, and not open the host to it.
pub(super) fn of_run(
    agent: &AgentConfig,
    usual: FilesystemMode,
    asked: Option<FilesystemMode>,
) -> Result<FilesystemMode> {
    let Some(asked) = asked else { return Ok(usual) };
    if reaches_host(asked) && !reaches_host(usual) {
        return Err(Error::new(
            ErrorKind::Policy,
            format!("agent {} works in virtual files only; a message cannot change that", agent.id),
        )
        .why(format!(
            "its file system mode is {}, and {} would open the host's files to it",
            usual.as_str(),
            asked.as_str()
        ))
        .hint(format!("leave the mode out, or start the gateway with {VARIABLE}={}", asked.as_str())));
    }
    Ok(asked)
}

/// The stricter of what was decided when the message came and what holds when its run starts.
pub(super) fn narrower(decided: FilesystemMode, usual: FilesystemMode) -> FilesystemMode {
    if reaches_host(usual) { decided } else { usual }
}

fn reaches_host(mode: FilesystemMode) -> bool {
    mode != FilesystemMode::VfsOnly
}

fn names() -> String {
    FilesystemMode::ALL.map(FilesystemMode::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use FilesystemMode::{Disk, VfsOnly, VfsScratch};

    use super::*;
    use crate::config::{self, LoadOptions};

    fn loaded(env: &[(&str, &str)], text: &str) -> LoadedConfig {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("openclaw.json"), text).expect("a configuration");
        config::load(&LoadOptions {
            process_env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            cwd: dir.path().to_owned(),
            state_root: dir.path().to_owned(),
            config_path: Some(dir.path().join("openclaw.json")),
        })
        .expect("it loads")
    }

    #[test]
    fn the_environment_comes_before_the_configuration() {
        for (value, expected) in [("vfs-only", VfsOnly), (" disk ", Disk), ("", VfsScratch)] {
            let config = loaded(&[(VARIABLE, value)], "{}");
            assert_eq!(of_agent(&config, config.view.default_agent()).expect("a mode"), expected, "{value:?}");
        }
    }

    #[test]
    fn a_mode_that_does_not_exist_is_an_error_that_names_the_others() {
        let config = loaded(&[(VARIABLE, "vfs")], "{}");
        let error = of_agent(&config, config.view.default_agent()).expect_err("unknown");
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = format!("{error} {}", error.reason().unwrap_or_default());
        assert!(text.contains(VARIABLE) && text.contains("vfs-only"), "{text}");
        assert_eq!(parse("host").expect_err("unknown").kind(), ErrorKind::User);
    }

    #[test]
    fn a_message_narrows_and_never_widens() {
        let config = loaded(&[], "{}");
        let agent = config.view.default_agent();
        for usual in FilesystemMode::ALL {
            assert_eq!(of_run(agent, usual, None).expect("the usual one"), usual);
            assert_eq!(of_run(agent, usual, Some(VfsOnly)).expect("narrower"), VfsOnly);
        }
        assert_eq!(of_run(agent, Disk, Some(VfsScratch)).expect("the same reach"), VfsScratch);
        for asked in [Disk, VfsScratch] {
            let error = of_run(agent, VfsOnly, Some(asked)).expect_err("wider");
            assert_eq!(error.kind(), ErrorKind::Policy);
        }
    }

    #[test]
    fn what_holds_at_the_start_counts_too() {
        assert_eq!(narrower(Disk, VfsOnly), VfsOnly);
        assert_eq!(narrower(VfsOnly, Disk), VfsOnly);
        assert_eq!(narrower(Disk, VfsScratch), Disk);
    }

    #[test]
    fn a_working_directory_does_not_choose() {
        let dir = tempfile::tempdir().expect("a directory");
        let (cwd, state) = (dir.path().join("cwd"), dir.path().join("state"));
        for path in [&cwd, &state] {
            std::fs::create_dir(path).expect("a directory");
        }
        std::fs::write(cwd.join(".env"), format!("{VARIABLE}=disk\nHARMLESS=1\n")).expect("a file");
        let options =
            LoadOptions { process_env: std::collections::BTreeMap::new(), cwd, state_root: state, config_path: None };
        let config = config::load(&options).expect("it loads");
        assert_eq!(config.env.get("HARMLESS"), Some("1"));
        assert_eq!(from_environment(&config.env).expect("nothing"), None);
    }
}
