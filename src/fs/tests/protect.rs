//! Protected paths through the capability, and scans before and after something changed them behind its back.

use super::*;

fn make(root: &Path, files: &[&str]) {
    for name in files {
        let file = root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
}

#[test]
fn protected_paths_are_refused_whether_they_exist_or_not() {
    let place = place();
    make(&place.root, &["have/.git/config", "have/.vscode/tasks.json", "have/.ssh/id", "have/.npmrc"]);
    for files in both(&place.root) {
        for base in ["have", "have-not"] {
            for name in [".git/config", ".git", ".vscode/tasks.json", ".envrc", ".ssh/id", ".npmrc", ".GIT/hooks/x"] {
                let name = path(&format!("{base}/{name}"));
                assert_eq!(code(files.write(&name, b"evil", true)), "protected", "{name}");
                assert_eq!(code(files.remove_file(&name)), "protected", "{name}");
                let change = FileChange::Write {
                    path: name.clone(),
                    data: Vec::new(),
                    mode_of: None,
                    expected: Expected::Anything,
                };
                assert_eq!(code(files.apply(&[change])), "protected", "{name}");
            }
            assert_eq!(code(files.mkdirs(&path(&format!("{base}/.git/hooks")))), "protected");
        }
        for secret in ["have/.ssh/id", "have/.npmrc", "have/.SSH/id"] {
            assert_eq!(code(files.read(&path(secret), 9)), "protected");
        }
        assert_eq!(code(files.list(&path("have/.ssh"))), "protected");
        assert_eq!(files.read(&path("have/.git/config"), 9).unwrap(), b"x");
    }
    assert!(!place.root.join("have-not").exists(), "refusals leave no directories behind");
}

#[test]
fn repositories_under_other_names_and_their_hook_directories_are_protected() {
    let place = place();
    make(&place.root, &["bare.git/HEAD", "bare.git/objects/x", "bare.git/refs/x", "sep/HEAD", "sep/commondir"]);
    make(&place.root, &["plain/HEAD", "plain/refs/x"]);
    fs::create_dir(place.root.join(".git")).unwrap();
    fs::write(place.root.join(".git/config"), "[core]\n  hooksPath = tools/Hooks\n").unwrap();
    for files in both(&place.root) {
        for name in
            ["bare.git/config", "bare.git/hooks/x", "bare.git/HOOKS", "sep/config", "sep/commondir", "tools/hooks/x"]
        {
            assert_eq!(code(files.write(&path(name), b"x", true)), "protected", "{name}");
        }
        for name in ["plain/config", "plain/hooks/x", "bare.git/description", "tools/other"] {
            assert_eq!(code(files.write(&path(name), b"x", true)), "ok", "{name}");
        }
    }
    fs::remove_dir_all(place.root.join(".git")).unwrap();
    fs::write(place.root.join(".git"), "gitdir: sep\n").unwrap();
    fs::write(place.root.join("sep/config"), "[core]\nhooksPath=scripts\n").unwrap();
    let files = HostCapabilityFs::open(&place.root).unwrap();
    assert_eq!(code(files.write(&path("scripts/pre-commit"), b"x", true)), "protected");
}

#[test]
fn configured_names_are_protected_too() {
    let place = place();
    let options = HostFsOptions { protect: vec!["sub".to_owned(), "*.lock".to_owned()], ..HostFsOptions::default() };
    let files = HostCapabilityFs::open_with(&place.root, &options).unwrap();
    assert_eq!(code(files.write(&path("sub/b.txt"), b"x", false)), "protected");
    assert_eq!(code(files.write(&path("x/Cargo.lock"), b"x", true)), "protected");
    assert_eq!(files.read(&path("sub/b.txt"), 9).unwrap(), b"b");
    files.write(&path("a.txt"), b"control", false).unwrap();
}

#[test]
fn a_scan_finds_what_exists_and_nothing_behind_links() {
    let place = place();
    make(
        &place.root,
        &[
            ".git/config",
            ".git/hooks/pre-commit",
            ".git/HEAD",
            ".git/refs/config",
            ".git/objects/ab/config",
            ".git/modules/m/config",
            "a/.vscode/tasks.json",
            "a/.vscode/extensions.json",
            "a/b/.ENVRC",
            "a/b/.idea/x/y.xml",
            "home/.ssh/id",
            "bare/HEAD",
            "bare/objects/x",
            "bare/refs/x",
            "bare/config",
            "bare/hooks/update",
        ],
    );
    make(&place.outside, &[".envrc"]);
    fs::write(place.root.join("a/.git"), "gitdir: ../bare").unwrap();
    symlink(&place.outside, place.root.join("link")).unwrap();
    symlink("/nowhere", place.root.join("a/.mcp.json")).unwrap();
    for files in both(&place.root) {
        let scan = files.protected_existing(ScanBounds::default()).unwrap();
        let shown: Vec<String> = scan.existing.iter().map(|path| path.display().to_string()).collect();
        assert_eq!(
            shown.join(" "),
            ".git/config .git/hooks .git/modules/m/config a/.git a/.mcp.json a/.vscode/tasks.json a/b/.ENVRC a/b/.idea \
             bare/config bare/hooks home/.ssh"
        );
        assert_eq!(scan.secret, [PathBuf::from("home/.ssh")]);
        assert!(!scan.truncated);
        assert!(scan.fingerprint.contains_key(Path::new(".git/hooks/pre-commit")));
        assert!(files.protected_existing(ScanBounds { max_entries: 5, ..ScanBounds::default() }).unwrap().truncated);
        let shallow = files.protected_existing(ScanBounds { max_depth: 1, ..ScanBounds::default() }).unwrap();
        assert!(shallow.truncated && shallow.existing.is_empty());
    }
}

/// What a command could do behind the capability's back, where nothing stops it.
#[test]
fn changes_between_two_scans_are_told() {
    let place = place();
    make(&place.root, &[".git/config", ".git/hooks/old", ".git/hooks/gone", "c/b/.envrc", ".idea/a"]);
    let files = HostCapabilityFs::open(&place.root).unwrap();
    let scan = || files.protected_existing(ScanBounds::default()).unwrap();
    let before = scan();
    make(&place.root, &["src/main.rs", ".git/index", "AGENTS.md"]);
    assert_eq!(protected_changes(&before, &scan()), [], "control: what is not protected may change");

    make(&place.root, &[".git/hooks/new", "deep/er/.vscode/tasks.json"]);
    fs::remove_file(place.root.join(".git/hooks/gone")).unwrap();
    fs::set_permissions(place.root.join(".git/hooks/old"), fs::Permissions::from_mode(0o755)).unwrap();
    // Same size, and the time of the last change of the content set back.
    let config = place.root.join(".git/config");
    let time = fs::metadata(&config).unwrap().modified().unwrap();
    fs::write(&config, "y").unwrap();
    fs::File::options().write(true).open(&config).unwrap().set_modified(time).unwrap();
    // An ancestor is moved away, and comes back with something else in it.
    fs::rename(place.root.join("c"), place.root.join("moved")).unwrap();
    make(&place.root, &["c/b/.envrc"]);
    let told: Vec<String> = protected_changes(&before, &scan()).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            ".git/config was changed",
            ".git/hooks/new was created",
            ".git/hooks/old was changed",
            "c/b/.envrc was changed",
            "deep/er/.vscode/tasks.json was created",
            "moved/b/.envrc was created",
            ".git/hooks/gone was removed",
        ]
    );
}

#[test]
fn files_with_several_names_can_be_refused() {
    let place = place();
    fs::hard_link(place.outside.join("secret.txt"), place.root.join("alias")).unwrap();
    let options = HostFsOptions { refuse_hard_links: true, ..HostFsOptions::default() };
    let strict = HostCapabilityFs::open_with(&place.root, &options).unwrap();
    assert_eq!(code(strict.read(&path("alias"), 99)), "protected");
    assert_eq!(strict.read(&path("a.txt"), 99).unwrap(), b"a", "control");
    strict.remove_file(&path("alias")).unwrap();
    assert!(place.outside.join("secret.txt").exists());
}
