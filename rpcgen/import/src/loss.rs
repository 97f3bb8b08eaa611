//! What a `.proto` file says and the `.rpc` file made of it does not.
//!
//! Knows: kinds of losses and their words. Does not know: how one comes about.

use std::fmt;

/// What kind of thing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A method with streams: an action has one request and one answer.
    Stream,
    /// A service of which no method is left.
    Service,
    /// An extension, or a range of numbers for some.
    Extension,
    /// An option that has no like.
    Option,
    /// A default, or that a field with one knows whether it was set.
    Default,
    /// A second name of an enum's value.
    Alias,
    /// Numbers and names that were not to be used again.
    Reserved,
    /// The type of a field means less: what is inside stays encoded by protobuf.
    Meaning,
    /// Something has another name here.
    Renamed,
    /// An import that was found nowhere.
    MissingImport,
}

/// One loss.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The `.proto` file, as it was found.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What kind of thing.
    pub kind: Kind,
    /// For people.
    pub what: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}
