//! A thousand seeds of worlds with logs on disk in every test run; the binary runs as many as there is time for.

use std::collections::BTreeMap;

use simulation::durable::{REGRESSIONS, run, run_checked};

/// What has to have happened, or nothing was shown.
const TROUBLES: &[&str] = &[
    "client_crashes",
    "client_power_losses",
    "server_crashes",
    "server_power_losses",
    "both_die",
    "memory_clients_died",
    "cuts",
    "take_overs",
    "io_errors",
    "full_disks",
    "restored_clients",
    "restored_servers",
    "restored_server_noticed",
    "copies",
    "copies_refused",
    "aborts",
    "restored_databases",
    "restored_refused",
    "openings_cut_short",
];
const OUTCOMES: &[&str] = &[
    "accepted",
    "guaranteed",
    "answered",
    "answers_found",
    "redelivered",
    "cancelled",
    "poisoned",
    "unknown",
    "no_space",
    "broadcasts",
    "broadcasts_found",
    "lanes_begun",
    "lanes_resumed",
    "server_recoveries",
    "other_schemas_fitted",
    "answered_by_database",
    "older_databases_begun_with",
];

#[test]
fn every_durable_seed_keeps_every_invariant_and_everything_happens() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in REGRESSIONS.iter().copied().chain(1..=1_000) {
        let outcome = run_checked(seed);
        assert_eq!(outcome.violation, None, "seed {seed}; to read it: simulation durable --from {seed} --seeds 1");
        outcome.counts.iter().for_each(|(name, count)| *counts.entry(name).or_default() += count);
    }
    for name in TROUBLES.iter().chain(OUTCOMES) {
        assert!(counts.get(name).is_some_and(|count| *count > 10), "{name} happens: {counts:?}");
    }
}

/// `deterministic`.
#[test]
fn equal_durable_seeds_give_equal_runs_and_different_ones_do_not() {
    let hashes: Vec<u64> = (1..=50).map(|seed| run(seed, false).trace_hash).collect();
    let again: Vec<u64> = (1..=50).map(|seed| run(seed, true).trace_hash).collect();
    assert_eq!(hashes, again, "also with the trace written down");
    let mut different = hashes.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), hashes.len());
}
