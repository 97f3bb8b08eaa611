//! Every place where a declared thing is named.
//!
//! Knows: where names stand in a tree, and that a value of an enum's field is a variant. Does not know: rules: a name that stands for
//! nothing is passed over.

use super::index::{Indexer, Kind, Role, SymbolId};
use crate::check::scope::{Declared, Scope};
use crate::model::Type;
use crate::syntax::ast::{
    Action, Attribute, Broadcast, Field, FieldList, Head, Item, Literal, LiteralKind, Member, Path, Service, TypeExpr,
    TypeKind, VariantList,
};

/// Notes all uses of all units.
pub(super) fn all(scope: &Scope<'_>, indexer: &mut Indexer) {
    for unit in 0..scope.units.len() {
        Walker { scope, unit, indexer }.unit();
    }
}

struct Walker<'s, 'a> {
    scope: &'s Scope<'a>,
    unit: usize,
    indexer: &'s mut Indexer,
}

impl<'a> Walker<'_, 'a> {
    fn unit(&mut self) {
        let unit: &'a crate::check::Unit = &self.scope.units[self.unit];
        for (import, target) in unit.file.imports.iter().zip(&unit.imports) {
            let package = target.and_then(|target| self.indexer.package(target));
            self.indexer.note(import.span, Role::Import, package.into_iter().collect());
        }
        for item in &unit.file.items {
            match item {
                Item::Constant(item) => {
                    self.type_expr(&item.ty);
                    self.value(Some(&item.ty), &item.value);
                }
                Item::Alias(item) => {
                    self.head(&item.head);
                    self.type_expr(&item.target);
                }
                Item::Struct(item) => {
                    self.head(&item.head);
                    self.fields(&item.fields);
                }
                Item::Enum(item) => {
                    self.head(&item.head);
                    self.variants(&item.variants);
                }
                Item::Service(item) => self.service(item),
                Item::External(_) | Item::Lost(_) => {}
            }
        }
    }

    fn service(&mut self, service: &Service) {
        let id = self.indexer.item(self.unit, &service.head.name.text);
        for member in &service.members {
            match member {
                Member::Action(action) => self.action(action),
                Member::Broadcast(broadcast) => self.broadcast(id, broadcast),
                Member::Lost(_) => {}
            }
        }
    }

    fn action(&mut self, action: &Action) {
        self.head(&action.head);
        self.fields(&action.request);
        action.response.iter().for_each(|list| self.fields(list));
        action.fails.iter().for_each(|list| self.variants(list));
    }

    fn broadcast(&mut self, service: Option<SymbolId>, broadcast: &Broadcast) {
        self.head(&broadcast.head);
        self.fields(&broadcast.fields);
        let (Some(origin), Some(service)) = (&broadcast.origin, service) else { return };
        let of_kind = |walker: &Self, name: &str, kind: Kind| {
            let found = walker.indexer.members(service, name).iter().copied();
            found.filter(|id| walker.indexer.kind(*id) == kind).collect::<Vec<SymbolId>>()
        };
        let actions = of_kind(self, &origin.action.text, Kind::Action);
        self.indexer.note(origin.action.span, Role::Use, actions.clone());
        let mut owners = of_kind(self, &broadcast.head.name.text, Kind::Broadcast);
        owners.extend(actions);
        for name in &origin.by {
            let fields = owners.iter().flat_map(|owner| self.indexer.members(*owner, &name.text));
            let fields = fields.copied().filter(|id| self.indexer.kind(*id) == Kind::Field).collect();
            self.indexer.note(name.span, Role::Use, fields);
        }
    }

    fn variants(&mut self, list: &VariantList) {
        for variant in &list.variants {
            self.head(&variant.head);
            variant.fields.iter().for_each(|list| self.fields(list));
        }
    }

    fn fields(&mut self, list: &FieldList) {
        list.fields.iter().for_each(|field| self.field(field));
    }

    fn field(&mut self, field: &Field) {
        self.head(&field.head);
        self.type_expr(&field.ty);
        if let Some(default) = &field.default {
            self.value(Some(&field.ty), default);
        }
    }

    fn head(&mut self, head: &Head) {
        self.attributes(&head.attributes);
    }

    fn attributes(&mut self, attributes: &[Attribute]) {
        for argument in attributes.iter().flat_map(|attribute| &attribute.arguments) {
            self.value(None, argument);
        }
    }

    fn type_expr(&mut self, ty: &TypeExpr) {
        self.attributes(&ty.attributes);
        match &ty.kind {
            TypeKind::Path(path) => self.path(path),
            TypeKind::Optional(inner) | TypeKind::List(inner) => self.type_expr(inner),
            TypeKind::Array(element, length) => {
                self.type_expr(element);
                self.value(None, length);
            }
            TypeKind::Map(key, value) => {
                self.type_expr(key);
                self.type_expr(value);
            }
        }
    }

    fn path(&mut self, path: &Path) {
        if let Some(first) = path.prefix.first() {
            let at = path.prefix.last().map_or(first.span, |last| first.span.to(last.span));
            let package = self.scope.unit_of(self.unit, &path.prefix_text());
            let package = package.ok().and_then(|unit| self.indexer.package(unit));
            self.indexer.note(at, Role::Use, package.into_iter().collect());
        }
        let found = match self.scope.lookup(self.unit, path) {
            Ok(Declared::Type(id)) => {
                let site = &self.scope.types[id.0 as usize];
                self.indexer.item(site.unit, &site.name.text)
            }
            Ok(Declared::Constant(home, constant)) => self.indexer.item(home, &constant.head.name.text),
            Ok(Declared::Service | Declared::Lost) | Err(_) => None,
        };
        self.indexer.note(path.last.span, Role::Use, found.into_iter().collect());
    }

    /// A value of a type, or an argument: a constant, or a variant of the type.
    fn value(&mut self, ty: Option<&TypeExpr>, literal: &Literal) {
        let LiteralKind::Path(path) = &literal.kind else { return };
        let owner = ty.and_then(|ty| self.enum_of(ty));
        let Some(owner) = owner.filter(|_| path.prefix.is_empty()) else { return self.path(path) };
        let variants = self.indexer.members(owner, &path.last.text).to_vec();
        self.indexer.note(path.last.span, Role::Use, variants);
    }

    fn enum_of(&self, ty: &TypeExpr) -> Option<SymbolId> {
        let mut ty = self.scope.expand(self.scope.ty(self.unit, ty)?)?;
        while let Type::Optional(inner) = ty {
            ty = self.scope.expand(*inner)?;
        }
        let Type::Named(id) = ty else { return None };
        let site = &self.scope.types[id.0 as usize];
        self.indexer.item(site.unit, &site.name.text).filter(|id| self.indexer.kind(*id) == Kind::Enum)
    }
}
