//! Which declaration a comment belongs to.
//!
//! Knows: where declarations begin and end, blank lines and braces between. Does not know: what comments say.

use std::cmp::Reverse;

use prost_types::FileDescriptorProto;

use super::scan::Group;
use super::tag;

/// Whether comments are asked for at this place.
fn has_comments(path: &[i32]) -> bool {
    match path {
        [tag::PACKAGE | tag::SYNTAX] => true,
        [tag::MESSAGE, _, inside @ ..] => is_in_message(inside),
        [tag::ENUM, _, inside @ ..] => matches!(inside, [] | [tag::VALUE, _]),
        [tag::SERVICE, _, inside @ ..] => matches!(inside, [] | [tag::METHOD, _]),
        _ => false,
    }
}

fn is_in_message(path: &[i32]) -> bool {
    match path {
        [] | [tag::FIELD | tag::ONEOF, _] => true,
        [tag::NESTED_MESSAGE, _, inside @ ..] => is_in_message(inside),
        [tag::NESTED_ENUM, _, inside @ ..] => matches!(inside, [] | [tag::VALUE, _]),
        _ => false,
    }
}

/// A declaration that comments belong to.
struct Declared<'d> {
    path: &'d [i32],
    start: usize,
    end: usize,
    /// Where its body opens; its end if it has none.
    body: usize,
    /// The one that it stands in.
    outer: Option<usize>,
}

/// What a group of comments is to a declaration.
pub(super) enum Place {
    Leading(usize),
    Trailing(usize),
    Before(usize),
    End(Option<usize>),
}

/// A file's text and what it declares, in the order of the text.
pub(super) struct Layout<'t, 'd> {
    text: &'t str,
    declared: Vec<Declared<'d>>,
}

impl<'t, 'd> Layout<'t, 'd> {
    pub(super) fn new(descriptor: &'d FileDescriptorProto, text: &'t str) -> Self {
        let starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        let byte = |line: i32, column: i32| {
            let line = usize::try_from(line).ok().and_then(|line| starts.get(line)).copied().unwrap_or(text.len());
            line + usize::try_from(column).unwrap_or_default()
        };
        let mut declared = Vec::new();
        for location in descriptor.source_code_info.iter().flat_map(|info| &info.location) {
            let (start, end) = match *location.span.as_slice() {
                [line, from, to] => (byte(line, from), byte(line, to)),
                [line, from, last, to] => (byte(line, from), byte(last, to)),
                _ => continue,
            };
            if has_comments(&location.path) {
                let body = text.get(start..end).and_then(|text| text.find('{')).map_or(end, |at| start + at);
                declared.push(Declared { path: &location.path, start, end, body, outer: None });
            }
        }
        declared.sort_by_key(|one| (one.start, Reverse(one.end)));
        let mut around: Vec<usize> = Vec::new();
        for index in 0..declared.len() {
            while around.last().is_some_and(|outer| declared[*outer].end <= declared[index].start) {
                around.pop();
            }
            declared[index].outer = around.last().copied();
            around.push(index);
        }
        Self { text, declared }
    }

    pub(super) fn path(&self, one: usize) -> &'d [i32] {
        self.declared[one].path
    }

    /// What stands around a place, what that declares last before the place, and first behind it.
    fn around(&self, at: usize) -> (Option<usize>, Option<usize>, Option<usize>) {
        let next = self.declared.partition_point(|one| one.start <= at);
        let (mut outer, mut before) = (next.checked_sub(1), None);
        while let Some(one) = outer.filter(|one| self.declared[*one].end <= at) {
            before = outer;
            outer = self.declared[one].outer;
        }
        let end = outer.map_or(usize::MAX, |outer| self.declared[outer].end);
        let next = self.declared.get(next).filter(|next| next.start < end).map(|_| next);
        (outer, before, next)
    }

    /// `has_trailing` says whether a declaration has a comment behind it already.
    pub(super) fn place(&self, group: &Group, has_trailing: impl Fn(usize) -> bool) -> Place {
        let (outer, before, next) = self.around(group.range.start);
        let is_behind = group.is_behind_code();
        // Fields, values of enums and methods have one number, and are told with their parts.
        let is_leaf = |one: usize| matches!(self.declared[one].path, [_] | [.., tag::FIELD, _]);
        if let Some(leaf) = outer.filter(|outer| is_leaf(*outer)) {
            // Behind the first brace begin the options of a method.
            let is_in_head = group.code_before.is_some_and(|code| code.at <= self.declared[leaf].body);
            return if is_behind && is_in_head { Place::Trailing(leaf) } else { Place::Before(leaf) };
        }
        let is_followed = |next: &usize| {
            group.code_behind.is_some_and(|code| {
                self.declared[*next].start == code.at && code.line <= group.lines.1 + 1 && !is_behind
            })
        };
        if let Some(next) = next.filter(is_followed) {
            return Place::Leading(next);
        }
        if let Some(code) = group.code_before {
            let ends_here = |one: &usize| self.declared[*one].end == code.at + 1;
            let begins_here = |one: &usize| before.is_none() && self.declared[*one].body == code.at;
            let target = before.filter(ends_here).or_else(|| outer.filter(begins_here));
            // Below it, with an empty line behind and no brace: what stands before the end of a body speaks of no field.
            let is_below = code.line + 1 == group.lines.0
                && self.byte(code.at) != Some(b'}')
                && group
                    .code_behind
                    .is_none_or(|code| code.line > group.lines.1 + 1 && self.byte(code.at) != Some(b'}'));
            if let Some(target) = target.filter(|one| is_behind || is_below && !has_trailing(*one)) {
                return Place::Trailing(target);
            }
        }
        next.map_or(Place::End(outer), Place::Before)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }
}
