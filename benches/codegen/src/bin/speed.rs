//! How long a file of 10,000 lines takes to be checked, and Rust to be generated from it: `cargo run --release --bin speed`.
//!
//! Wall time, the best and the median of twenty runs, in one process that has nothing else to do. The goal is 150 ms.

use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rpcgen::Config;
use rpcgen::codegen::Form;
use rpcgen::load::Memory;

const LINES_COUNT: usize = 10_000;

const RUNS_COUNT: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let text = text();
    let memory = Memory::default().with("large.rpc", text.as_str());
    let config = Config::new();
    let (mut checks, mut wholes, mut bytes_count) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS_COUNT {
        let begin = Instant::now();
        let checked = config.check_in(&memory, &["large.rpc"]);
        checks.push(begin.elapsed());
        let model = checked.model.ok_or_else(|| checked.diagnostics.to_human(false))?;
        let generated = config.generate(&model, Form::File)?;
        wholes.push(begin.elapsed());
        bytes_count = generated[0].text.len();
    }
    println!("{} lines, {} bytes of .rpc; {bytes_count} bytes of Rust", text.lines().count(), text.len());
    println!("                       best      median");
    row("checked", &mut checks);
    row("checked and generated", &mut wholes);
    Ok(())
}

fn row(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{name:<22} {:>4.0} ms {:>8.0} ms", milliseconds(times[0]), milliseconds(times[times.len() / 2]));
}

/// Structs, enums and actions as services have them, documented, a field or so on each line.
fn text() -> String {
    let mut text = String::from("//! Large.\npackage large;\n");
    let (mut service, mut index) = (String::new(), 0);
    while text.lines().count() + service.lines().count() + 2 < LINES_COUNT {
        let _ = write!(
            text,
            "\n/// The thing of number {index}.\nstruct Thing{index} {{\n    id: uuid,\n    /// As users call it.\n    \
             name: string @max(64),\n    tags: [string @max(32)] @max(16),\n    price: u64 = 0,\n    note: string?,\n    \
             kind: Kind{index},\n}}\n\n/// Kinds of it.\nenum Kind{index} {{\n    plain,\n    sized {{ width: u32, height: u32 }},\n    \
             named {{ name: string }},\n}}\n"
        );
        let _ = write!(
            service,
            "\n    /// Does the thing of number {index}.\n    @deadline(3s)\n    action do_thing{index}(\n        app_id: AppId,\n        \
             thing: Thing{index},\n        count: u32,\n    ) -> (thing: Thing{index})\n        \
             fails {{ no_such_thing, too_many {{ limit: u32 }} }};\n"
        );
        index += 1;
    }
    text + &format!("\nservice Large {{{service}}}\n")
}
