//! Two shapes, side by side: what one end writes and the other would misread, or could never read.
//!
//! Knows: both, which way each message goes. Does not know: which is the older one; what is fine in either order of age is fine here.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Unfit;
use super::parse::{Action, Definition, Field, Shape, Type, Variant};

/// So many differences are named: whoever has more has another service.
const NAMED_MAX: usize = 4;
/// A service of 10,000 lines takes some 20,000. A foreign text could ask for the square of its length. Each may keep a hundred bytes.
const STEPS_MAX: usize = 200_000;
/// So many characters of a foreign name are shown.
const SHOWN_CHARS_MAX: usize = 64;
/// So many names of a place are shown, the last ones.
const SHOWN_NAMES_MAX: usize = 8;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// The client writes, the server reads.
    Up,
    /// The server writes, the client reads.
    Down,
}

/// A place in the service: `item` within `request` within `order`.
struct Place<'t> {
    within: Option<usize>,
    name: &'t str,
}

/// Two named types that stand in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    here: usize,
    there: usize,
    way: Way,
}

pub(super) struct Comparison<'t> {
    here: &'t Shape<'t>,
    there: &'t Shape<'t>,
    places: Vec<Place<'t>>,
    seen: BTreeSet<Pair>,
    /// Those that were seen, each with its first place, in the order in which they are compared.
    pairs: Vec<(Pair, usize)>,
    /// What is compared was compared the other way before: only what depends on the way is said again.
    is_known: bool,
    found: Vec<String>,
    steps_left: usize,
}

impl<'t> Comparison<'t> {
    pub(super) fn new(here: &'t Shape<'t>, there: &'t Shape<'t>) -> Self {
        let (places, seen, pairs, found) = (Vec::new(), BTreeSet::new(), Vec::new(), Vec::new());
        Self { here, there, places, seen, pairs, is_known: false, found, steps_left: STEPS_MAX }
    }

    pub(super) fn run(mut self) -> Result<(), Unfit> {
        let (here, there) = (self.here, self.there);
        for (index, (own, other)) in here.actions.iter().zip(&there.actions).enumerate() {
            if !self.is_same(None, "action", index, own.name, other.name) {
                break;
            }
            self.action(own, other);
        }
        for (index, (own, other)) in here.broadcasts.iter().zip(&there.broadcasts).enumerate() {
            if !self.is_same(None, "broadcast", index, own.name, other.name) {
                break;
            }
            let at = self.place(None, own.name);
            self.fields(at, Way::Down, &own.fields, &other.fields);
        }
        let mut next = 0;
        while let Some((pair, at)) = self.pairs.get(next).copied() {
            next += 1;
            self.is_known = pair.way == Way::Down && self.seen.contains(&Pair { way: Way::Up, ..pair });
            self.definitions(at, pair);
        }
        match self.found.len() {
            _ if self.steps_left == 0 => Err(Unfit::TooLarge),
            0 => Ok(()),
            count => {
                self.found.truncate(NAMED_MAX);
                let more = if count > NAMED_MAX { "; and more" } else { "" };
                Err(Unfit::Differs(format!("{}{more}", self.found.join("; "))))
            }
        }
    }

    fn action(&mut self, own: &'t Action<'t>, other: &'t Action<'t>) {
        let at = self.place(None, own.name);
        let request = self.place(Some(at), "request");
        self.fields(request, Way::Up, &own.request, &other.request);
        let response = self.place(Some(at), "response");
        self.fields(response, Way::Down, &own.response, &other.response);
        match (&own.fails_with, &other.fails_with) {
            (None, None) => {
                let fails = self.place(Some(at), "fails");
                self.variants(fails, Way::Down, &own.fails, &other.fails);
            }
            (Some(own), Some(other)) => self.types(at, "fails", Way::Down, own, other),
            _ => self.differ(|all| format!("`{}.fails` is declared elsewhere at one end only", all.path(at))),
        }
    }

    fn definitions(&mut self, at: usize, Pair { here, there, way }: Pair) {
        match (self.here.types.get(here), self.there.types.get(there)) {
            (
                Some(Definition::Struct { fixed, fields: own }),
                Some(Definition::Struct { fixed: also, fields: other }),
            ) => {
                if fixed != also {
                    let (here, there) = if *fixed { ("here", "at the server") } else { ("at the server", "here") };
                    self.differ(|all| format!("`{}` is `@fixed` {here} and not {there}", all.path(at)));
                } else if *fixed && own.len() != other.len() {
                    let (own, other) = (own.len(), other.len());
                    self.differ(|all| {
                        let path = all.path(at);
                        format!("`@fixed` `{path}` has {own} fields here and {other} at the server")
                    });
                } else {
                    self.fields(at, way, own, other);
                }
            }
            (Some(Definition::Enum(own)), Some(Definition::Enum(other))) => self.variants(at, way, own, other),
            // Only types of one kind become a pair.
            _ => {}
        }
    }

    fn variants(&mut self, at: usize, way: Way, own: &'t [Variant<'t>], other: &'t [Variant<'t>]) {
        for (index, (own, other)) in own.iter().zip(other).enumerate() {
            if !self.is_same(Some(at), "variant", index, own.name, other.name) {
                return;
            }
            if own.fields.is_empty() != other.fields.is_empty() {
                let (here, there) =
                    if other.fields.is_empty() { ("here", "at the server") } else { ("at the server", "here") };
                self.differ(|all| format!("`{}.{}` has data {here} and none {there}", all.path(at), shown(own.name)));
            } else if !own.fields.is_empty() {
                let at = self.place(Some(at), own.name);
                self.fields(at, way, &own.fields, &other.fields);
            }
        }
    }

    fn fields(&mut self, at: usize, way: Way, own: &'t [Field<'t>], other: &'t [Field<'t>]) {
        for (index, (own, other)) in own.iter().zip(other).enumerate() {
            if !self.is_same(Some(at), "field", index, own.name, other.name) {
                return;
            }
            self.types(at, own.name, way, &own.ty, &other.ty);
        }
        let (writer, reader, lack) = match way {
            Way::Up => (own, other, "must be there for the server, and this end does not know it"),
            Way::Down => (other, own, "must be there, and the server does not know it"),
        };
        for field in reader.iter().skip(writer.len()) {
            if !self.step() {
                return;
            }
            if !field.has_default && !matches!(field.ty, Type::Optional(_)) {
                let text = format!("`{}.{}` {lack}", self.path(at), shown(field.name));
                self.found.push(text);
            }
        }
    }

    fn types(&mut self, at: usize, name: &'t str, way: Way, own: &'t Type<'t>, other: &'t Type<'t>) {
        match (own, other) {
            (Type::Scalar(own), Type::Scalar(other)) if own == other || are_integers(own, other) => {}
            (Type::Optional(own), Type::Optional(other)) | (Type::List(own), Type::List(other)) => {
                self.types(at, name, way, own, other);
            }
            (Type::Array(own, length), Type::Array(other, also)) if length == also => {
                self.types(at, name, way, own, other);
            }
            (Type::Map(own), Type::Map(other)) => {
                self.types(at, name, way, &own.0, &other.0);
                self.types(at, name, way, &own.1, &other.1);
            }
            (Type::Named(own), Type::Named(other)) if self.are_of_one_kind(*own, *other) => {
                let pair = Pair { here: *own, there: *other, way };
                if self.seen.insert(pair) {
                    let at = self.place(Some(at), name);
                    self.pairs.push((pair, at));
                }
            }
            _ => self.differ(|all| {
                let (path, name) = (all.path(at), shown(name));
                let (own, other) = (told(all.here, own), told(all.there, other));
                format!("`{path}.{name}` is {own} here and {other} at the server")
            }),
        }
    }

    fn are_of_one_kind(&self, own: usize, other: usize) -> bool {
        match (self.here.types.get(own), self.there.types.get(other)) {
            (Some(Definition::Struct { .. }), Some(Definition::Struct { .. }))
            | (Some(Definition::Enum(_)), Some(Definition::Enum(_))) => true,
            (Some(Definition::External(own)), Some(Definition::External(other))) => own == other,
            _ => false,
        }
    }

    /// Whether what has the same place, and so the same number on the wire, has the same name.
    fn is_same(&mut self, at: Option<usize>, kind: &str, index: usize, own: &str, other: &str) -> bool {
        if !self.step() {
            return false;
        }
        if own != other {
            self.differ(|all| {
                let of = at.map(|at| format!(" of `{}`", all.path(at))).unwrap_or_default();
                let (number, own, other) = (index.saturating_add(1), shown(own), shown(other));
                format!("{kind} {number}{of} is `{own}` here and `{other}` at the server")
            });
        }
        own == other
    }

    /// `false`: there were enough, or it is known that they do not fit.
    fn step(&mut self) -> bool {
        self.steps_left = self.steps_left.saturating_sub(1);
        self.steps_left > 0 && self.found.len() <= NAMED_MAX
    }

    /// What differs whichever way the message goes.
    fn differ(&mut self, say: impl FnOnce(&Self) -> String) {
        if self.found.len() <= NAMED_MAX && !self.is_known {
            self.found.push(say(self));
        }
    }

    fn place(&mut self, within: Option<usize>, name: &'t str) -> usize {
        self.places.push(Place { within, name });
        self.places.len().saturating_sub(1)
    }

    /// `order.request.item`
    fn path(&self, at: usize) -> String {
        let mut path = String::new();
        let mut next = self.places.get(at);
        for _ in 0..SHOWN_NAMES_MAX {
            let Some(Place { within, name }) = next else { return path };
            path = if path.is_empty() { shown(name) } else { format!("{}.{path}", shown(name)) };
            next = within.and_then(|at| self.places.get(at));
        }
        if next.is_some() { format!("..{path}") } else { path }
    }
}

/// As much of a foreign name as anybody reads.
fn shown(name: &str) -> String {
    name.chars().take(SHOWN_CHARS_MAX).collect()
}

/// A type as a text says it.
fn told(shape: &Shape<'_>, ty: &Type<'_>) -> String {
    let (optional, inner) = match ty {
        Type::Optional(inner) => ("optional ", &**inner),
        _ => ("", ty),
    };
    match inner {
        Type::Named(number) if !matches!(shape.types.get(*number), Some(Definition::External(_))) => {
            let kind = format!("{optional}{}", Typed(shape, inner));
            let article = if kind.starts_with(['e', 'o']) { "an" } else { "a" };
            format!("{article} {kind}")
        }
        _ => format!("`{}`", shown(&format!("{}", Typed(shape, ty)))),
    }
}

/// Integers of any width are written alike, but for a byte; what is too large for its reader is refused one by one.
fn are_integers(own: &str, other: &str) -> bool {
    let is_any = |names: [&str; 4]| names.contains(&own) && names.contains(&other);
    is_any(["u16", "u32", "u64", "u128"]) || is_any(["i16", "i32", "i64", "i128"])
}

/// A type in words; the names of named types are not known.
struct Typed<'t>(&'t Shape<'t>, &'t Type<'t>);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |ty| Typed(self.0, ty);
        match self.1 {
            Type::Scalar(name) => f.write_str(name),
            Type::Optional(content) => write!(f, "{}?", part(content)),
            Type::List(element) => write!(f, "[{}]", part(element)),
            Type::Array(element, length) => write!(f, "[{}; {length}]", part(element)),
            Type::Map(entry) => write!(f, "{{{}: {}}}", part(&entry.0), part(&entry.1)),
            Type::Named(number) => f.write_str(match self.0.types.get(*number) {
                Some(Definition::Struct { .. }) => "struct",
                Some(Definition::Enum(_)) => "enum",
                Some(Definition::External(path)) => path,
                None => "nothing",
            }),
        }
    }
}
