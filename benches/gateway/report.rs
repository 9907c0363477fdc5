//! Collects figures and prints the table.

use std::collections::BTreeMap;

use crate::rows::{ROWS, Row, Unit};
use crate::stats::median;
use crate::subject::Subject;

/// Figures of all rounds.
pub(crate) struct Report<'s> {
    subjects: &'s [Subject],
    /// By row, then by subject: round and figure.
    figures: BTreeMap<&'static str, Vec<Vec<(usize, f64)>>>,
    failures: Vec<String>,
}

impl<'s> Report<'s> {
    pub(crate) fn new(subjects: &'s [Subject]) -> Self {
        Self { subjects, figures: BTreeMap::new(), failures: Vec::new() }
    }

    /// The figures of one run.
    pub(crate) fn add(&mut self, place: usize, round: usize, figures: &[(&'static str, f64)]) {
        for (id, figure) in figures {
            assert!(ROWS.iter().any(|row| row.id == *id), "no row {id}");
            let by_subject = self.figures.entry(id).or_insert_with(|| vec![Vec::new(); self.subjects.len()]);
            by_subject[place].push((round, *figure));
        }
    }

    /// A run that gave none.
    pub(crate) fn failed(&mut self, place: usize, group: &str, problem: &str) {
        let text = format!("{} of {}: {problem}", group, self.subjects[place].label);
        if !self.failures.contains(&text) {
            self.failures.push(text);
        }
    }

    pub(crate) fn print(&self, before: &str, after: &str) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!("\n{} · {cores} cores · load {before} before, {after} after", self.subjects[0].version);
        println!("median and best of the rounds; every figure includes the load generator's share of the same cores\n");
        print!("{:<60} {:>12} {:>12} {:>12}  {:<4}", "what", "budget", "median", "best", "");
        for peer in &self.subjects[1..] {
            print!("  {:>24}", peer.label);
        }
        println!();
        for row in ROWS {
            let Some(by_subject) = self.figures.get(row.id) else { continue };
            let ours: Vec<f64> = by_subject[0].iter().map(|(_, figure)| *figure).collect();
            if ours.is_empty() {
                continue;
            }
            print!("{:<60} {:>12}", row.what, budget(row));
            let middle = median(&ours);
            print!(
                " {:>12} {:>12}  {:<4}",
                show(middle, row.unit),
                show(best(&ours, row), row.unit),
                mark(middle, row)
            );
            for theirs in &by_subject[1..] {
                print!("  {:>24}", compare(&by_subject[0], theirs, row.unit));
            }
            println!();
        }
        for failure in &self.failures {
            println!("not measured: {failure}");
        }
        if self.subjects.len() > 1 {
            println!("\nratios are ours ÷ theirs, except for rates (theirs ÷ ours): below 1 ours is better");
        }
    }
}

fn higher_is_better(unit: Unit) -> bool {
    unit == Unit::PerSecond
}

fn best(figures: &[f64], row: &Row) -> f64 {
    let pick = if higher_is_better(row.unit) { f64::max } else { f64::min };
    figures.iter().copied().reduce(pick).unwrap_or_default()
}

fn mark(figure: f64, row: &Row) -> &'static str {
    match row.budget {
        None => "",
        Some(budget) if higher_is_better(row.unit) && figure >= budget => "ok",
        Some(budget) if !higher_is_better(row.unit) && figure <= budget => "ok",
        Some(_) => "OVER",
    }
}

fn budget(row: &Row) -> String {
    let sign = if higher_is_better(row.unit) { "≥" } else { "≤" };
    row.budget.map_or_else(String::new, |budget| format!("{sign} {}", show(budget, row.unit)))
}

/// Their figure and the median over the rounds' own ratios.
fn compare(ours: &[(usize, f64)], theirs: &[(usize, f64)], unit: Unit) -> String {
    if theirs.is_empty() {
        return "–".to_owned();
    }
    let middle = show(median(&theirs.iter().map(|(_, figure)| *figure).collect::<Vec<_>>()), unit);
    let ratios: Vec<f64> = ours
        .iter()
        .filter_map(|(round, figure)| {
            let (_, their) = theirs.iter().find(|(other, _)| other == round)?;
            let (above, below) = if higher_is_better(unit) { (*their, *figure) } else { (*figure, *their) };
            (below > 0.0).then(|| above / below)
        })
        .collect();
    if ratios.is_empty() { middle } else { format!("{middle} ({:.2}×)", median(&ratios)) }
}

fn show(figure: f64, unit: Unit) -> String {
    match unit {
        Unit::Ms if figure >= 100.0 => format!("{figure:.0} ms"),
        Unit::Ms if figure >= 10.0 => format!("{figure:.1} ms"),
        Unit::Ms if figure >= 1.0 => format!("{figure:.2} ms"),
        Unit::Ms => format!("{figure:.3} ms"),
        Unit::Us => format!("{figure:.0} µs"),
        Unit::MegaBytes => format!("{figure:.1} MB"),
        Unit::Bytes => format!("{} B", grouped(figure)),
        Unit::PerSecond => format!("{}/s", grouped(figure)),
        Unit::Ticks => format!("{figure:.0}"),
        Unit::Times => format!("{figure:.2}×"),
    }
}

fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
