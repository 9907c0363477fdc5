//! The stream of changes out of a sandbox.

use std::collections::BTreeMap;

use openclaw::sandbox::projection::{
    Change, ChangeSet, Projected, Projection, ProjectionLimits, check_path, decode_stream,
};

use super::harness::{Corpus, fuzz};

fn limits() -> ProjectionLimits {
    ProjectionLimits { entries: 50, bytes: 400_000, file_bytes: 200_000, depth: 6, rejects: 20 }
}

/// What the seeds are changes of.
const FILES: [&str; 4] = ["edit", "gone", "dir/in", "dir/sub/deep"];

fn projected() -> Projected {
    let projection =
        Projection::new(limits(), |writer| FILES.iter().try_for_each(|path| writer.file_bytes(path, 0o644, b"base")));
    projection.send(&mut Vec::new()).expect("a projection")
}

/// Whether a file system would obey: nothing outside, nothing in what is no directory, nothing twice.
fn obey(changes: &ChangeSet) -> Result<(), String> {
    let directories = ["dir", "dir/sub"].map(|path| (path.to_owned(), true));
    let mut tree: BTreeMap<String, bool> =
        FILES.iter().map(|path| ((*path).to_owned(), false)).chain(directories).collect();
    let mut bytes = 0;
    for change in &changes.changes {
        let path = change.path();
        check_path(path.as_bytes(), limits().depth).map_err(|problem| format!("{path:?}: {problem}"))?;
        if let Some((parent, _)) = path.rsplit_once('/')
            && tree.get(parent) != Some(&true)
        {
            return Err(format!("{path:?} is not in a directory"));
        }
        let is_directory = matches!(change, Change::Directory { .. });
        match change {
            Change::Delete { .. } => {
                let below = format!("{path}/");
                if tree.keys().any(|other| other.starts_with(&below)) {
                    return Err(format!("{path:?} is deleted before what is in it"));
                }
                tree.remove(path).ok_or_else(|| format!("{path:?} is deleted and is not there"))?;
                continue;
            }
            Change::File { data, mode, .. } => {
                bytes += data.len() as u64;
                if data.len() as u64 > limits().file_bytes || mode & !0o777 != 0 {
                    return Err(format!("{path:?} has {} bytes and mode {mode:o}", data.len()));
                }
            }
            Change::Directory { .. } => {}
        }
        if tree.insert(path.to_owned(), is_directory).is_some_and(|before| before != is_directory) {
            return Err(format!("{path:?} becomes something else without being deleted"));
        }
    }
    if bytes > limits().bytes || changes.changes.len() > 100 || changes.rejected.len() > limits().rejects {
        return Err(format!("{bytes} bytes, {} changes", changes.changes.len()));
    }
    Ok(())
}

#[test]
fn no_stream_breaks_the_decoder_or_what_it_promises() {
    let corpus = Corpus::load("sync-back");
    for (name, content) in corpus.files() {
        let outcome = decode_stream(&mut &content[..], limits(), projected());
        assert_eq!(outcome.is_ok(), name.starts_with("good-"), "{name}: {outcome:?}");
    }
    let (mut taken, mut refused) = (0_u64, 0_u64);
    fuzz(&corpus, 6000, |input| {
        match decode_stream(&mut &input[..], limits(), projected()) {
            Ok(changes) => {
                taken += 1;
                obey(&changes)?;
            }
            Err(error) => {
                refused += 1;
                if error.to_string().len() > 8000 {
                    return Err("an endless message".to_owned());
                }
            }
        }
        Ok(())
    });
    assert!(taken > 5 && refused > 5, "{taken} taken, {refused} refused: the inputs all go one way");
}
