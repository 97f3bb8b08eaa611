//! The simulator as a program: see `command`.
#![expect(clippy::print_stdout, reason = "a program that reports")]

mod command;

fn main() -> std::process::ExitCode {
    command::run()
}
