//! Virtual files go into a sandbox and come back changed, through the whole chain.

use std::time::Duration;

use openclaw::sandbox::projection::{Change, ChangeSet, Projection, ProjectionLimits};
use openclaw::sandbox::{Backend, ChildEvent, Finished, SandboxError, SandboxLevel, SandboxSpec, Workspace};
use tokio_util::sync::CancellationToken;

use super::support::{policies, sandbox, shell};

/// A virtual workspace at that level, in namespaces.
fn policy(level: SandboxLevel) -> SandboxSpec {
    let mut policies = policies(std::path::Path::new("/"));
    let policy = policies.pop().expect("a policy");
    SandboxSpec { level, workspace: Workspace::Virtual, backend: Some(Backend::Namespaces), ..policy }
}

fn files(files: &[(&'static str, &'static str)]) -> Projection {
    let files = files.to_vec();
    Projection::new(ProjectionLimits::default(), move |writer| {
        files.iter().try_for_each(|(path, content)| writer.file_bytes(path, 0o644, content.as_bytes()))
    })
}

async fn run(level: SandboxLevel, projection: Projection, script: &str) -> Result<Finished, SandboxError> {
    sandbox().run(&policy(level), shell(script), Some(projection), |_, _| {}, &CancellationToken::new()).await
}

fn changed(changes: &ChangeSet) -> Vec<String> {
    changes
        .changes
        .iter()
        .map(|change| match change {
            Change::Directory { path, .. } => format!("dir {path}"),
            Change::File { path, data, .. } => format!("file {path}={}", String::from_utf8_lossy(data)),
            Change::Delete { path } => format!("delete {path}"),
        })
        .collect()
}

#[tokio::test]
async fn changes_come_back_at_every_level() {
    for level in SandboxLevel::ALL {
        let script = "pwd; cat a; echo two > a; rm b; mkdir -p d/e; echo new > d/e/f; (sleep 1000.25; echo late > a) &";
        let tree = files(&[("a", "one"), ("b", "gone"), ("same/c", "kept")]);
        let finished = run(level, tree, script).await.expect("it runs");
        assert_eq!(finished.output.text().text, "/workspace\none");
        let changes = finished.changes.expect("they come back");
        let expected = ["delete b", "file a=two\n", "dir d", "dir d/e", "file d/e/f=new\n"];
        assert_eq!(changed(&changes), expected, "{level}");
        assert!(changes.rejected.is_empty());
    }
}

#[tokio::test]
async fn nothing_comes_back_when_the_bounds_are_passed_and_the_exit_is_still_told() {
    let limits = ProjectionLimits { entries: 10, ..ProjectionLimits::default() };
    let tree = Projection::new(limits, |writer| writer.file_bytes("a", 0o644, b"one"));
    let script = shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do : > f$i; done; exit 3");
    let mut child = sandbox().start(&policy(SandboxLevel::Strict), script, Some(tree)).await.expect("it starts");
    let Some(ChildEvent::Exited(exit)) = child.event().await else { panic!("it ends") };
    assert_eq!(exit.code, Some(3));
    let Some(ChildEvent::Failed(error)) = child.event().await else { panic!("it is refused") };
    assert!(matches!(error, SandboxError::Projection { .. }), "{error}");
    assert!(child.event().await.is_none());
}

#[tokio::test]
async fn a_source_that_fails_and_a_tree_that_does_not_fit_are_told() {
    let broken = Projection::new(ProjectionLimits::default(), |writer| {
        writer.file_bytes("a", 0o644, b"one")?;
        Err(std::io::Error::other("the database is gone"))
    });
    let error = run(SandboxLevel::Strict, broken, "echo ran").await.expect_err("there are no files");
    assert!(matches!(&error, SandboxError::Projection { message } if message.contains("database is gone")), "{error}");

    let mut small = policy(SandboxLevel::Strict);
    small.limits.tmp_bytes = 1 << 20;
    let large = Projection::new(ProjectionLimits::default(), |writer| {
        (0..64).try_for_each(|number| writer.file_bytes(&format!("f{number}"), 0o644, &vec![7; 100_000]))
    });
    let result = sandbox().start(&small, shell("echo ran"), Some(large)).await.map(drop);
    let error = result.expect_err("it does not fit");
    assert!(error.to_string().contains("No space left"), "{error}");
}

#[tokio::test]
async fn giving_up_in_the_middle_of_a_projection_ends_its_source() {
    let (told, ended) = std::sync::mpsc::channel();
    let endless = Projection::new(ProjectionLimits::default(), move |writer| {
        let mut number = 0_u64;
        let error = loop {
            number += 1;
            if let Err(error) = writer.file_bytes(&format!("d/f{}", number % 50_000), 0o644, &[7; 1000]) {
                break error;
            }
        };
        told.send(number).map_err(std::io::Error::other)?;
        Err(error)
    });
    let sandbox = sandbox();
    let policy = policy(SandboxLevel::Strict);
    let starting = sandbox.start(&policy, shell("echo ran"), Some(endless));
    assert!(tokio::time::timeout(Duration::from_millis(200), starting).await.is_err(), "it does not start");
    let written = tokio::task::spawn_blocking(move || ended.recv_timeout(Duration::from_secs(20)));
    assert!(written.await.expect("no panic").expect("the source has ended") > 0);
}

#[tokio::test]
async fn without_a_projection_a_virtual_workspace_is_empty_and_a_host_one_takes_none() {
    let finished = sandbox()
        .run(&policy(SandboxLevel::Strict), shell("ls -A | wc -l"), None, |_, _| {}, &CancellationToken::new())
        .await
        .expect("it runs");
    assert!(finished.changes.is_none() && finished.output.text().text.trim() == "0");
    let workspace = tempfile::tempdir().expect("a directory");
    let host = policies(workspace.path()).pop().expect("a policy");
    let error = sandbox().start(&host, shell("true"), Some(files(&[]))).await.map(drop).expect_err("no projection");
    assert!(matches!(error, SandboxError::Spec { .. }), "{error}");
}
