//! `openclaw`: a personal AI agent gateway in one binary.
pub mod cli;
pub mod config;
pub mod core;
pub mod doctor;
pub mod fs;
pub mod gateway;
pub mod providers;
pub mod runtime;
pub mod sandbox;
pub mod secrets;
pub mod session;
pub mod state;
pub mod tools;
