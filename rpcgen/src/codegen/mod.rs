//! From the checked model to Rust.
//!
//! Knows: the model, the shape of generated code (docs/generated.md). Does not know: text of `.rpc` files, spans, the runtime's inside;
//! it names `::rpcgen_runtime::generated` as a path and nothing else of it.
//!
//! Everything is emitted in declaration order: the same model gives the same bytes.

mod actions;
mod broadcast;
mod client;
mod code;
mod docs;
mod encode;
mod errors;
mod facts;
mod names;
mod print;
mod redacted;
mod runs;
mod server;
mod types;
mod values;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;

use crate::model::{Model, PackageId, Service, Type, TypeDef, TypeId, TypeKind};
use code::{Code, code};
use facts::Facts;
use names::Prelude;

/// How generated code is put into a crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A text for `include!` (from a build script): no inner attributes, `include_rpc!` puts them around it.
    #[default]
    Include,
    /// A module file of its own.
    File,
    /// Items among a user's own (from the attribute macro): every path is absolute, whatever the user's scope holds.
    InPlace,
}

/// What can be chosen.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How the code is put into a crate.
    pub form: Form,
    /// Imported packages that stand in a module of the user's instead of in a nested one: package name to Rust path.
    pub extern_packages: BTreeMap<String, String>,
}

/// Why nothing was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodegenError {
    /// Two Rust items would have the same name.
    NameClash {
        /// The Rust name.
        name: String,
        /// Whose it is.
        first: String,
        /// Whose it would be, too.
        second: String,
    },
    /// What was given for an extern package is not a Rust path.
    BadExternPath {
        /// The package.
        package: String,
        /// What was given.
        path: String,
    },
    /// The tokens are not Rust: an error of the generator.
    NotRust(String),
}

impl std::fmt::Display for CodegenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NameClash { name, first, second } => {
                write!(f, "`{name}` is the Rust name of {first} and of {second}: rename one of them")
            }
            Self::BadExternPath { package, path } => {
                write!(f, "the extern package `{package}` needs a Rust path like `crate::money`, not `{path}`")
            }
            Self::NotRust(why) => write!(f, "the generated code is not Rust, which is an error of rpcgen: {why}"),
        }
    }
}

impl std::error::Error for CodegenError {}

/// The Rust text of a package and of everything that it imports.
///
/// # Errors
/// Two generated items have the same name, or an extern path is none.
pub fn generate(model: &Model, package: PackageId, settings: &Settings) -> Result<String, CodegenError> {
    let generator = Generator::new(model, package, settings)?;
    names::check_clashes(&generator)?;
    let docs = if settings.form == Form::File { model.package(package).docs.as_slice() } else { &[] };
    let (names_runtime, runs) = generator.printed()?;
    let import = if names_runtime { generator.import() } else { Code::new() };
    let head = print::items(&print::with_head(&import, settings.form, docs))?;
    Ok(print::file(std::iter::once(&head).chain(&runs), &model.package(package).file))
}

/// The same as tokens, for the attribute macro.
///
/// # Errors
/// As [`generate`].
pub fn generate_tokens(model: &Model, package: PackageId, settings: &Settings) -> Result<TokenStream, CodegenError> {
    tokens(&generate_items(model, package, settings)?)
}

fn tokens(code: &Code) -> Result<TokenStream, CodegenError> {
    code.text().parse().map_err(|error: proc_macro2::LexError| CodegenError::NotRust(error.to_string()))
}

fn generate_items(model: &Model, package: PackageId, settings: &Settings) -> Result<Code, CodegenError> {
    let generator = Generator::new(model, package, settings)?;
    names::check_clashes(&generator)?;
    let items = generator.with_import(generator.runs().iter().map(|run| generator.run(run)).collect());
    Ok(if settings.form == Form::InPlace { print::allow_each_item(&items) } else { items })
}

/// `Display` and `Error` of an enum: for the attribute macro, where an error stands apart from its action.
#[must_use]
pub fn error_traits(model: &Model, id: TypeId, settings: &Settings) -> TokenStream {
    let root = model.type_def(id).package;
    let Ok(generator) = Generator::new(model, root, settings) else { return TokenStream::new() };
    match &model.type_def(id).kind {
        TypeKind::Enum { variants } => {
            let traits = generator.display(&names::type_ident(&model.type_def(id).name), variants);
            tokens(&traits).unwrap_or_default()
        }
        _ => TokenStream::new(),
    }
}

/// What every part of the generator needs.
struct Generator<'m> {
    model: &'m Model,
    root: PackageId,
    form: Form,
    /// Modules of imported packages, as Rust paths; those of the user's own are absolute.
    extern_packages: BTreeMap<PackageId, Code>,
    /// Names of the standard library.
    prelude: Prelude,
    /// How the runtime's door for generated code is called.
    rpc: Code,
    facts: Facts,
}

/// Where an item stands.
#[derive(Clone, Copy)]
struct Scope {
    package: PackageId,
    /// Modules below the top of the package.
    depth: usize,
    /// How deep the items of the service stand that this is about.
    service_depth: usize,
}

impl Scope {
    const fn top(package: PackageId) -> Self {
        Self { package, depth: 0, service_depth: 0 }
    }

    /// In the module of a service.
    const fn in_service(self) -> Self {
        Self { depth: self.depth + 1, service_depth: self.depth + 1, ..self }
    }

    /// In a module beside the items of a service.
    const fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// From here to the top of the package.
    fn up(self) -> Code {
        (0..self.depth).map(|_| code!(super::)).collect()
    }

    /// From here to the items of the service.
    fn up_to_service(self) -> Code {
        (self.service_depth..self.depth).map(|_| code!(super::)).collect()
    }
}

impl<'m> Generator<'m> {
    fn new(model: &'m Model, root: PackageId, settings: &Settings) -> Result<Self, CodegenError> {
        let mut extern_packages = BTreeMap::new();
        for (index, package) in (0..).zip(&model.packages) {
            if let Some(path) = settings.extern_packages.get(&package.name) {
                let written = names::path(path)
                    .ok_or_else(|| CodegenError::BadExternPath { package: package.name.clone(), path: path.clone() })?;
                extern_packages.insert(PackageId(index), written);
            }
        }
        let absolute = settings.form == Form::InPlace;
        Ok(Self {
            model,
            root,
            form: settings.form,
            extern_packages,
            prelude: Prelude::new(model, absolute),
            rpc: names::runtime_path(model, absolute),
            facts: Facts::new(model),
        })
    }

    /// Items with the import of the runtime's door, where they use it by a short name.
    fn with_import(&self, items: Code) -> Code {
        if !self.needs_import(&items) {
            return items;
        }
        let import = self.import();
        code!(#import #items)
    }

    fn import(&self) -> Code {
        let rpc = &self.rpc;
        code!(use ::rpcgen_runtime::generated as #rpc;)
    }

    fn is_in_place(&self) -> bool {
        self.form == Form::InPlace
    }

    /// What several services of one package are kept apart by.
    fn service_module(&self, service: &Service, scope: Scope) -> Code {
        let name = names::module_ident(&service.name);
        let docs = docs::line(&format!("The service `{}`.", service.name));
        let items = self.with_import(self.service_items(service, scope.in_service()));
        code!(#docs pub mod #name { #items })
    }

    fn imported_package(&self, id: PackageId) -> Code {
        let package = self.model.package(id);
        let name = names::module_ident(&package.name);
        let docs = docs::doc(&package.docs);
        let items = self.with_import(self.package_types(Scope::top(id)));
        code!(#docs pub mod #name { #items })
    }

    fn root_services(&self) -> impl Iterator<Item = &'m Service> + use<'m> {
        let root = self.root;
        self.model.services.iter().filter(move |service| service.package == root)
    }

    /// What the root imports, directly and through others, as far as it stands in modules of ours; in the model's order.
    fn imported_packages(&self) -> Vec<PackageId> {
        let mut wanted = vec![false; self.model.packages.len()];
        let mut open = vec![self.root];
        while let Some(id) = open.pop() {
            for &import in &self.model.package(id).imports {
                if let Some(seen) = wanted.get_mut(import.0 as usize)
                    && !*seen
                {
                    *seen = true;
                    open.push(import);
                }
            }
        }
        let ids = (0..).map(PackageId).zip(wanted).filter(|(_, wanted)| *wanted).map(|(id, _)| id);
        ids.filter(|id| *id != self.root && !self.extern_packages.contains_key(id)).collect()
    }

    fn def(&self, id: TypeId) -> &'m TypeDef {
        self.model.type_def(id)
    }

    /// The type that an alias stands for in the end.
    fn resolved<'t>(&self, ty: &'t Type) -> &'t Type
    where
        'm: 't,
    {
        let mut ty = ty;
        while let Type::Named(id) = ty
            && let TypeKind::Alias { target } = &self.def(*id).kind
        {
            ty = target;
        }
        ty
    }
}

#[cfg(test)]
mod tests;
