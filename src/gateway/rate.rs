//! Counts failures per address in a bounded table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Addresses remembered at the same time.
const MAX_ADDRESSES: usize = 1024;

struct Window {
    since: Instant,
    failures: u32,
}

/// At most `max` failures per address and window.
pub(crate) struct FailureLimit {
    max: u32,
    window: Duration,
    addresses: HashMap<IpAddr, Window>,
}

impl FailureLimit {
    /// An empty table.
    pub(crate) fn new(max: u32, window: Duration) -> Self {
        Self { max, window, addresses: HashMap::new() }
    }

    /// For how long the address is refused, if it is.
    pub(crate) fn blocked(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let entry = self.addresses.get(&address)?;
        let left = self.window.checked_sub(now.duration_since(entry.since))?;
        (entry.failures >= self.max && !left.is_zero()).then_some(left)
    }

    /// Counts one failure.
    pub(crate) fn record(&mut self, address: IpAddr, now: Instant) {
        if self.addresses.len() >= MAX_ADDRESSES && !self.addresses.contains_key(&address) {
            let window = self.window;
            self.addresses.retain(|_, entry| now.duration_since(entry.since) < window);
            if self.addresses.len() >= MAX_ADDRESSES {
                let oldest = self.addresses.iter().min_by_key(|(_, entry)| entry.since).map(|(address, _)| *address);
                if let Some(oldest) = oldest {
                    self.addresses.remove(&oldest);
                }
            }
        }
        let entry = self.addresses.entry(address).or_insert(Window { since: now, failures: 0 });
        if now.duration_since(entry.since) >= self.window {
            *entry = Window { since: now, failures: 0 };
        }
        entry.failures = entry.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_within_the_window_and_stays_small() {
        let mut limit = FailureLimit::new(3, Duration::from_mins(1));
        let start = Instant::now();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for _ in 0..3 {
            assert_eq!(limit.blocked(address(1), start), None);
            limit.record(address(1), start);
        }
        assert_eq!(limit.blocked(address(1), start + Duration::from_secs(20)), Some(Duration::from_secs(40)));
        assert_eq!(limit.blocked(address(1), start + Duration::from_mins(1)), None);
        for number in 0..5000 {
            limit.record(address(number), start + Duration::from_secs(u64::from(number) / 100));
        }
        assert!(limit.addresses.len() <= MAX_ADDRESSES);
    }
}
