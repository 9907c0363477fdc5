//! All sections of a patch in order, on the files as they are, to one set of changes. Nothing is written here.

use std::collections::BTreeMap;
use std::rc::Rc;

use ring::digest::{SHA256, digest};

use super::apply::apply;
use super::seek::Budget;
use super::{Action, Chunk, Patch, PatchError, Section};
use crate::fs::{AgentFiles, EntryKind, Expected, FileChange, FsError, RelPath};
use crate::tools::support::{Failure, Job, Place, human_size, lookup};

/// Largest file that is updated.
const MAX_FILE: u64 = 128 * 1024 * 1024;
/// Bytes that all updates of a patch may go through, a file that is updated twice counting twice.
const MAX_WORK: u64 = 1024 * 1024 * 1024;

/// One file that a patch changes.
pub(in crate::tools) struct Planned {
    /// As people see it.
    pub(in crate::tools) shown: String,
    /// The other name that it had.
    pub(in crate::tools) moved_from: Option<String>,
    /// Content before, if it was there and could be read.
    pub(in crate::tools) before: Option<Vec<u8>>,
    /// Whether it was there.
    pub(in crate::tools) existed: bool,
    /// What to do.
    pub(in crate::tools) change: FileChange,
}

/// What the patch means for the files as they are. All of them are on one file system, which is given back.
pub(in crate::tools) fn plan(
    job: &Job,
    patch: &Patch,
) -> Result<(std::sync::Arc<dyn AgentFiles>, Vec<Planned>), Failure> {
    let mut planner = Planner { job, first: None, slots: BTreeMap::new(), work: MAX_WORK, budget: Budget::default() };
    for section in &patch.sections {
        job.check()?;
        planner.section(section)?;
    }
    let Some(place) = planner.first else { return Err(PatchError::Empty.into()) };
    let planned = planner.slots.into_iter().filter_map(|(path, slot)| slot.finish(&place, path)).collect();
    Ok((place.files, planned))
}

impl From<PatchError> for Failure {
    fn from(error: PatchError) -> Self {
        Failure::new(format!("{error}."))
    }
}

/// What was there before the patch.
enum Before {
    Missing,
    File(Rc<Vec<u8>>),
    /// A link, or too large to be held: it can be removed and not changed.
    Unread,
}

/// A file at some point of the patch.
struct Slot {
    before: Before,
    now: Option<Rc<Vec<u8>>>,
    mode_of: Option<RelPath>,
    moved_from: Option<String>,
}

impl Slot {
    fn finish(self, place: &Place, path: RelPath) -> Option<Planned> {
        let expected = match &self.before {
            Before::Missing => Expected::Absent,
            Before::File(data) => {
                let mut hash = [0; 32];
                hash.copy_from_slice(digest(&SHA256, data).as_ref());
                Expected::Sha256(hash)
            }
            Before::Unread => Expected::Anything,
        };
        let existed = !matches!(self.before, Before::Missing);
        let shown = place.show(&path);
        let change = match self.now {
            Some(data) => {
                let data = Rc::unwrap_or_clone(data);
                FileChange::Write { path, data, mode_of: self.mode_of, expected }
            }
            None if existed => FileChange::Remove { path, expected },
            // Added and removed by the same patch.
            None => return None,
        };
        let before = match self.before {
            Before::File(data) => Some(Rc::unwrap_or_clone(data)),
            _ => None,
        };
        Some(Planned { shown, moved_from: self.moved_from, before, existed, change })
    }
}

struct Planner<'a> {
    job: &'a Job,
    /// The place of the first section; the others are on the same file system.
    first: Option<Place>,
    slots: BTreeMap<RelPath, Slot>,
    work: u64,
    budget: Budget,
}

impl Planner<'_> {
    fn section(&mut self, section: &Section) -> Result<(), Failure> {
        let place = self.locate(&section.path)?;
        let path = place.path.clone();
        match &section.action {
            Action::Add { content } => {
                let slot = self.load(&place, true)?;
                if slot.now.is_none() && matches!(slot.before, Before::Unread) {
                    return Err(FsError::Symlink { path: place.to_string() }.into());
                }
                slot.now = Some(Rc::new(content.clone().into_bytes()));
            }
            Action::Delete => {
                let slot = self.load(&place, true)?;
                if slot.now.is_none() && !matches!(slot.before, Before::Unread) {
                    return Err(lookup(&place, FsError::NotFound { path: place.to_string() }));
                }
                *slot = Slot {
                    before: std::mem::replace(&mut slot.before, Before::Missing),
                    now: None,
                    mode_of: None,
                    moved_from: None,
                };
            }
            Action::Update { move_to, chunks } => {
                let slot = self.load(&place, false)?;
                let Some(data) = slot.now.clone() else {
                    return Err(lookup(&place, FsError::NotFound { path: place.to_string() }));
                };
                let data = if chunks.is_empty() { data } else { Rc::new(self.update(&place, &data, chunks)?) };
                match move_to {
                    Some(target) => self.rename(&place, target, data)?,
                    None => self.slot(&path)?.now = Some(data),
                }
            }
        }
        Ok(())
    }

    fn locate(&mut self, text: &str) -> Result<Place, Failure> {
        let place = self.job.locate(text)?;
        if place.path.is_root() {
            return Err(FsError::NotAFile { path: place.to_string(), what: "a directory" }.into());
        }
        match &self.first {
            Some(first) if !first.is_beside(&place) => Err(Failure::new(
                "A patch changes files of the workspace or scratch:/ files, not both. Send two patches.",
            )),
            Some(_) => Ok(place),
            None => {
                self.first = Some(place.clone());
                Ok(place)
            }
        }
    }

    /// What is at a place, read once. With `any`, also what is no text file: it can be removed.
    fn load(&mut self, place: &Place, any: bool) -> Result<&mut Slot, Failure> {
        if !self.slots.contains_key(&place.path) {
            let before = match place.files.read(&place.path, MAX_FILE) {
                Ok(data) => Before::File(Rc::new(data)),
                Err(FsError::NotFound { .. }) => Before::Missing,
                Err(FsError::TooLarge { .. }) if any => Before::Unread,
                // The link itself, not one on the way to it.
                Err(FsError::Symlink { .. })
                    if any && place.files.stat(&place.path).is_ok_and(|entry| entry.kind == EntryKind::Symlink) =>
                {
                    Before::Unread
                }
                Err(error) => return Err(error.into()),
            };
            let now = match &before {
                Before::File(data) => Some(Rc::clone(data)),
                _ => None,
            };
            self.slots.insert(place.path.clone(), Slot { before, now, mode_of: None, moved_from: None });
        }
        self.slot(&place.path)
    }

    fn slot(&mut self, path: &RelPath) -> Result<&mut Slot, Failure> {
        self.slots.get_mut(path).ok_or_else(|| FsError::NotFound { path: path.to_string() }.into())
    }

    fn update(&mut self, place: &Place, data: &[u8], chunks: &[Chunk]) -> Result<Vec<u8>, Failure> {
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.work = self.work.checked_sub(size).ok_or_else(|| {
            Failure::new(format!("The patch goes through more than {} of files. Split it.", human_size(MAX_WORK)))
        })?;
        let Ok(content) = std::str::from_utf8(data) else {
            return Err(Failure::new(format!("{place} is not UTF-8 text, so it cannot be patched.")));
        };
        apply(content, chunks, &self.budget)
            .map(String::into_bytes)
            .map_err(|(line, why)| PatchError::Chunk { path: place.to_string(), line, why }.into())
    }

    fn rename(&mut self, from: &Place, target: &str, data: Rc<Vec<u8>>) -> Result<(), Failure> {
        let to = self.locate(target)?;
        if to.path == from.path {
            self.slot(&from.path)?.now = Some(data);
            return Ok(());
        }
        let source = self.slot(&from.path)?;
        source.now = None;
        let mode_of = source.mode_of.take().or_else(|| {
            let existed = !matches!(source.before, Before::Missing);
            existed.then(|| from.path.clone())
        });
        let moved_from = source.moved_from.take().or_else(|| Some(from.to_string()));
        let slot = self.load(&to, false)?;
        slot.now = Some(data);
        slot.mode_of = mode_of;
        slot.moved_from = moved_from;
        Ok(())
    }
}
