//! Programs that are harmless without certain arguments.

use super::Arguments;

/// What makes a program run others, or write where it was told to read.
struct Rule {
    names: &'static [&'static str],
    /// Arguments as a whole.
    words: &'static [&'static str],
    /// Beginnings of arguments.
    starts: &'static [&'static str],
    /// Long options, also shortened.
    long: &'static [&'static str],
    /// Letters in groups of short options.
    short: &'static str,
    /// A colon in an argument names another machine.
    colon: bool,
}

const NONE: Rule = Rule { names: &[], words: &[], starts: &[], long: &[], short: "", colon: false };

const RULES: &[Rule] = &[
    Rule {
        names: &["find", "gfind"],
        words: &["-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fprint0", "-fprintf", "-fls"],
        ..NONE
    },
    Rule { names: &["fd", "fdfind"], long: &["exec", "exec-batch"], short: "xX", ..NONE },
    Rule { names: &["rg", "ripgrep"], long: &["pre", "hostname-bin", "search-zip"], short: "z", ..NONE },
    Rule { names: &["ag", "ack", "ack-grep"], long: &["pager"], ..NONE },
    Rule {
        names: &["tar", "gtar", "bsdtar"],
        long: &[
            "to-command",
            "checkpoint-action",
            "use-compress-program",
            "rsh-command",
            "rmt-command",
            "info-script",
            "new-volume-script",
        ],
        short: "IF",
        colon: true,
        ..NONE
    },
    Rule { names: &["rsync"], long: &["rsh", "rsync-path", "config"], short: "e", colon: true, ..NONE },
    Rule { names: &["cpio"], long: &["rsh-command", "to-command"], colon: true, ..NONE },
    Rule { names: &["sort", "gsort"], long: &["compress-program"], ..NONE },
    Rule { names: &["split", "gsplit"], long: &["filter"], ..NONE },
    Rule { names: &["zip"], long: &["unzip-command"], short: "T", ..NONE },
    Rule { names: &["install", "ginstall"], long: &["strip-program"], ..NONE },
    Rule { names: &["diff3", "sdiff"], long: &["diff-program"], ..NONE },
    Rule { names: &["patch"], long: &["ed"], short: "e", ..NONE },
    Rule { names: &["curl"], long: &["config", "engine"], short: "K", ..NONE },
    Rule { names: &["wget"], long: &["execute", "config", "use-askpass", "rc-file"], short: "e", ..NONE },
    Rule { names: &["tcpdump"], short: "zw", ..NONE },
    Rule { names: &["openssl"], words: &["-engine", "-provider", "-provider-path"], ..NONE },
    Rule { names: &["ip"], words: &["exec", "netns", "vrf"], long: &["batch"], short: "b", ..NONE },
    Rule {
        names: &["gcc", "g++", "cc", "c++", "clang", "clang++", "gfortran", "cpp"],
        words: &["-wrapper", "-load"],
        starts: &["-fplugin", "-B", "-specs", "--specs", "@", "-Xclang", "-fpass-plugin"],
        ..NONE
    },
    Rule { names: &["rustc"], long: &["codegen", "config"], short: "CZ", starts: &["@"], ..NONE },
    Rule {
        names: &["cmake"],
        words: &["-E", "-P", "-C", "--build", "--install", "--open"],
        starts: &["-P", "-C"],
        ..NONE
    },
    Rule {
        names: &["go"],
        words: &["generate", "tool"],
        starts: &[
            "-toolexec",
            "--toolexec",
            "-exec",
            "--exec",
            "-vettool",
            "--vettool",
            "-ldflags",
            "--ldflags",
            "-overlay",
        ],
        ..NONE
    },
    Rule {
        names: &["npm", "pnpm", "yarn", "corepack"],
        words: &["exec", "x", "dlx", "explore", "create", "init", "edit", "config", "set"],
        long: &[
            "call",
            "script-shell",
            "shell",
            "node-options",
            "node-gyp",
            "git",
            "prefix",
            "userconfig",
            "globalconfig",
        ],
        short: "c",
        ..NONE
    },
    Rule {
        names: &[
            "uv", "poetry", "pipenv", "conda", "mamba", "bundle", "bundler", "rbenv", "pyenv", "nvm", "asdf", "mise",
            "hatch", "pdm", "rye", "volta", "fnm",
        ],
        words: &["run", "exec", "tool", "x", "shell"],
        ..NONE
    },
    Rule {
        names: &["kubectl", "oc"],
        words: &["exec", "debug", "run", "edit", "cp", "attach", "proxy", "plugin"],
        long: &["kubeconfig"],
        ..NONE
    },
    Rule { names: &["gh"], words: &["alias", "extension", "extensions", "ext", "browse", "codespace", "cs"], ..NONE },
    Rule { names: &["hg"], words: &["serve"], long: &["config", "config-file"], ..NONE },
    Rule { names: &["svn"], long: &["diff-cmd", "diff3-cmd", "editor-cmd", "config-option", "config-dir"], ..NONE },
    Rule { names: &["test", "["], starts: &["-v"], ..NONE },
];

/// What cargo has itself; others are programs named `cargo-…`.
const CARGO: &[&str] = &[
    "add",
    "b",
    "bench",
    "build",
    "c",
    "check",
    "clean",
    "clippy",
    "d",
    "doc",
    "fetch",
    "fmt",
    "generate-lockfile",
    "init",
    "locate-project",
    "metadata",
    "new",
    "pkgid",
    "r",
    "remove",
    "run",
    "search",
    "t",
    "test",
    "tree",
    "update",
    "vendor",
    "version",
];

const WHY: &str = "can run other programs with these arguments";

pub(super) fn objection(name: &str, arguments: &Arguments<'_>) -> Option<&'static str> {
    let rule = RULES.iter().find(|rule| rule.names.contains(&name));
    let bad = rule.is_some_and(|rule| rule.objects(arguments))
        || match name {
            "tar" | "gtar" | "bsdtar" => old_tar(arguments),
            "cargo" => cargo(arguments),
            _ => false,
        };
    bad.then_some(WHY)
}

impl Rule {
    fn objects(&self, arguments: &Arguments<'_>) -> bool {
        arguments.has(self.words)
            || arguments.texts().any(|text| self.starts.iter().any(|start| text.starts_with(start)))
            || arguments.has_long(self.long)
            || arguments.has_short(self.short)
            || (self.colon && arguments.texts().any(|text| text.contains(':')))
    }
}

/// `tar xIf program archive`: options without a dash in the first argument.
fn old_tar(arguments: &Arguments<'_>) -> bool {
    arguments.first().is_some_and(|first| !first.starts_with('-') && first.contains(['I', 'F']))
}

fn cargo(arguments: &Arguments<'_>) -> bool {
    arguments.first().is_some_and(|first| !CARGO.contains(&first))
        || arguments.texts().any(|text| text.starts_with("-Z"))
        || arguments.has_long(&["config"])
}
