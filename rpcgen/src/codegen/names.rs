//! Rust names.
//!
//! Knows: casing, keywords, what the standard prelude calls things, which names would meet. Does not know: what the items are.
//!
//! A name is changed only where rustc would warn of it (or refuse it), so that users find what they declared.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{Code, Name, Tokens, code};
use super::{CodegenError, Generator};
use crate::model::{Field, Model, Service, TypeKind};
use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

/// Words of Rust 2024 that `r#` makes a name of.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Words that no `r#` helps.
const PATH_WORDS: [&str; 4] = ["self", "Self", "super", "crate"];

/// A Rust identifier for a name that is in the right case already.
fn ident(name: &str) -> Name {
    if PATH_WORDS.contains(&name) {
        Name::new(format!("{name}_"))
    } else if KEYWORDS.binary_search(&name).is_ok() {
        Name::new(format!("r#{name}"))
    } else {
        Name::new(name)
    }
}

/// `AddFundsKey`
pub(super) fn type_name(name: &str) -> String {
    let is_fine = name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.contains('_');
    if is_fine {
        name.to_owned()
    } else if is_plain_snake(name) {
        camel_of_plain_snake(name)
    } else {
        name.to_upper_camel_case()
    }
}

/// A name as nearly all are: small letters, digits and underscores. The casing of others is a longer story.
fn is_plain_snake(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn camel_of_plain_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut begins = true;
    for character in name.chars() {
        if character != '_' {
            out.push(if begins { character.to_ascii_uppercase() } else { character });
        }
        begins = character == '_';
    }
    out
}

/// `add_funds_key`
pub(super) fn snake_name(name: &str) -> String {
    let is_fine = !name.contains(|c: char| c.is_ascii_uppercase() || c == '.') && !name.contains("__");
    if is_fine { name.to_owned() } else { name.to_snake_case() }
}

/// A type, a trait or a variant.
pub(super) fn type_ident(name: &str) -> Name {
    ident(&type_name(name))
}

/// A field, a function or a parameter.
pub(super) fn value_ident(name: &str) -> Name {
    ident(&snake_name(name))
}

/// The module of a package or of a service.
pub(super) fn module_ident(name: &str) -> Name {
    ident(&snake_name(name))
}

/// A constant.
pub(super) fn constant_ident(name: &str) -> Name {
    let is_fine = !name.contains(|c: char| c.is_ascii_lowercase());
    if is_fine { ident(name) } else { ident(&name.to_shouty_snake_case()) }
}

/// A method of a generated type that has methods of its own: `connect` of a user's becomes `connect_`.
pub(super) fn method_ident(name: &str, own: &[&str]) -> Name {
    let name = snake_name(name);
    if own.contains(&name.as_str()) { Name::new(format!("{name}_")) } else { ident(&name) }
}

/// A local name of ours that none of the fields has.
pub(super) fn local_ident<'a>(wanted: &str, fields: impl IntoIterator<Item = &'a Field>) -> Name {
    let taken: BTreeSet<String> = fields.into_iter().map(|field| snake_name(&field.name)).collect();
    let mut name = wanted.to_owned();
    while taken.contains(&name) {
        name.push('_');
    }
    ident(&name)
}

/// `user_exists` as words.
pub(super) fn words(name: &str) -> String {
    let mut parts = name.split('_');
    let is_fine = is_plain_snake(name) && parts.all(|part| !part.is_empty());
    if is_fine { name.replace('_', " ") } else { name.to_snake_case().replace('_', " ") }
}

macro_rules! prelude {
    ($($field:ident = $short:ident $long:path;)+) => {
        /// What the standard library calls things: by their short names where no declaration of the user's has them.
        pub(super) struct Prelude { $(pub(super) $field: Code,)+ }

        impl Prelude {
            pub(super) fn new(model: &Model, absolute: bool) -> Self {
                let types = model.types.iter().map(|def| type_name(&def.name));
                let services = model.services.iter().flat_map(service_type_names);
                let taken: BTreeSet<String> = types.chain(services).collect();
                let called = |short: &str, long: &str| {
                    let wanted = if absolute || taken.contains(short) { long } else { short };
                    path(wanted).unwrap_or_default()
                };
                Self { $($field: called(stringify!($short), stringify!($long)),)+ }
            }
        }
    };
}

prelude! {
    option = Option ::core::option::Option;
    some = Some ::core::option::Option::Some;
    none = None ::core::option::Option::None;
    result = Result ::core::result::Result;
    ok = Ok ::core::result::Result::Ok;
    err = Err ::core::result::Result::Err;
    vec = Vec ::std::vec::Vec;
    string = String ::std::string::String;
    boxed = Box ::std::boxed::Box;
    send = Send ::core::marker::Send;
    sync = Sync ::core::marker::Sync;
    into = Into ::core::convert::Into;
    from = From ::core::convert::From;
    fn_trait = Fn ::core::ops::Fn;
    default = Default ::core::default::Default;
    clone = Clone ::core::clone::Clone;
    copy = Copy ::core::marker::Copy;
    debug = Debug ::core::fmt::Debug;
    partial_eq = PartialEq ::core::cmp::PartialEq;
    eq = Eq ::core::cmp::Eq;
    partial_ord = PartialOrd ::core::cmp::PartialOrd;
    ord = Ord ::core::cmp::Ord;
    hash = Hash ::core::hash::Hash;
}

/// How the runtime's door is called: `rpc`, unless a module of the user's is.
pub(super) fn runtime_path(model: &Model, absolute: bool) -> Code {
    if absolute {
        return code!(::rpcgen_runtime::generated);
    }
    let packages = model.packages.iter().map(|package| &package.name);
    let modules: BTreeSet<String> =
        packages.chain(model.services.iter().map(|service| &service.name)).map(|name| snake_name(name)).collect();
    let mut name = "rpc".to_owned();
    while modules.contains(&name) {
        name.push('_');
    }
    let name = ident(&name);
    code!(#name)
}

/// Whether an identifier occurs in tokens.
pub(super) fn mentions(tokens: &Code, name: &str) -> bool {
    let mut tokens = Tokens::new(tokens.text());
    loop {
        match tokens.take() {
            "" => return false,
            token if token == name => return true,
            _ => {}
        }
    }
}

/// `CreateAccountError`
pub(super) fn error_name(action: &str) -> String {
    format!("{}Error", type_name(action))
}

/// `CreateAccountResponse`
pub(super) fn response_name(action: &str) -> String {
    format!("{}Response", type_name(action))
}

/// The names of the types that stand at a service's top.
fn service_type_names(service: &Service) -> Vec<String> {
    let mut names = vec![type_name(&service.name), "Client".to_owned(), "Dispatcher".to_owned()];
    if !service.broadcasts.is_empty() {
        names.extend(["Handlers".to_owned(), "Broadcasts".to_owned()]);
    }
    if !service.actions.is_empty() {
        names.push("RecoveredCall".to_owned());
    }
    for action in &service.actions {
        if !action.fails.is_empty() {
            names.push(error_name(&action.name));
        }
        if action.response.len() > 1 {
            names.push(response_name(&action.name));
        }
    }
    names.extend(service.broadcasts.iter().map(|broadcast| type_name(&broadcast.name)));
    names
}

/// Names of one module, each with whose it is.
#[derive(Default)]
struct Taken(BTreeMap<String, String>);

impl Taken {
    fn take(&mut self, name: String, whose: String) -> Result<(), CodegenError> {
        match self.0.get(&name) {
            Some(first) => Err(CodegenError::NameClash { name, first: first.clone(), second: whose }),
            None => {
                self.0.insert(name, whose);
                Ok(())
            }
        }
    }
}

/// Whether two items of one module would have the same name.
pub(super) fn check_clashes(generator: &Generator<'_>) -> Result<(), CodegenError> {
    let model = generator.model;
    let mut top = Taken::default();
    take_declared(&mut top, generator, generator.root)?;
    for id in generator.imported_packages() {
        let package = model.package(id);
        top.take(snake_name(&package.name), format!("the package `{}`", package.name))?;
        take_declared(&mut Taken::default(), generator, id)?;
    }
    let services: Vec<&Service> = generator.root_services().collect();
    if let [service] = services.as_slice() {
        take_service(&mut top, service)?;
    } else {
        for service in services {
            top.take(snake_name(&service.name), format!("the service `{}`", service.name))?;
            take_service(&mut Taken::default(), service)?;
        }
    }
    Ok(())
}

fn take_declared(
    taken: &mut Taken,
    generator: &Generator<'_>,
    id: crate::model::PackageId,
) -> Result<(), CodegenError> {
    for def in generator.model.types.iter().filter(|def| def.package == id) {
        if !matches!(def.kind, TypeKind::External { .. }) {
            taken.take(type_name(&def.name), format!("the type `{}`", def.name))?;
        }
    }
    for constant in &generator.model.package(id).constants {
        taken.take(constant_ident(&constant.name).to_string(), format!("the constant `{}`", constant.name))?;
    }
    Ok(())
}

fn take_service(taken: &mut Taken, service: &Service) -> Result<(), CodegenError> {
    let whose = format!("the service `{}`", service.name);
    for name in service_type_names(service) {
        taken.take(name, whose.clone())?;
    }
    for name in ["actions", "server", "server_shared", "mock", "SERVICE"] {
        taken.take(name.to_owned(), whose.clone())?;
    }
    let mut actions = Taken::default();
    for action in &service.actions {
        let whose = format!("the action `{}`", action.name);
        actions.take(type_name(&action.name), whose.clone())?;
        if action.response.len() == 1 {
            actions.take(response_name(&action.name), whose)?;
        }
    }
    Ok(())
}

/// A name for a generic parameter that none of the names in `taken` has.
pub(super) fn generic_ident(name: &str, taken: &[&Name]) -> Name {
    let mut free = name.to_owned();
    while taken.iter().any(|taken| taken.as_str() == free) {
        free.push('1');
    }
    Name::new(free)
}

/// A path of the user's: names with `::` between them, and perhaps before them. `None`: it is none.
pub(super) fn path(text: &str) -> Option<Code> {
    let text = text.trim();
    let names = text.strip_prefix("::").unwrap_or(text).split("::").map(str::trim);
    let mut code = Code::new();
    for (index, name) in names.enumerate() {
        let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let raw = name.strip_prefix("r#");
        if !is_name && !raw.is_some_and(|raw| KEYWORDS.contains(&raw)) {
            return None;
        }
        if index > 0 || text.starts_with("::") {
            code.token("::");
        }
        code.token(name);
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_in_order_for_the_search() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn plain_names_get_the_casing_that_others_would() {
        for name in ["a", "create_account", "a_1", "a1_b2", "1_a", "a__b", "_a", "a_", "x_1b"] {
            assert!(is_plain_snake(name));
            assert_eq!(type_name(name), name.to_upper_camel_case(), "{name}");
        }
    }
}
