//! What a turn asks the person in front of it: shown on the terminal, answered with a key.

use std::collections::VecDeque;
use std::io::{BufRead as _, IsTerminal as _};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cli::output::{Meaning, Output, clean, one_line};
use crate::runtime::approvals::Answer;

/// Longest command shown, in characters.
const MAX_COMMAND: usize = 4_000;

/// The questions of one turn.
pub(super) struct Questions {
    out: Output,
    /// A person can be asked here.
    interactive: bool,
    waiting: VecDeque<Value>,
    lines: Option<UnboundedReceiver<String>>,
}

impl Questions {
    pub(super) fn new(out: &Output) -> Self {
        let interactive = std::io::stdin().is_terminal() && out.stderr_is_terminal() && out.is_text();
        Self { out: out.clone(), interactive, waiting: VecDeque::new(), lines: None }
    }

    /// One more question, as `exec.approval.requested` has it.
    pub(super) fn asked(&mut self, approval: &Value) {
        if !self.interactive {
            let command = one_line(approval["request"]["command"].as_str().unwrap_or_default(), 200);
            let id = approval["id"].as_str().unwrap_or_default();
            self.out.note(&format!("waiting for an approval: {command}"));
            self.out.note(&format!("decide with: openclaw approvals resolve {id} allow-once|allow-always|deny"));
            return;
        }
        self.waiting.push_back(approval.clone());
        if self.waiting.len() == 1 {
            self.show();
        }
    }

    /// A question was decided, here or elsewhere.
    pub(super) fn decided(&mut self, approval: &Value) {
        let was_shown = self.waiting.front().is_some_and(|first| first["id"] == approval["id"]);
        self.waiting.retain(|other| other["id"] != approval["id"]);
        let by = approval["resolvedBy"].as_str().map(|by| format!(" by {}", one_line(by, 60))).unwrap_or_default();
        self.out.note(&format!("approval {}{by}", approval["status"].as_str().unwrap_or("decided")));
        if was_shown && !self.waiting.is_empty() {
            self.show();
        }
    }

    fn show(&mut self) {
        let Some(approval) = self.waiting.front() else { return };
        let request = &approval["request"];
        let text = |key: &str| request[key].as_str().unwrap_or_default();
        let command: String = clean(text("command")).chars().take(MAX_COMMAND).collect();
        let directory = match (text("cwd"), text("sandbox")) {
            ("", _) => String::new(),
            (cwd, "") => format!("\nin {}", one_line(cwd, 300)),
            (cwd, level) => format!("\nin {} (sandbox {level})", one_line(cwd, 300)),
        };
        let always = if may_stand(approval) { ", a = always" } else { "" };
        let title =
            self.out.paint_err(Meaning::Warn, &format!("The agent asks to use {}:", one_line(text("tool"), 60)));
        self.out.note(&format!(
            "{title}\n{command}{directory}\nwhy: {}\nAllow it? y = once{always}, n = deny",
            one_line(text("warningText"), 300)
        ));
        if self.lines.is_none() {
            self.lines = Some(listen());
        }
    }

    /// The id of the question on the screen and the person's answer to it; never resolves while there is none.
    pub(super) async fn answer(&mut self) -> (String, Answer) {
        loop {
            let line = match &mut self.lines {
                Some(lines) if !self.waiting.is_empty() => lines.recv().await,
                _ => std::future::pending().await,
            };
            let Some(line) = line else {
                // Nobody is there any more; the question goes on waiting for somebody elsewhere.
                self.lines = None;
                self.interactive = false;
                self.waiting.clear();
                continue;
            };
            let Some(approval) = self.waiting.front() else { continue };
            match parse(&line, may_stand(approval)) {
                Some(answer) => return (approval["id"].as_str().unwrap_or_default().to_owned(), answer),
                None => self.out.note("please answer y or n"),
            }
        }
    }
}

fn may_stand(approval: &Value) -> bool {
    let answers = approval["request"]["allowedDecisions"].as_array();
    answers.is_some_and(|answers| answers.iter().any(|answer| answer == Answer::AllowAlways.as_str()))
}

fn parse(line: &str, may_stand: bool) -> Option<Answer> {
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" | "once" | "allow-once" => Some(Answer::AllowOnce),
        "a" | "always" | "allow-always" if may_stand => Some(Answer::AllowAlways),
        "n" | "no" | "deny" => Some(Answer::Deny),
        _ => None,
    }
}

/// Lines of standard input. The thread ends with the process: nothing can interrupt a read from a terminal.
fn listen() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_short_words_and_always_only_where_it_may_stand() {
        assert_eq!(parse(" Y\n", true), Some(Answer::AllowOnce));
        assert_eq!((parse("a", true), parse("a", false)), (Some(Answer::AllowAlways), None));
        assert_eq!((parse("no", false), parse("", true), parse("maybe", true)), (Some(Answer::Deny), None, None));
        assert!(may_stand(&json!({"request": {"allowedDecisions": ["allow-once", "allow-always"]}})));
        assert!(!may_stand(&json!({"request": {"allowedDecisions": ["allow-once"]}})));
    }
}
