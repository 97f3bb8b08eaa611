//! Two models, side by side.
//!
//! Knows: services, types in pairs, which way the messages go that use them. Does not know: order in a list; that is `members`.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::members::{self, Change, Kind};
use super::rules::{self, Flow, Rule};
use crate::model::written::{scalar_name, type_text};
use crate::model::{Action, Broadcast, Field, Model, Persist, Service, Type, TypeId, TypeKind, Value, Variant};

/// The two sides of something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<T> {
    pub(super) old: T,
    pub(super) new: T,
}

/// Something in each version: how messages name it, and its key in each version's places.
#[derive(Clone, Debug)]
pub(super) struct At {
    name: String,
    keys: Pair<String>,
}

impl At {
    fn new(name: impl Into<String>, old: impl Into<String>, new: impl Into<String>) -> Self {
        Self { name: name.into(), keys: Pair { old: old.into(), new: new.into() } }
    }

    /// A part of it that is called the same in both.
    fn part(&self, part: &str) -> Self {
        Self::new(&self.name, format!("{}.{part}", self.keys.old), format!("{}.{part}", self.keys.new))
    }
}

pub(super) struct Comparison<'a> {
    models: Pair<&'a Model>,
    /// Which way the messages go that have these two types in the same place.
    flows: BTreeMap<(TypeId, TypeId), Flow>,
    /// Pairs of types whose parts are still to be looked at.
    open: Vec<(TypeId, TypeId)>,
    findings: Vec<Finding>,
    /// The first walk only follows types: what it would report is found again by the second, which knows all flows.
    silent: bool,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(old: &'a Model, new: &'a Model) -> Self {
        let models = Pair { old, new };
        Self { models, flows: BTreeMap::new(), open: Vec::new(), findings: Vec::new(), silent: true }
    }

    pub(super) fn run(mut self) -> Vec<Finding> {
        self.services();
        self.follow();
        self.unused_types();
        self.follow();
        self.silent = false;
        self.services();
        let pairs: Vec<_> = self.flows.iter().map(|(pair, flow)| (*pair, *flow)).collect();
        for (pair, flow) in pairs {
            self.type_defs(pair, flow);
        }
        self.findings
    }

    fn follow(&mut self) {
        while let Some(pair) = self.open.pop() {
            let flow = self.flows.get(&pair).copied().unwrap_or_default();
            self.type_defs(pair, flow);
        }
    }

    /// Types that no service uses: other files may, so they are compared by their names.
    fn unused_types(&mut self) {
        let used: BTreeSet<TypeId> = self.flows.keys().map(|(old, _)| *old).collect();
        let ids = |model: &Model| (0..u32::try_from(model.types.len()).unwrap_or(u32::MAX)).map(TypeId);
        for old in ids(self.models.old).filter(|id| !used.contains(id)) {
            let name = type_name(self.models.old, old);
            if let Some(new) = ids(self.models.new).find(|id| type_name(self.models.new, *id) == name) {
                self.types(&At::new(&name, &name, &name), Flow::BOTH, &Type::Named(old), &Type::Named(new));
            }
        }
    }

    pub(super) fn report(&mut self, rule: &'static Rule, flow: Flow, at: &At, message: String) {
        if !self.silent {
            let (old, new) = (Some(at.keys.old.clone()), Some(at.keys.new.clone()));
            self.findings.push(Finding { rule, message, breaks: rule.failing.parties(flow), old, new });
        }
    }

    fn services(&mut self) {
        let Pair { old, new } = self.models;
        for service in &old.services {
            let name = service_name(old, service);
            let found = new.services.iter().find(|other| service_name(new, other) == name);
            let at = At::new(&name, &name, &name);
            match found {
                Some(other) => self.service(&at, service, other),
                None => self.report(rules::SERVICE_REMOVED, Flow::BOTH, &at, format!("service `{name}` is gone")),
            }
        }
    }

    fn service(&mut self, at: &At, old: &Service, new: &Service) {
        let names = Pair { old: in_order(&old.actions, |a| &a.name), new: in_order(&new.actions, |a| &a.name) };
        for (before, after) in self.list(at, Kind::ACTION, Flow::BOTH, &names) {
            self.action(at, &old.actions[before], &new.actions[after]);
        }
        let names = Pair { old: in_order(&old.broadcasts, |b| &b.name), new: in_order(&new.broadcasts, |b| &b.name) };
        for (before, after) in self.list(at, Kind::BROADCAST, Flow::BOTH, &names) {
            self.broadcast(at, Pair { old, new }, &old.broadcasts[before], &new.broadcasts[after]);
        }
    }

    /// Reports what has become of the members of a list. What is still compared: the places of each member in both.
    fn list(&mut self, at: &At, kind: &'static Kind, flow: Flow, names: &Pair<Vec<&str>>) -> Vec<(usize, usize)> {
        let changes = members::changes(names);
        for change in &changes.found {
            let Some((rule, name, message)) = kind.say(change, &at.name) else { continue };
            let at = match change {
                Change::Removed(_) => At::new(&at.name, format!("{}.{name}", at.keys.old), at.keys.new.clone()),
                Change::Inserted(_) | Change::Appended(_) => {
                    At::new(&at.name, at.keys.old.clone(), format!("{}.{name}", at.keys.new))
                }
                Change::Renamed(old, new) => {
                    At::new(&at.name, format!("{}.{old}", at.keys.old), format!("{}.{new}", at.keys.new))
                }
                Change::Moved(_) => at.part(name),
            };
            self.report(rule, flow, &at, message);
        }
        changes.pairs
    }

    fn action(&mut self, service: &At, old: &Action, new: &Action) {
        let at = At::new(
            format!("{}.{}", service.name, new.name),
            format!("{}.{}", service.keys.old, old.name),
            format!("{}.{}", service.keys.new, new.name),
        );
        self.fields(&at.part("request"), Flow::UP, false, &old.request, &new.request);
        self.fields(&at.part("response"), Flow::DOWN, false, &old.response, &new.response);
        self.variants(&at.part("fails"), Flow::DOWN, &old.fails, &new.fails);
        if old.persist == Some(Persist::Disk) && new.persist != Some(Persist::Disk) {
            let message = format!("`{}` is no longer kept on disk until it is answered", at.name);
            self.report(rules::PERSIST_LOWERED, Flow::BOTH, &at, message);
        }
    }

    fn broadcast(&mut self, service: &At, services: Pair<&Service>, old: &Broadcast, new: &Broadcast) {
        let at = At::new(
            format!("{}.{}", service.name, new.name),
            format!("{}.{}", service.keys.old, old.name),
            format!("{}.{}", service.keys.new, new.name),
        );
        self.fields(&at, Flow::DOWN, false, &old.fields, &new.fields);
        let (before, after) = (members::routing(services.old, old), members::routing(services.new, new));
        if before != after {
            let message = format!("`{}` went {before} and goes {after} now", at.name);
            self.report(rules::ROUTING_CHANGED, Flow::DOWN, &at, message);
        }
    }

    fn type_defs(&mut self, (old, new): (TypeId, TypeId), flow: Flow) {
        let (old_name, new_name) = (type_name(self.models.old, old), type_name(self.models.new, new));
        let at = At::new(&new_name, old_name, &new_name);
        let Pair { old: old_model, new: new_model } = self.models;
        match (&old_model.type_def(old).kind, &new_model.type_def(new).kind) {
            (TypeKind::Struct { fields: before, fixed }, TypeKind::Struct { fields: after, fixed: now_fixed }) => {
                if fixed != now_fixed {
                    let what = if *now_fixed { "has become" } else { "is no longer" };
                    self.report(rules::FIXED_CHANGED, flow, &at, format!("struct `{new_name}` {what} `@fixed`"));
                }
                self.fields(&at, flow, *fixed && *now_fixed, before, after);
            }
            (TypeKind::Enum { variants: before }, TypeKind::Enum { variants: after }) => {
                self.variants(&at, flow, before, after);
            }
            // Reported where it is used.
            _ => {}
        }
    }

    fn variants(&mut self, at: &At, flow: Flow, old: &[Variant], new: &[Variant]) {
        let names = Pair { old: in_order(old, |v| &v.name), new: in_order(new, |v| &v.name) };
        for (before, after) in self.list(at, Kind::VARIANT, flow, &names) {
            let (before, after) = (&old[before], &new[after]);
            let at = At::new(
                format!("{}.{}", at.name, after.name),
                format!("{}.{}", at.keys.old, before.name),
                format!("{}.{}", at.keys.new, after.name),
            );
            if before.fields.is_empty() == after.fields.is_empty() {
                self.fields(&at, flow, false, &before.fields, &after.fields);
            } else {
                let what = if after.fields.is_empty() { "no longer has data" } else { "has data now" };
                self.report(rules::VARIANT_DATA, flow, &at, format!("variant `{}` {what}", at.name));
            }
        }
    }

    fn fields(&mut self, at: &At, flow: Flow, fixed: bool, old: &[Field], new: &[Field]) {
        let names = Pair { old: in_order(old, |f| &f.name), new: in_order(new, |f| &f.name) };
        if fixed && names.old.len() != names.new.len() {
            let message = format!("`@fixed` struct `{}` had {} fields and has {} now", at.name, old.len(), new.len());
            return self.report(rules::FIXED_STRUCT_CHANGED, flow, at, message);
        }
        for (before, after) in self.list(at, Kind::FIELD, flow, &names) {
            self.field(at, flow, &old[before], &new[after]);
        }
        for field in new.iter().skip(old.len()).filter(|field| !names.old.contains(&field.name.as_str())) {
            if when_absent(self.models.new, field).is_none() {
                let key = format!("{}.{}", at.keys.new, field.name);
                let message = format!("the new field `{}` of `{}` must be there", field.name, at.name);
                self.report(rules::FIELD_REQUIRED, flow, &At::new(&at.name, at.keys.old.clone(), key), message);
            }
        }
    }

    fn field(&mut self, owner: &At, flow: Flow, old: &Field, new: &Field) {
        let at = At::new(
            format!("{}.{}", owner.name, new.name),
            format!("{}.{}", owner.keys.old, old.name),
            format!("{}.{}", owner.keys.new, new.name),
        );
        self.types(&at, flow, &old.ty, &new.ty);
        if is_optional(self.models.old, old) != is_optional(self.models.new, new) {
            // It has another type, and that is said.
            return;
        }
        let (before, after) = (when_absent(self.models.old, old), when_absent(self.models.new, new));
        match (before, after) {
            (Some(_), None) => {
                let message = format!("field `{}` no longer has a default", at.name);
                self.report(rules::DEFAULT_REMOVED, flow, &at, message);
            }
            (Some(before), Some(after)) if !same_value(before, after) => {
                let message = match (before, after) {
                    (Value::None, _) => {
                        format!("field `{}` has a default now: where it is absent, it was `none`", at.name)
                    }
                    (_, Value::None) => {
                        format!("field `{}` had a default: where it is absent, it is `none` now", at.name)
                    }
                    _ => format!("field `{}` has another default", at.name),
                };
                self.report(rules::DEFAULT_CHANGED, flow, &at, message);
            }
            _ => {}
        }
    }

    fn types(&mut self, at: &At, flow: Flow, old: &Type, new: &Type) {
        let (old, new) = (resolved(self.models.old, old).clone(), resolved(self.models.new, new).clone());
        match (as_bytes(&old), as_bytes(&new)) {
            (Some(before), Some(after)) => return self.limit(at, flow, before, after),
            (None, None) => {}
            _ => return self.type_changed(at, flow, &old, &new),
        }
        match (&old, &new) {
            (Type::String { max: before }, Type::String { max: after }) => self.limit(at, flow, *before, *after),
            (Type::Optional(before), Type::Optional(after)) => self.types(at, flow, before, after),
            (Type::List { element: before, max }, Type::List { element: after, max: now }) => {
                self.limit(at, flow, *max, *now);
                self.types(at, flow, before, after);
            }
            (Type::Array { element: before, length }, Type::Array { element: after, length: now }) if length == now => {
                self.types(at, flow, before, after);
            }
            (Type::Map { key, value, max }, Type::Map { key: new_key, value: new_value, max: now }) => {
                self.limit(at, flow, *max, *now);
                self.types(at, flow, key, new_key);
                self.types(at, flow, value, new_value);
            }
            (Type::Named(before), Type::Named(after)) if self.same_kind(*before, *after) => {
                let known = self.flows.entry((*before, *after)).or_default();
                let both = known.with(flow);
                if *known != both {
                    *known = both;
                    self.open.push((*before, *after));
                }
            }
            _ if old == new && !matches!(old, Type::Named(_)) => {}
            _ => match (integer_rank(&old), integer_rank(&new)) {
                (Some((signed, before)), Some((now_signed, after))) if signed == now_signed => {
                    let rule = if after > before { rules::INTEGER_WIDENED } else { rules::INTEGER_NARROWED };
                    let (old, new) = (scalar_name(&old).unwrap_or_default(), scalar_name(&new).unwrap_or_default());
                    let what = format!("field `{}` was `{old}` and is `{new}` now", at.name);
                    self.report(rule, flow, at, what);
                }
                _ => self.type_changed(at, flow, &old, &new),
            },
        }
    }

    fn type_changed(&mut self, at: &At, flow: Flow, old: &Type, new: &Type) {
        let (before, after) = (type_text(self.models.old, None, old), type_text(self.models.new, None, new));
        let message = if before == after {
            format!("field `{}` is still a `{after}`, but that has become something else", at.name)
        } else {
            format!("field `{}` was `{before}` and is `{after}` now", at.name)
        };
        self.report(rules::FIELD_TYPE, flow, at, message);
    }

    fn limit(&mut self, at: &At, flow: Flow, old: Option<u64>, new: Option<u64>) {
        let text = |max: Option<u64>| max.map_or_else(|| "no limit".to_owned(), |max| format!("`@max({max})`"));
        let (before, after) = (old.unwrap_or(u64::MAX), new.unwrap_or(u64::MAX));
        let message = || format!("field `{}` had {} and has {} now", at.name, text(old), text(new));
        if after < before {
            self.report(rules::MAX_LOWERED, flow, at, message());
        } else if after > before {
            self.report(rules::MAX_RAISED, flow, at, message());
        }
    }

    fn same_kind(&self, old: TypeId, new: TypeId) -> bool {
        let kinds = (&self.models.old.type_def(old).kind, &self.models.new.type_def(new).kind);
        match kinds {
            (TypeKind::Struct { .. }, TypeKind::Struct { .. }) | (TypeKind::Enum { .. }, TypeKind::Enum { .. }) => true,
            (TypeKind::External { path: before }, TypeKind::External { path: after }) => before == after,
            _ => false,
        }
    }
}

/// What an alias stands for; any other type itself.
fn resolved<'t>(model: &'t Model, ty: &'t Type) -> &'t Type {
    let mut ty = ty;
    while let Type::Named(id) = ty
        && let TypeKind::Alias { target } = &model.type_def(*id).kind
    {
        ty = target;
    }
    ty
}

/// What a field is in a message that ends before it; `None`: such a message is refused.
fn when_absent<'f>(model: &Model, field: &'f Field) -> Option<&'f Value> {
    field.default.as_ref().or_else(|| is_optional(model, field).then_some(&Value::None))
}

fn is_optional(model: &Model, field: &Field) -> bool {
    matches!(resolved(model, &field.ty), Type::Optional(_))
}

fn same_value(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Variant(_, before), Value::Variant(_, after)) => before == after,
        _ => old == new,
    }
}

/// `bytes` and `[u8]` are the same on the wire. The limit, if it is one of them.
fn as_bytes(ty: &Type) -> Option<Option<u64>> {
    match ty {
        Type::Bytes { max } => Some(*max),
        Type::List { element, max } if **element == Type::U8 => Some(*max),
        _ => None,
    }
}

/// Whether it is signed, and how wide, for integers that are written without regard to their width. A byte is not.
const fn integer_rank(ty: &Type) -> Option<(bool, u8)> {
    Some(match ty {
        Type::U16 => (false, 2),
        Type::U32 => (false, 4),
        Type::U64 => (false, 8),
        Type::U128 => (false, 16),
        Type::I16 => (true, 2),
        Type::I32 => (true, 4),
        Type::I64 => (true, 8),
        Type::I128 => (true, 16),
        _ => return None,
    })
}

fn type_name(model: &Model, id: TypeId) -> String {
    crate::model::written::type_name(model, None, id)
}

fn service_name(model: &Model, service: &Service) -> String {
    format!("{}.{}", model.package(service.package).name, service.name)
}

fn in_order<'t, T>(list: &'t [T], name: impl Fn(&'t T) -> &'t String) -> Vec<&'t str> {
    list.iter().map(|item| name(item).as_str()).collect()
}
