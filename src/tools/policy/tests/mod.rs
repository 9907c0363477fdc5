mod authorize;
mod bypass;
mod everyday;
mod laws;
mod support;
