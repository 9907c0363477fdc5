//! Attacks on the root, each with a control that shows the attack would work without the protection. Both methods of resolution
//! (the kernel's and the component walk) are put through all of them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::{Mode, SFlag};

use super::*;

mod apply;
mod protect;
mod tree;

struct Place {
    _dir: tempfile::TempDir,
    root: PathBuf,
    outside: PathBuf,
}

/// `root/` with `a.txt` and `sub/b.txt`, beside `outside/secret.txt`.
fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let (root, outside) = (base.join("root"), base.join("outside"));
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(root.join("a.txt"), "a").unwrap();
    fs::write(root.join("sub/b.txt"), "b").unwrap();
    fs::write(outside.join("secret.txt"), "secret").unwrap();
    Place { _dir: dir, root, outside }
}

fn both(root: &Path) -> [HostCapabilityFs; 2] {
    [false, true].map(|component_walk| {
        HostCapabilityFs::open_with(root, &HostFsOptions { component_walk, ..HostFsOptions::default() }).unwrap()
    })
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn code<T: std::fmt::Debug>(result: Result<T, FsError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn the_method_in_use_is_reported() {
    let place = place();
    let [kernel, walk] = both(&place.root);
    assert_eq!(walk.containment(), Containment::BestEffort);
    // An old kernel or a strict filter may leave only the walk; then both are the same and nothing here is weaker.
    if kernel.containment() == Containment::BestEffort {
        tracing::warn!("openat2 does not work here; only the component walk is tested");
    }
}

#[test]
fn reads_lists_and_stats_below_the_root() {
    let place = place();
    for files in both(&place.root) {
        assert_eq!(files.read(&path("sub/b.txt"), 10).unwrap(), b"b");
        assert_eq!(names(&files.list(&RelPath::root()).unwrap()), ["a.txt", "sub"]);
        assert_eq!(files.stat(&path("sub")).unwrap().kind, EntryKind::Directory);
        assert_eq!(files.stat(&RelPath::root()).unwrap().kind, EntryKind::Directory);
        let entry = files.stat(&path("a.txt")).unwrap();
        assert_eq!((entry.name.as_str(), entry.kind, entry.size), ("a.txt", EntryKind::File, 1));
        assert!(entry.modified_ms > 1_600_000_000_000);
        assert_eq!(code(files.read(&path("none"), 10)), "not_found");
        assert_eq!(code(files.read(&path("a.txt/x"), 10)), "not_a_directory");
        assert_eq!(code(files.read(&path("sub"), 10)), "not_a_file");
        assert_eq!(code(files.list(&path("a.txt"))), "not_a_directory");
        assert_eq!(code(files.read(&path("a.txt"), 0)), "too_large");
        assert!(files.list_bounded(&RelPath::root(), 1).unwrap().truncated);
    }
    assert_eq!(code(HostCapabilityFs::open(&place.root.join("none"))), "not_found");
    assert_eq!(code(HostCapabilityFs::open(&place.root.join("a.txt"))), "not_a_directory");
}

#[test]
fn a_missing_root_is_made_on_request() {
    let place = place();
    let root = place.root.join("x/workspace");
    HostCapabilityFs::open_with(&root, &HostFsOptions { create: true, ..HostFsOptions::default() }).unwrap();
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn symbolic_links_are_not_followed_anywhere() {
    let place = place();
    symlink(&place.outside, place.root.join("dirlink")).unwrap();
    symlink("../outside/secret.txt", place.root.join("filelink")).unwrap();
    symlink("sub", place.root.join("inner")).unwrap();
    symlink("loop", place.root.join("loop")).unwrap();
    symlink("/nowhere/at/all", place.root.join("dangling")).unwrap();
    assert_eq!(fs::read(place.root.join("dirlink/secret.txt")).unwrap(), b"secret", "control");
    assert_eq!(fs::read(place.root.join("filelink")).unwrap(), b"secret", "control");
    for files in both(&place.root) {
        for text in ["dirlink/secret.txt", "filelink", "inner/b.txt", "loop", "loop/x", "dangling"] {
            assert_eq!(code(files.read(&path(text), 100)), "symlink", "read {text}");
            assert_eq!(code(files.write(&path(text), b"x", true)), "symlink", "write {text}");
        }
        assert_eq!(code(files.list(&path("dirlink"))), "symlink");
        assert_eq!(code(files.mkdirs(&path("dirlink/new"))), "symlink");
        assert_eq!(code(files.remove_file(&path("dirlink/secret.txt"))), "symlink");
        assert_eq!(code(files.stat(&path("dirlink/secret.txt"))), "symlink");
        assert_eq!(files.stat(&path("filelink")).unwrap().kind, EntryKind::Symlink);
    }
    assert_eq!(fs::read_dir(&place.outside).unwrap().count(), 1);
    let [files, _] = both(&place.root);
    files.remove_file(&path("filelink")).unwrap();
    assert!(place.outside.join("secret.txt").exists() && !place.root.join("filelink").exists());
}

#[test]
fn a_root_reached_through_a_link_answers_to_both_names() {
    let place = place();
    let alias = place.outside.join("alias");
    symlink(&place.root, &alias).unwrap();
    let files = HostCapabilityFs::open(&alias).unwrap();
    for name in [alias.join("a.txt"), place.root.join("a.txt")] {
        assert_eq!(files.resolve(name.to_str().unwrap()).unwrap(), path("a.txt"));
    }
    assert_eq!(code(files.resolve(place.outside.join("secret.txt").to_str().unwrap())), "outside_root");
}

#[cfg(target_os = "linux")]
#[test]
fn magic_links_of_proc_do_not_lead_out() {
    assert!(fs::read_dir("/proc/self/root/proc/self").unwrap().count() > 0, "control");
    for files in both(Path::new("/proc/self")) {
        for text in ["root/etc/passwd", "cwd/Cargo.toml", "exe", "fd/0"] {
            assert_eq!(code(files.read(&path(text), 1 << 20)), "symlink", "{text}");
        }
        assert!(files.open_for_read(&path("status")).is_ok(), "control: plain files of the same directory open");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn other_mounts_are_not_entered() {
    assert!(fs::read("/proc/version").is_ok(), "control");
    for files in both(Path::new("/")) {
        assert_eq!(code(files.read(&path("proc/version"), 1 << 20)), "outside_root");
        assert_eq!(code(files.list(&path("proc"))), "outside_root");
        assert_eq!(code(files.write(&path("proc/sys/kernel/openclaw-test"), b"x", false)), "outside_root");
        let mut walk = files.walk(&RelPath::root(), WalkOptions { max_depth: 2, max_entries: 10_000 }).unwrap();
        while let Some(found) = walk.next() {
            assert!(!found.path.as_str().starts_with("proc/"), "{}", found.path);
            if found.path.as_str() != "proc" {
                walk.skip_directory();
            }
        }
        assert_eq!(walk.report().other_mounts, 1);
    }
    assert!(HostCapabilityFs::open(Path::new("/proc")).unwrap().open_for_read(&path("version")).is_ok(), "control");
}

#[test]
fn pipes_sockets_and_devices_neither_hang_nor_open() {
    let place = place();
    nix::unistd::mkfifo(&place.root.join("pipe"), Mode::S_IRWXU).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(place.root.join("socket")).unwrap();
    let device = nix::sys::stat::makedev(1, 3);
    let made = nix::sys::stat::mknod(&place.root.join("null"), SFlag::S_IFCHR, Mode::S_IRWXU, device).is_ok();
    for files in both(&place.root) {
        for text in ["pipe", "socket"].into_iter().chain(made.then_some("null")) {
            assert_eq!(code(files.read(&path(text), 10)), "not_a_file", "read {text}");
            assert_eq!(code(files.write(&path(text), b"x", false)), "not_a_file", "write {text}");
            assert_eq!(files.stat(&path(text)).unwrap().kind, EntryKind::Other);
        }
        assert_eq!(files.read(&path("a.txt"), 10).unwrap(), b"a", "control");
    }
}

#[test]
fn a_hard_link_is_replaced_and_not_written_through() {
    let place = place();
    for (number, files) in both(&place.root).into_iter().enumerate() {
        let name = format!("alias{number}");
        fs::hard_link(place.outside.join("secret.txt"), place.root.join(&name)).unwrap();
        files.write(&path(&name), b"mine", false).unwrap();
        assert_eq!(fs::read(place.outside.join("secret.txt")).unwrap(), b"secret");
        assert_eq!(fs::read(place.root.join(&name)).unwrap(), b"mine");
    }
    fs::hard_link(place.outside.join("secret.txt"), place.root.join("control")).unwrap();
    fs::write(place.root.join("control"), "in place").unwrap();
    assert_eq!(fs::read(place.outside.join("secret.txt")).unwrap(), b"in place", "control");
}

#[test]
fn a_hard_link_to_a_protected_file_is_not_read() {
    let place = place();
    let secret = place.outside.join("secret.txt");
    fs::hard_link(&secret, place.root.join("alias")).unwrap();
    let options = HostFsOptions { protected: vec![secret], ..HostFsOptions::default() };
    assert_eq!(code(HostCapabilityFs::open_with(&place.root, &options).unwrap().read(&path("alias"), 99)), "protected");
    assert_eq!(HostCapabilityFs::open(&place.root).unwrap().read(&path("alias"), 99).unwrap(), b"secret", "control");
}

#[test]
fn a_workspace_around_the_state_directory_does_not_expose_it() {
    let place = place();
    let state = place.root.join(".openclaw");
    fs::create_dir_all(state.join("workspace")).unwrap();
    fs::write(state.join("openclaw.json"), "{}").unwrap();
    let options =
        HostFsOptions { protected: vec![state.clone(), place.root.join("not-there-yet")], ..HostFsOptions::default() };
    let files = HostCapabilityFs::open_with(&place.root, &options).unwrap();
    for text in [".openclaw", ".openclaw/openclaw.json", ".OPENCLAW/openclaw.json", "not-there-yet", "not-there-yet/x"]
    {
        assert_eq!(code(files.read(&path(text), 99)), "protected", "{text}");
        assert_eq!(code(files.stat(&path(text))), "protected", "{text}");
        assert_eq!(code(files.write(&path(text), b"x", true)), "protected", "{text}");
        assert_eq!(code(files.mkdirs(&path(text))), "protected", "{text}");
        assert_eq!(code(files.remove_file(&path(text))), "protected", "{text}");
    }
    assert_eq!(names(&files.list(&RelPath::root()).unwrap()), ["a.txt", "sub"]);
    assert!(
        files
            .walk(&RelPath::root(), WalkOptions::default())
            .unwrap()
            .all(|found| !found.path.as_str().contains("openclaw"))
    );
    let open = HostCapabilityFs::open(&place.root).unwrap();
    assert_eq!(open.read(&path(".openclaw/openclaw.json"), 99).unwrap(), b"{}", "control");

    let inside = HostCapabilityFs::open_with(&state.join("workspace"), &options).unwrap();
    inside.write(&path("fine"), b"x", false).unwrap();
    assert_eq!(code(HostCapabilityFs::open_with(&state, &options)), "protected");
}

#[test]
fn git_control_files_are_readable_and_not_writable() {
    let place = place();
    fs::create_dir_all(place.root.join(".git/hooks")).unwrap();
    fs::write(place.root.join(".git/config"), "[core]").unwrap();
    for files in both(&place.root) {
        assert_eq!(files.read(&path(".git/config"), 99).unwrap(), b"[core]");
        for text in [".git/config", ".git/hooks/pre-commit", ".git"] {
            assert_eq!(code(files.write(&path(text), b"x", true)), "protected", "{text}");
            assert_eq!(code(files.remove_file(&path(text))), "protected", "{text}");
        }
        files.write(&path(".git/description"), b"control", false).unwrap();
    }
}

#[test]
fn writing_keeps_modes_makes_parents_and_leaves_nothing_behind() {
    let place = place();
    let mode = |name: &str| fs::metadata(place.root.join(name)).unwrap().permissions().mode() & 0o7777;
    for files in both(&place.root) {
        fs::write(place.root.join("script"), "old").unwrap();
        fs::set_permissions(place.root.join("script"), fs::Permissions::from_mode(0o750)).unwrap();
        let before = fs::metadata(place.root.join("script")).unwrap().ino();
        let written = files.write_with(&path("script"), b"changed", &WriteOptions::default()).unwrap();
        assert_eq!(written, Written { created: false, bytes: 7 });
        assert_eq!((mode("script"), fs::read(place.root.join("script")).unwrap()), (0o750, b"changed".to_vec()));
        assert_ne!(fs::metadata(place.root.join("script")).unwrap().ino(), before, "replaced, not written in place");

        assert_eq!(code(files.write(&path("x/y/z.txt"), b"1", false)), "not_found");
        files.write(&path("x/y/z.txt"), b"1", true).unwrap();
        assert_eq!(mode("x/y/z.txt") & 0o600, 0o600);
        assert_eq!(mode("x/y/z.txt") & 0o133, 0);
        assert_eq!(code(files.write(&path("sub"), b"1", true)), "not_a_file");
        assert_eq!(code(files.write(&path("a.txt/x"), b"1", true)), "not_a_directory");
        assert_eq!(code(files.write(&RelPath::root(), b"1", true)), "not_a_file");
        let must_exist = WriteOptions { must_exist: true, ..WriteOptions::default() };
        assert_eq!(code(files.write_with(&path("none"), b"1", &must_exist)), "not_found");
        files.remove_file(&path("x/y/z.txt")).unwrap();
        assert_eq!(code(files.remove_file(&path("x/y"))), "not_a_file");
        fs::remove_dir_all(place.root.join("x")).unwrap();
        assert_eq!(names(&files.list(&RelPath::root()).unwrap()), ["a.txt", "script", "sub"]);
    }
}

#[test]
fn two_creators_of_one_name_both_end_well() {
    let place = place();
    let files = HostCapabilityFs::open(&place.root).unwrap();
    let created: usize = std::thread::scope(|scope| {
        let spawn = |text: &'static [u8]| {
            let files = &files;
            scope.spawn(move || {
                (0..50)
                    .filter(|number| {
                        let name = path(&format!("race{number}"));
                        files.write_with(&name, text, &WriteOptions::default()).unwrap().created
                    })
                    .count()
            })
        };
        let threads = [spawn(b"one"), spawn(b"two")];
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(created, 50, "each name is created once");
}

/// Ends the other thread even when an assertion fails first.
#[cfg(target_os = "linux")]
struct StopOnDrop<'a>(&'a AtomicBool);
#[cfg(target_os = "linux")]
impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A directory that is exchanged for a link to the outside, again and again, never leads an operation there.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_swapped_for_a_link_during_use_leads_nowhere() {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    let place = place();
    let (dir, link) = (place.root.join("swap"), place.root.join("other"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("secret.txt"), "inside").unwrap();
    symlink(&place.outside, &link).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _guard = StopOnDrop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &dir, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        let mut leaked_without_protection = false;
        let started = std::time::Instant::now();
        let mut outcomes = Vec::new();
        for files in both(&place.root) {
            let (mut read, mut refused, mut round) = (0, 0, 0);
            // At least so many rounds; more when this machine is too busy to swap between two of them.
            let enough = |read, refused, leaked| read > 0 && refused > 0 && leaked;
            while round < 1500
                || (!enough(read, refused, leaked_without_protection) && started.elapsed().as_secs() < 30)
            {
                leaked_without_protection |= fs::read(dir.join("secret.txt")).is_ok_and(|data| data == b"secret");
                match files.read(&path("swap/secret.txt"), 99) {
                    Ok(data) => {
                        assert_eq!(data, b"inside");
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
                if round % 50 == 0 {
                    // Each may be refused; what counts is checked below: nothing appears or disappears outside.
                    drop(files.write(&path("swap/new.txt"), b"x", true));
                    drop(files.mkdirs(&path("swap/deep/er")));
                    drop(files.remove_file(&path("swap/secret2.txt")));
                }
                round += 1;
            }
            outcomes.push((read, refused));
        }
        assert!(outcomes.iter().all(|&(read, refused)| read > 0 && refused > 0), "the race happened: {outcomes:?}");
        assert!(leaked_without_protection, "control");
    });
    assert_eq!(fs::read_dir(&place.outside).unwrap().count(), 1);
    assert_eq!(fs::read(place.outside.join("secret.txt")).unwrap(), b"secret");
}

/// The file-system user id belongs to one thread, so a thread of its own can be somebody without root's rights.
#[cfg(target_os = "linux")]
fn as_nobody<T: Send>(job: impl FnOnce() -> T + Send) -> Option<T> {
    use nix::unistd::{Uid, setfsuid};
    if !Uid::effective().is_root() {
        return Some(job());
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setfsuid(Uid::from_raw(65_534));
            job()
        });
        thread.join().ok()
    })
}

#[cfg(target_os = "linux")]
#[test]
fn permissions_are_respected_and_named() {
    let place = place();
    let base = place.root.parent().unwrap();
    fs::set_permissions(base, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&place.root, fs::Permissions::from_mode(0o777)).unwrap();
    for (name, mode) in [("secret", 0o000), ("fixed", 0o444), ("open", 0o666)] {
        fs::write(place.root.join(name), name).unwrap();
        fs::set_permissions(place.root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(place.root.join("closed")).unwrap();
    fs::set_permissions(place.root.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let done = as_nobody(|| {
        for files in both(&place.root) {
            assert_eq!(code(files.read(&path("secret"), 99)), "permission");
            assert_eq!(code(files.list(&path("closed"))), "permission");
            assert_eq!(code(files.read(&path("closed/x"), 99)), "permission");
            assert_eq!(code(files.write(&path("closed/x"), b"x", true)), "permission");
            assert_eq!(files.read(&path("open"), 99).unwrap(), b"open", "control");
            assert_eq!(code(files.write(&path("fixed"), b"x", false)), "permission", "a read-only file stays");
            files.write(&path("open"), b"open", false).unwrap();
            files.write(&path("made-by-nobody"), b"x", false).unwrap();
            let mut walk = files.walk(&RelPath::root(), WalkOptions::default()).unwrap();
            assert!(walk.by_ref().count() > 5);
            assert_eq!((walk.report().unreadable, walk.report().failures.len()), (1, 1));
        }
    });
    assert!(done.is_some());
    fs::set_permissions(place.root.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn names_that_are_not_text_are_shown_and_reported() {
    use std::os::unix::ffi::OsStrExt;
    let place = place();
    let odd = std::ffi::OsStr::from_bytes(b"odd-\xff-name");
    if fs::write(place.root.join(odd), "x").is_err() {
        // File systems that require UTF-8 names have no such case.
        return;
    }
    for files in both(&place.root) {
        let entries = files.list(&RelPath::root()).unwrap();
        let entry = entries.iter().find(|entry| entry.lossy_name).unwrap();
        assert_eq!((entry.name.as_str(), entry.size), ("odd-\u{fffd}-name", 1));
        let mut walk = files.walk(&RelPath::root(), WalkOptions::default()).unwrap();
        assert_eq!(walk.by_ref().count(), 3);
        assert_eq!(walk.into_report().unusable_names, 1);
    }
}

#[test]
fn walking_is_ordered_and_bounded_and_skips_on_request() {
    let place = place();
    for name in ["z/1", "z/2", "m/n/o/p", "b"] {
        let file = place.root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
    symlink(&place.outside, place.root.join("link")).unwrap();
    for files in both(&place.root) {
        let all = |options| {
            let mut walk = files.walk(&RelPath::root(), options).unwrap();
            let found: Vec<String> = walk.by_ref().map(|found| found.path.to_string()).collect();
            (found.join(" "), walk.into_report().truncated)
        };
        let whole = "a.txt b link m m/n m/n/o m/n/o/p sub sub/b.txt z z/1 z/2";
        assert_eq!(all(WalkOptions::default()), (whole.to_owned(), false));
        assert_eq!(all(WalkOptions { max_depth: 1, max_entries: 100 }), ("a.txt b link m sub z".to_owned(), true));
        let (few, truncated) = all(WalkOptions { max_depth: 9, max_entries: 4 });
        assert_eq!((few.split(' ').count(), truncated), (4, true));
        let mut walk = files.walk(&RelPath::root(), WalkOptions::default()).unwrap();
        let mut found = Vec::new();
        while let Some(entry) = walk.next() {
            if entry.path.as_str() == "m" {
                walk.skip_directory();
            }
            found.push(entry.path.to_string());
        }
        assert_eq!(found.join(" "), "a.txt b link m sub sub/b.txt z z/1 z/2");
    }
}

#[test]
fn a_sparse_terabyte_is_refused_without_reading_it() {
    let place = place();
    fs::File::create(place.root.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    for files in both(&place.root) {
        assert_eq!(code(files.read(&path("sparse"), 1 << 20)), "too_large");
        assert_eq!(files.open_for_read(&path("sparse")).unwrap().size, 1 << 40);
    }
}
