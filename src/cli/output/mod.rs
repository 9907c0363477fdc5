//! stdout and stderr: formats, colour, tables, times.

mod strip;
mod style;
mod table;
mod text;
mod time;
mod writer;

pub(crate) use strip::Strip;
pub(crate) use style::Meaning;
pub(crate) use table::{Cell, Column, Table};
pub(crate) use text::{bytes, clean, count, one_line, quantity};
pub(crate) use time::{absolute, clock_time, duration, relative};
pub(crate) use writer::{Format, Output, say, say_part};
