//! What no single value shows.

use rpcgen_runtime::generated::{Action as _, Broadcast as _, Persist, Stub as _};

use super::generated::cases;
use super::{generated, model};

fn fingerprints(case: &str) -> (u64, u64) {
    let of = |version| model(case, version).services[0].fingerprint;
    (of("old"), of("new"))
}

#[test]
fn a_renamed_member_is_another_schema_to_the_handshake() {
    for case in ["field_renamed", "variant_renamed", "action_renamed", "broadcast_renamed"] {
        let (old, new) = fingerprints(case);
        assert_ne!(old, new, "{case}");
    }
}

#[test]
fn a_body_without_the_field_gets_the_old_default_the_new_one_or_none() {
    // The message of a version before `old`, which did not have the last field: a struct with a name.
    let earlier = [7, 3, 2, b'o', b'k'];
    let request = |case: &str, version: &str| {
        let case = generated::CASES.iter().find(|other| other.name == case).unwrap();
        let table = if version == "old" { (case.old)() } else { (case.new)() };
        (table[0].1)(&earlier)
    };
    assert_eq!(request("default_removed", "old").unwrap(), [7, 4, 2, b'o', b'k', 1]);
    assert!(request("default_removed", "new").unwrap_err().contains("count"));
    assert_eq!(request("default_changed", "old").unwrap(), [7, 4, 2, b'o', b'k', 1]);
    assert_eq!(request("default_changed", "new").unwrap(), [7, 4, 2, b'o', b'k', 2]);
    assert_eq!(request("default_of_an_optional", "old").unwrap(), [7, 4, 2, b'o', b'k', 0]);
    assert_eq!(request("default_of_an_optional", "new").unwrap(), [7, 5, 2, b'o', b'k', 1, 5]);
}

#[test]
fn other_routing_makes_other_keys() {
    let (app_id, number, item) = (rpcgen_runtime::generated::AppId(1), 7, "pen".to_owned());
    let old = cases::routing_changed::old::Shipped { app_id, number, item: item.clone() };
    let new = cases::routing_changed::new::Shipped { app_id, number, item };
    assert_ne!(old.origin_key(), new.origin_key());
}

#[test]
fn an_action_that_no_longer_asks_for_a_disk_may_be_kept_in_memory() {
    let old = &cases::persist_lowered::old::Client::SERVICE.actions[0];
    let new = &cases::persist_lowered::new::Client::SERVICE.actions[0];
    assert_eq!((old.persist, new.persist), (Persist::Disk, Persist::Default));
}

#[test]
fn an_old_server_has_no_handler_for_an_appended_action() {
    let old = cases::action_appended::old::Client::SERVICE.actions.len();
    assert_eq!(cases::action_appended::new::actions::Cancel::METHOD as usize, old);
}
