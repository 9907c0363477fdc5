//! Which web pages may talk to the gateway: checks of `Host` (DNS rebinding) and `Origin` (cross-site requests).

use std::net::IpAddr;

/// What an `Origin` header means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OriginVerdict {
    /// The gateway's own pages.
    Own,
    /// Named in `gateway.controlUi.allowedOrigins`: gets CORS headers.
    Allowed,
    /// Anybody else.
    Refused,
}

/// The rules of one running gateway.
#[derive(Debug)]
pub(crate) struct OriginPolicy {
    port: u16,
    origins: Vec<String>,
    hosts: Vec<String>,
}

impl OriginPolicy {
    /// For a gateway on `port`. Entries that are no origin (`*` among them) are ignored with a warning.
    pub(crate) fn new(port: u16, allowed: &[String]) -> Self {
        let mut origins = Vec::new();
        let mut hosts = Vec::new();
        for entry in allowed {
            let origin = entry.trim().trim_end_matches('/').to_ascii_lowercase();
            match origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) {
                Some(host) if !host.is_empty() && !host.contains(['/', '*', '@', '?', '#', ' ']) => {
                    hosts.push(host.to_owned());
                    origins.push(origin);
                }
                _ => tracing::warn!(
                    origin = %entry,
                    "gateway.controlUi.allowedOrigins: ignored, an entry must look like https://host[:port]"
                ),
            }
        }
        Self { port, origins, hosts }
    }

    /// Whether a `Host` header names this gateway: a loopback name or address with our port, or an allowed origin's host.
    pub(crate) fn host_is_ours(&self, host: &str) -> bool {
        let (name, port) = split_port(host);
        let port_fits = match port {
            Some(port) => port.parse() == Ok(self.port),
            None => self.port == 80,
        };
        (port_fits && is_loopback(name)) || self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// Judges an `Origin` header; `host` is the request's `Host`.
    pub(crate) fn judge(&self, origin: &str, host: &str) -> OriginVerdict {
        let own = ["http://", "https://"]
            .iter()
            .filter_map(|scheme| strip_prefix_ignore_case(origin, scheme))
            .any(|origin_host| origin_host.eq_ignore_ascii_case(host));
        if own {
            OriginVerdict::Own
        } else if self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            OriginVerdict::Allowed
        } else {
            OriginVerdict::Refused
        }
    }
}

fn strip_prefix_ignore_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// `host:port`, `[v6]:port`, `host`, `[v6]`.
fn split_port(host: &str) -> (&str, Option<&str>) {
    if let Some(rest) = host.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => (address, Some(port.strip_prefix(':').unwrap_or("invalid"))),
            None => (host, Some("invalid")),
        };
    }
    match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> OriginPolicy {
        OriginPolicy::new(18789, &["https://Claw.Example.com/".into(), "*".into(), "claw.test".into()])
    }

    #[test]
    fn hosts() {
        let policy = policy();
        for ours in [
            "127.0.0.1:18789",
            "localhost:18789",
            "LocalHost:18789",
            "[::1]:18789",
            "127.1.2.3:18789",
            "claw.example.com",
        ] {
            assert!(policy.host_is_ours(ours), "{ours}");
        }
        for foreign in [
            "evil.example:18789",
            "127.0.0.1:18790",
            "127.0.0.1",
            "localhost",
            "localhost.evil.example:18789",
            "127.0.0.1.evil.example:18789",
            "[::1",
            "[::1]x18789",
            "[::2]:18789",
            "0.0.0.0:18789",
            "10.0.0.1:18789",
            "claw.example.com:99",
            "",
            ":18789",
        ] {
            assert!(!policy.host_is_ours(foreign), "{foreign}");
        }
        assert!(OriginPolicy::new(80, &[]).host_is_ours("localhost"));
    }

    #[test]
    fn origins() {
        let policy = policy();
        let judge = |origin: &str| policy.judge(origin, "127.0.0.1:18789");
        assert_eq!(judge("http://127.0.0.1:18789"), OriginVerdict::Own);
        assert_eq!(judge("HTTP://127.0.0.1:18789"), OriginVerdict::Own);
        assert_eq!(judge("https://claw.example.com"), OriginVerdict::Allowed);
        for foreign in [
            "http://localhost:18789",
            "http://127.0.0.1",
            "http://127.0.0.1:3000",
            "https://evil.example",
            "null",
            "",
            "file://",
            "*",
            "http://claw.example.com",
            "http://127.0.0.1:18789.evil.example",
            "http://127.0.0.1:18789@evil.example",
        ] {
            assert_eq!(judge(foreign), OriginVerdict::Refused, "{foreign}");
        }
    }
}
