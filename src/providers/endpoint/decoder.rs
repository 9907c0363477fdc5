//! What the three stream decoders have in common.

use super::failure::Failure;
use crate::providers::sse::SseEvent;
use crate::providers::types::Delta;

/// A pure state machine from one call's events to deltas. It emits exactly one `Done`, last.
pub(crate) trait Decoder: Send {
    /// The next event.
    fn event(&mut self, event: &SseEvent, out: &mut Vec<Delta>) -> Result<(), Failure>;
    /// The whole answer as one JSON text, from a server that does not stream.
    fn whole(&mut self, body: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure>;
    /// The server closed the stream: `Done` if the answer is complete.
    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure>;
    /// Everything but the closing mark has arrived, so a break of the connection loses nothing.
    fn settled(&self) -> bool;
}

/// JSON from an event's data.
pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(data: &'a str) -> Result<T, Failure> {
    serde_json::from_str(data).map_err(|error| Failure::broken_event(data, &error))
}
