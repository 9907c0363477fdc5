//! The Linux chain: what commands see and may do, per backend.

use openclaw::sandbox::{Backend, Guarantee, Guarantees, SandboxLevel, SandboxSpec};

use super::support::{Ended, collect, sandbox, shell, spec};

/// What only control groups can bound for the system's root user.
fn bounds() -> Guarantees {
    Guarantees::of(&[Guarantee::PidsLimit, Guarantee::MemLimit])
}

async fn run(policy: &SandboxSpec, script: &str) -> Ended {
    let mut child = sandbox().start(policy, shell(script), None).await.expect("it starts");
    collect(&mut child).await.expect("it ends")
}

fn strict(workspace: &std::path::Path) -> SandboxSpec {
    SandboxSpec { allow_missing: bounds(), backend: Some(Backend::Namespaces), ..spec(SandboxLevel::Strict, workspace) }
}

#[tokio::test]
async fn a_strict_command_is_a_user_without_rights() {
    let workspace = tempfile::tempdir().expect("a directory");
    let ended = run(&strict(workspace.path()), "id; grep -E 'Cap|NoNew|Seccomp' /proc/self/status; ls -la /; ls /dev /proc; cat /proc/mounts; ls -ld . ; touch file").await;
    println!("{} {}", ended.stdout(), ended.stderr());
    panic!("{:?}", ended.exit);
}
