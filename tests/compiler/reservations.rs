//! What `reserved` guards against in other languages does not happen unseen in this one (decision 0038): a member that is gone, another in
//! its place, its name once more.

use rpcgen::breaking::{self, Level};
use rpcgen::diagnostic::Code;
use rpcgen::model::Model;

use super::examples::check;

const OLD: &str = "package shop;
struct Item { id: u64, note: string = \"\", price: u64 = 0 }
enum State { open, paid, sent }
service Shop {
    action buy(app_id: AppId, item: Item) -> (state: State) fails { no_money, no_goods, closed };
    action sell(app_id: AppId, id: u64);
    action list(app_id: AppId);
    broadcast bought(app_id: AppId, id: u64);
    broadcast sold(app_id: AppId, id: u64);
    broadcast gone(app_id: AppId, id: u64);
}
";

/// A member of each kind, one in the middle and the last one, and what could come to stand in its place.
const MEMBERS: [(&str, &str); 10] = [
    (", note: string = \"\"", ", remark: string = \"\""),
    (", price: u64 = 0", ", cost: u64 = 0"),
    (", paid", ", billed"),
    (", sent", ", lost"),
    (", no_goods", ", no_room"),
    (", closed", ", broken"),
    ("\n    action sell(app_id: AppId, id: u64);", "\n    action ship(app_id: AppId, id: u64);"),
    ("\n    action list(app_id: AppId);", "\n    action show(app_id: AppId);"),
    ("\n    broadcast sold(app_id: AppId, id: u64);", "\n    broadcast shipped(app_id: AppId, id: u64);"),
    ("\n    broadcast gone(app_id: AppId, id: u64);", "\n    broadcast back(app_id: AppId, id: u64);"),
];

fn model(text: &str) -> Model {
    let checked = check(text);
    checked.model.unwrap_or_else(|| panic!("{}", checked.diagnostics.to_human(false)))
}

#[test]
fn what_is_removed_is_told_and_so_is_another_in_its_place() {
    let old = model(OLD);
    for (member, other) in MEMBERS {
        for replacement in ["", other] {
            let new = model(&OLD.replacen(member, replacement, 1));
            let findings = breaking::compare(&old, &new);
            assert!(findings.iter().any(|one| one.rule.level == Level::Breaking), "{member} -> {replacement}");
        }
    }
}

/// A version that removed the last member connects with the one before it; a later one that put another there does not.
#[test]
fn ends_that_have_different_members_in_one_place_do_not_connect() {
    let old = model(OLD);
    for (member, other) in MEMBERS {
        let new = model(&OLD.replacen(member, other, 1));
        let (old, new) = (&old.services[0].shape, &new.services[0].shape);
        assert!(rpcgen_proto::shape::compare(old, new).is_err(), "{member} -> {other}");
    }
}

#[test]
fn the_name_of_what_stays_is_not_given_twice() {
    for (member, _) in MEMBERS {
        let checked = check(&OLD.replacen(member, &member.repeat(2), 1));
        assert!(checked.diagnostics.list().iter().any(|one| one.code == Code::Duplicate), "{member}");
    }
}
