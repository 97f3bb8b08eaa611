//! The whole scenario in real browsers: a bank, front nodes, and people in Chromium, each a process of its own.
//!
//! Knows: what a person sees, and how processes end. Where Chromium and its driver are not installed, each test that needs them says so and
//! counts as skipped.

mod driver;
mod house;
#[cfg(unix)]
mod processes;
mod scenarios;
