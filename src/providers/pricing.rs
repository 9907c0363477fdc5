//! What a call costs.

use crate::session::message::{Cost, Usage};

/// Fills `usage.cost` (US dollars) from `per_million` (US dollars per million tokens; its `total` is not used).
pub fn price(usage: &mut Usage, per_million: &Cost) {
    let dollars = |tokens: u64, rate: f64| {
        #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
        let tokens = tokens as f64;
        tokens * rate / 1_000_000.0
    };
    let input = dollars(usage.input, per_million.input);
    let output = dollars(usage.output, per_million.output);
    let cache_read = dollars(usage.cache_read, per_million.cache_read);
    let cache_write = dollars(usage.cache_write, per_million.cache_write);
    usage.cost = Cost { input, output, cache_read, cache_write, total: input + output + cache_read + cache_write };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_token_has_its_price() {
        let mut usage = Usage {
            input: 1_000_000,
            output: 500_000,
            cache_read: 2_000_000,
            cache_write: 100_000,
            ..Usage::default()
        };
        price(&mut usage, &Cost { input: 3.0, output: 15.0, cache_read: 0.3, cache_write: 3.75, total: 99.0 });
        assert!((usage.cost.input - 3.0).abs() < 1e-9);
        assert!((usage.cost.output - 7.5).abs() < 1e-9);
        assert!((usage.cost.cache_read - 0.6).abs() < 1e-9);
        assert!((usage.cost.cache_write - 0.375).abs() < 1e-9);
        assert!((usage.cost.total - 11.475).abs() < 1e-9);
    }
}
