//! From an agent's `sandbox` settings to the policy of its commands. Pure: nothing here looks at the machine.

use std::path::PathBuf;

use crate::config::{SandboxSettings, WorkspaceAccess};
use crate::sandbox::{
    Backend, Guarantee, Guarantees, Limits, Mount, SandboxError, SandboxLevel, SandboxSpec, Workspace,
};

/// What an agent's commands may do, whatever they work in.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecProfile {
    /// The policy but for its workspace, which every call fills in.
    template: SandboxSpec,
    access: WorkspaceAccess,
}

impl ExecProfile {
    /// Reads the settings. A name that does not exist is an error, not a weaker sandbox.
    ///
    /// Without a `level` it is `strict`: on a system where that cannot be had, commands are refused until a person has chosen another one.
    pub fn from_settings(settings: &SandboxSettings) -> Result<Self, SandboxError> {
        let level = match &settings.level {
            None => SandboxLevel::Strict,
            Some(name) => SandboxLevel::parse(name)
                .ok_or_else(|| unknown("level", name, &SandboxLevel::ALL.map(SandboxLevel::as_str)))?,
        };
        let backend = match &settings.backend {
            None => None,
            Some(name) => {
                Some(Backend::parse(name).ok_or_else(|| unknown("backend", name, &Backend::ALL.map(Backend::as_str)))?)
            }
        };
        let allow_missing = settings
            .allow_missing
            .iter()
            .map(|name| {
                let names: Vec<&str> = Guarantee::ALL.iter().map(|guarantee| guarantee.as_str()).collect();
                Guarantee::parse(name).ok_or_else(|| unknown("allowMissing", name, &names))
            })
            .collect::<Result<Guarantees, SandboxError>>()?;
        let network = settings.network.unwrap_or(level != SandboxLevel::Strict);
        if network && level == SandboxLevel::Strict {
            return Err(SandboxError::Spec {
                what: "sandbox.network is true, and level strict never grants the network".to_owned(),
                hint: "set sandbox.level to \"relaxed\" for agents whose commands need the network, or remove sandbox.network"
                    .to_owned(),
            });
        }
        let mounts = settings.mounts.iter().map(|(path, writable)| Mount { path: path.clone(), writable: *writable });
        let template = SandboxSpec {
            level,
            workspace: Workspace::Virtual,
            mounts: mounts.collect(),
            network,
            limits: limits(settings),
            allow_missing,
            backend,
        };
        Ok(Self { template, access: settings.workspace_access })
    }

    /// The contract.
    pub fn level(&self) -> SandboxLevel {
        self.template.level
    }

    /// What commands see of the host besides their workspace.
    pub fn mounts(&self) -> &[Mount] {
        &self.template.mounts
    }

    /// Whether commands see the workspace on the host; else they start in an empty private directory.
    pub fn sees_workspace(&self) -> bool {
        self.access != WorkspaceAccess::Nothing
    }

    /// The policy for a command in the host directory `path`, in which `protected` (relative to it) exist and are read-only, and `hidden`
    /// exist and are out of sight.
    pub fn on_host(&self, path: PathBuf, protected: Vec<PathBuf>, hidden: Vec<PathBuf>) -> SandboxSpec {
        let workspace = match self.access {
            WorkspaceAccess::Nothing => Workspace::Virtual,
            WorkspaceAccess::ReadOnly => Workspace::Host { path, writable: false, protected: Vec::new(), hidden },
            WorkspaceAccess::ReadWrite => Workspace::Host { path, writable: true, protected, hidden },
        };
        SandboxSpec { workspace, ..self.template.clone() }
    }

    /// The policy for a command that sees virtual files only.
    pub fn on_virtual_files(&self) -> SandboxSpec {
        self.template.clone()
    }
}

fn limits(settings: &SandboxSettings) -> Limits {
    let (given, default) = (&settings.limits, Limits::default());
    Limits {
        memory_bytes: given.memory_bytes.unwrap_or(default.memory_bytes),
        processes: given.processes.unwrap_or(default.processes),
        file_bytes: given.file_bytes.unwrap_or(default.file_bytes),
        open_files: given.open_files.unwrap_or(default.open_files),
        cpu_seconds: given.cpu_seconds.unwrap_or(default.cpu_seconds),
        tmp_bytes: given.tmp_bytes.unwrap_or(default.tmp_bytes),
        tmp_files: default.tmp_files,
    }
}

fn unknown(key: &str, name: &str, known: &[&str]) -> SandboxError {
    SandboxError::Spec {
        what: format!("sandbox.{key} {name:?} does not exist"),
        hint: format!("known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LimitSettings;

    fn profile(settings: &SandboxSettings) -> ExecProfile {
        ExecProfile::from_settings(settings).unwrap()
    }

    #[test]
    fn nothing_configured_is_strict_without_network() {
        let profile = profile(&SandboxSettings::default());
        assert_eq!(profile.level(), SandboxLevel::Strict);
        let spec = profile.on_host("/w".into(), vec![".git/config".into()], Vec::new());
        assert!(!spec.network && spec.mounts.is_empty() && spec.allow_missing.is_empty() && spec.backend.is_none());
        assert_eq!(spec.limits, Limits::default());
        let protected = vec![PathBuf::from(".git/config")];
        assert_eq!(
            spec.workspace,
            Workspace::Host { path: "/w".into(), writable: true, protected, hidden: Vec::new() }
        );
        assert_eq!(profile.on_virtual_files().workspace, Workspace::Virtual);
    }

    #[test]
    fn every_setting_arrives() {
        let limits = LimitSettings {
            memory_bytes: Some(1),
            processes: Some(2),
            file_bytes: Some(3),
            open_files: Some(4),
            cpu_seconds: Some(5),
            tmp_bytes: Some(6),
        };
        let settings = SandboxSettings {
            level: Some("relaxed".into()),
            backend: Some("bubblewrap".into()),
            mounts: vec![("/data".into(), false), ("/out".into(), true)],
            allow_missing: vec!["metadata_confined".into(), "pids_limit".into()],
            limits,
            ..SandboxSettings::default()
        };
        let spec = profile(&settings).on_virtual_files();
        assert_eq!((spec.level, spec.backend), (SandboxLevel::Relaxed, Some(Backend::Bubblewrap)));
        assert!(spec.network, "relaxed has the network unless it is taken away");
        assert_eq!(
            spec.mounts,
            [Mount { path: "/data".into(), writable: false }, Mount { path: "/out".into(), writable: true }]
        );
        assert_eq!(spec.allow_missing, Guarantees::of(&[Guarantee::MetadataConfined, Guarantee::PidsLimit]));
        let tmp_files = Limits::default().tmp_files;
        let expected = Limits {
            memory_bytes: 1,
            processes: 2,
            file_bytes: 3,
            open_files: 4,
            cpu_seconds: 5,
            tmp_bytes: 6,
            tmp_files,
        };
        assert_eq!(spec.limits, expected);
        let quiet = SandboxSettings { network: Some(false), ..settings };
        assert!(!profile(&quiet).on_virtual_files().network);
    }

    #[test]
    fn access_to_the_workspace_can_be_narrowed() {
        let of = |access| {
            let settings = SandboxSettings { workspace_access: access, ..SandboxSettings::default() };
            profile(&settings).on_host("/w".into(), vec!["x".into()], Vec::new()).workspace
        };
        assert_eq!(of(WorkspaceAccess::Nothing), Workspace::Virtual);
        let read_only =
            Workspace::Host { path: "/w".into(), writable: false, protected: Vec::new(), hidden: Vec::new() };
        assert_eq!(of(WorkspaceAccess::ReadOnly), read_only);
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused_with_what_would_do() {
        let refused = |settings: SandboxSettings| {
            let error = ExecProfile::from_settings(&settings).unwrap_err();
            let SandboxError::Spec { what, hint } = error else { unreachable!("{error:?}") };
            format!("{what}; {hint}")
        };
        let level = SandboxSettings { level: Some("paranoid".into()), ..SandboxSettings::default() };
        insta::assert_snapshot!(refused(level), @r#"sandbox.level "paranoid" does not exist; known: none, relaxed, strict"#);
        let backend = SandboxSettings { backend: Some("docker".into()), ..SandboxSettings::default() };
        insta::assert_snapshot!(refused(backend), @r#"sandbox.backend "docker" does not exist; known: namespaces, bubblewrap, landlock, seatbelt, jobobject, plain"#);
        let missing = SandboxSettings { allow_missing: vec!["magic".into()], ..SandboxSettings::default() };
        assert!(
            refused(missing).starts_with("sandbox.allowMissing \"magic\" does not exist; known: fs_write_confined")
        );
        let network = SandboxSettings { network: Some(true), ..SandboxSettings::default() };
        insta::assert_snapshot!(refused(network), @r#"sandbox.network is true, and level strict never grants the network; set sandbox.level to "relaxed" for agents whose commands need the network, or remove sandbox.network"#);
    }
}
