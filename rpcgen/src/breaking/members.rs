//! What has become of the members of a list whose order is on the wire.
//!
//! Knows: names and places. Does not know: what the members are, apart from their kind.

use super::compare::Pair;
use super::rules::{self, Rule};
use crate::model::{Broadcast, CorrelationPlace, Service};

/// What has become of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// It is gone.
    Removed(&'a str),
    /// Its place has one of another name.
    Renamed(&'a str, &'a str),
    /// It came behind one that it stood before.
    Moved(&'a str),
    /// It is new, before one that was there.
    Inserted(&'a str),
    /// It is new, behind all that were there.
    Appended(&'a str),
}

/// What has become of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changes<'a> {
    pub(super) found: Vec<Change<'a>>,
    /// The places in both of what is the same member.
    pub(super) pairs: Vec<(usize, usize)>,
}

/// Compares two lists of names, each without a name twice.
pub(super) fn changes<'a>(names: &Pair<Vec<&'a str>>) -> Changes<'a> {
    let Pair { old, new } = names;
    let mut found = Vec::new();
    let mut pairs = Vec::new();
    let mut last = None;
    for (place, name) in old.iter().copied().enumerate() {
        let Some(now) = new.iter().position(|other| *other == name) else {
            let successor = new.get(place).filter(|other| !old.contains(other));
            found.push(successor.map_or(Change::Removed(name), |other| Change::Renamed(name, other)));
            pairs.extend(successor.map(|_| (place, place)));
            continue;
        };
        if last.is_some_and(|last| now < last) {
            found.push(Change::Moved(name));
        } else {
            last = Some(now);
        }
        pairs.push((place, now));
    }
    for (place, name) in new.iter().copied().enumerate().filter(|(_, name)| !old.contains(name)) {
        let is_successor = old.get(place).is_some_and(|other| !new.contains(other));
        if is_successor {
            continue;
        }
        // What follows was there before: then it has been pushed away from its place.
        let is_last = new[place..].iter().all(|other| !old.contains(other)) && place >= old.len();
        found.push(if is_last { Change::Appended(name) } else { Change::Inserted(name) });
    }
    Changes { found, pairs }
}

/// A kind of members.
pub(super) struct Kind {
    name: &'static str,
    removed: &'static Rule,
    renamed: &'static Rule,
    moved: &'static Rule,
    inserted: &'static Rule,
    /// `None`: fine, or reported by whoever knows more.
    appended: Option<&'static Rule>,
}

impl Kind {
    pub(super) const FIELD: &'static Self = &Self {
        name: "field",
        removed: rules::FIELD_REMOVED,
        renamed: rules::FIELD_RENAMED,
        moved: rules::FIELD_MOVED,
        inserted: rules::FIELD_INSERTED,
        appended: None,
    };
    pub(super) const VARIANT: &'static Self = &Self {
        name: "variant",
        removed: rules::VARIANT_REMOVED,
        renamed: rules::VARIANT_RENAMED,
        moved: rules::VARIANT_MOVED,
        inserted: rules::VARIANT_INSERTED,
        appended: Some(rules::VARIANT_APPENDED),
    };
    pub(super) const ACTION: &'static Self = &Self {
        name: "action",
        removed: rules::ACTION_REMOVED,
        renamed: rules::ACTION_RENAMED,
        moved: rules::ACTION_MOVED,
        inserted: rules::ACTION_INSERTED,
        appended: Some(rules::ACTION_APPENDED),
    };
    pub(super) const BROADCAST: &'static Self = &Self {
        name: "broadcast",
        removed: rules::BROADCAST_REMOVED,
        renamed: rules::BROADCAST_RENAMED,
        moved: rules::BROADCAST_MOVED,
        inserted: rules::BROADCAST_INSERTED,
        // An old client is not sent it: it says at the handshake which it handles.
        appended: None,
    };

    /// The rule that a change breaks, the name it is about, and the sentence. `None`: it breaks none.
    pub(super) fn say<'a>(&self, change: &Change<'a>, owner: &str) -> Option<(&'static Rule, &'a str, String)> {
        let kind = self.name;
        Some(match *change {
            Change::Removed(name) => (self.removed, name, format!("{kind} `{name}` of `{owner}` is gone")),
            Change::Renamed(old, new) => {
                (self.renamed, new, format!("{kind} `{new}` of `{owner}` stands where `{old}` was"))
            }
            Change::Moved(name) => (self.moved, name, format!("{kind} `{name}` of `{owner}` has another place")),
            Change::Inserted(name) => {
                (self.inserted, name, format!("{kind} `{name}` of `{owner}` is new and not the last"))
            }
            Change::Appended(name) => (self.appended?, name, format!("{kind} `{name}` of `{owner}` is new")),
        })
    }
}

/// Where a broadcast goes, in words that are equal when it is the same.
pub(super) fn routing(service: &Service, broadcast: &Broadcast) -> String {
    let Some(origin) = &broadcast.origin else { return "to any node that handles it".to_owned() };
    let action = service.actions.get(origin.action as usize);
    let by: Vec<String> = origin
        .by
        .iter()
        .map(|tie| {
            let name = broadcast.fields.get(tie.broadcast_field as usize).map_or("", |field| &field.name);
            match tie.place {
                CorrelationPlace::Request => format!("`{name}` of the request"),
                CorrelationPlace::Response => format!("`{name}` of the response"),
            }
        })
        .collect();
    format!("to the origin of `{}` by {}", action.map_or("", |action| &action.name), by.join(", "))
}

#[cfg(test)]
mod tests {
    use super::Change::{Appended, Inserted, Moved, Removed, Renamed};
    use super::*;

    fn of<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Change<'a>> {
        changes(&Pair { old: old.to_vec(), new: new.to_vec() }).found
    }

    #[test]
    fn what_came_in_anothers_place_has_been_renamed() {
        assert_eq!(of(&["a", "b"], &["a", "c"]), [Renamed("b", "c")]);
        assert_eq!(of(&["a", "b"], &["a", "c", "d"]), [Renamed("b", "c"), Appended("d")]);
    }

    #[test]
    fn one_change_is_reported_once() {
        assert_eq!(of(&["a", "b", "c"], &["a", "c"]), [Removed("b")]);
        assert_eq!(of(&["a", "b"], &["x", "a", "b"]), [Inserted("x")]);
        assert_eq!(of(&["a", "b"], &["a", "b", "x", "y"]), [Appended("x"), Appended("y")]);
        assert_eq!(of(&["a", "b"], &["b", "a"]), [Moved("b")]);
        assert_eq!(of(&["a", "b"], &["a", "b"]), []);
    }

    #[test]
    fn what_takes_a_removed_place_is_not_appended() {
        assert_eq!(of(&["a", "b"], &["b", "x"]), [Removed("a"), Inserted("x")]);
    }
}
