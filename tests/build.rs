//! The services that the end-to-end tests call, and both versions of every case of evolution.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use rpcgen::Config;
use rpcgen::codegen::Form;
use rpcgen::model::Service;

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["e2e/archive.rpc", "e2e/desk.rpc", "e2e/till.rpc"])?;
    evolution()
}

fn evolution() -> rpcgen::Result<()> {
    println!("cargo::rerun-if-changed=evolution/cases");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let entries = fs::read_dir("evolution/cases").expect("the folder can be listed");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
    folders.sort();
    let (mut modules, mut cases) = (String::new(), String::new());
    // Of each version alone: for a process that has nothing of the other one.
    let mut alone = ["old", "new"].map(|version| (version, String::new(), String::new()));
    for folder in &folders {
        let name = folder.file_name().expect("it has a name").to_string_lossy();
        let mut module = String::new();
        for (version, modules, cases) in &mut alone {
            let Generated { code, messages, services } = generate(folder, version, &out)?;
            let _ = writeln!(modules, "pub mod {name} {{ {code} {services} }}");
            let _ = writeln!(
                cases,
                "crate::peer::Case {{ name: \"{name}\", services: cases::{name}::{version}_services }},"
            );
            module.extend([code, messages]);
        }
        let _ = writeln!(modules, "pub mod {name} {{ {module} }}");
        let module = format!("cases::{name}");
        let _ = writeln!(
            cases,
            "super::Case {{ name: \"{name}\", old: {module}::old_messages, new: {module}::new_messages }},"
        );
    }
    let text = format!("pub mod cases {{ {modules} }}\npub const CASES: &[super::Case] = &[{cases}];\n");
    fs::write(out.join("evolution.rs"), text).expect("cargo's folder can be written");
    for (version, modules, cases) in alone {
        let cases = format!("pub(crate) const CASES: &[crate::peer::Case] = &[{cases}];");
        let text = format!("pub mod cases {{ {modules} }}\n{cases}\n");
        fs::write(out.join(format!("evolution_{version}.rs")), text).expect("cargo's folder can be written");
    }
    Ok(())
}

/// One version of a case: its code, and the tables of its messages and its services.
struct Generated {
    code: String,
    messages: String,
    services: String,
}

fn generate(folder: &Path, version: &str, out: &Path) -> rpcgen::Result<Generated> {
    let path = folder.join(format!("{version}.rpc"));
    let config = Config::new();
    let checked = config.check(&[&path]);
    let model = checked.model.unwrap_or_else(|| panic!("{}", checked.diagnostics.to_human(false)));
    let [generated] = config.generate(&model, Form::Include)?.try_into().expect("one file is one text");
    let name = format!("{}_{version}.rs", folder.file_name().expect("it has a name").to_string_lossy());
    fs::write(out.join(&name), &generated.text).expect("cargo's folder can be written");
    let several = model.services.len() > 1;
    // With several services each has a module of its own.
    let module = |service: &Service| match several {
        true => format!("{version}::{}", service.name.to_lowercase()),
        false => version.to_owned(),
    };
    let rows: String = model.services.iter().map(|service| rows(service, &module(service))).collect();
    let services: String = model.services.iter().map(|service| served(service, &module(service))).collect();
    Ok(Generated {
        code: format!("pub mod {version} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{name}\")); }}\n"),
        messages: format!("pub fn {version}_messages() -> Vec<crate::Message> {{ vec![{rows}] }}\n"),
        services: format!("pub(crate) fn {version}_services() -> Vec<crate::served::Served> {{ vec![{services}] }}\n"),
    })
}

/// What serves and calls a service without knowing its types.
fn served(service: &Service, module: &str) -> String {
    let actions = service.actions.iter().map(|action| {
        let result = if action.fails.is_empty() { "::core::convert::identity" } else { "Ok" };
        format!("crate::served::Method::of::<{module}::actions::{}>({result}),", camel(&action.name))
    });
    let methods: String = actions.collect();
    format!("crate::served::Served::of::<{module}::Client>(vec![{methods}]),")
}

fn rows(service: &Service, module: &str) -> String {
    let owner = &service.name;
    let mut rows = String::new();
    for (number, action) in service.actions.iter().enumerate() {
        let ty = format!("{module}::actions::{}", camel(&action.name));
        let part = |part: &str| format!("<{ty} as rpcgen_runtime::generated::Action>::{part}");
        let mut parts = vec![("request", ty.clone()), ("response", part("Response"))];
        parts.extend((!action.fails.is_empty()).then(|| ("fails", part("Error"))));
        for (name, ty) in parts {
            let _ = write!(rows, "(\"{owner} action {number} {name}\", crate::recode::<{ty}> as crate::Recode),");
        }
    }
    for (number, broadcast) in service.broadcasts.iter().enumerate() {
        let ty = format!("{module}::{}", camel(&broadcast.name));
        let _ = write!(rows, "(\"{owner} broadcast {number}\", crate::recode::<{ty}> as crate::Recode),");
    }
    rows
}

/// As the generator names types; the cases have names of one word.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
