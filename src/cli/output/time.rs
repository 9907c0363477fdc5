//! Times for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `just now`, `4m ago`, `3h ago`, `12d ago`; `in 4m` for the future. Both in Unix milliseconds.
pub(crate) fn relative(now: i64, then: i64) -> String {
    let distance = now.saturating_sub(then);
    let size = distance.saturating_abs();
    if size < 5 * SECOND {
        return "just now".to_owned();
    }
    let amount = if size < MINUTE {
        format!("{}s", size / SECOND)
    } else if size < HOUR {
        format!("{}m", size / MINUTE)
    } else if size < 2 * DAY {
        format!("{}h", size / HOUR)
    } else if size < 730 * DAY {
        format!("{}d", size / DAY)
    } else {
        format!("{}y", size / (365 * DAY))
    };
    if distance >= 0 { format!("{amount} ago") } else { format!("in {amount}") }
}

/// `12 ms`, `1.4 s`, `3m 20s`, `2h 5m`, `3d 4h`.
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", seconds, (milliseconds % 1_000) / 100),
        60_000..3_600_000 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{}h {}m", seconds / 3_600, (seconds / 60) % 60),
        _ => format!("{}d {}h", seconds / 86_400, (seconds / 3_600) % 24),
    }
}

/// `2026-11-20 13:18:31` in local time, with `Z` at the end in UTC.
pub(crate) fn absolute(at: i64, utc: bool) -> String {
    format(at, utc, if utc { "%Y-%m-%d %H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%S" })
}

/// `13:18:31` in local time, with `Z` at the end in UTC.
pub(crate) fn clock_time(at: i64, utc: bool) -> String {
    format(at, utc, if utc { "%H:%M:%SZ" } else { "%H:%M:%S" })
}

fn format(at: i64, utc: bool, pattern: &str) -> String {
    let Ok(instant) = Timestamp::from_millisecond(at) else {
        return format!("{at} ms");
    };
    let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
    instant.to_zoned(zone).strftime(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_well() {
        let now = 1_800_000_000_000;
        for (back, text) in [
            (0, "just now"),
            (30 * SECOND, "30s ago"),
            (4 * MINUTE, "4m ago"),
            (25 * HOUR, "25h ago"),
            (12 * DAY, "12d ago"),
            (800 * DAY, "2y ago"),
            (-4 * MINUTE, "in 4m"),
        ] {
            assert_eq!(relative(now, now - back), text);
        }
        assert_eq!(relative(i64::MAX, i64::MIN), "292471208y ago");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(12), "12 ms");
        assert_eq!(duration(1_449), "1.4 s");
        assert_eq!(duration(200_000), "3m 20s");
        assert_eq!(duration(7_500_000), "2h 5m");
        assert_eq!(duration(273_600_000), "3d 4h");
    }

    #[test]
    fn utc_times_are_marked() {
        assert_eq!(absolute(0, true), "1970-01-01 00:00:00Z");
        assert_eq!(clock_time(13 * HOUR + 18 * MINUTE + 31 * SECOND, true), "13:18:31Z");
        assert_eq!(absolute(i64::MAX, true), format!("{} ms", i64::MAX));
    }
}
