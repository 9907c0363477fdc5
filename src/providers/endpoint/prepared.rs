//! An endpoint checked and put into the form a call needs: address, headers, secrets to hide.

use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::http::uri::Uri;

use super::{AuthStyle, Endpoint, WireApi};
use crate::core::{Error, ErrorKind};
use crate::providers::http::Timeouts;
use crate::secrets::Secret;

const ANTHROPIC_VERSION: &str = "2023-06-01";
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Headers that belong to the connection; a value from configuration would break the message.
const OURS: [&str; 6] = ["host", "content-length", "transfer-encoding", "connection", "accept-encoding", "expect"];

pub(super) struct Prepared {
    pub(super) api: WireApi,
    pub(super) provider: String,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) timeouts: Timeouts,
    /// One of OpenAI's own hosts, where parameters exist that compatible servers refuse.
    pub(super) openai_host: bool,
    secrets: Vec<Secret>,
}

impl Prepared {
    pub(super) fn new(api: WireApi, endpoint: Endpoint) -> Result<Self, Error> {
        let uri = api.join(&endpoint.base_url, &endpoint.provider)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("openclaw/", env!("CARGO_PKG_VERSION"))));
        if api == WireApi::AnthropicMessages {
            headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
        }
        let mut secrets = Vec::new();
        if let Some(key) = endpoint.api_key.filter(|key| !key.expose().trim().is_empty()) {
            let key = Secret::new(key.expose().trim());
            let fail = || {
                Error::new(ErrorKind::Config, format!("the API key of provider {:?} cannot be sent", endpoint.provider))
                    .why("it contains characters that HTTP headers cannot carry")
                    .hint("check the key for line breaks and invisible characters")
            };
            let style = match (endpoint.auth, api) {
                (AuthStyle::Default, WireApi::AnthropicMessages) => AuthStyle::ApiKeyHeader,
                (AuthStyle::Default, _) => AuthStyle::Bearer,
                (given, _) => given,
            };
            match style {
                AuthStyle::ApiKeyHeader => {
                    headers.insert(API_KEY, sensitive(key.expose()).ok_or_else(fail)?);
                }
                AuthStyle::Bearer | AuthStyle::Default => {
                    headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {}", key.expose())).ok_or_else(fail)?);
                }
                AuthStyle::None => {}
            }
            secrets.push(key);
        }
        for (name, value) in endpoint.headers {
            let fail = |why: &str| {
                Error::new(
                    ErrorKind::Config,
                    format!("header {name:?} of provider {:?} cannot be sent", endpoint.provider),
                )
                .why(why)
                .hint(format!("correct models.providers.{}.headers", endpoint.provider))
            };
            let parsed = HeaderName::from_bytes(name.trim().as_bytes())
                .map_err(|_invalid| fail("its name is not a valid HTTP header name"))?;
            if OURS.contains(&parsed.as_str()) {
                return Err(fail("this header belongs to the connection and is set by the program"));
            }
            let content = sensitive(value.expose().trim())
                .ok_or_else(|| fail("its value contains characters that HTTP headers cannot carry"))?;
            headers.insert(parsed, content);
            secrets.push(value);
        }
        let host = uri.host().unwrap_or_default();
        let openai_host = host == "openai.com" || host.ends_with(".openai.com");
        if uri.scheme_str() == Some("http") && !secrets.is_empty() && !is_loopback(host) {
            tracing::warn!(provider = %endpoint.provider, host, "the key of this provider travels unencrypted: its baseUrl is http");
        }
        let timeouts = Timeouts { connect: endpoint.connect_timeout, silence: endpoint.silence_timeout };
        Ok(Self { api, provider: endpoint.provider, uri, headers, timeouts, openai_host, secrets })
    }

    /// `text` without our credentials, should the server have echoed them.
    pub(super) fn redact(&self, text: String) -> String {
        /// Shorter values (`true`, `1`) are settings, and hiding them would garble every message.
        const SHORTEST_SECRET: usize = 6;
        self.secrets.iter().map(|secret| secret.expose().trim()).filter(|secret| secret.len() >= SHORTEST_SECRET).fold(
            text,
            |text, secret| {
                let bare = secret.strip_prefix("Bearer ").unwrap_or(secret);
                if text.contains(bare) { text.replace(bare, "[redacted]") } else { text }
            },
        )
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    // dropped: the error would only repeat that the value is not valid, and the caller says so better
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
