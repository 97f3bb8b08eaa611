//! What the snapshots of `tests/codegen` do not show: settings, errors, and models that no text gives.

use super::*;
use crate::load::Files;
use crate::model::{Field, Package};

/// Files in memory.
struct Texts(&'static [(&'static str, &'static str)]);

impl Files for Texts {
    fn read(&self, path: &std::path::Path, _: usize) -> std::io::Result<Vec<u8>> {
        let found = self.0.iter().find(|(name, _)| path.ends_with(name)).map(|(_, text)| text.as_bytes().to_vec());
        found.ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    fn identity(&self, path: &std::path::Path) -> std::path::PathBuf {
        path.to_path_buf()
    }
}

/// The model of the first text.
fn model(texts: &'static [(&'static str, &'static str)]) -> Model {
    let checked = crate::Config::new().check_in(&Texts(texts), &[texts[0].0]);
    checked.model.unwrap_or_else(|| panic!("{}", checked.diagnostics.to_human(false)))
}

const SHOP: &[(&str, &str)] = &[
    (
        "shop.rpc",
        r#"
        package shop;
        import "money.rpc";
        struct Item { price: money.Amount }
        service Shop { action price(app_id: AppId, of: string) -> (item: Item); }
        "#,
    ),
    ("money.rpc", "package money; struct Amount { value: u64 }"),
];

fn text(model: &Model, settings: &Settings) -> String {
    generate(model, PackageId(0), settings).expect("the model is fine")
}

#[test]
fn imported_package_stands_in_a_module_unless_it_is_the_users() {
    let nested = text(&model(SHOP), &Settings::default());
    assert!(nested.contains("pub mod money {") && nested.contains("pub price: money::Amount"));
    let extern_packages = BTreeMap::from([("money".to_owned(), "crate::types::money".to_owned())]);
    let apart = text(&model(SHOP), &Settings { extern_packages, ..Settings::default() });
    assert!(!apart.contains("mod money") && apart.contains("pub price: crate::types::money::Amount"));
}

#[test]
fn extern_package_needs_a_path() {
    let extern_packages = BTreeMap::from([("money".to_owned(), "not a path".to_owned())]);
    let error = generate(&model(SHOP), PackageId(0), &Settings { extern_packages, ..Settings::default() });
    assert!(matches!(error, Err(CodegenError::BadExternPath { .. })));
}

#[test]
fn text_in_place_has_absolute_paths_and_no_imports() {
    let text = text(&model(SHOP), &Settings { form: Form::InPlace, ..Settings::default() });
    let is_import = |line: &str| line.trim_start().starts_with("use ") || line.trim_start().starts_with("pub use ");
    assert!(!text.lines().any(is_import) && !text.contains(" rpc::"), "{text}");
    assert!(text.contains("::core::result::Result") && text.contains("::std::string::String"));
    let items = text.lines().filter(|line| line.starts_with("#[allow(") || line.starts_with("#[allow")).count();
    let starts = text
        .lines()
        .filter(|line| line.starts_with("pub ") || line.starts_with("impl") || line.starts_with("const "))
        .count();
    assert!(items >= starts, "{items} of {starts} items have the attribute");
}

#[test]
fn text_to_include_has_no_inner_attributes() {
    let text = text(&model(SHOP), &Settings::default());
    assert!(!text.contains("#![") && !text.contains("//!"));
}

#[test]
fn short_name_of_the_runtime_gives_way_to_a_package_of_that_name() {
    let text = text(
        &model(&[
            ("a.rpc", r#"package a; import "rpc.rpc"; struct A { b: rpc.B }"#),
            ("rpc.rpc", "package rpc; struct B { c: u8 }"),
        ]),
        &Settings::default(),
    );
    assert!(text.contains("use ::rpcgen_runtime::generated as rpc_;") && text.contains("pub b: rpc::B"), "{text}");
}

/// A struct with these fields, in a package of its own.
fn hand_built(types: &[&str], fields: &[&str]) -> Model {
    let field = |name: &&str| Field {
        name: (*name).to_owned(),
        docs: Vec::new(),
        ty: Type::U8,
        default: None,
        sensitive: false,
        deprecated: None,
    };
    let def = |name: &&str| TypeDef {
        package: PackageId(0),
        name: (*name).to_owned(),
        docs: Vec::new(),
        deprecated: None,
        kind: TypeKind::Struct { fields: fields.iter().map(field).collect(), fixed: false },
    };
    let package = Package {
        name: "hand".to_owned(),
        docs: Vec::new(),
        root: true,
        file: "hand.rpc".to_owned(),
        imports: Vec::new(),
        constants: Vec::new(),
    };
    Model { packages: vec![package], types: types.iter().map(def).collect(), services: Vec::new() }
}

#[test]
fn words_that_cannot_be_raw_get_an_underscore() {
    let text = text(&hand_built(&["Self"], &["self", "super", "type"]), &Settings::default());
    assert!(text.contains("pub struct Self_ {"), "{text}");
    for field in ["pub self_: u8", "pub super_: u8", "pub r#type: u8"] {
        assert!(text.contains(field), "{field} is not in {text}");
    }
}

#[test]
fn two_items_of_one_name_are_an_error_and_not_code_that_fails() {
    let error = generate(&hand_built(&["Order", "order"], &[]), PackageId(0), &Settings::default());
    let Err(CodegenError::NameClash { name, first, second }) = error else { panic!("a clash is expected") };
    assert_eq!((name.as_str(), first.as_str(), second.as_str()), ("Order", "the type `Order`", "the type `order`"));
}

#[test]
fn documentation_is_what_rustc_takes_as_such() {
    const TEXTS: &[(&str, &str)] =
        &[("a.rpc", "package a;\n/// one\rtwo\n/// three\u{202e}four\u{2066}\nstruct S { a: u8 }\n")];
    let generated = text(&model(TEXTS), &Settings::default());
    assert!(generated.contains("/// one two\n") && generated.contains("/// three four\n"), "{generated}");
}
