//! A host to attack: secrets, sockets, servers, and ways to become somebody else.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// In the environment of the program, in its arguments nowhere, and in files: whoever prints it has got out.
pub(super) const CANARY: &str = "canary-7c1e55d0";
/// A user without rights; Debian's `nobody`.
const NOBODY: u32 = 65534;

/// Who runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Root,
    Nobody,
}

/// Whether the kernel lets them make user namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespaces {
    Allowed,
    Blocked,
}

/// Everything that a command must not reach, and a workspace in which it may do as it likes.
pub(super) struct Place {
    pub(super) who: Who,
    pub(super) namespaces: Namespaces,
    home: tempfile::TempDir,
    program: PathBuf,
    pub(super) tcp: TcpListener,
    pub(super) tcp6: Option<TcpListener>,
    pub(super) udp: UdpSocket,
    _unix: UnixListener,
    _abstract: UnixListener,
    pub(super) abstract_name: String,
}

/// Root's rights are needed to become somebody else; without them the rows of the other users are left out, and that is said.
pub(super) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The users that this test process can be.
pub(super) fn users() -> Vec<Who> {
    if is_root() {
        vec![Who::Root, Who::Nobody]
    } else {
        eprintln!("not root: only the rows of an ordinary user are run");
        vec![Who::Nobody]
    }
}

/// The program that tries things, compiled once.
fn attacker() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sandbox/attacks/attacker.c");
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("attacker-{}", std::process::id()));
        let status = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-pthread", "-o"])
            .args([target.as_os_str(), source.as_ref()])
            .status()
            .expect("a C compiler: scripts/test installs one");
        assert!(status.success());
        target
    })
}

impl Place {
    pub(super) fn new(who: Who, namespaces: Namespaces) -> Self {
        let home = tempfile::Builder::new().prefix("attacked-").tempdir_in("/tmp").expect("a directory");
        let at = |name: &str| home.path().join(name);
        for name in ["workspace", "state/state", "other-workspace", ".ssh", ".config/autostart", "bin"] {
            std::fs::create_dir_all(at(name)).expect("a directory");
        }
        for name in [
            "secret",
            ".ssh/id_rsa",
            ".ssh/authorized_keys",
            ".bashrc",
            ".profile",
            ".config/autostart/x.desktop",
            "other-workspace/notes",
            "state/state/openclaw.sqlite",
            "state/state/openclaw.sqlite-wal",
            "state/openclaw.json",
        ] {
            let text = if name.contains("openclaw.json") { "{}".to_owned() } else { format!("{CANARY}\n") };
            std::fs::write(at(name), text).expect("a file");
        }
        copy(env!("CARGO_BIN_EXE_openclaw").as_ref(), &at("bin/openclaw"));
        copy(attacker(), &at("workspace/attacker"));
        let abstract_name = format!("attacked-{}", home.path().display());
        let address = SocketAddr::from_abstract_name(abstract_name.as_bytes()).expect("a name");
        let place = Self {
            who,
            namespaces,
            program: at("bin/openclaw"),
            tcp: TcpListener::bind("127.0.0.1:0").expect("a server"),
            tcp6: TcpListener::bind("[::1]:0").ok(),
            udp: UdpSocket::bind("127.0.0.1:0").expect("a server"),
            _unix: UnixListener::bind(at("agent.sock")).expect("a server"),
            _abstract: UnixListener::bind_addr(&address).expect("a server"),
            abstract_name,
            home,
        };
        if is_root() && who == Who::Nobody {
            give(place.home.path());
        }
        place
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.home.path().join("workspace")
    }

    /// Runs this line of a host's shell as the user of this place, with the environment that a careless owner has.
    pub(super) fn on_host(&self, argv: &[&str]) -> Output {
        self.prepare(argv).output().expect("a program of the host")
    }

    fn prepare(&self, argv: &[&str]) -> Command {
        let mut words: Vec<String> = Vec::new();
        let mut add = |list: &[&str]| words.extend(list.iter().map(|word| (*word).to_owned()));
        if self.who == Who::Nobody && is_root() {
            let id = NOBODY.to_string();
            add(&["setpriv", &format!("--reuid={id}"), &format!("--regid={id}"), "--clear-groups", "--"]);
        }
        if self.namespaces == Namespaces::Blocked {
            // Inside of a namespace that may have no further ones, without the rights of its root.
            let script = "echo 0 >/proc/sys/user/max_user_namespaces; \
                          exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- \"$@\"";
            add(&["unshare", "-Ur", "sh", "-c", script, "sh"]);
        }
        add(argv);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(self.workspace())
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.home())
            .env("OPENCLAW_STATE_DIR", self.home().join("state"))
            .envs(careless())
            .stdin(Stdio::null());
        command
    }

    /// `openclaw sandbox run` with these options before `--` and this command behind it.
    pub(super) fn command(&self, options: &[&str], argv: &[&str]) -> Command {
        self.command_in(&self.workspace().display().to_string(), options, argv)
    }

    /// The same in another workspace.
    pub(super) fn command_in(&self, workspace: &str, options: &[&str], argv: &[&str]) -> Command {
        let program = self.program.display().to_string();
        let workspace = format!("--workspace={workspace}");
        let mut words = vec![program.as_str(), "sandbox", "run", &workspace];
        words.extend(options);
        words.push("--");
        words.extend(argv);
        self.prepare(&words)
    }

    pub(super) fn run(&self, options: &[&str], argv: &[&str]) -> Output {
        self.command(options, argv).output().expect("the program under test")
    }

    /// A line for the shell, at level strict.
    pub(super) fn strict(&self, script: &str) -> Ran {
        Ran::of(&self.run(&["--level", "strict"], &["sh", "-c", script]))
    }
}

/// Processes of the whole machine with this word among their arguments.
pub(super) fn processes_with(word: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while its arguments are being read.
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// Looks again until it holds; fails after half a minute.
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 30, "{what} did not come about");
        std::thread::yield_now();
    }
}

/// What a command wrote and how it ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    pub(super) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Variables that are in many people's shells.
pub(super) fn careless() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "SSH_AUTH_SOCK",
        "DBUS_SESSION_BUS_ADDRESS",
        "BASH_ENV",
        "ENV",
        "PROMPT_COMMAND",
        "GIT_SSH_COMMAND",
        "NODE_OPTIONS",
        "PYTHONSTARTUP",
    ]
    .into_iter()
    .map(|name| (name, CANARY))
}

/// By another process: a program that this one has open for writing, be it in a child that was started that very moment, cannot be run.
pub(super) fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").args([from, to]).status().expect("cp").success());
}

fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("a change of owner");
    let metadata = std::fs::symlink_metadata(path).expect("a file");
    if metadata.is_dir() {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        for entry in std::fs::read_dir(path).expect("a directory") {
            give(&entry.expect("an entry").path());
        }
    }
}
