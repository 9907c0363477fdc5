//! Events: what the runtime broadcasts, turned into notifications and put into the queues of those who asked.
//!
//! Every notification is `{"jsonrpc":"2.0","method":<event>,"params":{…,"eventSeq":n}}`. `eventSeq` counts per
//! connection from 1; a gap means that something was lost. `params.seq` of `chat` and `agent` counts per run.

mod connection;
mod frame;
mod hub;
mod outbox;
mod pump;
mod shapes;

pub(crate) use connection::Connection;
pub(crate) use hub::Hub;
pub(crate) use outbox::{Close, Outgoing};
pub(crate) use pump::run as pump;
pub(crate) use shapes::{agent_payload, error_message};

#[cfg(test)]
mod tests;
