//! The environment of a command: a fixed base, what the configuration passes on, and what the call asks for.
//!
//! Nothing of the gateway's own environment is inherited. A call may not set what makes loaders, shells and interpreters run something
//! else than the command that was decided about.

use std::ffi::OsString;

use super::super::support::Failure;
use crate::config::ExecSettings;
use crate::core::limits::MAX_TOOL_RESULT_BYTES;
use crate::sandbox::SandboxLevel;

/// Where programs are looked for, behind `pathPrepend`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A private directory that every sandbox has.
const HOME: &str = "/tmp/home";
/// Passed on without being asked: they say how text and times are written, and nothing about the machine.
const LOCALE: [&str; 4] = ["LANG", "LC_ALL", "LC_CTYPE", "TZ"];
/// Most variables of one call.
const MAX_VARIABLES: usize = 256;

/// Names that a call may not set, `*` at the end standing for any text, with what they do.
const REFUSED: &[(&str, &str)] = &[
    ("PATH", "it decides which program a name means; tools.exec.pathPrepend is the place for it"),
    ("LD_*", "the loader would run other code"),
    ("DYLD_*", "the loader would run other code"),
    ("GLIBC_TUNABLES", "the loader would behave differently"),
    ("GCONV_PATH", "the C library would load other code"),
    ("BASH_ENV", "shells run the file it names"),
    ("ENV", "shells run the file it names"),
    ("BASH_FUNC_*", "shells take functions from it"),
    ("PROMPT_COMMAND", "shells run it"),
    ("SHELLOPTS", "it changes what shell scripts do"),
    ("BASHOPTS", "it changes what shell scripts do"),
    ("PS4", "shells evaluate it"),
    ("IFS", "it changes what shell scripts do"),
    ("ZDOTDIR", "shells run files from there"),
    ("PYTHONSTARTUP", "Python runs the file it names"),
    ("PYTHONHOME", "Python would load other code"),
    ("NODE_OPTIONS", "Node.js loads what it names"),
    ("PERL5OPT", "Perl loads what it names"),
    ("PERL5DB", "Perl runs it"),
    ("RUBYOPT", "Ruby loads what it names"),
    ("JAVA_TOOL_OPTIONS", "Java loads what it names"),
    ("_JAVA_OPTIONS", "Java loads what it names"),
    ("JDK_JAVA_OPTIONS", "Java loads what it names"),
    ("GIT_*", "git runs programs named there"),
];

/// Of git's variables those that only say who and when, or that nobody can be asked.
const GIT_HARMLESS: [&str; 8] = [
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
    "GIT_TERMINAL_PROMPT",
    "GIT_OPTIONAL_LOCKS",
];

/// One variable.
pub(super) type Variable = (OsString, OsString);

/// What every command of an agent gets; of `inherited` only what the settings name.
pub fn of_commands<'e>(
    settings: &ExecSettings,
    level: SandboxLevel,
    inherited: impl IntoIterator<Item = (&'e String, &'e String)>,
) -> Vec<(OsString, OsString)> {
    let inherited = inherited.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    base(settings, level, inherited)
}

/// What every command of an agent gets. `inherited` is the gateway's environment, of which only the named variables are looked at.
pub(super) fn base(
    settings: &ExecSettings,
    level: SandboxLevel,
    inherited: impl Iterator<Item = Variable>,
) -> Vec<Variable> {
    let inherited: Vec<Variable> = inherited.collect();
    let own = |name: &str| inherited.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let mut variables: Vec<Variable> = Vec::new();
    set(&mut variables, "PATH", path(settings).into());
    // Without a sandbox there is no private directory, and programs find their files where the person has them.
    let (home, user) = match level {
        SandboxLevel::None => (own("HOME"), own("USER")),
        SandboxLevel::Relaxed | SandboxLevel::Strict => (None, None),
    };
    let user = user.unwrap_or_else(|| "agent".into());
    set(&mut variables, "HOME", home.unwrap_or_else(|| HOME.into()));
    set(&mut variables, "USER", user.clone());
    set(&mut variables, "LOGNAME", user);
    set(&mut variables, "SHELL", "/bin/sh".into());
    set(&mut variables, "TERM", "dumb".into());
    set(&mut variables, "TMPDIR", "/tmp".into());
    set(&mut variables, "LANG", "C.UTF-8".into());
    for name in LOCALE {
        if let Some(value) = own(name) {
            set(&mut variables, name, value);
        }
    }
    for (name, value) in &inherited {
        let wanted = |pattern: &String| name.to_str().is_some_and(|name| matches(pattern, name));
        if settings.pass_env.iter().any(wanted) {
            set(&mut variables, name, value.clone());
        }
    }
    variables
}

/// Puts the call's own variables over `variables`; refuses those that would change what is run.
pub(super) fn extend(variables: &mut Vec<Variable>, given: &[(String, String)]) -> Result<(), Failure> {
    if given.len() > MAX_VARIABLES {
        return Err(Failure::new(format!(
            "env has {} variables; {MAX_VARIABLES} are allowed. Put them into a file and read it in the command.",
            given.len()
        )));
    }
    for (name, value) in given {
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.bytes().next().is_none_or(|byte| byte.is_ascii_digit());
        if !is_name {
            return Err(Failure::new(format!(
                "env: {name:?} is not a variable's name. Letters, digits and _ are allowed, not starting with a digit."
            )));
        }
        if let Some(why) = refused(name) {
            return Err(Failure::new(format!(
                "env: {name} may not be set: {why}. The command was not run; leave {name} out."
            )));
        }
        if value.contains('\0') || value.len() > MAX_TOOL_RESULT_BYTES {
            return Err(Failure::new(format!(
                "env: the value of {name} contains a NUL or is longer than {MAX_TOOL_RESULT_BYTES} bytes. Put it into a file."
            )));
        }
        set(variables, name, value.into());
    }
    Ok(())
}

/// Why a call may not set it.
fn refused(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    if GIT_HARMLESS.contains(&name.as_str()) {
        return None;
    }
    REFUSED.iter().find(|(pattern, _)| matches(pattern, &name)).map(|(_, why)| *why)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

fn path(settings: &ExecSettings) -> String {
    let absolute = settings.path_prepend.iter().map(String::as_str).filter(|directory| directory.starts_with('/'));
    absolute.chain([PATH]).collect::<Vec<_>>().join(":")
}

fn set(variables: &mut Vec<Variable>, name: impl Into<OsString>, value: OsString) {
    let name = name.into();
    match variables.iter_mut().find(|(known, _)| *known == name) {
        Some((_, old)) => *old = value,
        None => variables.push((name, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> impl Iterator<Item = Variable> {
        let names = [
            "OPENAI_API_KEY=secret",
            "SSH_AUTH_SOCK=/run/agent",
            "LD_PRELOAD=/evil.so",
            "BASH_ENV=/evil",
            "PATH=/evil/bin",
            "HOME=/home/person",
            "USER=person",
            "TZ=Europe/Berlin",
            "LC_TIME=de_DE",
            "CARGO_HOME=/cargo",
        ];
        names.into_iter().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), value.into()))
    }

    fn shown(variables: &[Variable]) -> String {
        let line = |(name, value): &Variable| format!("{}={}", name.to_string_lossy(), value.to_string_lossy());
        variables.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn only_the_base_and_the_locale_come_without_being_asked() {
        let settings = ExecSettings::default();
        insta::assert_snapshot!(shown(&base(&settings, SandboxLevel::Strict, gateway())), @r"
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        HOME=/tmp/home
        USER=agent
        LOGNAME=agent
        SHELL=/bin/sh
        TERM=dumb
        TMPDIR=/tmp
        LANG=C.UTF-8
        TZ=Europe/Berlin
        ");
    }

    #[test]
    fn the_configuration_may_pass_on_more() {
        let settings = ExecSettings {
            path_prepend: vec!["/opt/tools/bin".into(), "relative".into()],
            pass_env: vec!["CARGO_HOME".into(), "LC_*".into()],
            ..ExecSettings::default()
        };
        let text = shown(&base(&settings, SandboxLevel::None, gateway()));
        assert!(text.starts_with("PATH=/opt/tools/bin:/usr/local/sbin:"), "{text}");
        for line in ["HOME=/home/person", "USER=person", "LC_TIME=de_DE", "CARGO_HOME=/cargo"] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!text.contains("secret") && !text.contains("evil"), "{text}");
    }

    #[test]
    fn a_call_sets_what_it_likes_but_not_what_is_run() {
        let given = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let mut variables = base(&ExecSettings::default(), SandboxLevel::Strict, std::iter::empty());
        let good = given(&[("LANG", "de_DE.UTF-8"), ("CI", "1"), ("PYTHONPATH", "src"), ("GIT_AUTHOR_NAME", "A")]);
        extend(&mut variables, &good).unwrap();
        let text = shown(&variables);
        assert!(text.contains("LANG=de_DE.UTF-8\n") && !text.contains("C.UTF-8"), "{text}");
        assert!(text.ends_with("CI=1\nPYTHONPATH=src\nGIT_AUTHOR_NAME=A"), "{text}");
        for name in [
            "PATH",
            "LD_PRELOAD",
            "ld_library_path",
            "LD_AUDIT",
            "BASH_ENV",
            "ENV",
            "PROMPT_COMMAND",
            "PYTHONSTARTUP",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_COUNT",
            "PERL5OPT",
            "RUBYOPT",
            "IFS",
            "SHELLOPTS",
            "BASHOPTS",
            "PS4",
            "BASH_FUNC_ls",
            "DYLD_INSERT_LIBRARIES",
        ] {
            let before = variables.clone();
            let failure = extend(&mut variables, &given(&[(name, "x")])).unwrap_err();
            assert!(format!("{failure:?}").contains("may not be set"), "{name}: {failure:?}");
            assert_eq!(variables, before);
        }
        for name in ["", "A=B", "1A", "A B", "A\0", "Ä"] {
            extend(&mut variables, &given(&[(name, "x")])).unwrap_err();
        }
        extend(&mut variables, &given(&[("A", "x\0y")])).unwrap_err();
        extend(&mut variables, &vec![("A".to_owned(), String::new()); MAX_VARIABLES + 1]).unwrap_err();
    }
}
