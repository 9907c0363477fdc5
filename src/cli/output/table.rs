//! Borderless tables that fit the terminal, and tab-separated lines when piped.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::style::Meaning;
use super::text::one_line;

/// Gap between two columns.
const GAP: &str = "  ";
/// A column is not shortened below this many cells of the terminal.
const NARROWEST: usize = 8;
/// Longest text of one cell before the table looks at the terminal's width.
const LONGEST_CELL: usize = 200;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    header: &'static str,
    right: bool,
    shrink: Shrink,
    priority: u8,
}

/// How a column may become narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shrink {
    No,
    Middle,
    End,
}

impl Column {
    /// A column that stays whole and is never dropped.
    pub(crate) const fn new(header: &'static str) -> Self {
        Self { header, right: false, shrink: Shrink::No, priority: 0 }
    }

    /// Numbers: aligned to the right.
    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Ids: shortened in the middle when space is scarce.
    pub(crate) const fn id(mut self) -> Self {
        self.shrink = Shrink::Middle;
        self
    }

    /// Text: shortened at its end when space is scarce.
    pub(crate) const fn text(mut self) -> Self {
        self.shrink = Shrink::End;
        self
    }

    /// May be dropped when space is scarce; the highest number goes first.
    pub(crate) const fn optional(mut self, order: u8) -> Self {
        self.priority = order;
        self
    }
}

/// One value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    shown: String,
    full: Option<String>,
    meaning: Option<Meaning>,
}

impl Cell {
    /// A value.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self { shown: one_line(text.as_ref(), LONGEST_CELL), full: None, meaning: None }
    }

    /// What a pipe gets instead of the short form shown in a terminal.
    pub(crate) fn full(mut self, text: impl AsRef<str>) -> Self {
        self.full = Some(one_line(text.as_ref(), usize::MAX));
        self
    }

    /// Colour.
    pub(crate) fn meaning(mut self, meaning: Meaning) -> Self {
        self.meaning = Some(meaning);
        self
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawing {
    /// Columns of the terminal; `None` = as wide as it gets.
    pub(crate) width: Option<usize>,
    /// Colour.
    pub(crate) colour: bool,
    /// Tab-separated full values.
    pub(crate) tabs: bool,
}

/// Rows below headers.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut cells: Vec<Cell> = cells.into_iter().take(self.columns.len()).collect();
        cells.resize_with(self.columns.len(), Cell::default);
        self.rows.push(cells);
    }

    /// The table as text, without a line feed at its end.
    pub(crate) fn draw(&self, drawing: Drawing) -> String {
        if drawing.tabs { self.draw_tabs() } else { self.draw_columns(drawing) }
    }

    fn draw_tabs(&self) -> String {
        let header = self.columns.iter().map(|column| column.header.to_lowercase()).collect::<Vec<_>>().join("\t");
        let rows = self.rows.iter().map(|row| {
            row.iter().map(|cell| cell.full.as_deref().unwrap_or(&cell.shown)).collect::<Vec<_>>().join("\t")
        });
        std::iter::once(header).chain(rows).collect::<Vec<_>>().join("\n")
    }

    fn draw_columns(&self, drawing: Drawing) -> String {
        let widths = self.widths(drawing.width);
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        let header: Vec<Cell> =
            self.columns.iter().map(|column| Cell::new(column.header).meaning(Meaning::Dim)).collect();
        for row in std::iter::once(&header).chain(&self.rows) {
            lines.push(self.line(row, &widths, drawing.colour));
        }
        lines.join("\n")
    }

    fn line(&self, row: &[Cell], widths: &[Option<usize>], colour: bool) -> String {
        let mut line = String::new();
        let last = widths.iter().rposition(Option::is_some);
        for (index, ((column, cell), width)) in self.columns.iter().zip(row).zip(widths).enumerate() {
            let Some(width) = *width else { continue };
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let text = shorten(&cell.shown, width, column.shrink);
            let padding = " ".repeat(width.saturating_sub(text.width()));
            let painted = cell.meaning.map_or_else(|| text.clone(), |meaning| meaning.paint(&text, colour));
            if column.right {
                line.push_str(&padding);
                line.push_str(&painted);
            } else {
                line.push_str(&painted);
                if Some(index) != last {
                    line.push_str(&padding);
                }
            }
        }
        line.trim_end().to_owned()
    }

    /// Width of each column; `None` = dropped.
    fn widths(&self, limit: Option<usize>) -> Vec<Option<usize>> {
        let mut widths: Vec<Option<usize>> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.shown.width());
                Some(cells.chain(std::iter::once(column.header.width())).max().unwrap_or(0))
            })
            .collect();
        let Some(limit) = limit else { return widths };
        loop {
            let excess = total(&widths).saturating_sub(limit);
            if excess == 0 {
                return widths;
            }
            if self.slack(&widths) >= excess || !self.drop_one(&mut widths) {
                self.squeeze(&mut widths, excess);
                return widths;
            }
        }
    }

    /// How much the shown columns can give without being dropped.
    fn slack(&self, widths: &[Option<usize>]) -> usize {
        self.columns
            .iter()
            .zip(widths)
            .filter(|(column, _)| column.shrink != Shrink::No)
            .filter_map(|(_, width)| width.map(|width| width.saturating_sub(NARROWEST)))
            .sum()
    }

    fn drop_one(&self, widths: &mut [Option<usize>]) -> bool {
        let victim = self
            .columns
            .iter()
            .enumerate()
            .filter(|(index, column)| column.priority > 0 && widths.get(*index).is_some_and(Option::is_some))
            .max_by_key(|(_, column)| column.priority)
            .map(|(index, _)| index);
        let Some(width) = victim.and_then(|index| widths.get_mut(index)) else { return false };
        *width = None;
        true
    }

    /// Takes `excess` cells from the widest shrinkable columns, one at a time.
    fn squeeze(&self, widths: &mut [Option<usize>], excess: usize) {
        for _ in 0..excess {
            let widest = self
                .columns
                .iter()
                .zip(widths.iter_mut())
                .filter(|(column, _)| column.shrink != Shrink::No)
                .filter_map(|(_, width)| width.as_mut())
                .filter(|width| **width > NARROWEST)
                .max_by_key(|width| **width);
            match widest {
                Some(width) => *width -= 1,
                None => return,
            }
        }
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown: Vec<usize> = widths.iter().flatten().copied().collect();
    shown.iter().sum::<usize>() + GAP.len() * shown.len().saturating_sub(1)
}

/// The text in at most `width` cells.
fn shorten(text: &str, width: usize, shrink: Shrink) -> String {
    if text.width() <= width || shrink == Shrink::No {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let tail_room = if shrink == Shrink::Middle { room / 2 } else { 0 };
    let head = take_cells(text.chars(), room - tail_room);
    let tail: String = take_cells(text.chars().rev(), tail_room).chars().rev().collect();
    format!("{head}…{tail}")
}

fn take_cells(characters: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    characters
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Table {
        let mut table = Table::new([
            Column::new("KEY").id(),
            Column::new("UPDATED"),
            Column::new("TOKENS").right().optional(1),
            Column::new("TITLE").text().optional(2),
        ]);
        table.row(["agent:main:main", "4m ago", "1,204", "list the files here"].map(Cell::from));
        table.row([
            Cell::new("agent:main:explicit:0197").full("agent:main:explicit:0197-full"),
            "12d ago".into(),
            "7".into(),
            "日本語のタイトル".into(),
        ]);
        table
    }

    fn draw(width: Option<usize>) -> String {
        sample().draw(Drawing { width, colour: false, tabs: false })
    }

    #[test]
    fn wide_terminals_show_everything() {
        insta::assert_snapshot!(draw(None), @"
        KEY                       UPDATED  TOKENS  TITLE
        agent:main:main           4m ago    1,204  list the files here
        agent:main:explicit:0197  12d ago       7  日本語のタイトル
        ");
    }

    #[test]
    fn narrow_terminals_drop_then_shorten() {
        insta::assert_snapshot!(draw(Some(60)), @"
        KEY                     UPDATED  TOKENS  TITLE
        agent:main:main         4m ago    1,204  list the files here
        agent:main:…licit:0197  12d ago       7  日本語のタイトル
        ");
        insta::assert_snapshot!(draw(Some(30)), @"
        KEY            UPDATED  TOKENS
        agent:…n:main  4m ago    1,204
        agent:…t:0197  12d ago       7
        ");
    }

    #[test]
    fn pipes_get_full_values_and_tabs() {
        let text = sample().draw(Drawing { width: None, colour: false, tabs: true });
        assert_eq!(text.lines().next(), Some("key\tupdated\ttokens\ttitle"));
        assert!(text.contains("agent:main:explicit:0197-full\t12d ago\t7\t"));
    }

    proptest! {
        #[test]
        fn lines_fit_when_they_can(width in 30usize..120, titles in proptest::collection::vec(".{0,60}", 0..6)) {
            let mut table = Table::new([Column::new("KEY").id(), Column::new("TITLE").text().optional(1)]);
            for title in &titles {
                table.row([Cell::new("agent:main:main"), Cell::new(title)]);
            }
            for line in table.draw(Drawing { width: Some(width), colour: false, tabs: false }).lines() {
                prop_assert!(line.width() <= width, "{line:?} is wider than {width}");
            }
        }
    }
}
