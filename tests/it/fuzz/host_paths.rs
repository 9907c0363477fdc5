//! Paths as models write them.

use openclaw::fs::{HostCapabilityFs, RelPath};

use super::harness::{Corpus, fuzz};

#[test]
fn no_text_becomes_a_path_that_leads_out() {
    let corpus = Corpus::load("paths");
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    std::fs::create_dir(&root).expect("a directory");
    let files = HostCapabilityFs::open(&root).expect("a root");
    let (mut taken, mut refused) = (0_u32, 0_u32);
    fuzz(&corpus, 30_000, |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(path) = files.resolve(&text) else {
            refused += 1;
            return Ok(());
        };
        taken += 1;
        let bad =
            path.components().any(|name| matches!(name, "" | "." | "..") || name.contains('\0') || name.len() > 255);
        if bad || path.as_str().len() > 4096 || path.as_str().starts_with('/') || path.as_str().ends_with('/') {
            return Err(format!("{path:?}"));
        }
        if RelPath::parse(path.as_str()).ok().as_ref() != Some(&path) {
            return Err(format!("{path:?} does not parse again"));
        }
        let joined = root.join(path.as_str());
        if !joined.starts_with(&root) || files.resolve(&joined.display().to_string()).ok().as_ref() != Some(&path) {
            return Err(format!("{path:?} is not the same as an absolute path"));
        }
        Ok(())
    });
    let one_case = std::env::var_os("OPENCLAW_FUZZ_SEED").is_some();
    assert!(one_case || (taken > 1000 && refused > 1000), "{taken} taken, {refused} refused");
}
