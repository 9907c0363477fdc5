use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rusqlite::Connection;

use super::{Root, main_agent};
use crate::core::ErrorKind;
use crate::state::foreign::{Owner, identify};
use crate::state::{OpenOptions, Store, migrate};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

/// A database that is not ours at our path.
fn foreign_database(root: &Root, sql: &str) {
    fs::create_dir_all(root.paths().state_dir()).unwrap();
    let connection = Connection::open(root.paths().database()).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Every file of the directory with its content.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .filter(|(name, _)| name != "holder.json")
        .collect();
    files.sort();
    files
}

#[test]
fn sqlite_is_one_that_does_not_corrupt_a_log_under_concurrent_checkpoints() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn directory_and_files_are_private() {
    let root = Root::new();
    let store = root.open();
    store.write_blocking(|tx| tx.kv_put("test", "key", &1)).unwrap();
    let state = root.paths().state_dir();
    assert_eq!(mode(&state), 0o700);
    for name in ["openclaw.sqlite", "openclaw.sqlite-wal", "openclaw.sqlite-shm", "holder.json"] {
        assert_eq!(mode(&state.join(name)), 0o600, "{name}");
    }
}

#[test]
fn modes_that_let_others_in_are_tightened() {
    let root = Root::new();
    root.open().close_blocking().unwrap();
    let (state, database) = (root.paths().state_dir(), root.paths().database());
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    let store = root.open();
    assert_eq!((mode(&state), mode(&database)), (0o700, 0o600));
    store.close_blocking().unwrap();
}

#[test]
fn a_second_writer_is_told_who_has_it() {
    let root = Root::new();
    let store = root.open();
    let error = root.refusal();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let pid = std::process::id().to_string();
    assert!(error.reason().unwrap().contains(&pid) && error.fix().unwrap().contains(&pid), "{error:?}");

    let reader = root.open_to_read().unwrap();
    assert!(reader.read_blocking(|tx| tx.agents()).unwrap().is_empty());

    drop(store);
    root.open().close_blocking().unwrap();
}

#[test]
fn the_holder_record_is_never_needed() {
    let root = Root::new();
    let _store = root.open();
    fs::remove_file(root.paths().state_dir().join("holder.json")).unwrap();
    let error = root.refusal();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.data().unwrap()["pid"], serde_json::Value::Null);
}

#[test]
fn reading_what_does_not_exist_creates_nothing() {
    let root = Root::new();
    let error = root.open_to_read().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.fix().unwrap().contains("gateway run"));
    assert!(!root.paths().state_dir().exists());
}

#[test]
fn a_closed_database_is_one_file_and_opens_again() {
    let root = Root::new();
    root.open().write_blocking(|tx| tx.kv_put("test", "key", &"kept")).unwrap();
    let names: Vec<String> = contents(&root.paths().state_dir()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["openclaw.sqlite"], "dropping the last handle checkpoints and removes the log");
    assert!(!root.paths().state_dir().join("holder.json").exists());
    let value: Option<String> = root.open().read_blocking(|tx| tx.kv_get("test", "key")).unwrap();
    assert_eq!(value.as_deref(), Some("kept"));
}

#[test]
fn a_reader_needs_no_gateway_and_cannot_write() {
    let root = Root::new();
    root.open().write_blocking(|tx| tx.kv_put("test", "key", &1)).unwrap();
    let reader = root.open_to_read().unwrap();
    assert_eq!(reader.read_blocking(|tx| tx.kv_get::<i64>("test", "key")).unwrap(), Some(1));
    let error = reader.write_blocking(|tx| tx.kv_put("test", "key", &2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    reader.close_blocking().unwrap();
}

#[test]
fn a_later_schema_is_read_but_not_written() {
    let root = Root::new();
    root.open().close_blocking().unwrap();
    let raw = Connection::open(root.paths().database()).unwrap();
    raw.execute(
        "INSERT INTO schema_migrations (version, name, applied_on, checksum) VALUES (?1, 'later', '2030-01-01T00:00:00Z', '1')",
        [migrate::LATEST + 1],
    )
    .unwrap();
    drop(raw);
    let error = root.refusal();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.message().contains("later version"), "{error}");
    let reader = root.open_to_read().unwrap();
    assert_eq!(reader.schema_version(), migrate::LATEST + 1);
    assert!(reader.read_blocking(|tx| tx.agents()).unwrap().is_empty());
}

#[test]
fn an_older_schema_is_upgraded_by_a_writer_only() {
    let root = Root::new();
    root.open().close_blocking().unwrap();
    let raw = Connection::open(root.paths().database()).unwrap();
    raw.execute_batch("DELETE FROM schema_migrations WHERE version >= 7; DROP TABLE vfs_chunks; DROP TABLE vfs_entries; DROP TABLE vfs_history; DROP TABLE vfs_contents; DROP TABLE vfs_snapshots; DROP TABLE vfs_agents; DROP TABLE sandbox_registry_entries").unwrap();
    drop(raw);
    let error = root.open_to_read().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.fix().unwrap().contains("gateway"));
    assert_eq!(root.open().schema_version(), migrate::LATEST);
    assert_eq!(root.open_to_read().unwrap().schema_version(), migrate::LATEST);
}

#[test]
fn a_creation_that_was_interrupted_is_completed() {
    let root = Root::new();
    fs::create_dir_all(root.paths().state_dir()).unwrap();
    fs::write(root.paths().database(), b"").unwrap();
    root.open().close_blocking().unwrap();

    let marked = Root::new();
    foreign_database(&marked, "PRAGMA application_id = 0x4f437273; PRAGMA journal_mode = WAL");
    marked.open().write_blocking(|tx| tx.kv_put("test", "key", &1)).unwrap();
}

#[test]
fn a_typescript_database_is_named_and_left_alone() {
    let root = Root::new();
    foreign_database(
        &root,
        "PRAGMA journal_mode = WAL;
         CREATE TABLE schema_meta (meta_key TEXT PRIMARY KEY, role TEXT, schema_version INTEGER, agent_id TEXT, app_version TEXT);
         CREATE TABLE agent_databases (agent_id TEXT PRIMARY KEY, path TEXT);
         CREATE TABLE sandbox_registry_entries (x);
         INSERT INTO schema_meta VALUES ('state', 'global', 9, NULL, '2026.9.6');",
    );
    let before = contents(&root.paths().state_dir());
    let error = root.refusal();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.reason().unwrap().contains("OpenClaw for Node.js, version 2026.9.6"), "{error}");
    assert!(error.fix().unwrap().contains("OPENCLAW_STATE_DIR"));
    assert_eq!(root.open_to_read().err().unwrap().kind(), ErrorKind::State);
    assert_eq!(contents(&root.paths().state_dir()), before);
    let owner = Owner::TypeScriptOpenClaw {
        role: Some("global".to_owned()),
        schema_version: Some(9),
        app_version: Some("2026.9.6".to_owned()),
    };
    assert_eq!(identify(&root.paths().database()).unwrap(), owner);
}

#[test]
fn a_foreign_database_with_a_live_log_is_left_alone() {
    let root = Root::new();
    fs::create_dir_all(root.paths().state_dir()).unwrap();
    let owner = Connection::open(root.paths().database()).unwrap();
    owner.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE notes (x); INSERT INTO notes VALUES (1)").unwrap();
    let before = contents(&root.paths().state_dir());
    assert!(before.iter().any(|(name, content)| name.ends_with("-wal") && !content.is_empty()));
    let error = root.refusal();
    assert!(error.message().contains("belongs to another program"), "{error}");
    assert_eq!(contents(&root.paths().state_dir()), before);
}

#[test]
fn files_that_are_no_database_are_told_apart() {
    let text = Root::new();
    fs::create_dir_all(text.paths().state_dir()).unwrap();
    fs::write(text.paths().database(), "this is a letter, not a database\n".repeat(50)).unwrap();
    let error = text.refusal();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.reason().unwrap().contains("not a SQLite database"), "{error:?}");

    let damaged = Root::new();
    damaged.open().close_blocking().unwrap();
    let mut bytes = fs::read(damaged.paths().database()).unwrap();
    bytes[100..2000].fill(0xEE);
    fs::write(damaged.paths().database(), bytes).unwrap();
    let error = damaged.refusal();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.reason().unwrap().contains("damaged"), "{error:?}");

    let link = Root::new();
    fs::create_dir_all(link.paths().state_dir()).unwrap();
    symlink("/dev/null", link.paths().database()).unwrap();
    assert!(link.refusal().reason().unwrap().contains("symbolic link"));

    let directory = Root::new();
    fs::create_dir_all(directory.paths().database()).unwrap();
    assert!(directory.refusal().reason().unwrap().contains("directory"));

    let file = Root::new();
    fs::write(file.paths().state_dir(), "x").unwrap();
    assert!(file.refusal().reason().unwrap().contains("not a directory"));
}

#[test]
fn a_state_directory_behind_a_link_works() {
    let root = Root::new();
    let elsewhere = Root::new();
    symlink(elsewhere.directory.path(), root.paths().state_dir()).unwrap();
    root.open().close_blocking().unwrap();
    assert!(elsewhere.directory.path().join("openclaw.sqlite").exists());
}

#[test]
fn a_read_only_directory_is_named() {
    if nix::unistd::geteuid().is_root() {
        return; // root may write anywhere; the mapping of the error has its own test
    }
    let root = Root::new();
    fs::set_permissions(root.directory.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let error = root.refusal();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.reason().unwrap().contains("read-only"), "{error:?}");
}

#[test]
fn health_tells_sizes() {
    let root = Root::new();
    let store = root.open();
    store.write_blocking(|tx| tx.upsert_agent(&main_agent(), &serde_json::json!({}), 1)).unwrap();
    let health = store.health().unwrap();
    assert_eq!(health.journal_mode, "wal");
    assert_eq!(health.schema_version, migrate::LATEST);
    assert!(health.wal_bytes > 0 && health.free_bytes.unwrap() > 0);
    assert!(health.database_bytes >= 4096);
    store.close_blocking().unwrap();
    assert_eq!(store.health().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn full_durability_is_a_setting() {
    let root = Root::new();
    let synchronous = |durability_full| {
        let options = OpenOptions { durability_full, ..OpenOptions::default() };
        let store = Store::open(&root.paths(), &options).unwrap();
        store
            .write_blocking(|tx| {
                Ok(tx.connection().query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap())
            })
            .unwrap()
    };
    assert_eq!((synchronous(false), synchronous(true)), (1, 2));
}

#[test]
fn a_crash_during_a_checkpoint_is_no_damage() {
    let root = Root::new();
    let store = root.open();
    store.write_blocking(|tx| tx.kv_put("test", "key", &"kept")).unwrap();
    let (state, database) = (root.paths().state_dir(), root.paths().database());
    let log = fs::read(state.join("openclaw.sqlite-wal")).unwrap();
    drop(store);
    // The log as it was, the first page moved, the others not yet.
    let moved = fs::read(&database).unwrap();
    fs::write(state.join("openclaw.sqlite-wal"), log).unwrap();
    fs::write(&database, &moved[..4096]).unwrap();
    assert_eq!(identify(&database).unwrap(), Owner::Ours);
    let value = root.open().read_blocking(|tx| tx.kv_get::<String>("test", "key")).unwrap();
    assert_eq!(value.as_deref(), Some("kept"));
}
