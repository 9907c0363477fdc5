//! Where `scripts/third-party` has put things, and what to do when it has not run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The installation, or `None` with the reason printed. Where skipping would hide a fault (`CI`, or
/// `OPENCLAW_REQUIRE_THIRD_PARTY=1`) a missing installation is a failure.
pub(super) fn installed(test: &str) -> Option<Installation> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = Command::new(repository.join("scripts/third-party")).arg("--check").output().expect("bash runs");
    if check.status.success() {
        return Some(Installation { root: repository.join("target/third-party") });
    }
    let required = |name: &str| std::env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    let reason = format!("{test}: the third-party parts are not installed; run scripts/third-party");
    assert!(!required("CI") && !required("OPENCLAW_REQUIRE_THIRD_PARTY"), "{reason}");
    say(&format!("skipped {reason}"));
    None
}

/// Tells whoever runs the tests.
#[expect(clippy::print_stderr, reason = "a skipped test and a failed server explain themselves on the terminal")]
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}

/// What `scripts/third-party` has installed.
pub(super) struct Installation {
    root: PathBuf,
}

impl Installation {
    /// A Python of the environment, with nothing of this process's environment but `PATH`.
    pub(super) fn python(&self, home: &Path) -> Command {
        Self::clean(self.root.join("venv/bin/python"), home)
    }

    /// Node in as clean an environment.
    pub(super) fn node(home: &Path) -> Command {
        Self::clean(PathBuf::from("node"), home)
    }

    /// A file of an npm package.
    pub(super) fn module(&self, path: &str) -> PathBuf {
        self.root.join("node_modules").join(path)
    }

    /// A script of `tests/third-party`.
    pub(super) fn script(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third-party").join(name)
    }

    fn clean(program: PathBuf, home: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .current_dir(home);
        command
    }
}

/// Runs a command that has to end well; gives what it printed.
pub(super) fn succeed(what: &str, command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{what} does not start: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{what} ended with {}:\n{stdout}{stderr}", output.status);
    stdout
}
