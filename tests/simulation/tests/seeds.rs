//! A few hundred seeds in every test run; the binary runs as many as there is time for.

use simulation::report::Tally;
use simulation::{run, run_checked};

#[test]
fn every_seed_keeps_every_invariant() {
    let mut total = Tally::default();
    for seed in 1..=400 {
        let outcome = run_checked(seed);
        assert_eq!(outcome.violation, None, "seed {seed}; to read it: simulation --from {seed} --seeds 1");
        total.add(&outcome.tally);
    }
    let faults = &total.faults;
    let happened = [faults.dropped, faults.duplicated, faults.reordered, faults.delayed, faults.corrupted, faults.cuts];
    assert!(happened.iter().all(|count| *count > 100), "every fault happens: {faults:?}");
    let troubles = ["server_crashes", "server_restarts", "client_crashes", "take_overs", "sessions_expired", "cancels"];
    for trouble in troubles {
        assert!(total.troubles.contains_key(trouble), "{trouble} happens: {:?}", total.troubles);
    }
    for answer in ["response", "failure", "cancelled", "unknown"] {
        assert!(total.answers.contains_key(answer), "{answer} happens: {:?}", total.answers);
    }
}

#[test]
fn help_is_the_usage_and_no_failure() {
    let said = |word: &str| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_simulation"));
        let output = program.arg(word).output().expect("it was built for this test");
        (output.status.code(), output.stdout.starts_with(b"simulation ["), output.stderr.is_empty())
    };
    assert_eq!(said("--help"), (Some(0), true, true));
    assert_eq!(said("--nonsense"), (Some(2), false, false));
}

#[test]
fn equal_seeds_give_equal_runs_and_different_ones_do_not() {
    let hashes: Vec<u64> = (1..=20).map(|seed| run(seed, false).trace_hash).collect();
    let again: Vec<u64> = (1..=20).map(|seed| run(seed, true).trace_hash).collect();
    assert_eq!(hashes, again, "also with the trace written down");
    let mut different = hashes.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), hashes.len());
}
