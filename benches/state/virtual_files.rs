//! Virtual files: one look, one write, a whole tree out and its changes back.

use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

use openclaw::core::RunId;
use openclaw::fs::{
    AgentFiles, Moment, Namespace, RelPath, TreeChange, TreeSink, VfsLimits, VirtualAgentFs, WriteOptions,
};
use openclaw::state::{OpenOptions, Store};

use super::{percentile, root};

const FILE: usize = 4096;
const MIB: usize = 1024 * 1024;

/// Reads everything, keeps nothing: what a projection costs without whoever receives it.
struct Nowhere(u64);

impl TreeSink for Nowhere {
    fn directory(&mut self, _path: &RelPath, _mode: u32) -> std::io::Result<()> {
        Ok(())
    }

    fn file(&mut self, _path: &RelPath, _mode: u32, _size: u64, content: &mut dyn Read) -> std::io::Result<()> {
        self.0 += std::io::copy(content, &mut std::io::sink())?;
        Ok(())
    }
}

pub(crate) fn run() {
    let (_directory, paths) = root();
    let store = Store::open(&paths, &OpenOptions::default()).unwrap();
    for (agent, count) in [("small", 1_000_usize), ("large", 10_000)] {
        tree(&VirtualAgentFs::new(store.clone(), agent.into(), Namespace::Workspace, VfsLimits::default()), count);
    }
    blobs(&VirtualAgentFs::new(store.clone(), "blobs".into(), Namespace::Workspace, VfsLimits::default()));
    store.close_blocking().unwrap();
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Content that no other file has, so that nothing is shared or left out as unchanged.
fn content(size: usize, seed: usize) -> Vec<u8> {
    let mut bytes = vec![b'x'; size];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}

/// 50 files in each directory.
fn name(number: usize) -> String {
    format!("src/module{:03}/file{number:05}.rs", number / 50)
}

fn times(count: usize, mut each: impl FnMut(usize)) -> Vec<Duration> {
    let measured = (0..count).map(|number| {
        let started = Instant::now();
        each(number);
        started.elapsed()
    });
    measured.collect()
}

fn tree(files: &VirtualAgentFs, count: usize) {
    let all = (0..count)
        .map(|number| TreeChange::File { path: path(&name(number)), mode: 0o644, data: content(FILE, number) })
        .collect();
    let base = files.project(&mut Nowhere(0)).unwrap();
    let started = Instant::now();
    files.apply(&base, all, None).unwrap();
    println!("vfs, {count} files of 4 KiB: insert all, one change {:.1?}", started.elapsed());

    let mut one_by_one = times(500, |number| {
        let data = content(FILE, count + number);
        files.write(&path(&name(number)), data, None, &WriteOptions::default()).unwrap();
    });
    println!("vfs, {count} files: replace one, a change each p50 {:.1?}", percentile(&mut one_by_one, 50));
    let mut unchanged = times(500, |number| {
        let data = content(FILE, count + number);
        files.write(&path(&name(number)), data, None, &WriteOptions::default()).unwrap();
    });
    println!("vfs, {count} files: write what is there p50 {:.1?}", percentile(&mut unchanged, 50));

    let mut point = times(2000, |number| {
        black_box(files.read(&path(&name(number * 7 % count)), u64::MAX).unwrap());
    });
    println!("vfs, {count} files: point read p50 {:.1?}", percentile(&mut point, 50));
    let mut stat = times(2000, |number| {
        black_box(files.stat(&path(&name(number * 7 % count))).unwrap());
    });
    println!("vfs, {count} files: stat p50 {:.1?}", percentile(&mut stat, 50));
    let mut list = times(200, |number| {
        black_box(files.list_bounded(&path(&format!("src/module{:03}", number % (count / 50))), 1000).unwrap());
    });
    println!("vfs, {count} files: list 50 entries p50 {:.1?}", percentile(&mut list, 50));
    let mut top = times(20, |_| {
        black_box(files.list_bounded(&path("src"), 1000).unwrap());
    });
    println!("vfs, {count} files: list the top of the tree p50 {:.1?}", percentile(&mut top, 50));
    let mut whole = times(10, |_| {
        black_box(files.tree_at(&RelPath::root(), &Moment::Now).unwrap());
    });
    println!("vfs, {count} files: list all p50 {:.1?}", percentile(&mut whole, 50));

    let mut project = times(10, |_| {
        let mut sink = Nowhere(0);
        assert!(files.project(&mut sink).unwrap().len() > count);
        assert_eq!(sink.0, (count * FILE) as u64);
    });
    println!("vfs, {count} files: project p50 {:.1?}", percentile(&mut project, 50));
    let mut seed = 1_000_000;
    for changes in [20, 120] {
        let mut applied = times(20, |round| {
            let base = files.project(&mut Nowhere(0)).unwrap();
            let set = (0..changes).map(|number| {
                seed += 1;
                let path = path(&name((round * changes + number) % count));
                TreeChange::File { path, mode: 0o644, data: content(FILE, seed) }
            });
            let report = files.apply(&base, set.collect(), Some(&RunId::from("bench"))).unwrap();
            assert_eq!(report.applied.len(), changes);
        });
        let projected = percentile(&mut project, 50);
        println!(
            "vfs, {count} files: project and apply {changes} changes p50 {:.1?} (less the projection {:.1?})",
            percentile(&mut applied, 50),
            percentile(&mut applied, 50).saturating_sub(projected)
        );
    }
    let started = Instant::now();
    files.rename(&path("src"), &path("moved"), openclaw::fs::virtual_fs::RenameOptions::default()).unwrap();
    println!("vfs, {count} files: rename the tree {:.1?}", started.elapsed());
    let started = Instant::now();
    let differences = files.diff(&Moment::Revision(1), &Moment::Now, &RelPath::root()).unwrap();
    println!("vfs, {count} files: diff of {} paths {:.1?}", differences.len(), started.elapsed());
    let started = Instant::now();
    files.restore(&RelPath::root(), &Moment::Revision(1)).unwrap();
    println!("vfs, {count} files: restore the first revision {:.1?}", started.elapsed());
}

fn blobs(files: &VirtualAgentFs) {
    let parents = WriteOptions { create_parents: true, ..WriteOptions::default() };
    for (what, size, rounds) in [("1 MiB", MIB, 50), ("64 MiB", 64 * MIB, 3)] {
        let at = |number: usize| path(&format!("{size}/{number}"));
        let mut write = times(rounds, |number| {
            files.write(&at(number), content(size, number), None, &parents).unwrap();
        });
        println!("vfs, {what}: write p50 {:.2?}", percentile(&mut write, 50));
        let mut read = times(rounds, |number| {
            assert_eq!(files.read(&at(number), u64::MAX).unwrap().len(), size);
        });
        println!("vfs, {what}: read p50 {:.2?}", percentile(&mut read, 50));
        let mut part = times(200, |number| {
            let offset = (number * 7_919 * 4096 % (size - 4096)) as u64;
            black_box(files.read_range(&at(number % rounds), &Moment::Now, offset, 4096).unwrap());
        });
        println!("vfs, {what}: 4 KiB somewhere in it p50 {:.1?}", percentile(&mut part, 50));
    }
}
