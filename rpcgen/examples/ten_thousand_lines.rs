//! How long a `.rpc` text of 10 000 lines takes: `cargo run --release -p rpcgen --example ten_thousand_lines`.
//!
//! Knows: the phases, the best of some runs of each. Does not know: what fast enough is; docs/performance.md says that.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rpcgen::codegen::Form;
use rpcgen::load::Memory;
use rpcgen::{Checked, Config};

const LINES: usize = 10_000;
const RUNS: usize = 10;

/// Structs, enums and actions as a person would write them, until there are enough lines.
fn text() -> String {
    let mut text = "package large;\n\n".to_owned();
    let mut members = String::new();
    let mut index = 0;
    while text.lines().count() + members.lines().count() < LINES - 4 {
        let _ = write!(
            text,
            "/// What is known of an account.\nstruct Account{index} {{\n    id: uuid,\n    user: string @max(64),\n    \
             balance: u64 = 0,\n    note: string? @max(256),\n    tags: [string @max(16)] @max(8) = [],\n}}\n\n\
             enum Payment{index} {{\n    card {{ number: string @sensitive, cvc: u16 }},\n    coin {{ key: string }},\n    cash,\n}}\n\n"
        );
        let _ = write!(
            members,
            "    /// Creates an account.\n    @deadline(3s)\n    action create_{index}(app_id: AppId, user: string @max(64))\n        \
             -> (account: Account{index})\n        fails {{ user_exists, quota_reached {{ limit: u32 }} }};\n\n    \
             broadcast paid_{index}(app_id: AppId, user: string, payment: Payment{index}) to origin of create_{index} by user;\n\n"
        );
        index += 1;
    }
    let _ = write!(text, "service Large {{\n{members}}}\n");
    text
}

/// The best of some runs: what the machine can do when nothing else runs.
fn best<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut once = || {
        let start = Instant::now();
        let result = run();
        (start.elapsed(), result)
    };
    let first = once();
    (1..RUNS).fold(first, |best, _| {
        let next = once();
        if next.0 < best.0 { next } else { best }
    })
}

fn main() {
    let text = text();
    let files = Memory::default().with("large.rpc", text.clone());
    let config = Config::new();
    let (check, Checked { model, diagnostics, .. }) = best(|| config.check_in(&files, &["large.rpc"]));
    let Some(model) = model else {
        print!("{}", diagnostics.to_human(false));
        return;
    };
    let (generate, generated) = best(|| config.generate(&model, Form::File));
    let (format, _) = best(|| rpcgen::fmt::format("large.rpc".as_ref(), &text).is_ok());
    let bytes: usize = generated.iter().flatten().map(|file| file.text.len()).sum();
    println!("{} lines, {} bytes; {bytes} bytes of Rust; best of {RUNS} runs", text.lines().count(), text.len());
    println!(
        "check     {check:>10.1?}\ngenerate  {generate:>10.1?}\ntogether  {:>10.1?}\nformat    {format:>10.1?}",
        check + generate
    );
}
