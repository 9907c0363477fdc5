//! What the gateway costs, beside the budget of the product: `scripts/bench`.
//!
//! The program under test is the real binary as a process of its own on a state directory in a temporary place. This
//! process plays everybody around it, over loopback only: the model server that answers at once, the clients, the load.
//! Several programs (ours, an older build of ours, a peer's) are measured in turns within each round, so that a busy
//! moment of the machine hits all of them; ratios are medians over the rounds' own ratios.

#![expect(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, reason = "a program for developers")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures far below the limits of f64"
)]

mod fill;
mod home;
mod http;
mod measure;
mod options;
mod process;
mod provider;
mod report;
mod rows;
mod stats;
mod subject;
mod ws;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        print!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    let subjects = match subject::all(&options) {
        Ok(subjects) => subjects,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let before = process::load();
    let bench = measure::Bench::new(&options);
    let mut report = report::Report::new(&subjects);
    for group in rows::GROUPS {
        if !options.wants(group) {
            continue;
        }
        for round in 0..options.rounds(group) {
            eprintln!("… {} ({}/{})", group.name, round + 1, options.rounds(group));
            for (place, subject) in subjects.iter().enumerate() {
                if !(group.peers || subject.is_ours()) || (place != 0 && group.library) {
                    continue;
                }
                match (group.run)(&bench, subject) {
                    Ok(figures) => report.add(place, round, &figures),
                    Err(problem) => report.failed(place, group.name, &problem),
                }
            }
        }
    }
    report.print(&before, &process::load());
    ExitCode::SUCCESS
}
