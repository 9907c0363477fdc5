//! What others run or trust in a workspace stays as it is, or its change is told: repositories above all.

use super::place::{Namespaces, Place, Ran, users};

const SETUP: &str = "git init -q . && git init -q nested/deep && \
    printf '#!/bin/sh\\n' >.git/hooks/pre-commit && chmod 755 .git/hooks/pre-commit && \
    echo '[submodule]' >.gitmodules && echo 'export A=1' >.envrc && mkdir .vscode && echo '{}' >.vscode/tasks.json && echo '{}' >.mcp.json && \
    echo one >file";

fn with_repository(who: super::place::Who) -> Place {
    let place = Place::new(who, Namespaces::Allowed);
    let ran = Ran::of(&place.on_host(&["sh", "-c", SETUP]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    place
}

/// Content and names of everything that must not change.
fn trusted(place: &Place) -> String {
    let script = "for f in .git/config .git/hooks/* nested/deep/.git/config .gitmodules .envrc .vscode/tasks.json .mcp.json; do \
                  [ -e $f ] && sha256sum $f || echo missing $f; done; ls -di .git nested/deep/.git | sed 's/ .*//' | head -0";
    Ran::of(&place.on_host(&["sh", "-c", script])).stdout
}

const ATTACKS: &[&str] = &[
    "echo evil >.git/hooks/pre-commit",
    "echo evil >.git/hooks/post-checkout",
    "rm .git/hooks/pre-commit",
    "chmod 000 .git/hooks/pre-commit; test ! -x .git/hooks/pre-commit",
    "mv .git/hooks .git/old && mkdir .git/hooks && echo evil >.git/hooks/pre-commit",
    "echo '[core] fsmonitor = evil' >>.git/config",
    "cp .git/config .git/new && mv .git/new .git/config && echo x >>.git/config",
    "mv .git moved && cp -r moved .git && echo evil >.git/config",
    "echo evil >>nested/deep/.git/config",
    "mv nested/deep elsewhere && echo evil >>elsewhere/.git/config && mv elsewhere nested/deep",
    "mv nested c && echo evil >c/deep/.git/config; mv c nested",
    "echo evil >.gitmodules",
    "rm .gitmodules && echo evil >.gitmodules",
    "echo evil >.envrc",
    "mv .envrc x; echo evil >.envrc",
    "echo '{\"tasks\":[]}' >.vscode/tasks.json",
    "mv .vscode old && mkdir .vscode && echo evil >.vscode/tasks.json",
    "echo evil >.mcp.json",
    "ln .git/config alias && echo evil >>alias",
    "git config core.hooksPath /tmp/evil",
];

#[test]
fn trusted_files_cannot_be_changed_moved_or_replaced() {
    for who in users() {
        let place = with_repository(who);
        let before = trusted(&place);
        for attack in ATTACKS {
            let ran = place.strict(attack);
            assert_ne!(ran.code, Some(125), "{attack}: {ran:?}");
            assert_eq!(trusted(&place), before, "{attack} changed something: {ran:?}");
        }
        // The positive control: without a sandbox the same lines do it.
        for attack in ATTACKS {
            let fresh = with_repository(who);
            let before = trusted(&fresh);
            let ran = Ran::of(&fresh.on_host(&["sh", "-c", attack]));
            let hidden = attack.contains("old") || attack.contains("c/deep") || attack.contains("elsewhere");
            assert!(
                hidden || trusted(&fresh) != before || attack.contains("chmod"),
                "{attack} does nothing anyway: {ran:?}"
            );
        }
    }
}

#[test]
fn work_in_a_repository_goes_on() {
    for who in users() {
        let place = with_repository(who);
        let script = "set -e; git add file; git -c user.name=a -c user.email=b@c commit -qm one --no-verify; git checkout -qb topic; echo two >>file; \
                      git diff --stat | tail -1; git stash -q; git stash pop -q; git log --oneline | wc -l; git -C nested/deep status --short | wc -l";
        let ran = place.strict(script);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

#[test]
fn trusted_files_that_are_made_are_told() {
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        let ran = place
            .strict("mkdir -p .git/hooks && echo evil >.git/hooks/pre-commit; echo evil >.envrc; echo fine >notes");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains(".envrc") && ran.stderr.contains(".git"), "{ran:?}");
        assert!(!ran.stderr.contains("notes"), "{ran:?}");
    }
}

#[test]
fn odd_shapes_of_trusted_paths_neither_break_nor_open_anything() {
    for who in users() {
        for shape in [
            "ln -s /does/not/exist .git",
            "ln -s /tmp .git",
            "mkfifo .envrc",
            "mkdir -p .envrc",
            "mkdir .git; ln -s /etc .git/hooks",
            "echo 'gitdir: /etc' >.git",
            "mkdir .git; touch .git/hooks",
            "ln -s ../secret .mcp.json",
        ] {
            let place = Place::new(who, Namespaces::Allowed);
            let made = Ran::of(&place.on_host(&["sh", "-c", shape]));
            assert_eq!(made.code, Some(0), "{shape}: {made:?}");
            let before = Ran::of(&place.on_host(&["sh", "-c", "ls -lA . .git 2>/dev/null | grep -v total"])).stdout;
            let ran = place.strict("echo ran; cat .mcp.json .git/hooks/shadow 2>/dev/null | grep -c canary");
            let refused = ran.code == Some(125) && !ran.stderr.is_empty();
            assert!(refused || ran.stdout == "ran\n0\n", "{shape}: {ran:?}");
            let after = Ran::of(&place.on_host(&["sh", "-c", "ls -lA . .git 2>/dev/null | grep -v total"])).stdout;
            assert_eq!(before, after, "{shape} left something behind");
        }
    }
}

#[test]
fn credentials_in_a_workspace_cannot_even_be_read() {
    for who in users() {
        let place = Place::new(who, Namespaces::Allowed);
        let setup = "mkdir .ssh .aws && echo canary >.ssh/id_ed25519 && echo canary >.aws/credentials && echo canary >.npmrc && echo canary >.netrc && \
                     echo fine >.env";
        let look = "cat .ssh/id_ed25519 .aws/credentials .npmrc .netrc; echo; ls -A .ssh";
        assert_eq!(Ran::of(&place.on_host(&["sh", "-c", setup])).code, Some(0));
        let control = Ran::of(&place.on_host(&["sh", "-c", look]));
        assert_eq!(control.stdout.matches("canary").count(), 4, "the positive control: {control:?}");
        let ran = place.strict(&format!("{look}; mv .npmrc x; rm -f .netrc; echo new >.npmrc; rm -rf .ssh; cat .env"));
        assert_eq!(ran.stdout, "\nfine\n", "{ran:?}");
        let after = Ran::of(&place.on_host(&["sh", "-c", look]));
        assert_eq!(after.stdout, control.stdout, "{ran:?}");
    }
}
