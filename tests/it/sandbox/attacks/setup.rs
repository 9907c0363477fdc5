//! A sandbox that cannot be set up starts nothing, and says why.

use super::matrix;
use super::place::{Namespaces, Place, Ran, Who, is_root, users};

const BUBBLEWRAP: &str = "/usr/bin/bwrap";

/// Ran nothing: no output, no file, the exit code of a sandbox that could not be had.
fn refused(place: &Place, ran: &Ran) {
    assert_eq!(ran.code, Some(125), "{ran:?}");
    assert!(ran.stdout.is_empty() && !place.workspace().join("started").exists(), "{ran:?}");
    assert!(ran.stderr.len() > 40, "{ran:?}");
}

#[test]
fn a_program_of_the_workspace_is_never_taken_for_bubblewrap() {
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        let fake = place.workspace().join("bwrap");
        std::fs::write(&fake, "#!/bin/sh\necho fake >fake-ran\n").unwrap();
        std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = place.command(&["--level", "strict", "--backend", "bubblewrap"], &["sh", "-c", "echo ran"]);
        command.env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", place.workspace().display()));
        let ran = Ran::of(&command.output().unwrap());
        assert!(!place.workspace().join("fake-ran").exists(), "{ran:?}");
    }
}

#[test]
fn without_bubblewrap_it_is_refused_by_name_and_the_default_does_not_need_it() {
    if !is_root() {
        eprintln!("not root: bubblewrap cannot be hidden");
        return;
    }
    let place = Place::new(Who::Root, Namespaces::Allowed);
    let program = place.home().join("bin/openclaw").display().to_string();
    let workspace = place.workspace().display().to_string();
    let run = |backend: &str| {
        let script = format!(
            "for f in /usr/bin/bwrap /bin/bwrap /usr/local/bin/bwrap; do [ -e $f ] && mount --bind /dev/null $f; done; \
             exec {program} sandbox run --workspace={workspace} --level strict {backend} -- sh -c 'touch started; echo ran'"
        );
        Ran::of(&place.on_host(&["unshare", "-m", "sh", "-c", &script]))
    };
    let ran = run("--backend bubblewrap");
    refused(&place, &ran);
    assert!(ran.stderr.contains("bubblewrap") || ran.stderr.contains("bwrap"), "{ran:?}");
    let ran = run("");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "ran\n"), "{ran:?}");
}

#[test]
fn bubblewrap_holds_what_the_own_namespaces_hold() {
    if !std::path::Path::new(BUBBLEWRAP).exists() {
        assert!(std::env::var_os("CI").is_none(), "scripts/test installs bubblewrap");
        eprintln!("skipped: {BUBBLEWRAP} is not installed; scripts/test installs it");
        return;
    }
    for who in users() {
        matrix::backend(who, "bubblewrap");
    }
}

#[test]
fn an_unknown_backend_or_level_is_a_mistake_of_the_caller() {
    let place = Place::new(users()[0], Namespaces::Allowed);
    for options in [["--level", "very"], ["--backend", "magic"]] {
        let ran = Ran::of(&place.run(&options, &["true"]));
        assert!(
            ran.code.is_some_and(|code| code != 0 && code != 125) && !ran.stderr.is_empty(),
            "{options:?}: {ran:?}"
        );
    }
}

#[test]
fn what_cannot_be_started_is_told_from_what_failed() {
    let place = Place::new(users()[0], Namespaces::Allowed);
    let ran = Ran::of(&place.run(&["--level", "strict"], &["no-such-program-here"]));
    assert!(ran.code == Some(127) && ran.stderr.contains("no-such-program-here"), "{ran:?}");
    let ran = place.strict("exit 3");
    assert_eq!(ran.code, Some(3), "{ran:?}");
}
