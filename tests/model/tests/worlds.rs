//! The smaller worlds, looked through completely. The larger ones are looked through by the command.

use model::configurations::{self, Extent};
use model::explore::explore;

fn assert_good(name: &str) {
    let world = configurations::all(Extent::Reduced).into_iter().find(|world| world.name == name).expect(name);
    let report = explore(&world, 1, usize::MAX);
    assert!(report.is_complete && report.is_good(), "{}\n{}", report.row(), report.complaint());
}

#[test]
fn both_sides_fill_a_window_of_two_in_every_order_and_all_is_answered() {
    assert_good("w2");
}

#[test]
fn pools_are_doubled_in_every_order_while_the_session_is_resumed() {
    assert_good("g");
}
