//! Our side of each protocol against somebody else's implementation of the other side. `scripts/third-party` installs the parts.

mod aimock;
mod bodies;
mod install;
mod litellm;
mod protocol;
mod server;
mod turn;
