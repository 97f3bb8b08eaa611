//! The whole scenario: a bank server, its front nodes, and people in browsers behind each front node.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command talks to its user")]

pub mod bank;
pub mod clock;
pub mod database;
pub mod front;
pub mod http;
pub mod launch;
pub mod settings;
pub mod soak;
mod stubs;
pub mod web;

/// Why something did not start or did not go on: for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
