//! The rules of evolution, in one table.
//!
//! Knows: what each rule is for, which way a value fails, what to do instead. Does not know: how a breach is found.
//!
//! A value travels either way. *New reads old* is an old peer that speaks to a new one, and a log that was written before the update;
//! *old reads new* is a new peer that speaks to an old one. Whose message it is says who notices: see [`Failing::parties`].

use std::collections::BTreeSet;

/// A rule of evolution.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// As the findings name it: `field_removed`.
    pub id: &'static str,
    /// Whether something breaks that has worked.
    pub level: Level,
    /// Which way values fail.
    pub failing: Failing,
    /// Why there is such a rule.
    pub purpose: &'static str,
    /// What to do instead.
    pub instead: &'static str,
}

impl Rule {
    /// What `rpcgen explain` prints.
    pub fn page(&self) -> String {
        let level = match self.level {
            Level::Breaking => "It breaks what has worked",
            Level::Caution => "It asks for care",
        };
        let fails = match self.failing {
            NewReadsOld => "the new version does not read, or misreads, what the old one writes",
            OldReadsNew => "the old version does not read, or misreads, what the new one writes",
            Both => "neither version reads what the other writes, or misreads it",
            Always(_) => "it is no matter of a single value",
        };
        format!("# {}\n\n{level}: {fails}.\n\nWhy: {}.\n\nInstead: {}.\n", self.id, self.purpose, self.instead)
    }
}

/// How bad a breach is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Only what the old version could not say, or what it never wrote, is affected: update servers and clients in the right order.
    Caution,
    /// What worked with the old version no longer does.
    Breaking,
}

/// Which way a value fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// The new version does not read, or misreads, what the old one writes.
    NewReadsOld,
    /// The old version does not read, or misreads, what the new one writes.
    OldReadsNew,
    /// Both.
    Both,
    /// Not a matter of a value's direction: these break.
    Always(&'static [Party]),
}

/// Who notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A client of the old version with a server of the new one.
    OldClient,
    /// A client of the new version with a server of the old one.
    OldServer,
    /// What the old version has logged and the new one reads after the update.
    StoredLog,
}

impl Party {
    /// For programs.
    pub const fn id(self) -> &'static str {
        match self {
            Self::OldClient => "old_client",
            Self::OldServer => "old_server",
            Self::StoredLog => "stored_log",
        }
    }

    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::OldClient => "old clients with a new server",
            Self::OldServer => "new clients with an old server",
            Self::StoredLog => "what old logs hold",
        }
    }
}

/// Which way messages go that have a type in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    /// From clients to servers: requests.
    pub(super) up: bool,
    /// From servers to clients: responses, reasons, broadcasts.
    pub(super) down: bool,
}

impl Flow {
    pub(super) const UP: Self = Self { up: true, down: false };
    pub(super) const DOWN: Self = Self { up: false, down: true };
    pub(super) const BOTH: Self = Self { up: true, down: true };

    pub(super) const fn with(self, other: Self) -> Self {
        Self { up: self.up || other.up, down: self.down || other.down }
    }
}

impl Failing {
    /// Who notices, for messages that go this way.
    pub(super) fn parties(self, flow: Flow) -> BTreeSet<Party> {
        let new_reads_old = matches!(self, Self::NewReadsOld | Self::Both);
        let old_reads_new = matches!(self, Self::OldReadsNew | Self::Both);
        let mut parties = BTreeSet::new();
        if (new_reads_old && flow.up) || (old_reads_new && flow.down) {
            parties.insert(Party::OldClient);
        }
        if (new_reads_old && flow.down) || (old_reads_new && flow.up) {
            parties.insert(Party::OldServer);
        }
        if new_reads_old {
            parties.insert(Party::StoredLog);
        }
        if let Self::Always(always) = self {
            parties.extend(always);
        }
        parties
    }
}

macro_rules! rules {
    ($($name:ident $id:literal $level:ident $failing:expr, $purpose:literal, $instead:literal;)*) => {
        $(pub(super) const $name: &Rule = &Rule {
            id: $id,
            level: Level::$level,
            failing: $failing,
            purpose: $purpose,
            instead: $instead,
        };)*

        /// Every rule, in the order of the table.
        pub const RULES: &[&Rule] = &[$($name),*];
    };
}

use Failing::{Always, Both, NewReadsOld, OldReadsNew};

rules! {
    FIELD_REMOVED "field_removed" Breaking Both,
        "fields have no names on the wire, only their order: without one, all behind it are read in the wrong place",
        "keep the field, with `@deprecated(\"why\")`";
    FIELD_MOVED "field_moved" Breaking Both,
        "fields stand on the wire in their order: each would be read as another",
        "keep the order; new fields go to the end";
    FIELD_RENAMED "field_renamed" Breaking Both,
        "nobody can tell a new name from a field that was removed and another that came in its place",
        "keep the name, or append a field of the new name";
    FIELD_INSERTED "field_inserted" Breaking Both,
        "fields stand on the wire in their order: all behind it would be read in the wrong place",
        "append the field at the end";
    FIELD_REQUIRED "field_required" Breaking NewReadsOld,
        "what the old version writes does not have the field",
        "make it optional (`T?`) or give it a default (`= 0`)";
    FIELD_TYPE "field_type" Breaking Both,
        "the bytes of one type are not those of the other",
        "append a field of the new type and deprecate this one";
    INTEGER_NARROWED "integer_narrowed" Breaking NewReadsOld,
        "numbers that the old type has and the new one lacks are refused",
        "keep the wider type";
    INTEGER_WIDENED "integer_widened" Caution OldReadsNew,
        "numbers that only the new type has are refused by the old version",
        "send no such number before all old peers are gone";
    MAX_LOWERED "max_lowered" Breaking NewReadsOld,
        "values that were within the old limit are refused",
        "keep the limit; let the business refuse what is too long";
    MAX_RAISED "max_raised" Caution OldReadsNew,
        "values beyond the old limit are refused by the old version",
        "send no such value before all old peers are gone";
    DEFAULT_REMOVED "default_removed" Caution NewReadsOld,
        "versions before the one compared with, and their logs, may lack the field",
        "keep the default unless no such version and log is left";
    DEFAULT_CHANGED "default_changed" Caution NewReadsOld,
        "where a version before the one compared with left the field out, it now means something else",
        "keep the default unless no such version and log is left";
    FIXED_CHANGED "fixed_changed" Breaking Both,
        "a `@fixed` struct has no length on the wire, any other has one",
        "declare another struct and append a field of it";
    FIXED_STRUCT_CHANGED "fixed_struct_changed" Breaking Both,
        "a `@fixed` struct has no length: what follows it would be read in the wrong place",
        "declare another struct and append a field of it";
    VARIANT_REMOVED "variant_removed" Breaking NewReadsOld,
        "values of the old version may be this variant, and all variants behind it change their number",
        "keep the variant, with `@deprecated(\"why\")`";
    VARIANT_MOVED "variant_moved" Breaking Both,
        "variants travel as their number: each would be read as another",
        "keep the order; new variants go to the end";
    VARIANT_RENAMED "variant_renamed" Breaking Both,
        "nobody can tell a new name from a variant that was removed and another that came in its place",
        "keep the name, or append a variant of the new name";
    VARIANT_INSERTED "variant_inserted" Breaking Both,
        "variants travel as their number: all behind it would be read as their neighbours",
        "append the variant at the end";
    VARIANT_APPENDED "variant_appended" Caution OldReadsNew,
        "a message with the new variant is refused by the old version",
        "send it only when all old peers that may get it are gone";
    VARIANT_DATA "variant_data" Breaking Both,
        "a variant without data has no length on the wire, one with data has one",
        "append a variant with the data";
    SERVICE_REMOVED "service_removed" Breaking Always(&[Party::OldClient, Party::StoredLog]),
        "clients ask for a service by the name of its package and its own",
        "keep the service, and its package's name";
    ACTION_REMOVED "action_removed" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "actions travel as their number: without one, all behind it are taken for others",
        "keep the action, with `@deprecated(\"why\")`, and let it fail";
    ACTION_MOVED "action_moved" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "actions travel as their number: each would be taken for another",
        "keep the order; new actions go behind the last one";
    ACTION_RENAMED "action_renamed" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "nobody can tell a new name from an action that was removed and another that came in its place",
        "keep the name, or append an action of the new name";
    ACTION_INSERTED "action_inserted" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "actions travel as their number: all behind it would be taken for their neighbours",
        "append the action behind the last one";
    ACTION_APPENDED "action_appended" Caution Always(&[Party::OldServer]),
        "an old server refuses the action: it does not know it",
        "update the servers first";
    BROADCAST_REMOVED "broadcast_removed" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "broadcasts travel as their number: without one, all behind it are taken for others",
        "keep the broadcast, with `@deprecated(\"why\")`, and send it no more";
    BROADCAST_MOVED "broadcast_moved" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "broadcasts travel as their number: each would be taken for another",
        "keep the order; new broadcasts go behind the last one";
    BROADCAST_RENAMED "broadcast_renamed" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "nobody can tell a new name from a broadcast that was removed and another that came in its place",
        "keep the name, or append a broadcast of the new name";
    BROADCAST_INSERTED "broadcast_inserted" Breaking Always(&[Party::OldClient, Party::OldServer, Party::StoredLog]),
        "broadcasts travel as their number: all behind it would be taken for their neighbours",
        "append the broadcast behind the last one";
    ROUTING_CHANGED "routing_changed" Breaking Always(&[Party::StoredLog]),
        "what is logged of earlier actions has the old keys: a broadcast finds none of their nodes",
        "append another broadcast with the new routing";
    PERSIST_LOWERED "persist_lowered" Caution Always(&[Party::OldClient]),
        "callers rely on a guaranteed action that outlives a crash",
        "keep `@persist(disk)`";
}

/// The rule with this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}
