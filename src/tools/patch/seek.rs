//! Where in a file a few lines are, compared more and more loosely.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

/// Comparisons of lines for one patch. Real patches need about as many as they have lines; a patch that needs this many names lines
/// that are in the file over and over.
const MAX_COMPARISONS: u64 = 50_000_000;

/// How lines are compared, strictest first.
const LEVELS: [fn(&str) -> Cow<'_, str>; 4] =
    [|line| line.into(), |line| line.trim_end().into(), |line| line.trim().into(), |line| plain(line.trim())];

/// Why nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The lines are not there.
    NotThere,
    /// [`MAX_COMPARISONS`] were made.
    TooMuchWork,
}

/// Comparisons that are left for a patch.
pub(super) struct Budget(Cell<u64>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_COMPARISONS))
    }
}

impl Budget {
    fn spend(&self) -> Result<(), Missing> {
        self.0.set(self.0.get().checked_sub(1).ok_or(Missing::TooMuchWork)?);
        Ok(())
    }
}

/// The lines of a file, ready to be searched many times.
pub(super) struct Searcher<'t> {
    lines: &'t [&'t str],
    levels: [OnceCell<Level<'t>>; 4],
    budget: &'t Budget,
}

/// The lines in the form of one level: equal lines have equal numbers.
struct Level<'t> {
    numbers: HashMap<Cow<'t, str>, usize>,
    /// The number of each line.
    line: Vec<usize>,
    /// Where the line of a number is, ascending.
    places: Vec<Vec<usize>>,
}

impl<'t> Searcher<'t> {
    pub(super) fn new(lines: &'t [&'t str], budget: &'t Budget) -> Self {
        Self { lines, levels: Default::default(), budget }
    }

    /// The first place at or after `from` where `wanted` is; at the end of the file first if `at_end`.
    pub(super) fn find(&self, wanted: &[&str], from: usize, at_end: bool) -> Result<usize, Missing> {
        if wanted.is_empty() {
            return Ok(from.min(self.lines.len()));
        }
        let Some(last) = self.lines.len().checked_sub(wanted.len()).filter(|last| *last >= from) else {
            return Err(Missing::NotThere);
        };
        if at_end {
            for (level, _) in LEVELS.iter().enumerate() {
                if self.is_at(level, wanted, last)? {
                    return Ok(last);
                }
            }
        }
        for (level, _) in LEVELS.iter().enumerate() {
            if let Some(found) = self.find_at_level(level, wanted, from, last)? {
                return Ok(found);
            }
        }
        Err(Missing::NotThere)
    }

    fn is_at(&self, level: usize, wanted: &[&str], at: usize) -> Result<bool, Missing> {
        for (offset, line) in wanted.iter().enumerate() {
            self.budget.spend()?;
            if LEVELS[level](line) != LEVELS[level](self.lines[at + offset]) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Starts from the wanted line that the file has least often.
    fn find_at_level(&self, index: usize, wanted: &[&str], from: usize, last: usize) -> Result<Option<usize>, Missing> {
        let level = self.level(index);
        let mut numbers = Vec::with_capacity(wanted.len());
        for line in wanted {
            match level.numbers.get(&LEVELS[index](line)) {
                Some(number) => numbers.push(*number),
                None => return Ok(None),
            }
        }
        let candidates = |offset: usize| {
            let places = &level.places[numbers[offset]];
            let (low, high) = (from + offset, last + offset);
            &places[places.partition_point(|place| *place < low)..places.partition_point(|place| *place <= high)]
        };
        let Some(rarest) = (0..wanted.len()).min_by_key(|offset| candidates(*offset).len()) else { return Ok(None) };
        for place in candidates(rarest) {
            let start = place - rarest;
            let mut equal = true;
            for (offset, number) in numbers.iter().enumerate() {
                self.budget.spend()?;
                if level.line[start + offset] != *number {
                    equal = false;
                    break;
                }
            }
            if equal {
                return Ok(Some(start));
            }
        }
        Ok(None)
    }

    fn level(&self, index: usize) -> &Level<'t> {
        self.levels[index].get_or_init(|| {
            let mut level =
                Level { numbers: HashMap::new(), line: Vec::with_capacity(self.lines.len()), places: Vec::new() };
            for (at, line) in self.lines.iter().enumerate() {
                let next = level.places.len();
                let number = *level.numbers.entry(LEVELS[index](line)).or_insert(next);
                if number == next {
                    level.places.push(Vec::new());
                }
                level.places[number].push(at);
                level.line.push(number);
            }
            level
        })
    }
}

/// With plain dashes, quotes and spaces for the typographic ones that models write, or fail to write.
fn plain(line: &str) -> Cow<'_, str> {
    if line.is_ascii() {
        return line.into();
    }
    line.chars()
        .map(|character| match character {
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
            '\u{2018}'..='\u{201b}' | '\u{2032}' => '\'',
            '\u{201c}'..='\u{201f}' | '\u{2033}' => '"',
            '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
            other => other,
        })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(lines: &[&str], wanted: &[&str], from: usize, at_end: bool) -> Result<usize, Missing> {
        Searcher::new(lines, &Budget::default()).find(wanted, from, at_end)
    }

    #[test]
    fn strict_comes_before_loose_wherever_it_is() {
        assert_eq!(find(&["a ", "a"], &["a"], 0, false), Ok(1));
        assert_eq!(find(&["  a", "a  "], &["a"], 0, false), Ok(1));
        assert_eq!(find(&["x", "\ta "], &["a"], 0, false), Ok(1));
        assert_eq!(find(&["x", "\u{201c}a\u{201d}\u{a0}\u{2014} b"], &["\"a\" - b"], 0, false), Ok(1));
        assert_eq!(find(&["\"a\" - b"], &["\u{201c}a\u{201d} \u{2013} b"], 0, false), Ok(0));
        assert_eq!(find(&["A"], &["a"], 0, false), Err(Missing::NotThere));
    }

    #[test]
    fn from_and_end_are_obeyed() {
        let lines = ["a", "b", "a", "b", "c"];
        assert_eq!(find(&lines, &["a", "b"], 0, false), Ok(0));
        assert_eq!(find(&lines, &["a", "b"], 1, false), Ok(2));
        assert_eq!(find(&lines, &["a", "b"], 3, false), Err(Missing::NotThere));
        assert_eq!(find(&["a", "b", "a"], &["a"], 0, true), Ok(2));
        assert_eq!(find(&["a", "b"], &["a"], 0, true), Ok(0), "not at the end, so the first one");
        assert_eq!(find(&["a"], &["a", "b"], 0, true), Err(Missing::NotThere), "longer than the file");
        assert_eq!((find(&["a"], &[], 0, false), find(&[], &[], 3, false)), (Ok(0), Ok(0)));
    }

    #[test]
    fn hopeless_searches_end() {
        let lines = vec!["x"; 20_000];
        let mut wanted = vec!["x"; 9_999];
        wanted.push("x ");
        assert_eq!(find(&lines, &wanted, 0, false), Ok(0), "equal but for white space");
        // Both lines are everywhere, and never in this order.
        let lines: Vec<&str> = (0..40_000).map(|at| if at % 4_000 == 0 { "y" } else { "x" }).collect();
        let wanted: Vec<&str> = (0..8_000).map(|at| if at % 3_999 == 3_998 { "y" } else { "x" }).collect();
        assert_eq!(find(&lines, &wanted, 0, false), Err(Missing::NotThere));
        let half = vec!["x"; 40_000];
        let searcher_budget = Budget(Cell::new(1000));
        assert_eq!(Searcher::new(&half, &searcher_budget).find(&half[..2000], 0, false), Err(Missing::TooMuchWork));
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            lines in prop::collection::vec("[ab ]{0,2}", 0..30), wanted in prop::collection::vec("[ab ]{0,2}", 1..4), from in 0_usize..32,
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let naive = LEVELS.iter().find_map(|form| {
                (from..(lines.len() + 1).saturating_sub(wanted.len()))
                    .find(|at| wanted.iter().enumerate().all(|(offset, line)| form(line) == form(lines[at + offset])))
            });
            prop_assert_eq!(find(&lines, &wanted, from, false).ok(), naive);
        }
    }
}
