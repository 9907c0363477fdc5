//! What of the host's system directories a command needs: programs, libraries, and a few files of `/etc`.
//!
//! `/etc` itself is never shown: as the system's root user the gateway could read all of it, and so could its commands.

use std::path::{Path, PathBuf};

/// Directories with programs and libraries. Where they are symbolic links, the links are shown.
const PROGRAMS: [&str; 9] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"];
/// Public settings: the loader's, certificates without their keys, alternatives of programs.
const SETTINGS: [&str; 12] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/crypto-policies",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/services",
];
/// Where names of the network come from.
const NAMES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

const PASSWD: &str = "root:x:0:0:root:/:/bin/false\nagent:x:1000:1000:agent:/tmp/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUP: &str = "root:x:0:\ntty:x:5:\nagent:x:1000:\nnogroup:x:65534:\n";
const SWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n";
const LOCAL: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// What is there on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemFacts {
    /// Directories with programs and libraries.
    pub directories: Vec<PathBuf>,
    /// Symbolic links among them, with their targets.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Files and directories of `/etc` that are shown.
    pub settings: Vec<PathBuf>,
    /// Name server settings, when they can be read.
    pub resolver: Option<String>,
    /// Known hosts, when they can be read.
    pub hosts: Option<String>,
}

impl SystemFacts {
    /// Looks at the host.
    pub fn read() -> Self {
        let mut facts = Self::default();
        for path in PROGRAMS.map(Path::new) {
            match std::fs::symlink_metadata(path) {
                Ok(found) if found.is_symlink() => {
                    if let Ok(target) = std::fs::read_link(path) {
                        facts.links.push((path.into(), target));
                    }
                }
                Ok(found) if found.is_dir() => facts.directories.push(path.into()),
                // What is not there, or not to be seen, is not shown.
                Ok(_) | Err(_) => {}
            }
        }
        facts.settings = SETTINGS.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
        [facts.resolver, facts.hosts] = NAMES.map(|path| std::fs::read_to_string(path).ok());
        facts
    }

    /// The files of `/etc` that are made for a command.
    pub fn texts(&self, network: bool) -> Vec<(&'static str, String)> {
        let hosts = self.hosts.clone().filter(|_| network).unwrap_or_else(|| LOCAL.to_owned());
        let mut texts = vec![
            ("/etc/passwd", PASSWD.to_owned()),
            ("/etc/group", GROUP.to_owned()),
            ("/etc/nsswitch.conf", SWITCH.to_owned()),
            ("/etc/hosts", hosts),
        ];
        if let Some(resolver) = self.resolver.clone().filter(|_| network) {
            texts.push(("/etc/resolv.conf", resolver));
        }
        texts
    }

    /// The host's own files in place of those of [`SystemFacts::texts`], where the host's root is in sight. They hold no secrets.
    pub fn plain_settings(&self, network: bool) -> Vec<&'static str> {
        let mut paths = vec!["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"];
        if network {
            paths.extend(NAMES);
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_programs_and_no_secrets_are_shown() {
        let facts = SystemFacts::read();
        assert!(facts.directories.iter().any(|path| path == Path::new("/usr")));
        let shown = |path: &str| facts.settings.iter().any(|setting| Path::new(path).starts_with(setting));
        assert!(!shown("/etc/shadow") && !shown("/etc/ssl/private/key.pem") && !shown("/etc/pki/tls/private"));
        let names: Vec<&str> = facts.texts(false).iter().map(|(path, _)| *path).collect();
        assert!(!names.contains(&"/etc/resolv.conf"));
    }
}
