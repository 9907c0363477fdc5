//! Sums over events that come out the same in whatever order the events arrive.

use super::event::{AgentResponse, EventBody};
use super::message::{Cost, Usage};

/// Costs are added as whole picodollars: addition of floating-point numbers depends on their order.
const PER_DOLLAR: f64 = 1e12;
/// No single cost counts for more than this many dollars, so that the sums cannot overflow.
const MOST_DOLLARS: f64 = 1e12;

/// Counts and usage.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    counts: [usize; EventBody::KINDS.len()],
    tokens: [u64; 5],
    costs: [i128; 5],
}

impl Totals {
    /// Takes one event into account.
    pub(super) fn add(&mut self, body: &EventBody) {
        if let Some(count) = EventBody::KINDS.iter().position(|kind| *kind == body.kind()) {
            self.counts[count] += 1;
        }
        if let EventBody::AgentResponse(AgentResponse { usage: Some(usage), .. }) = body {
            let tokens = [usage.input, usage.output, usage.cache_read, usage.cache_write, usage.total_tokens];
            for (sum, tokens) in self.tokens.iter_mut().zip(tokens) {
                *sum = sum.saturating_add(tokens);
            }
            let cost = &usage.cost;
            for (sum, dollars) in
                self.costs.iter_mut().zip([cost.input, cost.output, cost.cache_read, cost.cache_write, cost.total])
            {
                *sum += picodollars(dollars);
            }
        }
    }

    /// `(kind, count)` of the kinds that occur.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        EventBody::KINDS.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// Usage of all agent responses.
    pub(super) fn usage(&self) -> Usage {
        let [input, output, cache_read, cache_write, total_tokens] = self.tokens;
        let cost = self.costs.map(dollars);
        let cost = Cost { input: cost[0], output: cost[1], cache_read: cost[2], cache_write: cost[3], total: cost[4] };
        Usage { input, output, cache_read, cache_write, total_tokens, cost }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped far inside the range; a NaN becomes 0")]
fn picodollars(dollars: f64) -> i128 {
    (dollars.clamp(-MOST_DOLLARS, MOST_DOLLARS) * PER_DOLLAR).round() as i128
}

#[expect(clippy::cast_precision_loss, reason = "fifteen digits are more than a bill needs")]
fn dollars(picodollars: i128) -> f64 {
    picodollars as f64 / PER_DOLLAR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(total: f64) -> EventBody {
        let usage = Usage { input: u64::MAX, cost: Cost { total, ..Cost::default() }, ..Usage::default() };
        AgentResponse { usage: Some(usage), ..AgentResponse::default() }.into()
    }

    #[test]
    fn sums_do_not_depend_on_the_order_and_do_not_overflow() {
        let costs = [0.1, 1e11, 0.2, -3.0, f64::NAN, f64::INFINITY, 0.000_003_1];
        let (mut forward, mut backward) = (Totals::default(), Totals::default());
        for cost in costs {
            forward.add(&usage(cost));
        }
        for cost in costs.into_iter().rev() {
            backward.add(&usage(cost));
        }
        assert_eq!(forward.usage(), backward.usage());
        assert_eq!(forward.usage().input, u64::MAX);
        assert_eq!(forward.counts().collect::<Vec<_>>(), [("AgentResponse", 7)]);
    }

    #[test]
    fn one_cost_comes_out_as_it_went_in() {
        for cost in [0.003_1, 12.5, 0.000_000_25, 0.0] {
            let mut totals = Totals::default();
            totals.add(&usage(cost));
            assert!((totals.usage().cost.total - cost).abs() < f64::EPSILON * cost.max(1.0));
        }
    }
}
