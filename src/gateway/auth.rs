//! Bearer authentication.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use ring::hmac;
use ring::rand::SystemRandom;

use super::lock::lock;
use super::options::AuthMode;
use super::rate::FailureLimit;
use crate::core::{Error, Result};
use crate::secrets::Secret;
use crate::state::StatePaths;

/// A browser cannot set headers on a WebSocket; it offers this subprotocol with the token behind it.
pub(crate) const BEARER_PROTOCOL: &str = "openclaw.bearer.";
/// Secrets at least this long cannot be guessed, so wrong guesses by others need not lock their owner out.
const UNGUESSABLE: usize = 32;
/// Wrong secrets an address may send within [`FAILURE_WINDOW`].
const MAX_FAILURES: u32 = 20;
const FAILURE_WINDOW: Duration = Duration::from_mins(1);

/// The gateway's own token; makes one on the first start (see [`crate::state::token`]).
pub fn load_or_create_token(paths: &StatePaths) -> Result<Secret> {
    crate::state::token::load_or_create(paths)
}

/// Why a caller is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No secret was sent.
    Missing,
    /// A wrong one was.
    Wrong,
    /// Too many wrong ones came from that address.
    Limited {
        /// When to try again.
        retry_after: Duration,
    },
}

struct Expected {
    key: hmac::Key,
    tag: hmac::Tag,
    guessable: bool,
}

/// Checks secrets in constant time and counts failures.
pub(crate) struct Authenticator {
    expected: Option<Expected>,
    failures: Mutex<FailureLimit>,
}

impl Authenticator {
    /// For this mode. An empty secret is an error: it would let everybody in.
    pub(crate) fn new(mode: &AuthMode) -> Result<Self> {
        let expected = match mode {
            AuthMode::None => None,
            AuthMode::Token(secret) | AuthMode::Password(secret) => {
                if secret.expose().is_empty() {
                    return Err(Error::user("the gateway's token or password is empty")
                        .hint("set gateway.auth.token, or remove it to use the generated one"));
                }
                let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map_err(|error| {
                    Error::internal("the system's random source does not answer").why(error.to_string())
                })?;
                let tag = hmac::sign(&key, secret.expose().as_bytes());
                Some(Expected { key, tag, guessable: secret.expose().len() < UNGUESSABLE })
            }
        };
        Ok(Self { expected, failures: Mutex::new(FailureLimit::new(MAX_FAILURES, FAILURE_WINDOW)) })
    }

    /// Whether a request with these headers from `peer` may go on.
    pub(crate) fn check(&self, headers: &HeaderMap, peer: IpAddr, now: Instant) -> Result<(), Denied> {
        let Some(expected) = &self.expected else { return Ok(()) };
        let presented = presented(headers);
        let right = presented
            .is_some_and(|secret| hmac::verify(&expected.key, secret.as_bytes(), expected.tag.as_ref()).is_ok());
        if right && !expected.guessable {
            return Ok(());
        }
        let mut failures = lock(&self.failures);
        if let Some(retry_after) = failures.blocked(peer, now) {
            return Err(Denied::Limited { retry_after });
        }
        match (right, presented) {
            (true, _) => Ok(()),
            (false, None) => Err(Denied::Missing),
            (false, Some(_)) => {
                failures.record(peer, now);
                Err(Denied::Wrong)
            }
        }
    }
}

/// The secret of `Authorization: Bearer …`, else of the WebSocket subprotocol.
fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        // dropped: bytes that are not ASCII cannot be one of our secrets
        let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim());
    }
    offered_protocols(headers).find_map(|protocol| protocol.strip_prefix(BEARER_PROTOCOL))
}

/// The subprotocols a WebSocket client offers.
pub(crate) fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        // dropped: a header that is not ASCII offers nothing we know
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether a query string carries what looks like a credential. Those end up in logs and histories, so they are refused.
pub(crate) fn secret_in_query(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        ["token", "access_token", "auth", "password", "bearer", "apikey", "api_key"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef";

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    fn local() -> IpAddr {
        "127.0.0.1".parse().unwrap()
    }

    #[test]
    fn bearer_in_header_or_subprotocol() {
        let auth = Authenticator::new(&AuthMode::Token(Secret::new(LONG))).unwrap();
        let now = Instant::now();
        let check = |headers: &HeaderMap| auth.check(headers, local(), now);
        assert_eq!(check(&headers("authorization", &format!("Bearer {LONG}"))), Ok(()));
        assert_eq!(check(&headers("authorization", &format!("bearer  {LONG} "))), Ok(()));
        assert_eq!(
            check(&headers("sec-websocket-protocol", &format!("openclaw.jsonrpc, openclaw.bearer.{LONG}"))),
            Ok(())
        );
        assert_eq!(check(&HeaderMap::new()), Err(Denied::Missing));
        for wrong in [
            &format!("Basic {LONG}"),
            LONG,
            "Bearer ",
            "Bearer x",
            &format!("Bearer {LONG}x"),
            &format!("Bearer {}", &LONG[1..]),
        ] {
            assert!(check(&headers("authorization", wrong)).is_err(), "{wrong}");
        }
        let open = Authenticator::new(&AuthMode::None).unwrap();
        assert_eq!(open.check(&HeaderMap::new(), local(), now), Ok(()));
        assert!(Authenticator::new(&AuthMode::Token(Secret::new(""))).is_err());
    }

    #[test]
    fn guesses_are_limited_and_the_owner_of_a_long_token_is_not_locked_out() {
        let start = Instant::now();
        for (secret, owner_passes) in [(LONG, true), ("hunter2", false)] {
            let auth = Authenticator::new(&AuthMode::Password(Secret::new(secret))).unwrap();
            let wrong = headers("authorization", "Bearer guess");
            let right = headers("authorization", &format!("Bearer {secret}"));
            for _ in 0..MAX_FAILURES {
                assert_eq!(auth.check(&wrong, local(), start), Err(Denied::Wrong));
            }
            assert!(matches!(auth.check(&wrong, local(), start), Err(Denied::Limited { .. })));
            assert_eq!(auth.check(&right, local(), start).is_ok(), owner_passes);
            assert_eq!(auth.check(&right, "127.0.0.2".parse().unwrap(), start), Ok(()));
            let later = start + FAILURE_WINDOW + Duration::from_secs(1);
            assert_eq!(auth.check(&right, local(), later), Ok(()));
            assert_eq!(auth.check(&wrong, local(), later), Err(Denied::Wrong));
        }
    }

    #[test]
    fn credentials_in_urls_are_noticed() {
        for bad in ["token=x", "a=1&Token=x", "access_token=", "password"] {
            assert!(secret_in_query(bad), "{bad}");
        }
        for good in ["", "v=token", "tokens=1"] {
            assert!(!secret_in_query(good), "{good}");
        }
    }
}
