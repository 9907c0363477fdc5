//! Figures, printed on request: `cargo test --release --lib projection::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::support::{Sandbox, Tree};

fn small_files(count: usize) -> Tree {
    let mut tree = Tree::new();
    for directory in 0..count.div_ceil(100) {
        tree.insert(format!("d{directory:03}"), (0o755, None));
    }
    for file in 0..count {
        let byte = file.to_le_bytes()[0];
        tree.insert(format!("d{:03}/f{file:05}", file / 100), (0o644, Some(vec![byte; 4096])));
    }
    tree
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "figures are printed")]
fn round_trip() {
    for count in [0, 1000, 10_000] {
        let tree = small_files(count);
        let mut rounds: Vec<[f64; 2]> = Vec::new();
        for _ in 0..7 {
            let start = Instant::now();
            let sandbox = Sandbox::new(&tree);
            let projected = start.elapsed();
            let start = Instant::now();
            for file in 0..count / 50 {
                sandbox.write(&format!("d{:03}/f{:05}", file / 100, file), "edited");
            }
            let start_scan = Instant::now();
            let changes = sandbox.changes();
            assert_eq!(changes.changes.len(), count / 50);
            assert!(start_scan >= start);
            rounds.push([projected.as_secs_f64() * 1e3, start_scan.elapsed().as_secs_f64() * 1e3]);
        }
        rounds.sort_by(|one, other| one.iter().sum::<f64>().total_cmp(&other.iter().sum()));
        let [least, middle] = [rounds[0], rounds[rounds.len() / 2]];
        println!(
            "{count:6} files: in {:.1} back {:.1} ms (least), in {:.1} back {:.1} ms (middle)",
            least[0], least[1], middle[0], middle[1]
        );
    }
}
