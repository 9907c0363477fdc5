//! Workspaces of every sort: named badly, placed badly, with other file systems inside.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::place::{CANARY, Namespaces, Place, Ran, Who, is_root, users};

fn strict_in(place: &Place, workspace: &str, script: &str) -> Ran {
    Ran::of(&place.command_in(workspace, &["--level", "strict"], &["sh", "-c", script]).output().expect("the program"))
}

#[test]
fn a_workspace_that_would_give_too_much_is_refused() {
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        let home = place.home().display().to_string();
        for workspace in [
            "/",
            "/usr",
            "/etc",
            "/proc",
            "/dev",
            "/tmp",
            &home,
            &format!("{home}/state"),
            &format!("{home}/state/state"),
        ] {
            let ran = strict_in(&place, workspace, "echo started");
            assert!(ran.code != Some(0) && !ran.stdout.contains("started"), "{workspace}: {ran:?}");
            assert!(ran.stderr.len() > 20, "{workspace}: {ran:?}");
        }
        let ran = strict_in(&place, &format!("{home}/missing"), "echo started");
        assert!(ran.code != Some(0) && ran.stderr.contains("missing"), "{ran:?}");
    }
}

#[test]
fn odd_names_are_names() {
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        for name in ["with space", "comma,colon:", "new\nline", "-rf", "quote'\"", "ünï", "$(id)"] {
            let workspace = place.workspace().join(name);
            std::fs::create_dir(&workspace).unwrap();
            if is_root() {
                std::os::unix::fs::chown(&workspace, Some(if who == Who::Root { 0 } else { 65534 }), None).unwrap();
            }
            let ran = strict_in(&place, &workspace.display().to_string(), "echo here >file && cat file && pwd");
            assert_eq!(ran.code, Some(0), "{name:?}: {ran:?}");
            assert!(ran.stdout.starts_with("here\n") && ran.stdout.contains(name), "{name:?}: {ran:?}");
            assert_eq!(std::fs::read_to_string(workspace.join("file")).unwrap(), "here\n");
        }
        let link = place.home().join("link");
        std::os::unix::fs::symlink(place.workspace(), &link).unwrap();
        let ran = strict_in(&place, &link.display().to_string(), "echo through >linked");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(place.workspace().join("linked").exists());
        let raw = place.workspace().join(OsStr::from_bytes(b"bytes-\xff"));
        std::fs::create_dir(&raw).unwrap();
        let ran = place.strict("ls | grep -c bytes");
        assert_eq!(ran.stdout.trim(), "1", "{ran:?}");
    }
}

#[test]
fn links_to_the_old_root_lead_nowhere() {
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        let out = place.home().join("out");
        for root in ["/oldroot", "/.old", "/.host", "/.oldroot", "/old_root"] {
            let target = format!("{root}{}", out.display());
            let name = place.workspace().join(format!("x{}", root.replace('/', "-")));
            std::os::unix::fs::symlink(&target, &name).unwrap();
        }
        std::os::unix::fs::symlink(format!("/oldroot{}", out.display()), place.workspace().join(".git")).unwrap();
        let ran = place.strict("for f in x-* .git; do mkdir -p $f/hooks 2>/dev/null; echo evil >$f/y 2>/dev/null; done; ls -A / | tr '\\n' ' '");
        assert!(!out.exists(), "{ran:?}");
    }
}

#[test]
fn file_systems_inside_of_a_workspace_come_along_with_their_flags() {
    if !is_root() {
        eprintln!("not root: mounts cannot be made");
        return;
    }
    let place = Place::new(Who::Root, Namespaces::Allowed);
    let home = place.home().display();
    let script = format!(
        "set -e; mkdir {home}/workspace/inner {home}/workspace/fixed; mount -t tmpfs none {home}/workspace/inner; \
         mount --bind {home}/other-workspace {home}/workspace/fixed; mount -o remount,bind,ro {home}/workspace/fixed; \
         {home}/bin/openclaw sandbox run --workspace={home}/workspace --level strict -- \
         sh -c 'echo a >inner/a; cat inner/a; cat fixed/notes; echo b >fixed/b || echo read-only'"
    );
    let ran = Ran::of(&place.on_host(&["unshare", "-m", "sh", "-c", &script]));
    assert_eq!(ran.stdout, format!("a\n{CANARY}\nread-only\n"), "{ran:?}");
}

#[test]
fn a_level_of_none_is_what_it_says() {
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        let secret = place.home().join("secret").display().to_string();
        let ran = Ran::of(&place.run(&["--level", "none"], &["cat", &secret]));
        assert!(ran.stdout.contains(CANARY), "the positive control of this suite: {ran:?}");
    }
}
