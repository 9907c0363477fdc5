//! One file with its chunks made.

use super::error::shown;
use super::seek::{Budget, Missing, Searcher};
use super::text::Text;
use super::{Chunk, ChunkLine};

/// A chunk that does not fit: its line in the patch, and why.
pub(super) type Misfit = (usize, String);

/// The content with all chunks made, in order. The rest keeps its bytes; the last line ends with a line ending afterwards.
pub(super) fn apply(content: &str, chunks: &[Chunk], budget: &Budget) -> Result<String, Misfit> {
    let text = Text::new(content);
    let searcher = Searcher::new(&text.lines, budget);
    let mut output = Output { result: String::with_capacity(content.len() + 64), text: &text };
    output.result.push_str(text.mark);
    let mut position = 0;
    for chunk in chunks {
        let place = locate(&searcher, chunk, &text, position).map_err(|why| (chunk.line, why))?;
        output.keep(position, place.start);
        position = place.start;
        // Removed lines that no added line has taken the place of.
        let mut removed = position..position;
        for line in &chunk.lines[..place.used] {
            match line {
                ChunkLine::Keep(_) => {
                    output.keep(position, position + 1);
                    position += 1;
                    removed = position..position;
                }
                ChunkLine::Remove(_) => {
                    position += 1;
                    removed.end = position;
                }
                ChunkLine::Add(line) => output.add(line, removed.next().unwrap_or(position)),
            }
        }
    }
    output.keep(position, text.lines.len());
    Ok(output.finish())
}

/// Where a chunk is made.
struct Place {
    /// The first line that it names, or before which it adds.
    start: usize,
    /// How many of its lines count; blank ones at its end may not.
    used: usize,
}

fn locate(searcher: &Searcher<'_>, chunk: &Chunk, text: &Text<'_>, position: usize) -> Result<Place, String> {
    let mut from = position;
    for context in &chunk.contexts {
        let found = searcher.find(&[context.as_str()], from, false);
        from = 1 + found.map_err(|missing| not_found(missing, searcher, &[context], position, "The line after @@"))?;
    }
    let wanted: Vec<&str> = chunk.lines.iter().filter_map(ChunkLine::before).collect();
    let whole = chunk.lines.len();
    if wanted.is_empty() {
        // Lines are only added: after the context, or at the end when nothing else is said.
        return match (chunk.contexts.is_empty(), chunk.numbered, chunk.end_of_file) {
            (_, _, true) | (true, false, _) => Ok(Place { start: text.lines.len(), used: whole }),
            (false, ..) => Ok(Place { start: from, used: whole }),
            (true, true, false) => {
                Err("It only adds lines, and line numbers do not say where: give a line of the file \
                after @@, or unchanged lines around the added ones"
                    .to_owned())
            }
        };
    }
    let found = searcher.find(&wanted, from, chunk.end_of_file);
    // An empty line at the end of a chunk is often the blank line before the next marker, or the end of the file itself.
    let blank_end = match chunk.lines.last() {
        Some(ChunkLine::Keep(line) | ChunkLine::Remove(line)) => line.is_empty() && wanted.len() > 1,
        _ => false,
    };
    match found {
        Ok(start) => Ok(Place { start, used: whole }),
        Err(Missing::NotThere) if blank_end => searcher
            .find(&wanted[..wanted.len() - 1], from, chunk.end_of_file)
            .map(|start| Place { start, used: whole - 1 })
            .map_err(|missing| not_found(missing, searcher, &wanted, position, "These lines")),
        Err(missing) => Err(not_found(missing, searcher, &wanted, position, "These lines")),
    }
}

fn not_found(missing: Missing, searcher: &Searcher<'_>, wanted: &[&str], position: usize, what: &str) -> String {
    /// Lines of the chunk that are repeated in the message.
    const QUOTED: usize = 6;
    if missing == Missing::TooMuchWork {
        return "It names lines that are in the file very often, so the search was given up. Make the patch smaller, or \
            name lines that are rarer"
            .to_owned();
    }
    let mut quoted: Vec<String> = wanted.iter().take(QUOTED).map(|line| format!("  {}", shown(line))).collect();
    if wanted.len() > QUOTED {
        quoted.push(format!("  … ({} lines in all)", wanted.len()));
    }
    let quoted = quoted.join("\n");
    match searcher.find(wanted, 0, false) {
        Ok(earlier) if earlier < position => format!(
            "{what} are at line {}, before an earlier chunk's place; chunks go from the top of the file to its end:\n{quoted}",
            earlier + 1
        ),
        Ok(earlier) => format!("{what} are at line {}, but not below the line after @@:\n{quoted}", earlier + 1),
        Err(_) => format!("{what} are not in the file. Read it again and quote it exactly:\n{quoted}"),
    }
}

struct Output<'t> {
    result: String,
    text: &'t Text<'t>,
}

impl Output<'_> {
    /// Lines of the original as they are. Only the very last one can be without an ending; what follows it begins on a line of its own.
    fn keep(&mut self, from: usize, to: usize) {
        for index in from..to {
            self.result.push_str(self.text.lines[index]);
            self.result.push_str(self.ending(index));
        }
    }

    /// Another line, with the ending of the one at `at`, which it takes the place of or comes before; else of the one before it.
    fn add(&mut self, line: &str, at: usize) {
        self.result.push_str(line);
        let neighbour = if at < self.text.lines.len() { Some(at) } else { at.checked_sub(1) };
        self.result.push_str(neighbour.map_or(self.text.usual, |index| self.ending(index)));
    }

    fn ending(&self, index: usize) -> &'static str {
        match self.text.endings[index] {
            "" => self.text.usual,
            ending => ending,
        }
    }

    fn finish(self) -> String {
        self.result
    }
}
