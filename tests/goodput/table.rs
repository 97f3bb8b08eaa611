//! The table of docs/evidence/goodput.md, between two marks.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::link::Scenario;

const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- end -->\n";

/// Runs every row and writes them into the page.
pub(crate) fn write() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/evidence/goodput.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    std::fs::write(file, format!("{before}{BEGIN}{}{END}{after}", rows())).unwrap();
}

fn rows() -> String {
    let mut rows =
        "| round trip | IDs, at most | loss | calls/s | of loss-free | sent again per new | 99 % of calls within |\n\
                    | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    for (round_trip_ms, grown) in [(1, 1_024), (10, 4_096), (50, 16_384), (200, 65_536)] {
        for pool_size_max in [100, grown] {
            let mut whole = 0.0;
            for loss in [0.0, 0.01, 0.1, 0.3] {
                let round_trip = Duration::from_millis(round_trip_ms);
                let run = Scenario { round_trip, pool_size_max, loss, bytes_per_second: 1_000_000 }.run();
                if loss == 0.0 {
                    whole = run.calls_per_second;
                }
                let (rate, kept) = (run.calls_per_second, run.calls_per_second / whole * 100.0);
                let p99_ms = run.p99.as_secs_f64() * 1_000.0;
                writeln!(
                    rows,
                    "| {round_trip_ms} ms | {pool_size_max} | {:.0} % | {rate:.0} | {kept:.0} % | {:.2} | {p99_ms:.0} ms |",
                    loss * 100.0,
                    run.resent_per_new,
                )
                .unwrap();
            }
        }
    }
    rows
}
