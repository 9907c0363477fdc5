//! The memory of this process, by proc(5).

use std::fs;

/// Bytes of this process that are in memory (`VmRSS` of `/proc/self/status`); `None` where the kernel does not say.
pub fn resident_bytes() -> Option<u64> {
    // dropped: without /proc there is nothing to tell
    parse(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    // dropped: another form is another kernel's
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_kernel() {
        assert_eq!(parse("Name:\tx\nVmRSS:\t    8240 kB\nThreads:\t1\n"), Some(8240 * 1024));
        assert_eq!(parse("VmRSS: much"), None);
        assert_eq!(parse(""), None);
        #[cfg(target_os = "linux")]
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
