//! Stops a model that makes the same calls with the same results over and over.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::tools::ToolOutput;

/// Identical steps after which calls are answered with a warning instead of being run.
const WARN_AFTER: u32 = 3;
/// Identical steps after which the run is ended.
const STOP_AFTER: u32 = 5;

/// What to do with the next step's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Run them.
    Run,
    /// Do not run them; tell the model that it repeats itself.
    Warn(u32),
    /// End the run.
    Stop(u32),
}

/// Counts consecutive identical sets of calls.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    last: Option<u64>,
    last_results: Option<u64>,
    repeats: u32,
}

impl Breaker {
    /// Records a step's calls (name, arguments) and says what to do with them.
    pub(super) fn check<'a>(&mut self, calls: impl Iterator<Item = (&'a str, &'a Value)>) -> Verdict {
        let mut hasher = DefaultHasher::new();
        for (name, arguments) in calls {
            name.hash(&mut hasher);
            arguments.to_string().hash(&mut hasher);
        }
        let signature = hasher.finish();
        self.repeats = if self.last == Some(signature) { self.repeats + 1 } else { 1 };
        self.last = Some(signature);
        match self.repeats {
            count if count > STOP_AFTER => Verdict::Stop(count),
            count if count > WARN_AFTER => Verdict::Warn(count),
            _ => Verdict::Run,
        }
    }

    /// Records what the calls gave: repeating a call whose answer changes (polling) is not a loop.
    pub(super) fn results<'a>(&mut self, outputs: impl Iterator<Item = &'a ToolOutput>) {
        let mut hasher = DefaultHasher::new();
        for output in outputs {
            output.is_error.hash(&mut hasher);
            for block in &output.content {
                block.as_text().hash(&mut hasher);
            }
        }
        let signature = hasher.finish();
        if self.last_results.replace(signature) != Some(signature) {
            self.repeats = self.repeats.min(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repeated_calls_are_warned_about_and_then_stopped() {
        let mut breaker = Breaker::default();
        let same = json!({"path": "a"});
        let verdicts: Vec<_> = (0..6).map(|_| breaker.check([("read", &same)].into_iter())).collect();
        assert_eq!(
            verdicts,
            [Verdict::Run, Verdict::Run, Verdict::Run, Verdict::Warn(4), Verdict::Warn(5), Verdict::Stop(6)]
        );
    }

    #[test]
    fn polling_a_changing_answer_is_not_a_loop() {
        let mut breaker = Breaker::default();
        let same = json!({"path": "a"});
        for turn in 0..20 {
            assert_eq!(breaker.check([("read", &same)].into_iter()), Verdict::Run);
            breaker.results([ToolOutput::text(format!("line {turn}"))].iter());
        }
    }

    #[test]
    fn a_different_call_starts_the_count_again() {
        let mut breaker = Breaker::default();
        let (a, b) = (json!({"path": "a"}), json!({"path": "b"}));
        for _ in 0..3 {
            breaker.check([("read", &a)].into_iter());
        }
        assert_eq!(breaker.check([("read", &b)].into_iter()), Verdict::Run);
        assert_eq!(breaker.check([("read", &a)].into_iter()), Verdict::Run);
    }
}
