//! The handle: opening, writing, reading, closing.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake};
use std::thread::{JoinHandle, Thread};

use tokio::sync::{Semaphore, oneshot};

use super::error::StateError;
use super::files::{self, DatabaseFile};
use super::foreign;
use super::job::{Typed, panic_text};
use super::lock::InstanceLock;
use super::paths::StatePaths;
use super::readers::Readers;
use super::tx::{ReadTx, WriteTx};
use super::writer::{Message, Writer};
use super::{connection, migrate};
use crate::core::{Error, Result};

/// Writes that may wait for the writer thread; further callers wait for a place.
const QUEUE: usize = 1024;

/// How to open.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Wait for the disk at every commit (`state.durability: "full"`), so that not even power loss undoes it.
    pub durability_full: bool,
    /// Whether to write.
    pub access: Access,
}

/// Who may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Takes the instance lock; starts the writer thread; migrates.
    Write,
    /// Read-only connections, no lock, never creates or migrates; a missing database is `NotFound`.
    Read,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { durability_full: false, access: Access::Write }
    }
}

/// Handle to the database; cheap to clone. Dropping the last one closes the database like [`Store::close`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    schema_version: i64,
    readers: Arc<Readers>,
    writer: Option<WriterHandle>,
}

struct WriterHandle {
    /// `None` only while the last handle is being dropped.
    queue: Option<mpsc::Sender<Message>>,
    places: Arc<Semaphore>,
    /// `None` once the thread has been joined.
    thread: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens (and with `Access::Write` creates and migrates) the database. Takes the same time whatever its size.
    ///
    /// Errors: in use by another gateway (`Conflict`, names the pid if known), no database (`NotFound`, only with
    /// `Access::Read`), and of kind `State`: read-only directory, full disk, newer schema (only with
    /// `Access::Write`), older schema (only with `Access::Read`), another program's database, not a database, damaged.
    pub fn open(paths: &StatePaths, options: &OpenOptions) -> Result<Store> {
        let inner = match options.access {
            Access::Write => Inner::open_for_writing(paths, options.durability_full)?,
            Access::Read => Inner::open_for_reading(paths)?,
        };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Runs `op` on the writer thread in its own savepoint inside a group commit; resolves after COMMIT.
    ///
    /// An error or panic of `op` rolls back only its own changes. If the commit fails (full disk) every operation in
    /// the group gets that error. Dropping the future does not call the write back. `op` must not use the store.
    pub async fn write<T, F>(&self, op: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T> + Send + 'static,
    {
        let writer = self.inner.writer.as_ref().ok_or(StateError::OpenedForReading)?;
        let queue = writer.queue.as_ref().ok_or(StateError::Closed)?;
        let closed = |_closed| StateError::Closed;
        let place = Arc::clone(&writer.places).acquire_owned().await.map_err(closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send(Message::Run(Box::new(Typed::new(op, reply, place)))).map_err(|_unsent| StateError::Closed)?;
        answer.await.map_err(|_unanswered| StateError::Closed)?
    }

    /// [`Store::write`] for callers without a runtime. Blocks the thread.
    pub fn write_blocking<T, F>(&self, op: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T> + Send + 'static,
    {
        block_on(self.write(op))
    }

    /// Runs `op` on a pooled read-only connection, off the async threads. Needs a tokio runtime.
    pub async fn read<T, F>(&self, op: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T> + Send + 'static,
    {
        let readers = Arc::clone(&self.inner.readers);
        let _place = self.inner.readers.places.acquire().await.map_err(|_closed| StateError::Closed)?;
        match tokio::task::spawn_blocking(move || readers.run(op)).await {
            Ok(outcome) => outcome,
            Err(stopped) => Err(match stopped.try_into_panic() {
                Ok(panic) => StateError::Panicked { detail: panic_text(panic.as_ref()) },
                Err(_cancelled) => StateError::Closed,
            }
            .into()),
        }
    }

    /// [`Store::read`] on the caller's own thread.
    pub fn read_blocking<T, F>(&self, op: F) -> Result<T>
    where
        F: FnOnce(&ReadTx<'_>) -> Result<T>,
    {
        self.inner.readers.run(op)
    }

    /// Finishes queued writes, checkpoints (TRUNCATE), closes, releases the lock. Idempotent; later reads and writes
    /// fail with `Unavailable`.
    pub async fn close(&self) -> Result<()> {
        self.inner.readers.close();
        let Some(writer) = &self.inner.writer else { return Ok(()) };
        writer.places.close();
        let mut thread = writer.thread.lock().await;
        if thread.is_none() {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        let outcome = match &writer.queue {
            Some(queue) if queue.send(Message::Close(reply)).is_ok() => answer.await.unwrap_or(Ok(())),
            _ => Ok(()),
        };
        if let Some(thread) = thread.take() {
            join(thread);
        }
        Ok(outcome?)
    }

    /// [`Store::close`] for callers without a runtime. Blocks the thread.
    pub fn close_blocking(&self) -> Result<()> {
        block_on(self.close())
    }

    /// Path of the database file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Schema version of the open database.
    pub fn schema_version(&self) -> i64 {
        self.inner.schema_version
    }

    /// Why opening this database for writing would be refused, if its schema is of a later version; reading is not.
    pub fn write_refusal(&self) -> Option<Error> {
        (self.inner.schema_version > migrate::LATEST).then(|| {
            let (path, found) = (self.inner.path.clone(), self.inner.schema_version);
            StateError::NewerSchema { path, found, supported: migrate::LATEST }.into()
        })
    }
}

impl Inner {
    fn open_for_writing(paths: &StatePaths, durability_full: bool) -> Result<Self, StateError> {
        let directory = files::prepare_directory(&paths.state_dir())?;
        let path = directory.join(paths.database().file_name().unwrap_or_default());
        let lock = InstanceLock::acquire(&directory)?;
        let file = files::inspect(&path)?;
        match file {
            DatabaseFile::Missing => files::create_database(&path)?,
            DatabaseFile::Empty => {}
            DatabaseFile::Present => refuse_foreign(&path)?,
        }
        files::make_database_private(&path)?;
        if file != DatabaseFile::Present {
            connection::initialise(&path)?;
        }
        let mut writing = connection::open_writer(&path, durability_full)?;
        let found = migrate::version(&writing)?;
        if found > migrate::LATEST {
            return Err(StateError::NewerSchema { path, found, supported: migrate::LATEST });
        }
        if found < migrate::LATEST {
            migrate::run(&mut writing)?;
        }
        let (queue, messages) = mpsc::channel();
        let writer = Writer::new(writing, lock, messages)?;
        let thread = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StateError::file("start the writer of", &path, &error))?;
        Ok(Self {
            readers: Arc::new(Readers::new(&path)),
            path,
            schema_version: migrate::LATEST,
            writer: Some(WriterHandle {
                queue: Some(queue),
                places: Arc::new(Semaphore::new(QUEUE)),
                thread: tokio::sync::Mutex::new(Some(thread)),
            }),
        })
    }

    fn open_for_reading(paths: &StatePaths) -> Result<Self, StateError> {
        let database = paths.database();
        if files::inspect(&database)? != DatabaseFile::Present {
            return Err(StateError::Missing { path: database });
        }
        let path = files::resolve(&paths.state_dir())?.join(database.file_name().unwrap_or_default());
        refuse_foreign(&path)?;
        let reading = connection::open_reader(&path)?;
        let found = migrate::version(&reading)?;
        if found < migrate::LATEST {
            return Err(StateError::OlderSchema { path, found, supported: migrate::LATEST });
        }
        let readers = Readers::new(&path);
        readers.keep(reading);
        Ok(Self { path, schema_version: found, readers: Arc::new(readers), writer: None })
    }
}

fn refuse_foreign(path: &Path) -> Result<(), StateError> {
    match foreign::refusal(path, &foreign::probe(path)?) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.readers.close();
        let Some(writer) = &mut self.writer else { return };
        writer.queue = None;
        if let Some(thread) = writer.thread.get_mut().take() {
            join(thread);
        }
    }
}

/// Waits for the writer thread, unless this is it (an operation that owned the last handle).
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() == std::thread::current().id() {
        return;
    }
    if let Err(panic) = thread.join() {
        tracing::error!(panic = panic_text(panic.as_ref()), "the state writer stopped unexpectedly");
    }
}

/// Waits on this thread for a future that needs no runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
