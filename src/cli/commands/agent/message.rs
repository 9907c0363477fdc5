//! What the person says: flag, file or stdin.

use std::io::IsTerminal as _;
use std::path::Path;

use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::core::{Error, ErrorKind, Result, limits};

/// The message; without a flag it is read from stdin, unless that is a terminal.
pub(super) fn read(context: &Context, flag: Option<String>, file: Option<&Path>) -> Result<String> {
    let max = limits::MAX_MESSAGE_BYTES as u64;
    let text = match (flag, file) {
        (Some(text), _) if text != "-" => text,
        (Some(_), _) => files::stdin_text(max, "message")?,
        (None, Some(path)) => files::read_text(path, &context.load.cwd, max, "message")?,
        (None, None) if !std::io::stdin().is_terminal() => files::stdin_text(max, "message")?,
        (None, None) => {
            return Err(Error::user("there is no message")
                .why("--message and --message-file are missing, and stdin is a terminal")
                .hint("openclaw agent -m \"hello\""));
        }
    };
    check(text)
}

fn check(text: String) -> Result<String> {
    if text.len() > limits::MAX_MESSAGE_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, "the message is larger than 4 MiB")
            .hint("put it into a file of the workspace and let the agent read that"));
    }
    if text.trim().is_empty() {
        return Err(Error::user("the message is empty")
            .why("there is nothing to answer")
            .hint("openclaw agent -m \"hello\""));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_huge_messages_are_refused() {
        assert_eq!(check(" \n".into()).expect_err("empty").kind(), ErrorKind::User);
        assert_eq!(check("x".repeat(limits::MAX_MESSAGE_BYTES + 1)).expect_err("huge").kind(), ErrorKind::TooLarge);
        assert_eq!(check("hi\n".into()).expect("fine"), "hi\n");
    }
}
