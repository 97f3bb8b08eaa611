//! All of one kind of node, in the order of the text.
//!
//! Knows: where fields, variants, types and annotations stand in a tree. Does not know: any rule.

use super::Unit;
use crate::syntax::ast::{
    Action, Broadcast, Field, FieldList, Head, Item, Member, Name, Service, TypeExpr, TypeKind, VariantList,
};

/// What a list of fields is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Struct { fixed: bool },
    Variant,
    Request,
    Response,
    Broadcast,
}

/// A list of fields and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldsSite<'a> {
    pub(super) unit: usize,
    pub(super) owner: Owner,
    pub(super) list: &'a FieldList,
}

/// A list of variants and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct VariantsSite<'a> {
    pub(super) name: &'a Name,
    /// Reasons of an action rather than variants of an enum.
    pub(super) reasons: bool,
    pub(super) list: &'a VariantList,
}

pub(crate) fn items(units: &[Unit]) -> impl Iterator<Item = (usize, &Item)> {
    units.iter().enumerate().flat_map(|(unit, one)| one.file.items.iter().map(move |item| (unit, item)))
}

pub(super) fn services(units: &[Unit]) -> impl Iterator<Item = (usize, &Service)> {
    items(units).filter_map(|(unit, item)| match item {
        Item::Service(service) => Some((unit, service)),
        _ => None,
    })
}

pub(super) fn actions(service: &Service) -> impl Iterator<Item = &Action> {
    service.members.iter().filter_map(|member| match member {
        Member::Action(action) => Some(action),
        _ => None,
    })
}

pub(super) fn broadcasts(service: &Service) -> impl Iterator<Item = &Broadcast> {
    service.members.iter().filter_map(|member| match member {
        Member::Broadcast(broadcast) => Some(broadcast),
        _ => None,
    })
}

pub(super) fn is_fixed(head: &Head) -> bool {
    head.attributes.iter().any(|attribute| attribute.name.text == "fixed")
}

pub(super) fn variant_lists(units: &[Unit]) -> Vec<VariantsSite<'_>> {
    let mut sites = Vec::new();
    for (_, item) in items(units) {
        match item {
            Item::Enum(item) => {
                sites.push(VariantsSite { name: &item.head.name, reasons: false, list: &item.variants })
            }
            Item::Service(service) => sites.extend(actions(service).filter_map(|action| {
                let list = action.fails.as_ref()?;
                Some(VariantsSite { name: &action.head.name, reasons: true, list })
            })),
            _ => {}
        }
    }
    sites
}

pub(super) fn field_lists(units: &[Unit]) -> Vec<FieldsSite<'_>> {
    let mut sites = Vec::new();
    for (unit, item) in items(units) {
        match item {
            Item::Struct(item) => {
                let owner = Owner::Struct { fixed: is_fixed(&item.head) };
                sites.push(FieldsSite { unit, owner, list: &item.fields });
            }
            Item::Enum(item) => in_variants(unit, &item.variants, &mut sites),
            Item::Service(service) => service.members.iter().for_each(|member| in_member(unit, member, &mut sites)),
            _ => {}
        }
    }
    sites
}

fn in_variants<'a>(unit: usize, list: &'a VariantList, sites: &mut Vec<FieldsSite<'a>>) {
    let lists = list.variants.iter().filter_map(|variant| variant.fields.as_ref());
    sites.extend(lists.map(|list| FieldsSite { unit, owner: Owner::Variant, list }));
}

fn in_member<'a>(unit: usize, member: &'a Member, sites: &mut Vec<FieldsSite<'a>>) {
    match member {
        Member::Action(action) => {
            sites.push(FieldsSite { unit, owner: Owner::Request, list: &action.request });
            sites.extend(action.response.as_ref().map(|list| FieldsSite { unit, owner: Owner::Response, list }));
            action.fails.iter().for_each(|list| in_variants(unit, list, sites));
        }
        Member::Broadcast(broadcast) => {
            sites.push(FieldsSite { unit, owner: Owner::Broadcast, list: &broadcast.fields })
        }
        Member::Lost(_) => {}
    }
}

pub(super) fn fields(units: &[Unit]) -> impl Iterator<Item = (usize, &Field)> {
    field_lists(units).into_iter().flat_map(|site| site.list.fields.iter().map(move |field| (site.unit, field)))
}

/// Every type that is written, those inside others included, each after the one that holds it.
pub(super) fn type_exprs(units: &[Unit]) -> Vec<(usize, &TypeExpr)> {
    let mut types = Vec::new();
    for (unit, item) in items(units) {
        match item {
            Item::Constant(constant) => with_inner(unit, &constant.ty, &mut types),
            Item::Alias(alias) => with_inner(unit, &alias.target, &mut types),
            _ => {}
        }
    }
    fields(units).for_each(|(unit, field)| with_inner(unit, &field.ty, &mut types));
    types
}

fn with_inner<'a>(unit: usize, ty: &'a TypeExpr, types: &mut Vec<(usize, &'a TypeExpr)>) {
    types.push((unit, ty));
    match &ty.kind {
        TypeKind::Path(_) => {}
        TypeKind::Optional(inner) | TypeKind::List(inner) | TypeKind::Array(inner, _) => with_inner(unit, inner, types),
        TypeKind::Map(key, value) => {
            with_inner(unit, key, types);
            with_inner(unit, value, types);
        }
    }
}
