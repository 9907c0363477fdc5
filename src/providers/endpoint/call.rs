//! One call: request out, bytes in, deltas to the caller.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use http_body_util::Full;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};

use super::WireApi;
use super::decoder::Decoder;
use super::failure::{Failure, preview};
use super::prepared::Prepared;
use crate::providers::http::{HttpBody, HttpClient, HttpResponse};
use crate::providers::retry::{Attempt, Source};
use crate::providers::sse::SseParser;
use crate::providers::types::{Delta, ModelRequest, ModelStream, ProviderError};
use crate::providers::{anthropic, openai_completions, openai_responses};

/// Most bytes of an error body that are read.
const MOST_ERROR_BODY: usize = 64 * 1024;
/// Most bytes of one event. The largest are whole responses that repeat everything streamed before.
const MOST_EVENT: usize = 16 * 1024 * 1024;
/// Bytes of the body's beginning kept for error messages.
const MOST_PREVIEW: usize = 512;

/// A provider that makes one attempt per call.
pub(super) struct Wire {
    prepared: std::sync::Arc<Prepared>,
    http: HttpClient,
}

impl Wire {
    pub(super) fn new(prepared: Prepared, http: HttpClient) -> Self {
        Self { prepared: std::sync::Arc::new(prepared), http }
    }

    fn body(&self, request: &ModelRequest) -> Vec<u8> {
        let provider = &self.prepared.provider;
        let own_host = self.prepared.openai_host;
        match self.prepared.api {
            WireApi::AnthropicMessages => anthropic::body(request, provider),
            WireApi::OpenAiCompletions => openai_completions::body(request, provider, own_host),
            WireApi::OpenAiResponses => openai_responses::body(request, provider, own_host),
        }
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        match self.prepared.api {
            WireApi::AnthropicMessages => Box::<anthropic::AnthropicDecoder>::default(),
            WireApi::OpenAiCompletions => Box::<openai_completions::CompletionsDecoder>::default(),
            WireApi::OpenAiResponses => Box::<openai_responses::ResponsesDecoder>::default(),
        }
    }

    async fn open(&self, request: &ModelRequest) -> Result<Reader, Failure> {
        let mut outgoing = Request::new(Full::new(Bytes::from(self.body(request))));
        *outgoing.method_mut() = Method::POST;
        outgoing.uri_mut().clone_from(&self.prepared.uri);
        outgoing.headers_mut().clone_from(&self.prepared.headers);
        let mut response =
            self.http.send(outgoing, self.prepared.timeouts).await.map_err(|error| Failure::http(&error))?;
        if !response.status.is_success() {
            let body = response.body.head(MOST_ERROR_BODY).await.map_err(|error| Failure::http(&error))?;
            let failure = Failure::status(response.status, &response.headers, &body);
            response.body.release();
            return Err(failure);
        }
        if let Some(encoding) = response.headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            return Err(Failure::protocol(format!(
                "sent a compressed answer ({encoding:?}) although none was asked for"
            )));
        }
        Ok(Reader::new(response, self.decoder()))
    }

    fn error(prepared: &Prepared, failure: Failure, started: bool) -> ProviderError {
        let mut error = failure.into_error(&prepared.provider, started);
        error.message = prepared.redact(error.message);
        error
    }
}

impl Source for Wire {
    fn id(&self) -> &str {
        &self.prepared.provider
    }

    fn attempt<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelStream, Attempt>> {
        async move {
            let opened = async {
                let mut reader = self.open(request).await?;
                reader.fill_until_content().await?;
                Ok(reader)
            };
            let reader = opened.await.map_err(|failure: Failure| Attempt {
                repeat: failure.repeat,
                error: Self::error(&self.prepared, failure, false),
            })?;
            let prepared = self.prepared.clone();
            let deltas = stream::unfold((reader, prepared), |(mut reader, prepared)| async move {
                let item = match reader.next().await? {
                    Ok(delta) => Ok(delta),
                    Err(failure) => Err(Self::error(&prepared, failure, true)),
                };
                Some((item, (reader, prepared)))
            });
            Ok(Box::pin(deltas) as ModelStream)
        }
        .boxed()
    }
}

/// What the body turned out to be.
enum Form {
    /// Nothing but white space so far, and the content type does not say.
    Unknown,
    Events(SseParser),
    /// One JSON text.
    Whole(Vec<u8>),
    /// Neither; it is only read for the error message.
    Neither,
}

/// Reads one response.
struct Reader {
    body: Option<HttpBody>,
    form: Form,
    decoder: Box<dyn Decoder>,
    queue: VecDeque<Delta>,
    /// Reported when the queue is empty.
    failed: Option<Failure>,
    /// `Done` was decoded.
    done: bool,
    beginning: Vec<u8>,
    events_seen: bool,
    status: StatusCode,
    content_type: String,
}

impl Reader {
    fn new(response: HttpResponse, decoder: Box<dyn Decoder>) -> Self {
        let content_type = response
            .headers
            .get(CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default();
        let form = if content_type.trim_start().to_ascii_lowercase().starts_with("text/event-stream") {
            Form::Events(SseParser::new(MOST_EVENT))
        } else {
            Form::Unknown
        };
        Self {
            body: Some(response.body),
            form,
            decoder,
            queue: VecDeque::new(),
            failed: None,
            done: false,
            beginning: Vec::new(),
            events_seen: false,
            status: response.status,
            content_type,
        }
    }

    /// Reads until something of the answer itself is in the queue, so that a failure before it can still be repeated.
    async fn fill_until_content(&mut self) -> Result<(), Failure> {
        while !self.done && !self.queue.iter().any(is_content) {
            if let Some(failure) = self.failed.take() {
                return Err(failure);
            }
            self.advance().await;
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Result<Delta, Failure>> {
        loop {
            if let Some(delta) = self.queue.pop_front() {
                return Some(Ok(delta));
            }
            if let Some(failure) = self.failed.take() {
                self.done = true;
                self.body = None;
                return Some(Err(failure));
            }
            if self.done {
                return None;
            }
            self.advance().await;
        }
    }

    /// Takes the next bytes, or the end, into the queue.
    async fn advance(&mut self) {
        let Some(body) = self.body.as_mut() else {
            self.failed = Some(Failure::cut());
            return;
        };
        let mut out = Vec::new();
        let result = match body.chunk().await {
            Ok(Some(bytes)) => self.feed(&bytes, &mut out),
            Ok(None) => self.end(&mut out),
            // All that is missing is the closing mark.
            Err(_) if self.decoder.settled() => self.decoder.end(&mut out),
            Err(error) => Err(Failure::http(&error)),
        };
        self.done = matches!(out.last(), Some(Delta::Done { .. }));
        self.queue.extend(out);
        if self.done {
            if let Some(body) = self.body.take() {
                body.release();
            }
        } else if let Err(failure) = result {
            self.failed = Some(failure);
        }
    }

    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        let room = MOST_PREVIEW.saturating_sub(self.beginning.len());
        self.beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Form::Unknown = self.form {
            let text = self.beginning.trim_ascii_start();
            let text = text.strip_prefix(b"\xEF\xBB\xBF".as_slice()).unwrap_or(text);
            self.form = match text {
                [] => return Ok(()),
                [b'{' | b'[', ..] => Form::Whole(Vec::new()),
                [b':' | b'd' | b'e' | b'i' | b'r', ..] => Form::Events(SseParser::new(MOST_EVENT)),
                _ => Form::Neither,
            };
        }
        match &mut self.form {
            Form::Unknown => Ok(()),
            Form::Whole(whole) => {
                whole.extend_from_slice(bytes);
                Ok(())
            }
            Form::Neither => {
                if room == 0 {
                    Err(self.wrong_form())
                } else {
                    Ok(())
                }
            }
            Form::Events(parser) => {
                let mut events = Vec::new();
                let pushed = parser.push(bytes, &mut events);
                self.events_seen |= !events.is_empty();
                for event in &events {
                    self.decoder.event(event, out)?;
                    if matches!(out.last(), Some(Delta::Done { .. })) {
                        return Ok(());
                    }
                }
                pushed.map_err(|error| Failure::protocol(error.to_string()))
            }
        }
    }

    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        match &mut self.form {
            Form::Whole(body) => self.decoder.whole(body, out),
            Form::Neither => Err(self.wrong_form()),
            Form::Unknown => Err(Failure::new(
                crate::core::ProviderErrorClass::Network,
                format!("answered HTTP {} without a body", self.status),
            )),
            Form::Events(parser) => {
                // A last event without its empty line counts if it is whole; half of one means that the stream was cut.
                let last = parser.finish().filter(|event| {
                    event.data == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(&event.data).is_ok()
                });
                if let Some(event) = last {
                    self.events_seen = true;
                    self.decoder.event(&event, out)?;
                }
                if matches!(out.last(), Some(Delta::Done { .. })) {
                    return Ok(());
                }
                if !self.events_seen && matches!(self.beginning.trim_ascii_start(), [b'<' | b'{', ..]) {
                    return Err(self.wrong_form());
                }
                self.decoder.end(out)
            }
        }
    }

    fn wrong_form(&self) -> Failure {
        let kind = if self.content_type.is_empty() { "no content type" } else { &self.content_type };
        let mut failure = Failure::protocol(format!(
            "answered HTTP {} with {} instead of an event stream: {}",
            self.status,
            preview(kind.as_bytes()),
            preview(&self.beginning),
        ));
        failure.status = Some(self.status.as_u16());
        failure
    }
}

/// Something a person may have seen.
fn is_content(delta: &Delta) -> bool {
    !matches!(delta, Delta::Start { .. } | Delta::Usage(_))
}
