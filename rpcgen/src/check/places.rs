//! Where everything that has a name is declared.
//!
//! Knows: names and their spans. Does not know: what they mean. The model has no places; whoever speaks of a part of it finds them here.

use super::Unit;
use crate::source::Places;
use crate::syntax::ast::{FieldList, Item, Member, Path, VariantList};

/// The places of all declarations, by their names with dots: see [`Places`].
pub(super) fn places(units: &[Unit]) -> Places {
    let mut places = Places::default();
    for unit in units {
        let Some(package) = &unit.file.package else { continue };
        let package_name = package.text();
        places.insert(package_name.clone(), Path::span(package));
        for item in &unit.file.items {
            let name = item.name();
            let key = format!("{package_name}.{}", name.text);
            places.insert(key.clone(), name.span);
            match item {
                Item::Struct(item) => fields(&mut places, &key, &item.fields),
                Item::Enum(item) => variants(&mut places, &key, &item.variants),
                Item::Service(service) => service.members.iter().for_each(|one| member(&mut places, &key, one)),
                Item::Constant(_) | Item::Alias(_) | Item::External(_) | Item::Lost(_) => {}
            }
        }
    }
    places
}

fn member(places: &mut Places, service: &str, member: &Member) {
    match member {
        Member::Action(action) => {
            let key = format!("{service}.{}", action.head.name.text);
            places.insert(key.clone(), action.head.name.span);
            fields(places, &format!("{key}.request"), &action.request);
            if let Some(response) = &action.response {
                fields(places, &format!("{key}.response"), response);
            }
            if let Some(fails) = &action.fails {
                variants(places, &format!("{key}.fails"), fails);
            }
        }
        Member::Broadcast(broadcast) => {
            let key = format!("{service}.{}", broadcast.head.name.text);
            places.insert(key.clone(), broadcast.head.name.span);
            fields(places, &key, &broadcast.fields);
        }
        Member::Lost(_) => {}
    }
}

fn variants(places: &mut Places, owner: &str, list: &VariantList) {
    for variant in &list.variants {
        let key = format!("{owner}.{}", variant.head.name.text);
        places.insert(key.clone(), variant.head.name.span);
        if let Some(list) = &variant.fields {
            fields(places, &key, list);
        }
    }
}

fn fields(places: &mut Places, owner: &str, list: &FieldList) {
    for field in &list.fields {
        places.insert(format!("{owner}.{}", field.head.name.text), field.head.name.span);
    }
}
