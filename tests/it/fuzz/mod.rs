//! Parsers of hostile input, fed with broken variants of good input: for a few seconds in the suite, or for as long as
//! `OPENCLAW_FUZZ_SECONDS` says. A target is a file beside this one; its seeds are the files of a folder below `tests/corpus`.

mod change_stream;
mod harness;
mod host_paths;
mod patch;
mod paths;
