//! Checks against real files and sockets.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::core::{Error, ErrorKind};

fn surroundings(root: &Path) -> Surroundings {
    Surroundings {
        paths: StatePaths::new(root),
        load: LoadOptions::default(),
        port: 1,
        log_file: root.join("logs/openclaw.log"),
        sandbox: None,
    }
}

/// Runs one check with a configuration that could not be loaded.
fn check(at: &Surroundings, id: &str) -> Vec<Finding> {
    let facts = Facts { at, config: Err(Error::new(ErrorKind::Config, "broken at 3:5").hint("close the brace")) };
    let check = checks::ALL.iter().find(|check| check.id == id).expect("the check exists");
    (check.run)(&facts)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

#[test]
fn ids_are_unique_and_dotted() {
    let mut ids: Vec<&str> = check_ids().collect();
    assert!(ids.iter().all(|id| id.split('.').count() == 2), "{ids:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), checks::ALL.len());
}

#[test]
fn a_missing_state_directory_is_only_information() {
    let home = tempfile::tempdir().expect("a directory");
    let found = check(&surroundings(&home.path().join("none")), "state.directory");
    assert_eq!(found.first().map(|finding| finding.severity), Some(Severity::Info));
}

#[test]
fn a_damaged_page_is_found() {
    let home = tempfile::tempdir().expect("a directory");
    let at = surroundings(home.path());
    assert!(check(&at, "database.sound").is_empty(), "no database is no damage");
    crate::state::Store::open(&at.paths, &crate::state::OpenOptions::default())
        .and_then(|store| store.close_blocking())
        .expect("a database");
    assert!(check(&at, "database.sound").is_empty());
    let mut bytes = fs::read(at.paths.database()).expect("the database");
    let last_page = bytes.len() - 4096;
    bytes[last_page..].fill(0xEE);
    fs::write(at.paths.database(), bytes).expect("our own file");
    let found = check(&at, "database.sound");
    assert_eq!(found.first().map(|finding| finding.severity), Some(Severity::Error));
}

#[test]
fn open_directories_and_tokens_are_found_with_their_command() {
    let home = tempfile::tempdir().expect("a directory");
    let root = home.path().join("it's here");
    fs::create_dir_all(root.join("state")).expect("made");
    let token = root.join("state/gateway-token");
    fs::write(&token, "secret-text-0123456789").expect("written");
    let at = surroundings(&root);
    for (mode_of_directory, mode_of_token, expected) in [(0o755, 0o644, 1), (0o700, 0o600, 0)] {
        set_mode(&root, mode_of_directory);
        set_mode(&root.join("state"), 0o700);
        set_mode(&token, mode_of_token);
        assert_eq!(check(&at, "state.directory").len(), expected);
        let found = check(&at, "state.token");
        assert_eq!(found.len(), expected);
        if let Some(finding) = found.first() {
            assert_eq!(finding.severity, Severity::Error);
            let command = finding.fix.as_ref().and_then(|fix| fix.command.clone()).expect("a command");
            assert!(command.contains("'\\''s here/state/gateway-token'"), "{command}");
            assert!(!format!("{found:?}").contains("secret-text"), "secrets are not shown");
        }
    }
}

#[test]
fn a_broken_configuration_is_an_error_with_its_hint() {
    let home = tempfile::tempdir().expect("a directory");
    let found = check(&surroundings(home.path()), "config.valid");
    let finding = found.first().expect("a finding");
    assert_eq!((finding.severity, finding.evidence.as_str()), (Severity::Error, "broken at 3:5"));
    assert_eq!(finding.fix.as_ref().map(|fix| fix.preview.as_str()), Some("close the brace"));
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let home = tempfile::tempdir().expect("a directory");
    let at = surroundings(home.path());
    fs::create_dir(at.paths.state_dir()).expect("made");
    fs::write(at.paths.database(), "hello, this is text").expect("written");
    set_mode(&at.paths.database(), 0o600);
    let found = check(&at, "database.kind");
    assert_eq!(found.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::Error]);
    fs::write(at.paths.database(), b"SQLite format 3\0rest").expect("written");
    assert!(check(&at, "database.kind").is_empty());
}

#[test]
fn a_stranger_on_the_port_is_an_error_nobody_is_information() {
    let home = tempfile::tempdir().expect("a directory");
    let mut at = surroundings(home.path());
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    at.port = listener.local_addr().expect("bound").port();
    let stranger = std::thread::spawn(move || drop(listener.accept().expect("a client")));
    assert_eq!(check(&at, "gateway.port").first().map(|finding| finding.severity), Some(Severity::Error));
    stranger.join().expect("it ends");
    assert_eq!(check(&at, "gateway.port").first().map(|finding| finding.severity), Some(Severity::Info));
}

#[test]
fn earlier_state_is_mentioned_neutrally() {
    let home = tempfile::tempdir().expect("a directory");
    let sessions = home.path().join("agents/main/sessions");
    fs::create_dir_all(&sessions).expect("made");
    assert!(check(&surroundings(home.path()), "legacy.present").is_empty());
    fs::write(sessions.join("sessions.json"), "{}").expect("written");
    fs::write(sessions.join("a.jsonl"), "").expect("written");
    let found = check(&surroundings(home.path()), "legacy.present");
    let finding = found.first().expect("a finding");
    assert_eq!(finding.severity, Severity::Info);
    assert!(finding.evidence.starts_with("1 session lists and 1 transcripts"), "{}", finding.evidence);
}

#[test]
fn public_logs_are_found() {
    let home = tempfile::tempdir().expect("a directory");
    let at = surroundings(home.path());
    fs::create_dir(home.path().join("logs")).expect("made");
    fs::write(&at.log_file, "x").expect("written");
    set_mode(&at.log_file, 0o644);
    assert_eq!(check(&at, "logs.size").len(), 1);
    set_mode(&at.log_file, 0o600);
    assert!(check(&at, "logs.size").is_empty());
}

#[test]
fn a_held_lock_without_a_gateway_is_a_warning() {
    let home = tempfile::tempdir().expect("a directory");
    let mut at = surroundings(home.path());
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    at.port = free.local_addr().expect("bound").port();
    drop(free);
    fs::create_dir(at.paths.state_dir()).expect("made");
    let directory = fs::File::open(at.paths.state_dir()).expect("opened");
    let lock = nix::fcntl::Flock::lock(directory, nix::fcntl::FlockArg::LockExclusiveNonblock).expect("free");
    assert_eq!(check(&at, "gateway.port").first().map(|finding| finding.severity), Some(Severity::Warning));
    drop(lock);
    assert_eq!(check(&at, "gateway.port").first().map(|finding| finding.severity), Some(Severity::Info));
}
