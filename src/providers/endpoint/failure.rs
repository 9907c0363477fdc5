//! From HTTP statuses and error objects to error classes.
//!
//! The class comes from the error object's `type` or `code` where there is one, else from the status. One case has neither:
//! several servers report an overlong conversation as a plain invalid request, so for that case alone the *provider's* error
//! message is compared with the phrases those servers are known to write.

use std::time::{Duration, SystemTime};

use hyper::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::core::ProviderErrorClass as Class;
use crate::providers::http::HttpError;
use crate::providers::sse::SseParser;
use crate::providers::types::ProviderError;

/// Longest text of a provider's own words in an error, in characters.
const MOST_WORDS: usize = 400;
/// Longest piece of an answer of the wrong form in an error, in characters.
const MOST_PREVIEW: usize = 120;

/// Anthropic, vLLM and llama.cpp, in this order; none of them sends a code of its own for it in every version.
const OVERFLOW_PHRASES: [&str; 6] = [
    "prompt is too long",
    "exceed context limit",
    "maximum context length",
    "model's context length",
    "exceeds the available context size",
    "Context size has been exceeded",
];

/// A failed call before it knows its provider.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: Option<Duration>,
    /// The same call may succeed a little later.
    pub(crate) repeat: bool,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), status: None, retry_after: None, repeat: class.is_provider_side() }
    }

    /// The answer is not of the documented form.
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(Class::Protocol, message)
    }

    /// The stream ended before the answer did.
    pub(crate) fn cut() -> Self {
        Self::new(Class::Network, "the stream ended before the answer was complete")
    }

    pub(crate) fn broken_event(data: &str, error: &serde_json::Error) -> Self {
        Self::protocol(format!("sent an event that is not the expected JSON ({error}): {}", preview(data.as_bytes())))
    }

    pub(super) fn http(error: &HttpError) -> Self {
        let class = match error {
            HttpError::Connect(_) | HttpError::Broken(_) => Class::Network,
            HttpError::ConnectTimeout(_) | HttpError::Silence(_) => Class::Timeout,
            HttpError::TooLarge(_) => Class::Protocol,
        };
        let mut failure = Self::new(class, error.to_string());
        // A provider that fell silent may still be at work on (and bill) the first call, and the wait was long already.
        failure.repeat &= !matches!(error, HttpError::Silence(_));
        failure
    }

    /// A response with a status other than 2xx.
    pub(super) fn status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let parsed = error_json(body);
        let object = parsed.as_ref().and_then(error_object);
        let mut failure = match object {
            Some(error) => Self::object(Some(status.as_u16()), error),
            None => Self::new(class_of_status(status.as_u16()), preview(body)),
        };
        if status.is_redirection() {
            failure.class = Class::Protocol;
            failure.message = "redirects are not followed; set baseUrl to the final address".into();
        }
        failure.message = match failure.message.as_str() {
            "" => format!("answered HTTP {status}"),
            words => format!("answered HTTP {status}: {words}"),
        };
        failure.status = Some(status.as_u16());
        failure.retry_after = retry_after(headers, SystemTime::now());
        failure.repeat = match headers.get("x-should-retry").map(hyper::header::HeaderValue::as_bytes) {
            Some(b"false") => false,
            _ => failure.repeat && failure.class.is_provider_side(),
        };
        failure
    }

    /// An error object: `{type?, code?, message?}` as OpenAI, Anthropic and their imitators write it, or a bare string.
    pub(crate) fn object(status: Option<u16>, error: &Value) -> Self {
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        let code = text("code").or_else(|| text("type")).unwrap_or_default();
        let kind = text("type").unwrap_or_default();
        // Aggregators put the upstream's HTTP status into `code`.
        let inner_status = error
            .get("code")
            .and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()))
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| *code >= 400);
        let status = status.or(inner_status);
        let message = text("message").or_else(|| error.as_str()).unwrap_or_default();
        let mut class = class_of_code(code)
            .or_else(|| class_of_code(kind))
            .or_else(|| status.map(class_of_status))
            .unwrap_or(Class::Overloaded);
        if matches!(class, Class::InvalidRequest | Class::Overloaded)
            && OVERFLOW_PHRASES.iter().any(|phrase| message.contains(phrase))
        {
            class = Class::ContextOverflow;
        }
        let words = match (message, code) {
            ("", "") => String::new(),
            ("", code) => code.to_owned(),
            (message, "") => message.to_owned(),
            (message, code) => format!("{message} ({code})"),
        };
        let mut failure = Self::new(class, clean(&words, MOST_WORDS));
        failure.status = status;
        failure.repeat &= !is_out_of_money(code) && !is_out_of_money(kind) && status != Some(402);
        failure
    }

    pub(crate) fn into_error(self, provider: &str, started: bool) -> ProviderError {
        ProviderError {
            class: self.class,
            provider: provider.to_owned(),
            message: self.message,
            status: self.status,
            retry_after: self.retry_after,
            started,
        }
    }
}

/// The body as JSON, or the first event's data: some servers begin their event stream even for an error.
fn error_json(body: &[u8]) -> Option<Value> {
    // dropped: a body that is not JSON is shown as it is
    serde_json::from_slice(body).ok().or_else(|| {
        let mut events = Vec::new();
        let pushed = SseParser::new(body.len()).push(body, &mut events);
        pushed.ok().and_then(|()| serde_json::from_str(&events.first()?.data).ok())
    })
}

/// The error object in an error body: `{"error": …}` (also inside a list), `{"detail": …}`, or the object itself.
pub(crate) fn error_object(body: &Value) -> Option<&Value> {
    let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
    ["error", "detail"]
        .iter()
        .filter_map(|key| body.get(key))
        .find(|error| error.is_object() || error.is_string())
        .or_else(|| body.get("message").is_some_and(Value::is_string).then_some(body))
}

fn class_of_status(status: u16) -> Class {
    match status {
        401 | 403 => Class::Auth,
        404 => Class::ModelNotFound,
        408 | 504 => Class::Timeout,
        413 => Class::ContextOverflow,
        402 | 429 => Class::RateLimit,
        400..=499 => Class::InvalidRequest,
        500..=599 => Class::Overloaded,
        _ => Class::Protocol,
    }
}

fn class_of_code(code: &str) -> Option<Class> {
    Some(match code {
        "context_length_exceeded"
        | "exceed_context_size_error"
        | "model_context_window_exceeded"
        | "request_too_large" => Class::ContextOverflow,
        "authentication_error" | "permission_error" | "invalid_api_key" | "invalid_authentication" => Class::Auth,
        "model_not_found" | "not_found_error" => Class::ModelNotFound,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "insufficient_quota"
        | "billing_error"
        | "billing_hard_limit_reached"
        | "billing_not_active" => Class::RateLimit,
        "overloaded_error" | "api_error" | "server_error" | "engine_overloaded" => Class::Overloaded,
        "timeout_error" => Class::Timeout,
        "invalid_prompt" => Class::InvalidRequest,
        _ => return None,
    })
}

/// Out of quota or credit: another provider may help, a repetition will not.
fn is_out_of_money(code: &str) -> bool {
    matches!(code, "insufficient_quota" | "billing_error" | "billing_hard_limit_reached" | "billing_not_active")
}

/// How long to wait: `retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|value| value.parse::<f64>().ok());
    number("retry-after-ms")
        .map(|millis| millis / 1000.0)
        .or_else(|| number("retry-after"))
        // dropped: negative, infinite or not a number is no waiting time
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .or_else(|| {
            let date = httpdate::parse_http_date(text("retry-after")?).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        })
}

/// The beginning of a body in one line.
pub(super) fn preview(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(4 * MOST_PREVIEW)];
    clean(String::from_utf8_lossy(head).trim(), MOST_PREVIEW)
}

/// At most `most` characters on one line: runs of white space become one space, other control characters are escaped.
fn clean(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most) + 4);
    let mut characters = text.chars();
    for character in characters.by_ref().take(most) {
        if character.is_whitespace() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    if characters.next().is_some() {
        out.push('…');
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(code: u16, body: &Value) -> Failure {
        let code = StatusCode::from_u16(code).expect("a status");
        Failure::status(code, &HeaderMap::new(), body.to_string().as_bytes())
    }

    #[test]
    fn statuses_and_codes_have_classes() {
        let openai = |code: &str| json!({"error": {"message": "m", "type": "invalid_request_error", "code": code}});
        let anthropic = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "m"}});
        for (code, body, class, repeat) in [
            (400, openai("unknown"), Class::InvalidRequest, false),
            (400, openai("context_length_exceeded"), Class::ContextOverflow, false),
            (401, openai("invalid_api_key"), Class::Auth, false),
            (402, anthropic("billing_error"), Class::RateLimit, false),
            (403, anthropic("permission_error"), Class::Auth, false),
            (404, openai("model_not_found"), Class::ModelNotFound, false),
            (408, json!({}), Class::Timeout, true),
            (413, anthropic("request_too_large"), Class::ContextOverflow, false),
            (422, json!({"detail": "nope"}), Class::InvalidRequest, false),
            (429, anthropic("rate_limit_error"), Class::RateLimit, true),
            (429, openai("insufficient_quota"), Class::RateLimit, false),
            (500, anthropic("api_error"), Class::Overloaded, true),
            (503, json!("busy"), Class::Overloaded, true),
            (504, anthropic("timeout_error"), Class::Timeout, true),
            (529, anthropic("overloaded_error"), Class::Overloaded, true),
            (302, json!({}), Class::Protocol, false),
        ] {
            let failure = status(code, &body);
            assert_eq!((failure.class, failure.repeat), (class, repeat), "{code} {body}");
            assert!(failure.message.contains(&code.to_string()), "{}", failure.message);
            assert_eq!(failure.status, Some(code));
        }
    }

    #[test]
    fn overlong_conversations_without_a_code_are_recognised() {
        for (code, message) in [
            (400, "prompt is too long: 210000 tokens > 200000 maximum"),
            (400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
            (400, "This model's maximum context length is 8192 tokens. However, you requested 9000"),
            (500, "Context size has been exceeded."),
        ] {
            let failure = status(code, &json!({"error": {"type": "invalid_request_error", "message": message}}));
            assert_eq!(failure.class, Class::ContextOverflow, "{message}");
        }
        let auth = status(401, &json!({"error": {"message": "prompt is too long"}}));
        assert_eq!(auth.class, Class::Auth, "a phrase never overrules another class");
    }

    #[test]
    fn error_objects_of_every_shape() {
        let list = status(400, &json!([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}]));
        assert_eq!(list.message, "answered HTTP 400 Bad Request: bad");
        assert_eq!(
            status(404, &json!({"error": "model 'x' not found"})).message,
            "answered HTTP 404 Not Found: model 'x' not found"
        );
        assert_eq!(
            status(400, &json!({"object": "error", "message": "vllm"})).message,
            "answered HTTP 400 Bad Request: vllm"
        );
        let upstream = Failure::object(None, &json!({"code": 429, "message": "upstream"}));
        assert_eq!((upstream.class, upstream.status), (Class::RateLimit, Some(429)));
        let upstream = Failure::object(None, &json!({"code": "401", "message": "upstream", "type": null}));
        assert_eq!((upstream.class, upstream.status), (Class::Auth, Some(401)));
        let event = b"data: {\"error\": {\"message\": \"no start\", \"code\": \"500\"}}\n\ndata: [DONE]\n\n";
        let event = Failure::status(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new(), event);
        assert_eq!(event.message, "answered HTTP 500 Internal Server Error: no start (500)");
        let html = Failure::status(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"<html>\r\n<b>502</b>\x07");
        assert_eq!(html.message, "answered HTTP 502 Bad Gateway: <html> <b>502</b>\\u{7}");
        let long = status(400, &json!({"error": {"message": "x".repeat(10_000)}}));
        assert!(long.message.chars().count() < 500);
    }

    #[test]
    fn waiting_times_in_every_notation() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a value"));
            retry_after(&headers, now)
        };
        assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("retry-after", " 1.5 "), Some(Duration::from_millis(1500)));
        assert_eq!(wait("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT"), Some(Duration::from_secs(20)));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["-1", "soon", "inf", "NaN", ""] {
            assert_eq!(wait("retry-after", nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_server_may_forbid_a_repetition() {
        let mut headers = HeaderMap::new();
        headers.insert("x-should-retry", "false".parse().expect("a value"));
        assert!(!Failure::status(StatusCode::INTERNAL_SERVER_ERROR, &headers, b"").repeat);
    }
}
