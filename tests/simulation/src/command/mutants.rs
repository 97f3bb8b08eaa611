//! Makes one mistake after the other in the protocol, and counts the seeds that it takes to find each.
//!
//! Knows: the list of `rpcgen_proto::mutants`. Does not know: what a mistake does.

use std::process::ExitCode;

use super::arguments::Arguments;

#[cfg(not(feature = "mutants"))]
pub(super) fn run(_: &Arguments) -> ExitCode {
    println!("built without mistakes: cargo run --release -p simulation --features mutants -- mutants");
    ExitCode::from(2)
}

#[cfg(feature = "mutants")]
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    found::run(arguments)
}

#[cfg(feature = "mutants")]
mod found {
    use std::fmt::Write as _;
    use std::process::ExitCode;
    use std::time::Instant;

    use rpcgen_proto::mutants::{Mutant, switch_on};
    use simulation::hunt::run_caught;

    use crate::command::arguments::Arguments;

    /// Of every family a few that are found soon: for each change of the protocol or of the simulator.
    const SMOKE: [Mutant; 18] = [
        Mutant::BitsBeginTooLate,
        Mutant::BitsMoveWithControlFrames,
        Mutant::ResumeSkipsOne,
        Mutant::TailTimerMissing,
        Mutant::DuplicateAcceptedAgain,
        Mutant::PoolGrowsAtWrongMessage,
        Mutant::BlockedNeverSaid,
        Mutant::SilenceIsNotDeath,
        Mutant::MaybeSentNotMarked,
        Mutant::CancelledStillRuns,
        Mutant::RevokeLost,
        Mutant::DrainEndsEarly,
        Mutant::BitBeforeRecord,
        Mutant::AnswerNotRecorded,
        Mutant::SlotBeforeBit,
        Mutant::OpenNotRerun,
        Mutant::OtherMomentBegins,
        Mutant::SentBeforeRefused,
    ];

    /// How a mistake was found.
    struct Row {
        mutant: Mutant,
        /// The first seed that fails, its invariant and how; `None`: none does.
        caught: Option<(u64, &'static str, String)>,
    }

    pub(super) fn run(arguments: &Arguments) -> ExitCode {
        let began = Instant::now();
        let chosen: Vec<Mutant> = match (&arguments.only, arguments.smoke) {
            (Some(name), _) => Mutant::ALL.iter().copied().filter(|mutant| mutant.name() == name).collect(),
            (None, true) => SMOKE.to_vec(),
            (None, false) => Mutant::ALL.to_vec(),
        };
        std::panic::set_hook(Box::new(|_| ())); // A panic is a way to be found: it is told in the table.
        let mut rows = Vec::new();
        for mutant in chosen {
            // Durable worlds are small: many of them in the same time.
            let usual = if mutant.is_of_durable_logs() { 100_000 } else { 5_000 };
            let row = Row { mutant, caught: hunt(mutant, arguments.seeds.unwrap_or(usual)) };
            if !arguments.json {
                println!("{}", line(&row));
            }
            rows.push(row);
        }
        let survived: Vec<_> = rows.iter().filter(|row| row.caught.is_none()).map(|row| row.mutant.name()).collect();
        if let Some(file) = &arguments.table
            && let Err(error) = std::fs::write(file, table(&rows))
        {
            println!("{file}: {error}");
            return ExitCode::from(2);
        }
        println!(
            "{{\"mutants\":{},\"caught\":{},\"survived\":{survived:?},\"wall_seconds\":{:.1}}}",
            rows.len(),
            rows.len() - survived.len(),
            began.elapsed().as_secs_f64()
        );
        if rows.is_empty() || !survived.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn hunt(mutant: Mutant, seeds_max: u64) -> Option<(u64, &'static str, String)> {
        switch_on(Some(mutant));
        let caught = (1..=seeds_max).find_map(|seed| {
            let violation = if mutant.is_of_durable_logs() {
                simulation::durable::run_checked(seed).violation?
            } else {
                run_caught(seed).violation?
            };
            Some((seed, violation.invariant, violation.message))
        });
        switch_on(None);
        caught
    }

    fn line(row: &Row) -> String {
        match &row.caught {
            Some((seed, invariant, message)) => {
                format!("{:<32} seed {seed:>5}  {invariant}: {message}", row.mutant.name())
            }
            None => format!("{:<32} SURVIVES", row.mutant.name()),
        }
    }

    fn table(rows: &[Row]) -> String {
        let mut text = String::from(
            "# Mistakes on purpose\n\n\
             Each row is one mistake in `rpcgen-proto` (`src/mutants.rs`), made alone. The simulator runs seeds 1, 2, 3, ... until an\n\
             invariant does not hold; for those of durable logs (`DurableWhenAsked` to `VolatileTakenForRolledBack`) the seeds of\n\
             worlds with logs on disk. Written by `cargo run --release -p simulation --features mutants -- mutants --table FILE`.\n\n\
             | mistake | what is wrong | seeds | found by | expected |\n| --- | --- | ---: | --- | --- |\n",
        );
        for Row { mutant, caught } in rows {
            let (seeds, by) = match caught {
                Some((seed, invariant, _)) => (seed.to_string(), format!("`{invariant}`")),
                None => ("-".to_owned(), "nobody".to_owned()),
            };
            let _ =
                writeln!(text, "| `{}` | {} | {seeds} | {by} | `{}` |", mutant.name(), mutant.text(), mutant.breaks());
        }
        text
    }
}
