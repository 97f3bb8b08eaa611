//! Random messages of each version, read by the generated code of the other.

use std::collections::BTreeMap;

use rpcgen::breaking::{self, Failing, Level};
use rpcgen::model::Model;

use super::values::{Random, messages};
use super::{Case, Message, Recode, generated, model};

/// So many values of each message, each way.
const VALUES_COUNT: u64 = 300;

/// Rules that no single value shows: `special` shows what they are about.
const SPECIAL: &[&str] = &[
    "field_renamed",
    "variant_renamed",
    "action_renamed",
    "broadcast_renamed",
    "action_appended",
    "default_removed",
    "default_changed",
    "routing_changed",
    "persist_lowered",
];

/// What becomes of one version's messages at the other.
#[derive(Debug, Default)]
struct Outcome {
    /// Read and kept whole: what comes back is what was sent.
    whole: usize,
    /// Read, with a loss or an addition.
    altered: usize,
    refused: usize,
}

fn table(messages: Vec<Message>) -> BTreeMap<&'static str, Recode> {
    messages.into_iter().collect()
}

fn send(case: &Case, from: &Model, sender: &BTreeMap<&str, Recode>, receiver: &BTreeMap<&str, Recode>) -> Outcome {
    let mut outcome = Outcome::default();
    for seed in 0..VALUES_COUNT {
        for (name, bytes) in from.services.iter().flat_map(|service| messages(from, service, &mut Random(seed))) {
            if name.contains(" broadcast ") && !receiver.contains_key(name.as_str()) {
                // A client says at the handshake which it handles: this one is not sent to it.
                continue;
            }
            let same = sender[name.as_str()];
            assert_eq!(same(&bytes).as_ref(), Ok(&bytes), "{}: {name} is not what its own version writes", case.name);
            let there = receiver.get(name.as_str()).map_or(Err(String::new()), |recode| recode(&bytes));
            match there.map(|there| same(&there)) {
                Ok(Ok(back)) if back == bytes => outcome.whole += 1,
                Ok(_) => outcome.altered += 1,
                Err(_) => outcome.refused += 1,
            }
        }
    }
    outcome
}

#[test]
fn what_is_safe_interoperates_and_what_breaks_does_not() {
    for case in generated::CASES {
        let (old_model, new_model) = (model(case.name, "old"), model(case.name, "new"));
        let (old, new) = (table((case.old)()), table((case.new)()));
        let findings = breaking::compare(&old_model, &new_model);
        let new_reads_old = send(case, &old_model, &old, &new);
        let old_reads_new = send(case, &new_model, &new, &old);
        let shows = format!("{}: new reads old {new_reads_old:?}, old reads new {old_reads_new:?}", case.name);

        let is_safe = |level, way| {
            !findings.iter().any(|finding| {
                finding.rule.level >= level && (finding.rule.failing == way || finding.rule.failing == Failing::Both)
            })
        };
        let moves_members = findings.iter().any(|finding| matches!(finding.rule.failing, Failing::Always(_)));
        if !moves_members && is_safe(Level::Breaking, Failing::NewReadsOld) {
            assert_eq!((new_reads_old.altered, new_reads_old.refused), (0, 0), "{shows}");
        }
        if !moves_members && is_safe(Level::Caution, Failing::OldReadsNew) {
            assert_eq!(old_reads_new.refused, 0, "{shows}");
        }
        for finding in findings.iter().filter(|finding| !SPECIAL.contains(&finding.rule.id)) {
            let forward = new_reads_old.refused + new_reads_old.altered;
            let backward = old_reads_new.refused + old_reads_new.altered;
            let is_shown = match finding.rule.failing {
                Failing::NewReadsOld => forward > 0,
                Failing::OldReadsNew => old_reads_new.refused > 0,
                Failing::Both => forward > 0 && backward > 0,
                Failing::Always(_) => forward > 0,
            };
            // Types that no service uses have no messages.
            assert!(is_shown || old.is_empty(), "{} is not shown by a value. {shows}", finding.rule.id);
        }
    }
}
