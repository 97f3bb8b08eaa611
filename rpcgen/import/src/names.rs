//! Names of the language for what is declared, and which messages need none.
//!
//! Knows: casing, names that the generator adds, names that meet. Does not know: what anything becomes.
//!
//! A message that is the request or the answer of one method and nothing else becomes the method's own fields, as one would write it:
//! `action get_item(app_id: AppId, name: string) -> (item: Item)`.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use prost_types::{DescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};

use crate::Refused;
use crate::comments::tag;
use crate::select::{Package, Packages, is_one_of};
use crate::symbols::{DeclaredId, Symbols};

/// A request with more fields stays one message: a function has no more parameters than a reader can keep apart.
const REQUEST_FIELDS_MAX: usize = 6;

/// What each type of the generated code beside a service is called.
const OF_SERVICES: [&str; 4] = ["Client", "Dispatcher", "Handlers", "Broadcasts"];

/// What everything is called.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) types: BTreeMap<DeclaredId, String>,
    /// The enum of a `oneof`, by the message and the number of the `oneof` in it.
    pub(crate) oneofs: BTreeMap<(DeclaredId, usize), String>,
    /// By file and number in it.
    pub(crate) services: BTreeMap<(usize, usize), String>,
    /// Messages that become a method's own fields.
    pub(crate) inlined: BTreeSet<DeclaredId>,
    /// Types and services whose own name met another: file, place, and what is to be said.
    pub(crate) renamed: Vec<(usize, Vec<i32>, String)>,
}

/// Names of one place, each once.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    keys: BTreeSet<String>,
    /// The number that a name with its suffix got last: a name that is wanted many times is not tried from the first number each time.
    numbers: BTreeMap<String, usize>,
}

/// What a name becomes in the generated code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Casing {
    /// Fields, actions.
    Snake,
    /// Types, variants.
    Camel,
}

impl Casing {
    fn key(self, name: &str) -> String {
        match self {
            Self::Snake => name.to_snake_case(),
            Self::Camel => name.to_upper_camel_case(),
        }
    }
}

impl Taken {
    fn with(names: impl IntoIterator<Item = String>) -> Self {
        Self { keys: names.into_iter().collect(), numbers: BTreeMap::new() }
    }

    /// `wanted`, or what it becomes so that no two names are one and it begins with a letter: with `suffix`, then with a number.
    pub(crate) fn take(&mut self, wanted: &str, suffix: &str, casing: Casing) -> String {
        let begins = casing.key(wanted).starts_with(|c: char| c.is_ascii_alphabetic());
        // Variants are written in small letters, though they are camels in Rust.
        let x =
            if suffix.starts_with('_') && matches!(casing, Casing::Camel) { "x".to_owned() } else { casing.key("x_") };
        let wanted = if begins { wanted.to_owned() } else { format!("{x}{wanted}") };
        let last = self.numbers.entry(format!("{wanted}{suffix}")).or_insert(1);
        let mut numbered = (*last + 1..).map(|number| (number, format!("{wanted}{suffix}{number}")));
        let is_free = |name: &String| !self.keys.contains(&casing.key(name));
        let free = match [wanted.clone(), format!("{wanted}{suffix}")].into_iter().find(is_free) {
            Some(name) => name,
            None => match numbered.find(|(_, name)| is_free(name)) {
                Some((number, name)) => {
                    *last = number;
                    name
                }
                None => wanted,
            },
        };
        self.keys.insert(casing.key(&free));
        free
    }
}

/// As types are written; one that is written so already keeps its spelling.
pub(crate) fn camel(name: &str) -> String {
    let is_fine = name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains('_');
    if is_fine && name != "SERVICE" { name.to_owned() } else { name.to_upper_camel_case() }
}

/// As fields are written.
pub(crate) fn snake(name: &str) -> String {
    let is_fine = !name.contains(|c: char| c.is_ascii_uppercase()) && !name.contains("__") && !name.starts_with('_');
    if is_fine { name.to_owned() } else { name.to_snake_case() }
}

/// Methods that become actions.
pub(crate) fn unary(service: &ServiceDescriptorProto) -> impl Iterator<Item = (usize, &MethodDescriptorProto)> {
    service.method.iter().enumerate().filter(|(_, method)| !method.client_streaming() && !method.server_streaming())
}

impl Names {
    pub(crate) fn of(symbols: &Symbols<'_>, packages: &Packages) -> Result<Self, Refused> {
        let mut names = Self::default();
        for package in &packages.list {
            names.inline(symbols, packages, package)?;
            names.name(symbols, package);
        }
        Ok(names)
    }

    fn inline(&mut self, symbols: &Symbols<'_>, packages: &Packages, package: &Package) -> Result<(), Refused> {
        for number in package.files.iter().copied().filter(|file| symbols.files[*file].asked) {
            let file = &symbols.files[number];
            for (_, method) in file.descriptor.service.iter().flat_map(unary) {
                let request = symbols.resolve(number, &file.prefix, method.input_type())?;
                let response = symbols.resolve(number, &file.prefix, method.output_type())?;
                let is_own = |id: DeclaredId| {
                    packages.fields_count[id] == 0
                        && packages.methods_count[id] == 1
                        && symbols.file_of(id).package == package.name
                };
                let is_short = |message: &DescriptorProto| {
                    let speaks_of_apps = |name: &str| name.to_snake_case() == "app_id";
                    members_count(message) <= REQUEST_FIELDS_MAX
                        && !message.field.iter().any(|field| speaks_of_apps(field.name()))
                };
                if is_own(request) && symbols.list[request].message().is_some_and(is_short) {
                    self.inlined.insert(request);
                }
                if is_own(response) && self.is_free(symbols, package, method, response) {
                    self.inlined.insert(response);
                }
            }
        }
        Ok(())
    }

    /// Several fields of an answer become a struct that is named after the action: no other type has this name.
    fn is_free(
        &self,
        symbols: &Symbols<'_>,
        package: &Package,
        method: &MethodDescriptorProto,
        response: DeclaredId,
    ) -> bool {
        let generated = format!("{}Response", method.name().to_snake_case()).to_upper_camel_case();
        let is_named_so = |id: &DeclaredId| symbols.list[*id].names.concat().to_upper_camel_case() == generated;
        let others = package.types.iter().filter(|id| **id != response && !self.inlined.contains(id));
        symbols.list[response].message().is_some_and(|message| members_count(message) < 2)
            || !{ others }.any(is_named_so)
    }

    fn name(&mut self, symbols: &Symbols<'_>, package: &Package) {
        let services: Vec<(usize, usize, &ServiceDescriptorProto)> = package
            .files
            .iter()
            .filter(|file| symbols.files[**file].asked)
            .flat_map(|file| {
                let services = symbols.files[*file].descriptor.service.iter().enumerate();
                services.filter(|(_, service)| unary(service).next().is_some()).map(|(index, one)| (*file, index, one))
            })
            .collect();
        // One service stands beside the types of its package, several have modules of their own.
        let is_single = services.len() == 1;
        let mut modules = Taken::with(OF_SERVICES.map(str::to_owned));
        for (file, index, service) in &services {
            let wanted = camel(service.name());
            let name = modules.take(&wanted, "Service", Casing::Camel);
            if name != wanted {
                let path = vec![tag::SERVICE, i32::try_from(*index).unwrap_or_default()];
                self.renamed.push((*file, path, format!("service {} is called {name}", service.name())));
            }
            self.services.insert((*file, *index), name);
        }
        let mut taken = Taken::with(["AppId".to_owned()]);
        if let (true, [(_, _, service)]) = (is_single, services.as_slice()) {
            taken.keys.extend(modules.keys);
            let responses = unary(service)
                .map(|(_, method)| format!("{}Response", Casing::Camel.key(&method.name().to_snake_case())));
            let inlined = |name: &String| {
                let is_it = |id: &&DeclaredId| symbols.list[**id].names.concat().to_upper_camel_case() == *name;
                self.inlined.iter().any(|id| is_it(&id) && package.types.contains(id))
            };
            taken.keys.extend(responses.filter(inlined));
        }
        for id in &package.types {
            let declared = &symbols.list[*id];
            let wanted = camel(&declared.names.iter().map(|name| camel(name)).collect::<String>());
            let suffix = if declared.message().is_some() { "Message" } else { "Enum" };
            let is_inlined = self.inlined.contains(id);
            let name = if is_inlined { wanted.clone() } else { taken.take(&wanted, suffix, Casing::Camel) };
            if name != wanted {
                let what = format!("{} is called {name}: another one has its name", declared.full_name);
                self.renamed.push((declared.file, declared.path.clone(), what));
            }
            self.types.insert(*id, name);
        }
        for id in &package.types {
            let Some(message) = symbols.list[*id].message() else { continue };
            for index in oneofs(message) {
                let wanted = format!("{}{}", self.types[id], message.oneof_decl[index].name().to_upper_camel_case());
                self.oneofs.insert((*id, index), taken.take(&wanted, "Oneof", Casing::Camel));
            }
        }
    }
}

/// Numbers of those that are not made up for `optional`.
pub(crate) fn oneofs(message: &DescriptorProto) -> impl Iterator<Item = usize> {
    let is_real = |index: &usize| {
        let of_it = |field: &&prost_types::FieldDescriptorProto| {
            is_one_of(field) && usize::try_from(field.oneof_index()).is_ok_and(|number| number == *index)
        };
        message.field.iter().any(|field| of_it(&field))
    };
    (0..message.oneof_decl.len()).filter(is_real)
}

/// Fields and enums that the fields of a message become.
fn members_count(message: &DescriptorProto) -> usize {
    message.field.iter().filter(|field| !is_one_of(field)).count() + oneofs(message).count()
}
