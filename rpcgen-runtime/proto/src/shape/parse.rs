//! From the text of a shape to what is compared. The text may be foreign: anything that is no shape is `None`.
//!
//! Knows: the spelling. Does not know: what may differ. What is kept is bounded by the text's length, how deep it nests by a number.
#![deny(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Types nest no deeper: twice what the compiler accepts, as a `?` counts too.
const DEPTH_MAX: u32 = 128;

/// A service. Names are the text's own.
#[derive(Debug)]
pub(super) struct Shape<'t> {
    pub(super) actions: Vec<Action<'t>>,
    pub(super) broadcasts: Vec<Variant<'t>>,
    pub(super) types: Vec<Definition<'t>>,
}

#[derive(Debug)]
pub(super) struct Action<'t> {
    pub(super) name: &'t str,
    pub(super) request: Vec<Field<'t>>,
    pub(super) response: Vec<Field<'t>>,
    pub(super) fails: Vec<Variant<'t>>,
    /// Instead: a type that is declared elsewhere.
    pub(super) fails_with: Option<Type<'t>>,
}

/// A name with fields: a variant, a reason of `fails`, a broadcast.
#[derive(Debug)]
pub(super) struct Variant<'t> {
    pub(super) name: &'t str,
    pub(super) fields: Vec<Field<'t>>,
}

#[derive(Debug)]
pub(super) struct Field<'t> {
    pub(super) name: &'t str,
    pub(super) ty: Type<'t>,
    pub(super) has_default: bool,
}

#[derive(Debug)]
pub(super) enum Definition<'t> {
    Struct { fixed: bool, fields: Vec<Field<'t>> },
    Enum(Vec<Variant<'t>>),
    External(&'t str),
}

/// A type without its limits: they decide which values are taken, not how one is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Type<'t> {
    /// `bytes` also for `[u8]`: it is the same on the wire.
    Scalar(&'t str),
    Optional(Box<Self>),
    List(Box<Self>),
    Array(Box<Self>, u64),
    Map(Box<(Self, Self)>),
    /// An index of [`Shape::types`].
    Named(usize),
}

/// Reads the text of a shape.
pub(super) fn parse(text: &str) -> Option<Shape<'_>> {
    let mut lines = text.lines();
    lines.next().filter(|name| !name.is_empty())?;
    let mut shape = Shape { actions: Vec::new(), broadcasts: Vec::new(), types: Vec::new() };
    let mut types_count = 0;
    for line in lines {
        let mut rest = Rest { text: line, types_count: 0 };
        if rest.eat("action ") {
            shape.actions.push(rest.action()?);
        } else if rest.eat("broadcast ") {
            let (name, fields) = (rest.name()?, rest.fields('(', ')')?);
            shape.broadcasts.push(Variant { name, fields });
        } else {
            let number = rest.reference()?;
            (number == shape.types.len()).then_some(())?;
            shape.types.push(rest.definition()?);
        }
        rest.text.is_empty().then_some(())?;
        types_count = types_count.max(rest.types_count);
    }
    (types_count <= shape.types.len()).then_some(shape)
}

/// What is left of a line.
struct Rest<'t> {
    text: &'t str,
    /// One more than the highest number of a type that was named.
    types_count: usize,
}

impl<'t> Rest<'t> {
    /// Takes this, if it comes next.
    fn eat(&mut self, token: &str) -> bool {
        match self.text.strip_prefix(token) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.eat(token).then_some(())
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> Option<&'t str> {
        let end = self.text.find(|c| !belongs(c)).unwrap_or(self.text.len());
        let (taken, rest) = self.text.split_at_checked(end)?;
        self.text = rest;
        (!taken.is_empty()).then_some(taken)
    }

    fn name(&mut self) -> Option<&'t str> {
        self.take_while(|c| c.is_alphanumeric() || c == '_')
    }

    fn number(&mut self) -> Option<u64> {
        self.take_while(|c| c.is_ascii_digit())?.parse().ok()
    }

    /// `#3`
    fn reference(&mut self) -> Option<usize> {
        self.expect("#")?;
        let number = usize::try_from(self.number()?).ok()?;
        self.types_count = self.types_count.max(number.checked_add(1)?);
        Some(number)
    }

    fn action(&mut self) -> Option<Action<'t>> {
        let (name, request) = (self.name()?, self.fields('(', ')')?);
        let response = if self.eat(" -> ") { self.fields('(', ')')? } else { Vec::new() };
        let (mut fails, mut fails_with) = (Vec::new(), None);
        if self.eat(" fails ") {
            if self.text.starts_with('{') {
                fails = self.variants()?;
            } else {
                fails_with = Some(Type::Named(self.reference()?));
            }
        }
        Some(Action { name, request, response, fails, fails_with })
    }

    fn definition(&mut self) -> Option<Definition<'t>> {
        self.expect(" ")?;
        let fixed = self.eat("fixed ");
        if self.eat("struct ") {
            return Some(Definition::Struct { fixed, fields: self.fields('{', '}')? });
        }
        if self.eat("enum ") {
            return Some(Definition::Enum(self.variants()?));
        }
        self.expect("external ")?;
        let path = core::mem::take(&mut self.text);
        (!path.is_empty() && !path.contains(char::is_control)).then_some(Definition::External(path))
    }

    fn fields(&mut self, open: char, close: char) -> Option<Vec<Field<'t>>> {
        self.list(open, close, |rest| {
            let name = rest.name()?;
            rest.expect(": ")?;
            let ty = rest.ty(DEPTH_MAX)?;
            Some(Field { name, ty, has_default: rest.eat(" = _") })
        })
    }

    fn variants(&mut self) -> Option<Vec<Variant<'t>>> {
        self.list('{', '}', |rest| {
            let name = rest.name()?;
            let fields = if rest.eat(" ") { rest.fields('{', '}')? } else { Vec::new() };
            Some(Variant { name, fields })
        })
    }

    fn list<T>(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.text = self.text.strip_prefix(open)?;
        let mut items = Vec::new();
        loop {
            if let Some(rest) = self.text.strip_prefix(close) {
                self.text = rest;
                return Some(items);
            }
            if !items.is_empty() {
                self.expect(", ")?;
            }
            items.push(item(self)?);
        }
    }

    fn ty(&mut self, depth: u32) -> Option<Type<'t>> {
        let mut depth = depth.checked_sub(1)?;
        let mut ty = if self.eat("[") {
            let element = self.ty(depth)?;
            let length = if self.eat("; ") { Some(self.number()?) } else { None };
            self.expect("]")?;
            match length {
                Some(length) => Type::Array(Box::new(element), length),
                None if element == Type::Scalar("u8") => Type::Scalar("bytes"),
                None => Type::List(Box::new(element)),
            }
        } else if self.eat("{") {
            let key = self.ty(depth)?;
            self.expect(": ")?;
            let value = self.ty(depth)?;
            self.expect("}")?;
            Type::Map(Box::new((key, value)))
        } else if self.text.starts_with('#') {
            Type::Named(self.reference()?)
        } else {
            Type::Scalar(self.name()?)
        };
        if self.eat("<") {
            self.number()?;
            self.expect(">")?;
        }
        while self.eat("?") {
            depth = depth.checked_sub(1)?;
            ty = Type::Optional(Box::new(ty));
        }
        Some(ty)
    }
}
