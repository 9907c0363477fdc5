//! One call, one answer: `POST /rpc`.

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

use crate::cli::output::Output;
use crate::core::{Error, ErrorKind, Result, limits};

use super::notice::Notice;
use super::reply;
use super::target::Target;

/// Most bytes of an answer.
const MAX_ANSWER: u64 = limits::MAX_WS_MESSAGE as u64;

/// Calls methods of one gateway.
pub(crate) struct RpcClient {
    agent: Agent,
    target: Target,
    out: Output,
    patience: Duration,
}

impl RpcClient {
    /// A client that waits at most `patience` for an answer.
    pub(crate) fn new(target: Target, patience: Duration, out: &Output) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            // A redirect would carry the secret elsewhere, and a proxy has no business with a gateway's traffic.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("openclaw/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        if target.is_exposed() {
            out.warn(&format!("the gateway's secret travels unencrypted to {}", target.authority()));
        }
        Self { agent, target, out: out.clone(), patience }
    }

    /// The gateway meant.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Calls one method.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Result<Value> {
        reply::outcome(self.post(&reply::request(1, method, params))?)
    }

    fn post(&self, body: &Value) -> Result<Value> {
        let _notice = Notice::after_a_while(&self.out, format!("waiting for the gateway at {} …", self.target.url()));
        let started = Instant::now();
        let mut request = self.agent.post(self.target.rpc_url()).header("content-type", "application/json");
        if let Some(secret) = &self.target.secret {
            request = request.header("authorization", format!("Bearer {}", secret.expose()));
        }
        let response = request.send(body.to_string().as_str()).map_err(|error| self.failed(error, started))?;
        let status = response.status().as_u16();
        let bytes = response
            .into_body()
            .into_with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
            .map_err(|error| self.failed(error, started))?;
        let answer: Option<Value> = serde_json::from_slice(&bytes).ok(); // dropped: the status says more than the parser
        match (status, answer) {
            (200, Some(answer)) => Ok(answer),
            (401 | 403, answer) => Err(self.refused(status, answer.as_ref())),
            (_, Some(answer)) if answer.get("error").is_some_and(Value::is_object) => {
                Err(reply::rpc_error(&answer["error"]))
            }
            (status, _) => Err(reply::malformed(format!("it answered with HTTP status {status}"))),
        }
    }

    /// 401 and 403, with the way to the right secret.
    fn refused(&self, status: u16, answer: Option<&Value>) -> Error {
        let said = answer.and_then(|answer| answer.pointer("/error/message")).and_then(Value::as_str);
        refused(&self.target, status, said)
    }

    fn failed(&self, error: ureq::Error, started: Instant) -> Error {
        match error {
            ureq::Error::Timeout(_) => timed_out(&self.target, self.patience.min(started.elapsed())),
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                timed_out(&self.target, self.patience)
            }
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                reply::malformed(error.to_string())
            }
            ureq::Error::Io(error) => unreachable_gateway(&self.target, &plain_reason(&error)),
            ureq::Error::HostNotFound => unreachable_gateway(&self.target, "no such host"),
            ureq::Error::BodyExceedsLimit(limit) => {
                Error::new(ErrorKind::TooLarge, format!("the gateway's answer is larger than {limit} bytes"))
                    .hint("ask for less, for example with a smaller limit")
            }
            ureq::Error::Protocol(error) => reply::malformed(error.to_string()),
            other => unreachable_gateway(&self.target, &other.to_string()),
        }
    }
}

/// Nothing answers.
pub(super) fn unreachable_gateway(target: &Target, why: &str) -> Error {
    let hint = if target.explicit {
        "check the address, and that the gateway there runs"
    } else {
        "openclaw gateway run        (is one running already? openclaw doctor)"
    };
    Error::new(ErrorKind::Unreachable, format!("cannot reach the gateway at {} ({why})", target.url()))
        .why(if why == "connection refused" { "nothing listens on that port" } else { why })
        .hint(hint)
}

/// The secret is missing or wrong.
pub(super) fn refused(target: &Target, status: u16, said: Option<&str>) -> Error {
    let why = match (&target.secret, said) {
        (None, _) => "it wants a token or password and none was found".to_owned(),
        (Some(_), Some(said)) => format!("it answered {status}: {said}"),
        (Some(_), None) => format!("it answered {status}: the token is not the right one"),
    };
    Error::new(ErrorKind::Auth, format!("the gateway at {} refused us", target.url())).why(why).hint(
        "pass --token or --password (OPENCLAW_GATEWAY_TOKEN, OPENCLAW_GATEWAY_PASSWORD); the token made on the first \
             start is in <state>/state/gateway-token on its machine",
    )
}

/// It did not answer in time.
pub(super) fn timed_out(target: &Target, waited: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("the gateway at {} did not answer within {:.1} s", target.url(), waited.as_secs_f64()),
    )
    .why("it is busy, or something else holds that port and stays silent")
    .hint("try again with a larger --timeout (milliseconds); openclaw logs shows what it does")
}

/// `connection refused` instead of the operating system's numbers.
pub(super) fn plain_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof => "the connection broke".to_owned(),
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => "no route there".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
