//! What every name of every unit stands for.
//!
//! Knows: declarations, imports, built-in types; resolves paths, types, counts and values. Does not know: how a failure is reported:
//! resolving is silent, so that each rule can do it, and exactly one of them says what is wrong.

use std::collections::{HashMap, HashSet};

use super::{Unit, walk};
use crate::model::{Type, TypeId};
use crate::syntax::ast::{Constant, Item, Literal, LiteralKind, Name, Path, TypeExpr, TypeKind};

/// The built-in types, by their names.
pub(crate) const BUILT_IN: [(&str, Type); 19] = [
    ("bool", Type::Bool),
    ("u8", Type::U8),
    ("u16", Type::U16),
    ("u32", Type::U32),
    ("u64", Type::U64),
    ("u128", Type::U128),
    ("i8", Type::I8),
    ("i16", Type::I16),
    ("i32", Type::I32),
    ("i64", Type::I64),
    ("i128", Type::I128),
    ("f32", Type::F32),
    ("f64", Type::F64),
    ("string", Type::String { max: None }),
    ("bytes", Type::Bytes { max: None }),
    ("uuid", Type::Uuid),
    ("timestamp", Type::Timestamp),
    ("duration", Type::Duration),
    ("AppId", Type::AppId),
];

/// A constant may lead through so many others.
const CONSTANT_STEPS_MAX: usize = 30;

/// Aliases may name aliases, so many times.
pub(crate) const ALIAS_STEPS_MAX: usize = 64;

/// What a name of a package stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Declared<'a> {
    Type(TypeId),
    Constant(usize, &'a Constant),
    Service,
    /// Declared by something that could not be read.
    Lost,
}

/// Why a path stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Nothing has the name; it has not been reported.
    Name,
    /// No import has the package; it has not been reported.
    Package,
    /// It may have been in what could not be read.
    Lost,
}

/// A named type and where it is declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeSite<'a> {
    pub(crate) unit: usize,
    pub(crate) item: &'a Item,
    pub(crate) name: &'a Name,
}

#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) units: &'a [Unit],
    /// By [`TypeId`].
    pub(crate) types: Vec<TypeSite<'a>>,
    names: Vec<HashMap<&'a str, Declared<'a>>>,
    /// The package of each unit, dots included; empty if it has none.
    packages: Vec<String>,
    /// By unit and name, the value that a constant leads to, and through how many others. One that leads to itself is not among them.
    ends: HashMap<(usize, &'a str), (usize, &'a Literal)>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(units: &'a [Unit]) -> Self {
        let packages =
            units.iter().map(|unit| unit.file.package.as_ref().map_or_else(String::new, Path::text)).collect();
        let names = units.iter().map(|_| HashMap::new()).collect();
        let mut scope = Self { units, types: Vec::new(), names, packages, ends: HashMap::new() };
        for (unit, item) in walk::items(units) {
            let (name, declared) = scope.declare(unit, item);
            // The first of two declarations counts; `names` reports the second.
            scope.names[unit].entry(name).or_insert(declared);
        }
        scope.follow_constants();
        scope
    }

    /// Finds the end of every constant; each is looked at once, however they name each other.
    fn follow_constants(&mut self) {
        let mut seen = HashSet::new();
        for (unit, item) in walk::items(self.units) {
            let Item::Constant(constant) = item else { continue };
            let (mut chain, mut next) = (Vec::new(), (unit, constant));
            let end = loop {
                let (unit, constant) = next;
                let key = (unit, constant.head.name.text.as_str());
                if !seen.insert(key) {
                    break self.ends.get(&key).map(|(steps, end)| (steps + 1, *end));
                }
                chain.push(key);
                let LiteralKind::Path(path) = &constant.value.kind else { break Some((0, &constant.value)) };
                match self.lookup(unit, path) {
                    Ok(Declared::Constant(home, other)) => next = (home, other),
                    _ => break Some((0, &constant.value)),
                }
            };
            let Some((steps, end)) = end else { continue };
            let ends = chain.into_iter().rev().enumerate();
            self.ends.extend(ends.map(|(before, key)| (key, (steps + before, end))));
        }
    }

    fn declare(&mut self, unit: usize, item: &'a Item) -> (&'a str, Declared<'a>) {
        let name = match item {
            Item::Constant(constant) => return (&constant.head.name.text, Declared::Constant(unit, constant)),
            Item::Service(service) => return (&service.head.name.text, Declared::Service),
            Item::Lost(name) => return (&name.text, Declared::Lost),
            Item::Alias(alias) => &alias.head.name,
            Item::Struct(item) => &item.head.name,
            Item::Enum(item) => &item.head.name,
            Item::External(external) => &external.name,
        };
        let id = TypeId(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(TypeSite { unit, item, name });
        (&name.text, Declared::Type(id))
    }

    pub(crate) fn package(&self, unit: usize) -> &str {
        &self.packages[unit]
    }

    /// The unit that a prefix speaks of: this one without a prefix or with its own package, else a direct import.
    pub(crate) fn unit_of(&self, unit: usize, prefix: &str) -> Result<usize, Missing> {
        if prefix.is_empty() || prefix == self.packages[unit] {
            return Ok(unit);
        }
        let imports = &self.units[unit].imports;
        let found = imports.iter().flatten().copied().find(|import| self.packages[*import] == prefix);
        let lost = || imports.iter().any(|import| import.is_none_or(|import| self.packages[import].is_empty()));
        found.ok_or_else(|| if lost() { Missing::Lost } else { Missing::Package })
    }

    pub(crate) fn lookup(&self, unit: usize, path: &Path) -> Result<Declared<'a>, Missing> {
        let target = self.unit_of(unit, &path.prefix_text())?;
        match self.names[target].get(path.last.text.as_str()) {
            None => Err(Missing::Name),
            Some(Declared::Lost) => Err(Missing::Lost),
            Some(declared) => Ok(*declared),
        }
    }

    /// What a unit declares by a name.
    pub(crate) fn declared(&self, unit: usize, name: &str) -> Option<Declared<'a>> {
        self.names[unit].get(name).copied()
    }

    /// The named type of a path.
    pub(crate) fn type_id(&self, unit: usize, path: &Path) -> Option<TypeId> {
        match self.lookup(unit, path) {
            Ok(Declared::Type(id)) => Some(id),
            _ => None,
        }
    }

    /// What a type as written is. `None`: something in it stands for nothing.
    pub(crate) fn ty(&self, unit: usize, ty: &TypeExpr) -> Option<Type> {
        let max = ty.attributes.iter().find(|attribute| attribute.name.text == "max");
        let max = max.and_then(|attribute| self.count(unit, attribute.arguments.first()?));
        Some(match &ty.kind {
            TypeKind::Path(path) => match (built_in(path), self.lookup(unit, path)) {
                (Some(Type::String { .. }), _) => Type::String { max },
                (Some(Type::Bytes { .. }), _) => Type::Bytes { max },
                (Some(scalar), _) => scalar,
                (None, Ok(Declared::Type(id))) => Type::Named(id),
                (None, _) => return None,
            },
            TypeKind::Optional(inner) => Type::Optional(Box::new(self.ty(unit, inner)?)),
            TypeKind::List(element) => Type::List { element: Box::new(self.ty(unit, element)?), max },
            TypeKind::Array(element, length) => {
                Type::Array { element: Box::new(self.ty(unit, element)?), length: self.count(unit, length)? }
            }
            TypeKind::Map(key, value) => {
                Type::Map { key: Box::new(self.ty(unit, key)?), value: Box::new(self.ty(unit, value)?), max }
            }
        })
    }

    /// Through aliases to what is not one. `None`: it stands for nothing, or for an alias too many times over.
    pub(crate) fn expand(&self, ty: Type) -> Option<Type> {
        let mut ty = ty;
        for _ in 0..=ALIAS_STEPS_MAX {
            let Type::Named(id) = ty else { return Some(ty) };
            let site = &self.types[id.0 as usize];
            let Item::Alias(alias) = site.item else { return Some(ty) };
            ty = self.ty(site.unit, &alias.target)?;
        }
        None
    }

    /// The length of an array or a `@max`: an integer or a constant that is one.
    pub(crate) fn count(&self, unit: usize, literal: &Literal) -> Option<u64> {
        match self.literal(unit, literal)?.kind {
            LiteralKind::Integer { negative: false, magnitude } => u64::try_from(magnitude).ok(),
            _ => None,
        }
    }

    /// Through constants to a literal that is not one; a path that is no constant is its own literal. `None`: a constant that goes round
    /// in a circle, or leads through too many others.
    pub(crate) fn literal<'l>(&'l self, unit: usize, literal: &'l Literal) -> Option<&'l Literal> {
        let LiteralKind::Path(path) = &literal.kind else { return Some(literal) };
        let Ok(Declared::Constant(home, constant)) = self.lookup(unit, path) else { return Some(literal) };
        let (steps, end) = self.ends.get(&(home, constant.head.name.text.as_str()))?;
        (*steps <= CONSTANT_STEPS_MAX).then_some(*end)
    }
}

/// The built-in type of this name.
pub(crate) fn built_in(path: &Path) -> Option<Type> {
    let named = |(name, _): &&(&str, Type)| path.prefix.is_empty() && *name == path.last.text;
    BUILT_IN.iter().find(named).map(|(_, ty)| ty.clone())
}

#[cfg(test)]
mod tests {
    use super::BUILT_IN;

    #[test]
    fn the_names_that_typos_are_compared_with_are_those_of_the_built_in_types() {
        assert_eq!(BUILT_IN.map(|(name, _)| name), crate::foreign::BUILT_IN);
    }
}
