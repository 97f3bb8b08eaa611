//! `to origin of ACTION by FIELD, ..`: the action is there, and both sides have the fields with the same types.
//!
//! Knows: actions, broadcasts and their fields. Does not know: how a broadcast finds its node (docs/protocol.md 10).

use std::collections::{HashMap, HashSet};

use super::scope::Scope;
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::model::{Correlation, CorrelationPlace, Type};
use crate::nearest::{nearest, nearest_or_part};
use crate::syntax::ast::{Action, Broadcast, FieldList, Member, Name, Origin, Service};

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for (unit, service) in walk::services(scope.units) {
        let mut actions: HashMap<&str, &Action> = HashMap::new();
        for action in walk::actions(service) {
            actions.entry(&action.head.name.text).or_insert(action);
        }
        for broadcast in walk::broadcasts(service) {
            let Some(origin) = &broadcast.origin else { continue };
            twice(origin, sink);
            match actions.get(origin.action.text.as_str()) {
                Some(action) => origin.by.iter().for_each(|field| tie(scope, unit, action, broadcast, field, sink)),
                None => unknown_action(service, &origin.action, sink),
            }
        }
    }
}

fn twice(origin: &Origin, sink: &mut Sink) {
    for (index, name) in origin.by.iter().enumerate() {
        if let Some(first) = origin.by[..index].iter().find(|first| first.text == name.text) {
            let diagnostic =
                Diagnostic::new(Code::CorrelationTwice, name.span, format!("`{}` is named twice", name.text));
            sink.push(diagnostic.with_secondary(first.span, "the first time"));
        }
    }
}

fn unknown_action(service: &Service, name: &Name, sink: &mut Sink) {
    let lost = |member: &Member| matches!(member, Member::Lost(lost) if lost.text == name.text);
    if service.members.iter().any(lost) {
        return;
    }
    let message = format!("service `{}` has no action `{}`", service.head.name.text, name.text);
    let diagnostic = Diagnostic::new(Code::OriginAction, name.span, message);
    let names = walk::actions(service).map(|action| action.head.name.text.as_str());
    let near = if sink.may_compare(service.members.len()) { nearest(&name.text, names) } else { None };
    sink.push(match near {
        Some(near) => diagnostic.with_fix("did you mean", name.span, near),
        None => diagnostic.with_help("`origin of` names the action whose node hears of it, in the same service"),
    });
}

fn tie(scope: &Scope<'_>, unit: usize, action: &Action, broadcast: &Broadcast, name: &Name, sink: &mut Sink) {
    let lists: Vec<&FieldList> = std::iter::once(&action.request).chain(&action.response).collect();
    let mine = Side { what: "broadcast", owner: &broadcast.head.name, lists: &[&broadcast.fields] };
    let theirs = Side { what: "action", owner: &action.head.name, lists: &lists };
    match (mine.lacks(name), theirs.lacks(name)) {
        (true, true) => {
            let missing = mine.missing(name, &theirs, sink);
            sink.push(theirs.add_to(missing));
        }
        (true, false) => {
            let missing = mine.missing(name, &theirs, sink);
            sink.push(missing);
        }
        (false, true) => {
            let missing = theirs.missing(name, &mine, sink);
            sink.push(missing);
        }
        (false, false) if correlation(scope, unit, action, broadcast, name) == Tie::OtherType => {
            sink.push(other_type(name, &broadcast.fields, &lists));
        }
        (false, false) => {}
    }
}

fn other_type(name: &Name, mine: &FieldList, theirs: &[&FieldList]) -> Diagnostic {
    let message = format!("`{}` has one type here and another in the action", name.text);
    let mut diagnostic = Diagnostic::new(Code::CorrelationType, name.span, message);
    for list in std::iter::once(&mine).chain(theirs) {
        if let Some(field) = position(list, name).map(|index| &list.fields[index]) {
            diagnostic = diagnostic.with_secondary(field.ty.span, "");
        }
    }
    diagnostic.with_help("what ties the two is compared: give both the same type")
}

/// A broadcast or an action with its fields.
struct Side<'a> {
    what: &'a str,
    owner: &'a Name,
    lists: &'a [&'a FieldList],
}

impl Side<'_> {
    /// False also where it may have been in what could not be read.
    fn lacks(&self, name: &Name) -> bool {
        !self.lists.iter().any(|list| list.incomplete || position(list, name).is_some())
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.lists.iter().flat_map(|list| &list.fields).map(|field| field.head.name.text.as_str())
    }

    fn missing(&self, name: &Name, other: &Side<'_>, sink: &mut Sink) -> Diagnostic {
        /// So many names are listed, as far as anybody reads.
        const SHOWN_MAX: usize = 8;
        let message = format!("{} `{}` has no field `{}`", self.what, self.owner.text, name.text);
        let diagnostic = self.add_to(Diagnostic::new(Code::Correlation, name.span, message));
        let help = "`by` names fields that the broadcast has, and the action in its request or response";
        if !sink.may_compare(self.names().count() + other.names().count()) {
            return diagnostic.with_help(help);
        }
        // The app's is compared anyway.
        let theirs: HashSet<&str> = other.names().filter(|name| *name != "app_id").collect();
        let both: Vec<&str> = self.names().filter(|one| theirs.contains(one)).collect();
        if let Some(near) = nearest_or_part(&name.text, both.iter().copied()) {
            return diagnostic.with_fix("did you mean", name.span, near);
        }
        if let Some(near) = nearest_or_part(&name.text, self.names()) {
            let (what, owner) = (self.what, &self.owner.text);
            return diagnostic
                .with_help(format!("{what} `{owner}` has `{near}`: what ties the two has one name on both sides"));
        }
        match both.as_slice() {
            [] => diagnostic.with_help(help),
            [shown @ .., _] if shown.len() >= SHOWN_MAX => {
                let (shown, more) = (&both[..SHOWN_MAX], both.len() - SHOWN_MAX);
                diagnostic.with_help(format!("{help}: here `{}` and {more} more", shown.join("`, `")))
            }
            both => diagnostic.with_help(format!("{help}: here `{}`", both.join("`, `"))),
        }
    }

    fn add_to(&self, diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.with_secondary(self.owner.span, format!("this {} lacks it", self.what))
    }
}

fn position(list: &FieldList, name: &Name) -> Option<usize> {
    list.fields.iter().position(|field| field.head.name.text == name.text)
}

/// How a broadcast's field is tied to its action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tie {
    Tied(Correlation),
    OtherType,
    /// A field is missing, or a type is: reported.
    Broken,
}

/// Both have it: the response counts more than the request, for it is what the server made. Limits do not matter.
pub(super) fn correlation(scope: &Scope<'_>, unit: usize, action: &Action, broadcast: &Broadcast, name: &Name) -> Tie {
    let Some(mine) = position(&broadcast.fields, name) else { return Tie::Broken };
    let Some(ty) = comparable(scope, unit, &broadcast.fields, mine) else { return Tie::Broken };
    let response = action.response.as_ref().map(|list| (CorrelationPlace::Response, list));
    let mut tie = Tie::Broken;
    for (place, list) in response.into_iter().chain([(CorrelationPlace::Request, &action.request)]) {
        let Some(theirs) = position(list, name) else { continue };
        let Some(other) = comparable(scope, unit, list, theirs) else { continue };
        if other == ty {
            let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            return Tie::Tied(Correlation { broadcast_field: index(mine), place, action_field: index(theirs) });
        }
        tie = Tie::OtherType;
    }
    tie
}

fn comparable(scope: &Scope<'_>, unit: usize, list: &FieldList, index: usize) -> Option<Type> {
    let ty = scope.ty(unit, &list.fields[index].ty)?;
    plain(scope, ty, &mut { TYPES_MAX })
}

/// So many types are looked at to compare two: aliases can make a small text a large type.
const TYPES_MAX: u32 = 1_000;

/// Without aliases and limits.
fn plain(scope: &Scope<'_>, ty: Type, left: &mut u32) -> Option<Type> {
    *left = left.checked_sub(1)?;
    let mut inner = |ty: Box<Type>| plain(scope, *ty, left).map(Box::new);
    Some(match scope.expand(ty)? {
        Type::String { .. } => Type::String { max: None },
        Type::Bytes { .. } => Type::Bytes { max: None },
        Type::Optional(ty) => Type::Optional(inner(ty)?),
        Type::List { element, .. } => Type::List { element: inner(element)?, max: None },
        Type::Array { element, length } => Type::Array { element: inner(element)?, length },
        Type::Map { key, value, .. } => Type::Map { key: inner(key)?, value: inner(value)?, max: None },
        other => other,
    })
}
