//! From checked trees to the model.
//!
//! Knows: both shapes. Does not know: rules: it runs when none is broken, and gives up silently on what cannot be.

use super::annotations::find;
use super::correlation::{Tie, correlation};
use super::scope::Scope;
use super::{defaults, walk};
use crate::diagnostic::Sink;
use crate::model::{
    Action, Broadcast, Constant, Field, Model, Origin, Package, PackageId, Persist, Service, TypeDef, TypeKind,
    Variant, fingerprint, shape,
};
use crate::syntax::ast::{self, Head, Item, LiteralKind, VariantList};

pub(super) fn lower(scope: &Scope<'_>) -> Option<Model> {
    let mut model = Model::default();
    for unit in 0..scope.units.len() {
        model.packages.push(package(scope, unit)?);
    }
    for site in &scope.types {
        model.types.push(type_def(scope, site.unit, site.item)?);
    }
    for (unit, item) in walk::services(scope.units) {
        model.services.push(service(scope, unit, item)?);
    }
    for index in 0..model.services.len() {
        let shape = shape::of(&model, &model.services[index]);
        let service = &mut model.services[index];
        service.fingerprint = fingerprint::of(&shape);
        service.shape = shape;
    }
    Some(model)
}

fn package_id(unit: usize) -> PackageId {
    PackageId(u32::try_from(unit).unwrap_or(u32::MAX))
}

fn package(scope: &Scope<'_>, unit: usize) -> Option<Package> {
    let one = &scope.units[unit];
    let constants = one.file.items.iter().filter_map(|item| match item {
        Item::Constant(constant) => Some(constant),
        _ => None,
    });
    Some(Package {
        name: scope.package(unit).to_owned(),
        docs: one.file.docs.clone(),
        root: one.root,
        file: one.name.clone(),
        imports: one.imports.iter().flatten().copied().map(package_id).collect(),
        constants: constants.map(|item| constant(scope, unit, item)).collect::<Option<_>>()?,
    })
}

fn constant(scope: &Scope<'_>, unit: usize, constant: &ast::Constant) -> Option<Constant> {
    let ty = scope.ty(unit, &constant.ty)?;
    let value = defaults::value(scope, unit, &ty, &constant.value, &mut Sink::default()).ok()?;
    Some(Constant { name: constant.head.name.text.clone(), docs: constant.head.docs.clone(), ty, value })
}

fn type_def(scope: &Scope<'_>, unit: usize, item: &Item) -> Option<TypeDef> {
    let declared = |head: &Head, kind| TypeDef {
        package: package_id(unit),
        name: head.name.text.clone(),
        docs: head.docs.clone(),
        deprecated: deprecated(head),
        kind,
    };
    Some(match item {
        Item::Struct(item) => {
            let fields = fields(scope, unit, &item.fields)?;
            declared(&item.head, TypeKind::Struct { fields, fixed: walk::is_fixed(&item.head) })
        }
        Item::Enum(item) => declared(&item.head, TypeKind::Enum { variants: variants(scope, unit, &item.variants)? }),
        Item::Alias(alias) => declared(&alias.head, TypeKind::Alias { target: scope.ty(unit, &alias.target)? }),
        Item::External(external) => {
            let head = Head::new(external.name.clone());
            declared(&head, TypeKind::External { path: external.path.clone() })
        }
        Item::Constant(_) | Item::Service(_) | Item::Lost(_) => return None,
    })
}

fn variants(scope: &Scope<'_>, unit: usize, list: &VariantList) -> Option<Vec<Variant>> {
    let one = |variant: &ast::Variant| {
        let fields = variant.fields.as_ref().map_or_else(|| Some(Vec::new()), |list| fields(scope, unit, list))?;
        let head = &variant.head;
        Some(Variant { name: head.name.text.clone(), docs: head.docs.clone(), fields, deprecated: deprecated(head) })
    };
    list.variants.iter().map(one).collect()
}

fn fields(scope: &Scope<'_>, unit: usize, list: &ast::FieldList) -> Option<Vec<Field>> {
    let one = |field: &ast::Field| {
        let ty = scope.ty(unit, &field.ty)?;
        let default = match &field.default {
            Some(default) => Some(defaults::value(scope, unit, &ty, default, &mut Sink::default()).ok()?),
            None => None,
        };
        Some(Field {
            name: field.head.name.text.clone(),
            docs: field.head.docs.clone(),
            ty,
            default,
            sensitive: find(&field.head, "sensitive").is_some(),
            deprecated: deprecated(&field.head),
        })
    };
    list.fields.iter().map(one).collect()
}

fn deprecated(head: &Head) -> Option<String> {
    match &find(head, "deprecated")?.arguments.first()?.kind {
        LiteralKind::String(why) => Some(why.clone()),
        _ => None,
    }
}

fn service(scope: &Scope<'_>, unit: usize, service: &ast::Service) -> Option<Service> {
    let head = &service.head;
    let actions: Vec<&ast::Action> = walk::actions(service).collect();
    Some(Service {
        package: package_id(unit),
        name: head.name.text.clone(),
        docs: head.docs.clone(),
        actions: actions.iter().map(|item| action(scope, unit, item)).collect::<Option<_>>()?,
        broadcasts: walk::broadcasts(service)
            .map(|item| broadcast(scope, unit, item, &actions))
            .collect::<Option<_>>()?,
        fingerprint: 0,
        shape: String::new(),
    })
}

fn action(scope: &Scope<'_>, unit: usize, action: &ast::Action) -> Option<Action> {
    let head = &action.head;
    Some(Action {
        name: head.name.text.clone(),
        docs: head.docs.clone(),
        deprecated: deprecated(head),
        request: fields(scope, unit, &action.request)?,
        response: action.response.as_ref().map_or_else(|| Some(Vec::new()), |list| fields(scope, unit, list))?,
        fails: action.fails.as_ref().map_or_else(|| Some(Vec::new()), |list| variants(scope, unit, list))?,
        fails_with: match &action.fails_with {
            Some(path) => Some(scope.type_id(unit, path)?),
            None => None,
        },
        persist: persist(head),
        deadline: deadline(head),
    })
}

fn persist(head: &Head) -> Option<Persist> {
    match &find(head, "persist")?.arguments.first()?.kind {
        LiteralKind::Path(path) if path.last.text == "disk" => Some(Persist::Disk),
        _ => Some(Persist::Memory),
    }
}

fn deadline(head: &Head) -> Option<u64> {
    match &find(head, "deadline")?.arguments.first()?.kind {
        LiteralKind::Duration(nanoseconds) => u64::try_from(*nanoseconds).ok(),
        _ => None,
    }
}

fn broadcast(
    scope: &Scope<'_>,
    unit: usize,
    broadcast: &ast::Broadcast,
    actions: &[&ast::Action],
) -> Option<Broadcast> {
    let head = &broadcast.head;
    let origin = match &broadcast.origin {
        Some(written) => Some(origin(scope, unit, broadcast, written, actions)?),
        None => None,
    };
    Some(Broadcast {
        name: head.name.text.clone(),
        docs: head.docs.clone(),
        deprecated: deprecated(head),
        fields: fields(scope, unit, &broadcast.fields)?,
        origin,
    })
}

fn origin(
    scope: &Scope<'_>,
    unit: usize,
    broadcast: &ast::Broadcast,
    written: &ast::Origin,
    actions: &[&ast::Action],
) -> Option<Origin> {
    let index = actions.iter().position(|action| action.head.name.text == written.action.text)?;
    let tie = |name| match correlation(scope, unit, actions[index], broadcast, name) {
        Tie::Tied(correlation) => Some(correlation),
        Tie::OtherType | Tie::Broken => None,
    };
    let by = written.by.iter().map(tie).collect::<Option<_>>()?;
    Some(Origin { action: u32::try_from(index).ok()?, by })
}
