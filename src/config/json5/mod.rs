//! A JSON5 reader that remembers where everything stood, so that errors can point at the text and edits can leave the rest
//! of it alone. Grammar: <https://spec.json5.org>. Values are the same as those of the `json5` crate, which the tests use
//! as an oracle.

mod node;
mod number;
mod parser;
mod print;
mod scan;
mod string;
#[cfg(test)]
mod tests;

pub(crate) use node::{Kind, Member, Node, Number, Span};
pub(crate) use parser::{Parsed, SyntaxError, parse};
pub(crate) use print::{Quote, Style, print_key, print_value};
pub(crate) use scan::{is_identifier, is_line_terminator, skip_trivia, skip_trivia_on_line};
