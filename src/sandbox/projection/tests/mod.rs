//! Two real trees and a real socket: the gateway's side on one thread, the sandbox's side on another.

mod abuse;
mod law;
mod round_trip;
mod speed;
mod support;
