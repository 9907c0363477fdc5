//! From a command to the word that it may start, with real files.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;

use crate::config::ToolSettings;
use crate::core::FilesystemMode;
use crate::core::Result;
use crate::sandbox::SandboxLevel;
use crate::tools::policy::{AgentApprovals, AllowEntry, Authorized, ExecApprovals, ExecRequest, Used, authorize};
use crate::tools::{AgentFilesystem, ApprovalDecision, ApprovalRequest, Approver, CallIdentity, ToolContext};

/// Answers yes, and remembers what it was asked.
#[derive(Default)]
struct Person {
    document: ExecApprovals,
    asked: Mutex<Vec<ApprovalRequest>>,
    used: Mutex<Vec<Used>>,
    /// Runs while the person thinks.
    meanwhile: Mutex<Option<Box<dyn FnMut() + Send>>>,
}

impl Approver for Person {
    fn decide<'a>(&'a self, _call: &'a CallIdentity, request: ApprovalRequest) -> BoxFuture<'a, ApprovalDecision> {
        self.asked.lock().unwrap().push(request);
        if let Some(meanwhile) = &mut *self.meanwhile.lock().unwrap() {
            meanwhile();
        }
        Box::pin(std::future::ready(ApprovalDecision::Allowed { by: "me".to_owned(), standing: false }))
    }

    fn approvals(&self) -> BoxFuture<'_, Result<ExecApprovals>> {
        Box::pin(std::future::ready(Ok(self.document.clone())))
    }

    fn used(&self, _call: &CallIdentity, entries: &[Used], _command: &str) {
        self.used.lock().unwrap().extend_from_slice(entries);
    }
}

struct Machine {
    _dir: tempfile::TempDir,
    root: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for directory in ["bin", "work"] {
            std::fs::create_dir(root.join(directory)).unwrap();
        }
        install(&root.join("bin/tool"), "one");
        Self { _dir: dir, root }
    }

    fn request(&self, command: &str) -> ExecRequest {
        ExecRequest {
            tool: "exec".to_owned(),
            command: command.to_owned(),
            shell: vec!["/bin/sh".to_owned(), "-c".to_owned()],
            cwd: self.root.join("work"),
            env: vec![("PATH".into(), self.root.join("bin").into())],
            level: SandboxLevel::None,
            writable: vec![self.root.join("work")],
        }
    }
}

fn install(path: &Path, content: &str) {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, format!("#!/bin/sh\necho {content}\n")).unwrap();
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(fresh, path).unwrap();
}

async fn ask(person: &Arc<Person>, request: &ExecRequest) -> Result<Authorized, String> {
    let files = AgentFilesystem { mode: FilesystemMode::Disk, workspace: None, scratch: None };
    let context = ToolContext { approver: Arc::clone(person) as Arc<dyn Approver>, ..ToolContext::for_files(files) };
    authorize(&context, &ToolSettings::default(), request).await
}

fn fingerprints(person: &Person) -> Vec<[u8; 32]> {
    person.asked.lock().unwrap().iter().map(|asked| asked.fingerprint).collect()
}

fn by_me() -> Result<Authorized, String> {
    Ok(Authorized::ByApproval { by: "me".to_owned(), standing: false })
}

#[tokio::test]
async fn listed_programs_start_and_their_use_is_noted() {
    let machine = Machine::new();
    let mut document = ExecApprovals::default();
    let entry = AllowEntry { pattern: "tool".to_owned(), ..AllowEntry::default() };
    document.agents.insert("*".to_owned(), AgentApprovals { allowlist: vec![entry], ..AgentApprovals::default() });
    let person = Arc::new(Person { document, ..Person::default() });
    assert_eq!(ask(&person, &machine.request("tool --x")).await, Ok(Authorized::ByPolicy));
    assert!(person.asked.lock().unwrap().is_empty());
    assert_eq!(person.used.lock().unwrap()[0].resolved, machine.root.join("bin/tool"));
    // The control: without the entry the same command asks.
    let stranger = Arc::new(Person::default());
    assert_eq!(ask(&stranger, &machine.request("tool --x")).await, by_me());
    assert_eq!(stranger.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_question_is_about_exactly_that() {
    let machine = Machine::new();
    let person = Arc::new(Person::default());
    let first = machine.request("tool --x");
    ask(&person, &first).await.unwrap();
    ask(&person, &first).await.unwrap();
    let same = fingerprints(&person);
    assert_eq!(same[0], same[1]);
    let mut others = vec![machine.request("tool --y"), machine.request("tool  --x")];
    let mut elsewhere = first.clone();
    elsewhere.cwd.clone_from(&machine.root);
    let mut otherwise = first.clone();
    otherwise.env.push(("LD_PRELOAD".into(), "/w/evil.so".into()));
    others.extend([
        elsewhere,
        otherwise,
        ExecRequest { shell: vec!["/bin/bash".into(), "-c".into()], ..first.clone() },
    ]);
    for other in &others {
        ask(&person, other).await.unwrap();
    }
    // Another file under the same name.
    install(&machine.root.join("bin/tool"), "two");
    ask(&person, &first).await.unwrap();
    let mut all = fingerprints(&person);
    all.drain(..1);
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), count), (others.len() + 2, others.len() + 2), "each has a fingerprint of its own");
    let asked = person.asked.lock().unwrap();
    assert_eq!(asked[0].binding["argv"][2], "tool --x");
    assert_eq!(asked[0].binding["executables"][1]["path"], machine.root.join("bin/tool").to_str().unwrap());
    assert!(
        asked[0].may_stand && !asked[0].binding.to_string().contains("LD_PRELOAD"),
        "values of the environment are not shown"
    );
}

#[tokio::test]
async fn a_program_that_changes_while_a_person_thinks_is_asked_about_again() {
    let machine = Machine::new();
    let path = machine.root.join("bin/tool");
    let mut times = 0;
    let person = Arc::new(Person::default());
    *person.meanwhile.lock().unwrap() = Some(Box::new({
        let path = path.clone();
        move || {
            times += 1;
            if times == 1 {
                install(&path, "evil");
            }
        }
    }));
    assert_eq!(ask(&person, &machine.request("tool")).await, by_me());
    let asked = fingerprints(&person);
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0], asked[1]);
    // One that changes every time never starts.
    let restless = Arc::new(Person::default());
    let mut number = 0;
    *restless.meanwhile.lock().unwrap() = Some(Box::new(move || {
        number += 1;
        install(&path, &number.to_string());
    }));
    assert!(ask(&restless, &machine.request("tool")).await.unwrap_err().contains("changes all the time"));
}

#[tokio::test]
async fn what_a_person_reads_hides_nothing() {
    let machine = Machine::new();
    let person = Arc::new(Person::default());
    ask(&person, &machine.request("tool \u{202e}x\u{1b}[2K")).await.unwrap();
    let long = format!("tool {}", "x".repeat(9_000));
    ask(&person, &machine.request(&long)).await.unwrap();
    let asked = person.asked.lock().unwrap();
    assert_eq!(asked[0].summary, "tool \\u{202e}x\\u{1b}[2K");
    assert!(!asked[0].may_stand);
    assert!(asked[1].summary.ends_with("more characters)"));
}

#[tokio::test]
async fn inside_of_a_sandbox_nobody_is_asked() {
    let machine = Machine::new();
    let person = Arc::new(Person::default());
    let confined = ExecRequest { level: SandboxLevel::Strict, ..machine.request("sh -c id") };
    assert_eq!(ask(&person, &confined).await, Ok(Authorized::ByPolicy));
    assert!(person.asked.lock().unwrap().is_empty());
}
