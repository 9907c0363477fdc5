use std::sync::mpsc;
use std::thread;

use super::{Root, fresh, main_agent, session};
use crate::core::{Error, ErrorKind, Result};
use crate::state::{Store, WriteTx};

type Write = Box<dyn FnOnce(&WriteTx<'_>) -> Result<i64> + Send>;

/// Keeps the writer busy until the returned sender is used, so that what is queued meanwhile forms one group with it.
fn hold(store: &Store) -> (mpsc::Sender<()>, thread::JoinHandle<Result<()>>) {
    let (release, wait) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    let store = store.clone();
    let holder = thread::spawn(move || {
        store.write_blocking(move |_| {
            started.send(()).unwrap();
            wait.recv().unwrap();
            Ok(())
        })
    });
    running.recv().unwrap();
    (release, holder)
}

/// Polls each write once in order, which queues it, then lets the writer go on and collects the outcomes.
async fn as_one_group(store: &Store, writes: Vec<Write>) -> Vec<Result<i64>> {
    let (release, holder) = hold(store);
    let mut pending: Vec<_> = writes.into_iter().map(|write| Box::pin(store.write(write))).collect();
    for write in &mut pending {
        assert!(futures_util::poll!(write.as_mut()).is_pending());
    }
    release.send(()).unwrap();
    let outcomes = futures_util::future::join_all(pending).await;
    drop(holder.join().unwrap()); // shares the group's fate
    outcomes
}

fn put(key: &'static str) -> Write {
    Box::new(move |tx| tx.kv_put("test", key, &1).map(|()| 1))
}

fn keys(store: &Store) -> Vec<String> {
    store.read_blocking(|tx| tx.kv_list::<i64>("test")).unwrap().into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a_failed_write_undoes_only_itself() {
    let root = Root::new();
    let store = root.open();
    let outcomes = as_one_group(
        &store,
        vec![
            put("a"),
            Box::new(|tx| {
                tx.kv_put("test", "b", &1)?;
                Err(Error::user("no"))
            }),
            put("c"),
        ],
    )
    .await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err().kind(), ErrorKind::User);
    assert_eq!(keys(&store), ["a", "c"]);
}

#[tokio::test]
async fn a_panicking_write_undoes_only_itself() {
    let root = Root::new();
    let store = root.open();
    let first = store
        .write(|tx| -> Result<()> {
            tx.kv_put("test", "alone", &1)?;
            panic!("on purpose")
        })
        .await
        .unwrap_err();
    assert_eq!(first.kind(), ErrorKind::Internal);
    let outcomes = as_one_group(
        &store,
        vec![
            put("a"),
            Box::new(|tx| {
                tx.kv_put("test", "b", &1)?;
                panic!("on purpose")
            }),
            put("c"),
        ],
    )
    .await;
    let error = outcomes[1].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.reason().as_deref()), (ErrorKind::Internal, Some("on purpose")));
    assert_eq!(keys(&store), ["a", "c"]);
}

#[tokio::test]
async fn a_failed_commit_fails_the_whole_group_and_the_writer_lives_on() {
    let root = Root::new();
    let store = root.open();
    let dangling = |tx: &WriteTx<'_>| {
        tx.connection()
            .execute_batch("PRAGMA defer_foreign_keys = ON; INSERT INTO vfs_chunks VALUES (99, 0, x'00')")
            .unwrap();
        Ok(1)
    };
    let outcomes = as_one_group(&store, vec![put("a"), Box::new(dangling), put("c")]).await;
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.reason().unwrap().contains("FOREIGN KEY"), "{error}");
    }
    assert_eq!(keys(&store), Vec::<String>::new());
    store.write(put("later")).await.unwrap();
    assert_eq!(keys(&store), ["later"]);
}

#[test]
fn a_full_disk_is_reported_and_survived() {
    let root = Root::new();
    let store = root.open();
    let limit = |sql: &'static str| {
        store.write_blocking(move |tx| {
            tx.connection().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
            Ok(())
        })
    };
    store.write_blocking(|tx| tx.kv_put("test", "before", &1)).unwrap();
    limit("PRAGMA max_page_count = 1").unwrap(); // never below the current size
    let big = "x".repeat(3_000_000);
    let error = store.write_blocking(move |tx| tx.kv_put("test", "big", &big)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.reason().unwrap().contains("disk is full"), "{error:?}");
    assert!(error.fix().unwrap().contains("free some space"));
    limit("PRAGMA max_page_count = 1000000").unwrap();
    store.write_blocking(|tx| tx.kv_put("test", "later", &1)).unwrap();
    assert_eq!(keys(&store), ["before", "later"]);
}

#[tokio::test]
async fn a_write_whose_caller_went_away_is_stored() {
    let root = Root::new();
    let store = root.open();
    let (release, holder) = hold(&store);
    let mut write = Box::pin(store.write(put("a")));
    assert!(futures_util::poll!(write.as_mut()).is_pending());
    drop(write);
    release.send(()).unwrap();
    holder.join().unwrap().unwrap();
    store.close().await.unwrap();
    assert_eq!(keys(&root.open()), ["a"]);
}

#[tokio::test]
async fn close_finishes_what_is_queued_and_refuses_the_rest() {
    let root = Root::new();
    let store = root.open();
    let (release, holder) = hold(&store);
    let mut queued: Vec<_> = (0..40)
        .map(|_| Box::pin(store.write(|tx| tx.append_events(&main_agent(), &session("s"), &[fresh("x")]))))
        .collect();
    for write in &mut queued {
        assert!(futures_util::poll!(write.as_mut()).is_pending());
    }
    let mut close = Box::pin(store.close());
    assert!(futures_util::poll!(close.as_mut()).is_pending());
    assert_eq!(store.write(put("late")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.read(|tx| tx.agents()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    release.send(()).unwrap();
    close.await.unwrap();
    for write in queued {
        write.await.unwrap();
    }
    holder.join().unwrap().unwrap();
    store.close().await.unwrap();
    store.close_blocking().unwrap();
    let again = root.open();
    assert_eq!(again.read_blocking(|tx| tx.last_seq(&main_agent(), &session("s"))).unwrap(), 40);
}

#[test]
fn the_last_handle_may_be_dropped_by_the_writer_itself() {
    let root = Root::new();
    let store = root.open();
    let (release, wait) = mpsc::channel::<()>();
    let inside = store.clone();
    let (started, running) = mpsc::channel();
    let caller = store.clone();
    let call = thread::spawn(move || {
        let write = caller.write_blocking(move |tx| {
            started.send(()).unwrap();
            wait.recv().unwrap();
            tx.kv_put("test", "a", &1)?;
            drop(inside);
            Ok(())
        });
        write.unwrap();
    });
    running.recv().unwrap();
    drop(store);
    release.send(()).unwrap();
    call.join().unwrap();
    assert_eq!(keys(&root.open()), ["a"]);
}

#[tokio::test]
async fn reads_see_one_state() {
    let root = Root::new();
    let store = root.open();
    store.write(put("a")).await.unwrap();
    let writer = store.clone();
    store
        .read(move |tx| {
            assert_eq!(tx.kv_list::<i64>("test")?.len(), 1);
            writer.write_blocking(put("b"))?;
            assert_eq!(tx.kv_list::<i64>("test")?.len(), 1);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(keys(&store), ["a", "b"]);
}

#[tokio::test]
async fn a_panicking_read_harms_nobody() {
    let root = Root::new();
    let store = root.open();
    let error = store.read(|_| -> Result<()> { panic!("on purpose") }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(store.read(|tx| tx.agents()).await.unwrap().is_empty());
}
