//! The law: whatever a command does, the changes applied to what was projected give what is there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::support::{Sandbox, Tree, apply, tree};

/// One thing that a command does. Those that are not possible fail, and that is fine.
#[derive(Debug, Clone)]
enum Step {
    Write(String, Vec<u8>),
    Append(String, Vec<u8>),
    Rewrite(String),
    Delete(String),
    DeleteTree(String),
    MakeDirectories(String),
    Rename(String, String),
    HardLink(String, String),
    Link(String, String),
    Mode(String, u32),
    KeepTimes(String, Vec<u8>),
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(vec!["a", "b", "c", "a-"]), 1..4)
        .prop_map(|names| names.join("/"))
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..12),
        1 => (any::<u8>(), 131_000_usize..600_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (path(), content()).prop_map(|(path, content)| Step::Write(path, content)),
        1 => (path(), content()).prop_map(|(path, content)| Step::Append(path, content)),
        1 => path().prop_map(Step::Rewrite),
        2 => path().prop_map(Step::Delete),
        1 => path().prop_map(Step::DeleteTree),
        2 => path().prop_map(Step::MakeDirectories),
        3 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Step::HardLink(from, to)),
        1 => (path(), path()).prop_map(|(target, at)| Step::Link(target, at)),
        1 => (path(), proptest::sample::select(vec![0o600_u32, 0o644, 0o755, 0o400, 0o700])).prop_map(|(path, mode)| Step::Mode(path, mode)),
        1 => (path(), content()).prop_map(|(path, content)| Step::KeepTimes(path, content)),
    ]
}

fn run(sandbox: &Sandbox, step: &Step) -> std::io::Result<()> {
    let at = |path: &str| sandbox.path(path);
    // A link must not lead a step into another part of the tree: the steps are about names.
    let plain = |path: &str| {
        !path
            .split('/')
            .scan(sandbox.path(""), |at, name| {
                at.push(name);
                Some(at.is_symlink())
            })
            .any(|link| link)
    };
    match step {
        Step::Write(path, content) if plain(path) => fs::write(at(path), content),
        Step::Append(path, content) if plain(path) => {
            let mut whole = fs::read(at(path))?;
            whole.extend(content);
            fs::write(at(path), whole)
        }
        Step::Rewrite(path) if plain(path) => fs::read(at(path)).and_then(|content| fs::write(at(path), content)),
        Step::Delete(path) => fs::remove_file(at(path)).or_else(|_| fs::remove_dir(at(path))),
        Step::DeleteTree(path) if plain(path) => fs::remove_dir_all(at(path)),
        Step::MakeDirectories(path) => fs::create_dir_all(at(path)),
        Step::Rename(from, to) => fs::rename(at(from), at(to)),
        Step::HardLink(from, to) if plain(from) => fs::hard_link(at(from), at(to)),
        Step::Link(target, path) => symlink(target, at(path)),
        Step::Mode(path, mode) if plain(path) => {
            // A directory that its owner may not enter would stop this process (unless it is root's) from looking at what is there.
            let mode = if at(path).is_dir() { mode | 0o700 } else { *mode };
            fs::set_permissions(at(path), fs::Permissions::from_mode(mode | 0o400))
        }
        Step::KeepTimes(path, content) if plain(path) => {
            let file = fs::File::options().write(true).open(at(path))?;
            let modified = file.metadata()?.modified()?;
            std::os::unix::fs::FileExt::write_all_at(&file, content, 0)?;
            file.set_modified(modified)
        }
        _ => Ok(()),
    }
}

/// Without what lies at or below a path that was not brought back.
fn without(tree: &Tree, paths: &[&str]) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    let hidden = |path: &str| {
        paths.iter().any(|at| path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    tree.iter().filter(|(path, _)| !hidden(path)).map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn changes_lead_from_what_was_projected_to_what_is_there(steps in proptest::collection::vec(step(), 0..25)) {
        let start = tree(&["a/", "a/a=1", "a/b=22", "a/c/", "a/c/a=333", "b=4", "c/", "a-=5"]);
        let sandbox = Sandbox::new(&start);
        for step in &steps {
            // dropped: a step that is not possible here changes nothing
            drop(run(&sandbox, step));
        }
        let changes = sandbox.changes();
        let mut model = start;
        apply(&mut model, &changes);
        let rejected: Vec<&str> = changes
            .rejected
            .iter()
            .filter(|rejected| !rejected.reason.is_stored())
            .map(|rejected| rejected.path.as_str())
            .collect();
        prop_assert_eq!(without(&model, &rejected), without(&sandbox.real(), &rejected));
    }
}
