//! The text of the profile. Paths are never part of it: they are parameters, so that no name of a file can end a string and add a rule.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::sandbox::{SandboxError, SandboxLevel, SandboxSpec, Workspace};

/// What every command needs, and that tells nothing of the user. Rules without a path of the user.
const BASE: &str = r#"(version 1)
(deny default)

(allow process-fork)
(allow process-exec)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))

(allow sysctl-read
  (sysctl-name-prefix "hw.")
  (sysctl-name-prefix "machdep.cpu.")
  (sysctl-name "kern.argmax")
  (sysctl-name "kern.hostname")
  (sysctl-name "kern.maxfilesperproc")
  (sysctl-name "kern.ngroups")
  (sysctl-name "kern.osproductversion")
  (sysctl-name "kern.osrelease")
  (sysctl-name "kern.ostype")
  (sysctl-name "kern.osversion")
  (sysctl-name "kern.secure_kernel")
  (sysctl-name "kern.version")
  (sysctl-name "vm.loadavg"))

(allow mach-lookup
  (global-name "com.apple.bsd.dirhelper")
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.opendirectoryd.membership"))

(allow file-read*
  (literal "/")
  (subpath "/Library/Apple")
  (subpath "/Library/Developer/CommandLineTools")
  (subpath "/System/Cryptexes")
  (subpath "/System/Library")
  (subpath "/System/Volumes/Preboot/Cryptexes")
  (subpath "/bin")
  (subpath "/opt/homebrew")
  (subpath "/private/etc/ssl")
  (subpath "/private/var/db/dyld")
  (subpath "/private/var/db/timezone")
  (subpath "/private/var/select")
  (subpath "/sbin")
  (subpath "/usr/bin")
  (subpath "/usr/lib")
  (subpath "/usr/libexec")
  (subpath "/usr/local")
  (subpath "/usr/sbin")
  (subpath "/usr/share")
  (literal "/private/etc/group")
  (literal "/private/etc/hosts")
  (literal "/private/etc/localtime")
  (literal "/private/etc/passwd")
  (literal "/private/etc/protocols")
  (literal "/private/etc/services")
  (literal "/private/etc/shells"))
(allow file-read-metadata
  (literal "/etc")
  (literal "/private")
  (literal "/private/etc")
  (literal "/private/tmp")
  (literal "/private/var")
  (literal "/tmp")
  (literal "/var"))

(allow file-read* file-write-data (literal "/dev/null") (literal "/dev/zero") (subpath "/dev/fd"))
(allow file-read* (literal "/dev/random") (literal "/dev/urandom"))
"#;

/// Internet sockets and the resolver.
const NETWORK: &str = r#"
(allow system-socket)
(allow network-outbound (remote ip) (literal "/private/var/run/mDNSResponder"))
(allow network-inbound (local ip))
(allow network-bind (local ip))
(allow mach-lookup
  (global-name "com.apple.SystemConfiguration.DNSConfiguration")
  (global-name "com.apple.SystemConfiguration.configd")
  (global-name "com.apple.dnssd.service")
  (global-name "com.apple.trustd.agent"))
(allow file-read* (literal "/private/etc/resolv.conf") (literal "/private/var/run/resolv.conf"))
"#;

/// A profile and the values of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// For `sandbox-exec -p`.
    pub text: String,
    /// Name and value, for `-D`.
    pub parameters: Vec<(String, OsString)>,
}

impl Profile {
    /// Adds a parameter and gives the expression that stands for it.
    fn parameter(&mut self, name: &str, path: &Path) -> String {
        let same = self.parameters.iter().filter(|(other, _)| other.starts_with(name)).count();
        let name = format!("{name}_{same}");
        self.parameters.push((name.clone(), path.as_os_str().to_owned()));
        format!("(param \"{name}\")")
    }

    /// Adds a rule about a subtree.
    fn subtree(&mut self, rule: &str, name: &str, path: &Path) {
        let parameter = self.parameter(name, path);
        self.text.extend(["(", rule, " (subpath ", &parameter, "))\n"]);
    }

    /// Adds a rule about one path.
    fn one(&mut self, rule: &str, name: &str, path: &Path) {
        let parameter = self.parameter(name, path);
        self.text.extend(["(", rule, " (literal ", &parameter, "))\n"]);
    }
}

fn refused(path: &Path, why: &str) -> SandboxError {
    SandboxError::Spec {
        what: format!("{} {why}", path.display()),
        hint: "give absolute paths without . and .. components".to_owned(),
    }
}

/// The path as the kernel compares it: `/tmp`, `/var` and `/etc` are links into `/private`.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, SandboxError> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return Err(refused(path, "is not an absolute path"));
    }
    if components.any(|component| !matches!(component, Component::Normal(_))) {
        return Err(refused(path, "has . or .. components"));
    }
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(refused(path, "contains a NUL character"));
    }
    let linked = ["/tmp", "/var", "/etc"].iter().any(|link| path.starts_with(link));
    let below = path.strip_prefix("/").unwrap_or(path);
    Ok(if linked { Path::new("/private").join(below) } else { path.to_owned() })
}

/// The profile of a command. `scratch` is an empty directory made for it, in the place of a private `/tmp`.
pub fn profile(spec: &SandboxSpec, scratch: &Path) -> Result<Profile, SandboxError> {
    const READ: &str = "allow file-read*";
    const WRITE: &str = "allow file-read* file-write*";
    let Workspace::Host { path: workspace, writable, protected, hidden } = &spec.workspace else {
        return Err(SandboxError::Spec {
            what: "virtual files cannot be brought into a sandbox on macOS".to_owned(),
            hint: "use agents.defaults.filesystemMode \"disk\", or Linux".to_owned(),
        });
    };
    let workspace = canonical(workspace)?;
    let mut profile = Profile { text: BASE.to_owned(), parameters: Vec::new() };
    profile.text.push('\n');
    let mut granted = vec![workspace.clone()];
    profile.subtree(if *writable { WRITE } else { READ }, "WORKSPACE", &workspace);
    for mount in &spec.mounts {
        let path = canonical(&mount.path)?;
        profile.subtree(if mount.writable { WRITE } else { READ }, "MOUNT", &path);
        granted.push(path);
    }
    let scratch = canonical(scratch)?;
    profile.subtree(WRITE, "SCRATCH", &scratch);
    granted.push(scratch);

    // Programs look up each directory on the way to where they are.
    let mut above: Vec<&Path> = granted.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    above.retain(|path| *path != Path::new("/"));
    above.sort_unstable();
    above.dedup();
    for path in above {
        profile.one("allow file-read-metadata", "ABOVE", path);
    }

    // The last rule that matches decides: what is denied comes after what is granted.
    let locked = protected.iter().map(|path| ("deny file-write*", "PROTECTED", path));
    let masked = hidden.iter().map(|path| ("deny file-read* file-write*", "HIDDEN", path));
    for (rule, name, path) in locked.chain(masked) {
        let plain = path.components().all(|component| matches!(component, Component::Normal(_)));
        if !plain || path.as_os_str().is_empty() {
            return Err(refused(path, "is not a path below the workspace"));
        }
        let whole = workspace.join(path);
        profile.subtree(rule, name, &whole);
        // A directory on the way must not be renamed, or another would take its place.
        for directory in whole.ancestors().skip(1).take_while(|directory| *directory != workspace) {
            profile.one("deny file-write-unlink", "KEPT", directory);
        }
    }
    profile.text.push_str("(deny file-write-setugid)\n");
    if spec.network && spec.level != SandboxLevel::Strict {
        profile.text.push_str(NETWORK);
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use insta::{assert_debug_snapshot, assert_snapshot};

    use super::*;
    use crate::sandbox::macos::plan::tests::spec;

    fn rules(spec: &SandboxSpec) -> (String, Profile) {
        let profile = profile(spec, Path::new("/tmp/scratch-1")).unwrap();
        (profile.text.strip_prefix(BASE).unwrap().to_owned(), profile)
    }

    #[test]
    fn what_is_granted_is_what_the_policy_says() {
        let (text, profile) = rules(&spec());
        assert_snapshot!(text, @r#"
        
        (allow file-read* file-write* (subpath (param "WORKSPACE_0")))
        (allow file-read* (subpath (param "MOUNT_0")))
        (allow file-read* file-write* (subpath (param "MOUNT_1")))
        (allow file-read* file-write* (subpath (param "SCRATCH_0")))
        (allow file-read-metadata (literal (param "ABOVE_0")))
        (allow file-read-metadata (literal (param "ABOVE_1")))
        (allow file-read-metadata (literal (param "ABOVE_2")))
        (allow file-read-metadata (literal (param "ABOVE_3")))
        (allow file-read-metadata (literal (param "ABOVE_4")))
        (deny file-write* (subpath (param "PROTECTED_0")))
        (deny file-write-unlink (literal (param "KEPT_0")))
        (deny file-write* (subpath (param "PROTECTED_1")))
        (deny file-write-setugid)
        
        (allow system-socket)
        (allow network-outbound (remote ip) (literal "/private/var/run/mDNSResponder"))
        (allow network-inbound (local ip))
        (allow network-bind (local ip))
        (allow mach-lookup
          (global-name "com.apple.SystemConfiguration.DNSConfiguration")
          (global-name "com.apple.SystemConfiguration.configd")
          (global-name "com.apple.dnssd.service")
          (global-name "com.apple.trustd.agent"))
        (allow file-read* (literal "/private/etc/resolv.conf") (literal "/private/var/run/resolv.conf"))
        "#);
        assert_debug_snapshot!(profile.parameters, @r#"
        [
            (
                "WORKSPACE_0",
                "/Users/me/work",
            ),
            (
                "MOUNT_0",
                "/private/var/data",
            ),
            (
                "MOUNT_1",
                "/Users/me/cache",
            ),
            (
                "SCRATCH_0",
                "/private/tmp/scratch-1",
            ),
            (
                "ABOVE_0",
                "/Users",
            ),
            (
                "ABOVE_1",
                "/Users/me",
            ),
            (
                "ABOVE_2",
                "/private",
            ),
            (
                "ABOVE_3",
                "/private/tmp",
            ),
            (
                "ABOVE_4",
                "/private/var",
            ),
            (
                "PROTECTED_0",
                "/Users/me/work/.git/hooks",
            ),
            (
                "KEPT_0",
                "/Users/me/work/.git",
            ),
            (
                "PROTECTED_1",
                "/Users/me/work/AGENTS.md",
            ),
        ]
        "#);
    }

    #[test]
    fn a_workspace_that_is_read_only_is_that_and_strict_has_no_network() {
        let mut spec = spec();
        spec.workspace =
            Workspace::Host { path: "/Users/me/w".into(), writable: false, protected: Vec::new(), hidden: Vec::new() };
        spec.mounts.clear();
        let (text, _) = rules(&spec);
        assert!(text.contains("(allow file-read* (subpath (param \"WORKSPACE_0\")))"), "{text}");
        assert!(text.contains("network-outbound"), "the control: relaxed has a network");
        spec.level = SandboxLevel::Strict;
        assert!(!rules(&spec).0.contains("network"));
    }

    #[test]
    fn names_of_files_are_never_part_of_the_text() {
        let mut spec = spec();
        let evil = "/Users/me/\"))(allow default)(\"\n;";
        spec.workspace =
            Workspace::Host { path: evil.into(), writable: true, protected: vec!["x\")".into()], hidden: Vec::new() };
        let (text, profile) = rules(&spec);
        assert!(!text.contains("allow default") && !text.contains("Users") && !text.contains("scratch-1"), "{text}");
        assert!(profile.parameters.iter().any(|(_, value)| value == evil));
        assert_eq!(profile.text.matches('(').count(), profile.text.matches(')').count());
    }

    #[test]
    fn nothing_that_leads_out_is_granted() {
        let (_, profile) = rules(&spec());
        let text = profile.text;
        assert!(text.starts_with("(version 1)\n(deny default)\n"));
        for word in [
            "launchd",
            "lsd",
            "coreservices",
            "LaunchServices",
            "file-mount",
            "appleevent",
            "job-creation",
            "iokit",
            "mach-register",
            "mach-priv",
            "tty",
            "ipc-posix-shm",
        ] {
            assert!(!text.contains(word), "{word}");
        }
        assert!(
            !text.contains("(allow default")
                && !text.contains("(allow file-read*)")
                && !text.contains("(allow mach-lookup)")
        );
        for rule in text.split("\n(allow file-write").skip(1) {
            assert!(rule.contains("param"), "{rule}");
        }
    }

    #[test]
    fn paths_are_compared_as_the_kernel_has_them() {
        let canonical = |path: &str| {
            canonical(Path::new(path)).map(|path| path.display().to_string()).map_err(|error| error.to_string())
        };
        assert_debug_snapshot!(
            ["/tmp/x", "/var/folders/a", "/etc", "/tmpfile", "/private/tmp/x", "/Users/me", "relative", "/a/../b", "/a\0b"].map(canonical),
            @r#"
            [
                Ok(
                    "/private/tmp/x",
                ),
                Ok(
                    "/private/var/folders/a",
                ),
                Ok(
                    "/private/etc",
                ),
                Ok(
                    "/tmpfile",
                ),
                Ok(
                    "/private/tmp/x",
                ),
                Ok(
                    "/Users/me",
                ),
                Err(
                    "the sandbox cannot be set up: relative is not an absolute path",
                ),
                Err(
                    "the sandbox cannot be set up: /a/../b has . or .. components",
                ),
                Err(
                    "the sandbox cannot be set up: /a\0b contains a NUL character",
                ),
            ]
            "#
        );
    }

    #[test]
    fn policies_that_cannot_be_kept_are_refused() {
        let mut spec = spec();
        spec.workspace = Workspace::Virtual;
        assert!(profile(&spec, Path::new("/tmp/s")).is_err());
        for protected in ["../x", "/x", "", "a/../../x"] {
            spec.workspace = Workspace::Host {
                path: "/w".into(),
                writable: true,
                protected: vec![protected.into()],
                hidden: Vec::new(),
            };
            assert!(profile(&spec, Path::new("/tmp/s")).is_err(), "{protected}");
        }
    }
}
