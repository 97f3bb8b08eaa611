//! Which declarations are written, and into which package.
//!
//! Knows: what was asked for, what needs what. Does not know: what anything becomes.
//!
//! Everything that an asked file declares is taken; of other files only what is needed, so that a service does not bring the whole
//! collection it lives in.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::FieldDescriptorProto;

use crate::load::ProtoFile;
use crate::symbols::{DeclaredId, Symbols, What};
use crate::{Reason, Refused, wellknown};

/// What one `.rpc` file holds.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Whether one of its files was asked for.
    pub(crate) asked: bool,
    /// Those that were asked for, in order, then the others.
    pub(crate) files: Vec<usize>,
    /// In the order of `files`.
    pub(crate) types: Vec<DeclaredId>,
}

/// All packages.
#[derive(Debug)]
pub(crate) struct Packages {
    /// Those that were asked for, then the others, by name.
    pub(crate) list: Vec<Package>,
    /// How many fields have this type, by declaration; nothing for those that are not taken.
    pub(crate) fields_count: Vec<usize>,
    /// How many methods take or give it.
    pub(crate) methods_count: Vec<usize>,
}

pub(crate) fn select(files: &[ProtoFile], symbols: &Symbols<'_>) -> Result<Packages, Refused> {
    let count = symbols.list.len();
    let mut walk = Walk {
        symbols,
        taken: vec![false; count],
        waiting: Vec::new(),
        fields_count: vec![0; count],
        methods_count: vec![0; count],
        needs: BTreeMap::new(),
    };
    for (id, declared) in symbols.list.iter().enumerate() {
        if files[declared.file].asked {
            walk.take(id);
        }
    }
    for (number, file) in files.iter().enumerate().filter(|(_, file)| file.asked) {
        for method in file.descriptor.service.iter().flat_map(|service| &service.method) {
            if method.client_streaming() || method.server_streaming() {
                continue;
            }
            for name in [method.input_type(), method.output_type()] {
                let id = symbols.resolve(number, &file.prefix, name)?;
                walk.methods_count[id] += 1;
                // Nothing as a request or an answer has no type.
                if symbols.list[id].full_name != wellknown::EMPTY {
                    walk.need(&file.package, id);
                }
            }
        }
    }
    while let Some(id) = walk.waiting.pop() {
        walk.fields_of(id)?;
    }
    no_cycle(&walk.needs)?;
    let list = packages(files, symbols, &walk.taken);
    Ok(Packages { list, fields_count: walk.fields_count, methods_count: walk.methods_count })
}

struct Walk<'s, 'a> {
    symbols: &'s Symbols<'a>,
    taken: Vec<bool>,
    /// Taken, and their fields not looked at yet.
    waiting: Vec<DeclaredId>,
    fields_count: Vec<usize>,
    methods_count: Vec<usize>,
    /// Which packages each needs.
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Walk<'_, '_> {
    fn take(&mut self, id: DeclaredId) {
        if !self.taken[id] && self.symbols.list[id].map_entry().is_none() {
            self.taken[id] = true;
            self.waiting.push(id);
        }
    }

    /// A package needs a type, unless that is one of the language.
    fn need(&mut self, package: &str, id: DeclaredId) {
        let full_name = self.symbols.list[id].full_name.as_str();
        if wellknown::built_in(full_name).is_some() {
            return;
        }
        let other = &self.symbols.file_of(id).package;
        if other != package {
            self.needs.entry(package.to_owned()).or_default().insert(other.clone());
        }
        self.take(id);
    }

    fn fields_of(&mut self, id: DeclaredId) -> Result<(), Refused> {
        let declared = &self.symbols.list[id];
        let What::Message(message) = declared.what else { return Ok(()) };
        let (file, scope) = (declared.file, declared.full_name.as_str());
        let package = &self.symbols.files[file].package;
        for field in &message.field {
            let Some(name) = field.type_name.as_deref() else { continue };
            let mut target = self.symbols.resolve(file, scope, name)?;
            if let Some((_, value)) = self.symbols.list[target].map_entry() {
                let Some(name) = value.type_name.as_deref() else { continue };
                target = self.symbols.resolve(file, scope, name)?;
            }
            self.fields_count[target] += 1;
            // Nothing as one of several is a variant without data.
            if !(is_one_of(field) && self.symbols.list[target].full_name == wellknown::EMPTY) {
                self.need(package, target);
            }
        }
        Ok(())
    }
}

/// Whether a field is one of a `oneof`, and not of that which stands for `optional`.
pub(crate) fn is_one_of(field: &FieldDescriptorProto) -> bool {
    field.oneof_index.is_some() && !field.proto3_optional()
}

/// Files do not import each other, and a package is one file.
fn no_cycle(needs: &BTreeMap<String, BTreeSet<String>>) -> Result<(), Refused> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for root in needs.keys() {
        let mut path: Vec<(&str, Vec<&str>)> = vec![(root, children(needs, root))];
        while let Some((package, rest)) = path.last_mut() {
            let Some(next) = rest.pop() else {
                done.insert(*package);
                path.pop();
                continue;
            };
            if let Some(from) = path.iter().position(|(package, _)| *package == next) {
                let circle: Vec<&str> = path[from..].iter().map(|(package, _)| *package).chain([next]).collect();
                let message = format!(
                    "packages need each other: {}. A .rpc package is one file, and files do not import each other: \
                     move what they share to a package of its own first",
                    circle.join(" -> ")
                );
                return Err(Refused::new(Reason::PackageCycle, message));
            }
            if !done.contains(next) {
                path.push((next, children(needs, next)));
            }
        }
    }
    Ok(())
}

fn children<'a>(needs: &'a BTreeMap<String, BTreeSet<String>>, package: &str) -> Vec<&'a str> {
    needs.get(package).into_iter().flatten().map(String::as_str).collect()
}

fn packages(files: &[ProtoFile], symbols: &Symbols<'_>, taken: &[bool]) -> Vec<Package> {
    let mut by_name: BTreeMap<&str, Package> = BTreeMap::new();
    let numbers = |asked: bool| (0..files.len()).filter(move |file| files[*file].asked == asked);
    for number in numbers(true).chain(numbers(false)) {
        let file = &files[number];
        let types: Vec<DeclaredId> =
            (0..symbols.list.len()).filter(|id| taken[*id] && symbols.list[*id].file == number).collect();
        if types.is_empty() && !file.asked {
            continue;
        }
        let package = by_name.entry(&file.package).or_insert_with(|| Package {
            name: file.package.clone(),
            asked: false,
            files: Vec::new(),
            types: Vec::new(),
        });
        package.asked |= file.asked;
        package.files.push(number);
        package.types.extend(types);
    }
    let (asked, needed): (Vec<Package>, Vec<Package>) = by_name.into_values().partition(|package| package.asked);
    asked.into_iter().chain(needed).collect()
}
