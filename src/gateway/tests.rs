//! The transport with real sockets in front of a dispatcher made for the purpose.

mod http;
mod socket;
mod support;
