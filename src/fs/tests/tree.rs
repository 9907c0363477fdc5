//! Renaming and removing, also of whole directories.

use super::*;

#[test]
fn renaming_moves_files_links_and_directories_and_never_replaces_unasked() {
    let place = place();
    for files in both(&place.root) {
        let rename = |from: &str, to: &str, replace| code(files.rename(&path(from), &path(to), replace));
        symlink(&place.outside, place.root.join("link")).unwrap();
        assert_eq!(rename("a.txt", "sub/b.txt", false), "exists");
        assert_eq!(rename("a.txt", "sub", true), "not_a_file");
        assert_eq!(rename("none", "x", false), "not_found");
        assert_eq!(rename("a.txt", "none/x", false), "not_found");
        assert_eq!(rename("a.txt", "link/x", false), "symlink");
        assert_eq!(rename("sub", "sub/x", false), "invalid_path");
        assert_eq!(rename("", "x", false), "not_a_file");
        assert_eq!(rename("a.txt", ".envrc", false), "protected");
        assert_eq!(rename("link", "sub/link", false), "ok");
        assert_eq!(rename("a.txt", "sub/b.txt", true), "ok");
        assert_eq!(rename("sub", "other", false), "ok");
        assert_eq!(fs::read(place.root.join("other/b.txt")).unwrap(), b"a");
        assert!(place.root.join("other/link").is_symlink());
        fs::remove_file(place.root.join("other/link")).unwrap();
        fs::rename(place.root.join("other"), place.root.join("sub")).unwrap();
        fs::write(place.root.join("a.txt"), "a").unwrap();
    }
    assert_eq!(fs::read_dir(&place.outside).unwrap().count(), 1);
}

#[test]
fn a_directory_with_something_protected_in_it_neither_moves_nor_goes() {
    let place = place();
    let deep = place.root.join("tree/x/.git/hooks");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("pre-commit"), "x").unwrap();
    fs::create_dir_all(place.root.join("prepared/hooks")).unwrap();
    fs::write(place.root.join("prepared/hooks/pre-push"), "evil").unwrap();
    for files in both(&place.root) {
        assert_eq!(code(files.rename(&path("tree"), &path("elsewhere"), false)), "protected");
        assert_eq!(code(files.rename(&path("tree/x/.git"), &path("g"), false)), "protected");
        assert_eq!(code(files.remove_tree(&path("tree"))), "protected");
        assert_eq!(code(files.rename(&path("prepared"), &path("sub/.git"), false)), "protected");
        assert_eq!(
            code(files.rename(&path("prepared/hooks"), &path("tree/x/.git/modules"), false)),
            "ok",
            "no hooks there"
        );
        files.rename(&path("tree/x/.git/modules"), &path("prepared/hooks"), false).unwrap();
    }
    let options = HostFsOptions { protected: vec![place.root.join("tree2/state")], ..HostFsOptions::default() };
    fs::create_dir_all(place.root.join("tree2/state")).unwrap();
    let files = HostCapabilityFs::open_with(&place.root, &options).unwrap();
    assert_eq!(code(files.remove_tree(&path("tree2"))), "protected", "hidden is not overlooked");
    files.remove_tree(&path("prepared")).unwrap();
    assert!(deep.join("pre-commit").exists() && !place.root.join("prepared").exists());
}

#[test]
fn removing_a_tree_does_not_follow_links() {
    let place = place();
    for files in both(&place.root) {
        let tree = place.root.join("tree/a/b");
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("file"), "x").unwrap();
        symlink(&place.outside, tree.join("link")).unwrap();
        symlink(&place.outside, place.root.join("toplink")).unwrap();
        files.remove_tree(&path("tree")).unwrap();
        assert_eq!(code(files.remove_tree(&path("toplink/secret.txt"))), "symlink");
        files.remove_tree(&path("toplink")).unwrap();
        assert_eq!(code(files.remove_tree(&path("tree"))), "not_found");
        assert_eq!(code(files.remove_tree(&RelPath::root())), "not_a_file");
        assert!(place.outside.join("secret.txt").exists());
    }
    assert_eq!(fs::read_dir(&place.root).unwrap().count(), 2);
}

#[test]
fn modes_are_set_on_files_and_directories_only() {
    let place = place();
    symlink(place.outside.join("secret.txt"), place.root.join("link")).unwrap();
    let before = fs::metadata(place.outside.join("secret.txt")).unwrap().permissions().mode();
    for files in both(&place.root) {
        files.set_mode(&path("a.txt"), 0o6751).unwrap();
        assert_eq!(fs::metadata(place.root.join("a.txt")).unwrap().permissions().mode() & 0o7777, 0o751);
        assert_eq!(code(files.set_mode(&path("link"), 0o777)), "symlink");
        assert_eq!(code(files.set_mode(&path(".git/hooks/x"), 0o777)), "protected");
    }
    assert_eq!(fs::metadata(place.outside.join("secret.txt")).unwrap().permissions().mode(), before);
}

#[test]
fn creating_exclusively_never_replaces() {
    let place = place();
    let exclusive = WriteOptions { must_not_exist: true, ..WriteOptions::default() };
    for (number, files) in both(&place.root).into_iter().enumerate() {
        assert_eq!(code(files.write_with(&path("a.txt"), b"x", &exclusive)), "exists");
        files.write_with(&path(&format!("fresh{number}")), b"x", &exclusive).unwrap();
    }
    assert_eq!(fs::read(place.root.join("a.txt")).unwrap(), b"a");
}
