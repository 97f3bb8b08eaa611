//! The whole scenario as a program: see the README beside it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command talks to its user")]

use std::process::ExitCode;

use bank_web::settings::{Command, CommandLine};
use bank_web::{launch, soak};
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let line = CommandLine::parse();
    let result = match line.command {
        Some(Command::Soak(plan)) => match soak::run(&plan).await {
            Ok(report) => {
                println!("{}", report.to_json());
                return if report.good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            }
            Err(error) => Err(error),
        },
        None if line.serve.mode.is_empty() => launch::run_all(&line.serve).await,
        None => launch::run_parts(&line.serve).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bank-web: {error}");
            ExitCode::FAILURE
        }
    }
}
