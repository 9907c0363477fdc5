//! Change sets on the host: all or none, also when something is in the way half-way.

use ring::digest::{SHA256, digest};

use super::*;

fn write(name: &str, data: &[u8]) -> FileChange {
    FileChange::Write { path: path(name), data: data.to_vec(), mode_of: None, expected: Expected::Anything }
}

fn remove(name: &str) -> FileChange {
    FileChange::Remove { path: path(name), expected: Expected::Anything }
}

fn expecting(mut change: FileChange, content: &[u8]) -> FileChange {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, content).as_ref());
    match &mut change {
        FileChange::Write { expected, .. } | FileChange::Remove { expected, .. } => *expected = Expected::Sha256(hash),
    }
    change
}

/// Everything below the root: names, and contents of files.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() && !path.is_symlink() {
                found.push(format!("{name}/"));
                pending.push(path);
            } else {
                found.push(format!("{name}={}", fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_set_creates_replaces_and_removes_and_leaves_no_siblings() {
    for walk in [false, true] {
        let place = place();
        let options = HostFsOptions { component_walk: walk, ..HostFsOptions::default() };
        let files = HostCapabilityFs::open_with(&place.root, &options).unwrap();
        fs::set_permissions(place.root.join("sub/b.txt"), fs::Permissions::from_mode(0o750)).unwrap();
        let moved = FileChange::Write {
            path: path("deep/er/c.txt"),
            data: b"moved".to_vec(),
            mode_of: Some(path("sub/b.txt")),
            expected: Expected::Absent,
        };
        files.apply(&[write("a.txt", b"A"), moved, expecting(remove("sub/b.txt"), b"b"), write("n.txt", b"")]).unwrap();
        assert_eq!(tree(&place.root), ["a.txt=A", "deep/", "deep/er/", "deep/er/c.txt=moved", "n.txt=", "sub/"]);
        let mode = fs::metadata(place.root.join("deep/er/c.txt")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750, "a moved file keeps its permissions");
    }
}

#[test]
fn every_refusal_leaves_everything_as_it_was() {
    let place = place();
    let files = HostCapabilityFs::open(&place.root).unwrap();
    symlink(&place.outside, place.root.join("link")).unwrap();
    let before = tree(&place.root);
    let absent =
        FileChange::Write { path: path("sub/b.txt"), data: Vec::new(), mode_of: None, expected: Expected::Absent };
    let mode_of_nothing = FileChange::Write {
        path: path("m"),
        data: Vec::new(),
        mode_of: Some(path("none")),
        expected: Expected::Anything,
    };
    for (refused, expected) in [
        (remove("none"), "not_found"),
        (remove("none/x"), "not_found"),
        (remove("sub"), "not_a_file"),
        (write("sub", b""), "not_a_file"),
        (write("sub/b.txt/x", b""), "not_a_directory"),
        (write("link/x", b""), "symlink"),
        (write("link", b""), "symlink"),
        (remove("link/secret.txt"), "symlink"),
        (write(".git/hooks/pre-commit", b""), "protected"),
        (absent, "exists"),
        (expecting(write("sub/b.txt", b""), b"else"), "changed"),
        (expecting(remove("sub/b.txt"), b"else"), "changed"),
        (expecting(write("none", b""), b""), "changed"),
        (mode_of_nothing, "not_found"),
        (write("a.txt", b"twice"), "invalid_path"),
    ] {
        let set = [write("a.txt", b"first"), write("new/dir/file", b"x"), refused.clone()];
        assert_eq!(code(files.apply(&set)), expected, "{refused:?}");
        assert_eq!(tree(&place.root), before, "{refused:?}");
    }
    files.apply(&[remove("link")]).unwrap();
    assert!(place.outside.join("secret.txt").exists(), "a link goes, its target stays");
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_takes_the_whole_set_back() {
    let place = place();
    let set_mode =
        |name: &str, mode| fs::set_permissions(place.root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    set_mode("..", 0o755);
    set_mode("", 0o777);
    set_mode("a.txt", 0o666);
    set_mode("sub", 0o555);
    let files = HostCapabilityFs::open(&place.root).unwrap();
    let before = tree(&place.root);
    let set = [write("a.txt", b"first"), write("new/file", b"x"), remove("sub/b.txt")];
    let Some(result) = as_nobody(|| files.apply(&set)) else { return };
    assert_eq!(code(result), "permission");
    assert_eq!(tree(&place.root), before);
    set_mode("sub", 0o777);
    as_nobody(|| files.apply(&set)).unwrap().unwrap();
    assert!(!place.root.join("sub/b.txt").exists());
}

/// Somebody creates and removes the target of the last change all the time: sets that fail half-way take the first changes back.
#[test]
fn sets_that_lose_a_race_half_way_are_rolled_back() {
    let place = place();
    let files = HostCapabilityFs::open(&place.root).unwrap();
    let contested = place.root.join("sub/contested");
    let stop = AtomicBool::new(false);
    let (mut done, mut lost) = (0, 0);
    std::thread::scope(|scope| {
        let _guard = StopOnDrop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::write(&contested, "theirs").unwrap();
                // dropped: the set may just have replaced or removed it
                drop(fs::remove_file(&contested));
                // Long enough for a whole set now and then.
                for _ in 0..200 {
                    std::thread::yield_now();
                }
            }
        });
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        for round in 0_u32.. {
            if (done > 20 && lost > 20) || std::time::Instant::now() > until {
                break;
            }
            let text = round.to_string();
            let last = FileChange::Write {
                path: path("sub/contested"),
                data: b"ours".to_vec(),
                mode_of: None,
                expected: Expected::Absent,
            };
            let before = fs::read(place.root.join("a.txt")).unwrap();
            let result = files.apply(&[write("a.txt", text.as_bytes()), write("made/x", text.as_bytes()), last]);
            let after = fs::read(place.root.join("a.txt")).unwrap();
            match result {
                Ok(()) => {
                    assert_eq!(
                        (after, fs::read(place.root.join("made/x")).unwrap()),
                        (text.clone().into(), text.into())
                    );
                    fs::remove_dir_all(place.root.join("made")).unwrap();
                    done += 1;
                }
                Err(FsError::Exists { .. }) => {
                    assert_eq!(after, before);
                    assert!(!place.root.join("made").exists());
                    lost += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert!(done > 0 && lost > 0, "{done} sets were made, {lost} lost the race");
    assert!(!tree(&place.root).iter().any(|name| name.contains(".openclaw-")));
}
