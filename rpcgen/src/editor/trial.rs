//! A rename that is tried out before anybody sees it.
//!
//! Knows: the texts as they would be, what the check says of them. Does not know: which places a rename changes.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, Occurrence};
use super::{Edit, Project, RenameError};
use crate::check::scope::Scope;
use crate::check::{self, Unit};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity, Sink};
use crate::source::{SourceId, SourceMap, Span};
use crate::syntax;

/// Whether the edits, in the order of the texts, bring no new error, and leave to each name what it stands for.
pub(super) fn passes(project: &Project, edits: &[Edit]) -> Result<(), RenameError> {
    let touched: BTreeSet<SourceId> = edits.iter().map(|edit| edit.at.source).collect();
    let (_, before) = checked(project, &touched, &[]);
    let (units, after) = checked(project, &touched, edits);
    refuse_new(&before, &after)?;
    let index = Index::new(&Scope::new(&units));
    let is_kept = |one: &Occurrence| {
        let at = moved(one.at, edits);
        index.at(at.source, at.start).is_some_and(|now| now.symbols == one.symbols)
    };
    if project.index.occurrences().iter().all(is_kept) { Ok(()) } else { Err(RenameError::OtherMeaning) }
}

/// All trees, those of the touched texts read again with the edits, and what is to be said of them.
fn checked(project: &Project, touched: &BTreeSet<SourceId>, edits: &[Edit]) -> (Vec<Unit>, Diagnostics) {
    let mut sink = Sink::default();
    let mut units = project.units.clone();
    for unit in units.iter_mut().filter(|unit| touched.contains(&unit.file.source)) {
        let source = unit.file.source;
        let mut text = project.sources.source(source).map_or_else(String::new, |source| source.text().to_owned());
        for edit in edits.iter().rev().filter(|edit| edit.at.source == source) {
            text.replace_range(edit.at.start as usize..edit.at.end as usize, &edit.text);
        }
        unit.file = syntax::parse(source, &text, &mut sink);
    }
    check::check(&units, &mut sink);
    (units, sink.finish(SourceMap::default()))
}

/// Rules about names themselves: what they say tells more than what follows from it elsewhere.
const OF_NAMES: [Code; 6] =
    [Code::Duplicate, Code::SameInRust, Code::Reserved, Code::BuiltInName, Code::NoLetter, Code::SamePackage];

/// No rule finds more errors than before. Files may have some that have nothing to do with the name.
fn refuse_new(before: &Diagnostics, after: &Diagnostics) -> Result<(), RenameError> {
    let mut known: BTreeMap<Code, usize> = BTreeMap::new();
    for found in before.list() {
        *known.entry(found.code).or_default() += 1;
    }
    let errors = after.list().iter().filter(|found| found.code.severity() == Severity::Error);
    let is_new = |found: &&Diagnostic| {
        let left = known.entry(found.code).or_default();
        let is_new = *left == 0;
        *left = left.saturating_sub(1);
        is_new
    };
    let new: Vec<&Diagnostic> = errors.filter(is_new).collect();
    let first = new.iter().find(|found| OF_NAMES.contains(&found.code)).or_else(|| new.first());
    first.map_or(Ok(()), |found| Err(RenameError::Refused { code: found.code, message: found.message.clone() }))
}

/// Where a place lies behind the edits.
fn moved(at: Span, edits: &[Edit]) -> Span {
    let before = edits.iter().filter(|edit| edit.at.source == at.source && edit.at.start < at.start);
    let start = before.fold(i64::from(at.start), |start, edit| {
        let new = i64::try_from(edit.text.len()).unwrap_or_default();
        start + new - i64::from(edit.at.end - edit.at.start)
    });
    let start = u32::try_from(start).unwrap_or(u32::MAX);
    Span::new(at.source, start, start)
}
