//! HTTP/1.1: routes, checks that come before every route, and the answers that are not method calls.

mod body;
mod dashboard;
mod probes;
mod respond;
mod route;
mod rpc;

pub(crate) use body::BodyMemory;
pub(crate) use respond::{Answer, HttpError};
pub(crate) use route::handle;
