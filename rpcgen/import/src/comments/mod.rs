//! Comments of a `.proto` file, by what they stand at.
//!
//! Knows: what is asked for at each place. Does not know: how a comment's place is found (`place`), what is declared there.
//!
//! Every comment belongs to one declaration: it documents it (right before it, behind it on its line, or right below it), or it stands
//! before it or at its end. One at something that has no like here, an import or an option, stands before what is declared next.

mod lines;
mod place;
pub(crate) mod scan;

use std::collections::HashMap;

use prost_types::FileDescriptorProto;

use lines::{lines, no_code};
use place::{Layout, Place};

/// Numbers of fields of the descriptor, of which places are made: `[message, 0, field, 2]` is the third field of the first message.
pub(crate) mod tag {
    pub(crate) const PACKAGE: i32 = 2;
    pub(crate) const SYNTAX: i32 = 12;
    pub(crate) const MESSAGE: i32 = 4;
    pub(crate) const ENUM: i32 = 5;
    pub(crate) const SERVICE: i32 = 6;
    pub(crate) const METHOD: i32 = 2;
    pub(crate) const VALUE: i32 = 2;
    pub(crate) const FIELD: i32 = 2;
    pub(crate) const NESTED_MESSAGE: i32 = 3;
    pub(crate) const NESTED_ENUM: i32 = 4;
    pub(crate) const ONEOF: i32 = 8;
    pub(crate) const IMPORT: i32 = 3;
    pub(crate) const FILE_EXTENSION: i32 = 7;
    pub(crate) const EXTENSION_RANGE: i32 = 5;
    pub(crate) const EXTENSION: i32 = 6;
    pub(crate) const RESERVED_RANGE: i32 = 9;
    pub(crate) const RESERVED_NAME: i32 = 10;
    pub(crate) const ENUM_RESERVED_RANGE: i32 = 4;
    pub(crate) const ENUM_RESERVED_NAME: i32 = 5;
    pub(crate) const FILE_OPTIONS: i32 = 8;
    pub(crate) const MESSAGE_OPTIONS: i32 = 7;
    pub(crate) const FIELD_OPTIONS: i32 = 8;
    pub(crate) const ONEOF_OPTIONS: i32 = 2;
    pub(crate) const ENUM_OPTIONS: i32 = 3;
    pub(crate) const VALUE_OPTIONS: i32 = 3;
    pub(crate) const SERVICE_OPTIONS: i32 = 3;
    pub(crate) const METHOD_OPTIONS: i32 = 4;
    pub(crate) const UNINTERPRETED: i32 = 999;
}

/// What stands at one place.
#[derive(Clone, Debug, Default)]
struct Remarks {
    /// Line, from 1.
    line: usize,
    /// Right before it.
    leading: Vec<String>,
    /// Right behind it, or right below it.
    trailing: Vec<String>,
    /// Further up, with an empty line between.
    detached: Vec<String>,
    /// Within it, behind all that it declares.
    end: Vec<String>,
}

/// All comments of one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comments {
    places: HashMap<Vec<i32>, Remarks>,
    /// Behind the last declaration.
    end: Vec<String>,
}

/// One more group behind others, with an empty line between.
fn append(to: &mut Vec<String>, lines: Vec<String>) {
    if !to.is_empty() && !lines.is_empty() {
        to.push(String::new());
    }
    to.extend(lines);
}

/// One more group of those that document nothing, each of which ends with an empty line.
fn append_detached(to: &mut Vec<String>, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    // An empty line inside of a group is not the end of it.
    to.extend(lines.into_iter().map(|line| if line.is_empty() { " ".to_owned() } else { line }));
    to.push(String::new());
}

impl Comments {
    pub(crate) fn of(descriptor: &FileDescriptorProto, text: &str) -> Self {
        let mut comments = Self::default();
        for location in descriptor.source_code_info.iter().flat_map(|info| &info.location) {
            let line = location.span.first().and_then(|line| usize::try_from(*line).ok()).unwrap_or_default() + 1;
            comments.places.entry(location.path.clone()).or_insert_with(|| Remarks { line, ..Remarks::default() });
        }
        let layout = Layout::new(descriptor, text);
        for group in scan::groups(text) {
            let has_trailing =
                |one: usize| comments.places.get(layout.path(one)).is_some_and(|remarks| !remarks.trailing.is_empty());
            let place = layout.place(&group, has_trailing);
            let lines = lines(&group.text);
            match place {
                Place::Leading(one) => append(&mut comments.at(layout.path(one)).leading, lines),
                Place::Trailing(one) => append(&mut comments.at(layout.path(one)).trailing, lines),
                Place::Before(one) => append_detached(&mut comments.at(layout.path(one)).detached, lines),
                Place::End(Some(one)) => append_detached(&mut comments.at(layout.path(one)).end, lines),
                Place::End(None) => append_detached(&mut comments.end, lines),
            }
        }
        comments
    }

    fn at(&mut self, path: &[i32]) -> &mut Remarks {
        self.places.entry(path.to_vec()).or_default()
    }

    /// The line where something stands, from 1; of what has no place, that of what it stands in.
    pub(crate) fn line(&self, path: &[i32]) -> usize {
        let known = (1..=path.len()).rev().find_map(|length| self.places.get(&path[..length]));
        known.map_or(1, |remarks| remarks.line)
    }

    /// What documents it: fit for `///`.
    pub(crate) fn docs(&self, path: &[i32]) -> Vec<String> {
        let Some(remarks) = self.places.get(path) else { return Vec::new() };
        let mut docs = remarks.leading.clone();
        append(&mut docs, remarks.trailing.clone());
        no_code(&docs)
    }

    /// What stands before it and documents nothing; groups end with an empty line.
    pub(crate) fn detached(&self, path: &[i32]) -> &[String] {
        self.places.get(path).map_or(&[], |remarks| remarks.detached.as_slice())
    }

    /// What stands in it behind all that it declares; nothing is the file.
    pub(crate) fn end(&self, path: &[i32]) -> &[String] {
        if path.is_empty() {
            return &self.end;
        }
        self.places.get(path).map_or(&[], |remarks| remarks.end.as_slice())
    }
}
