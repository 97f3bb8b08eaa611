//! `rpcgen new`
//!
//! Knows: the files of a new crate, what its name may be. Does not know: the language: the test builds a crate and runs its tests.

use std::fs;
use std::path::{Path, PathBuf};

use heck::ToSnakeCase as _;
use rpcgen::Error;

use crate::exit::{End, complain, say};

/// `rpcgen new`
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The crate's name: small letters, digits, `-` and `_`
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder to make, instead of one of the crate's name
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Use the packages in this checkout of rpcgen instead of the published ones
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
}

/// Where each file goes, and what is in it.
const TEMPLATE: [(&str, &str); 8] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("README.md", include_str!("template/README.md.in")),
    ("build.rs", include_str!("template/build.rs.in")),
    ("idl/{package}.rpc", include_str!("template/api.rpc.in")),
    ("src/lib.rs", include_str!("template/lib.rs.in")),
    ("src/bin/server.rs", include_str!("template/server.rs.in")),
    ("src/bin/client.rs", include_str!("template/client.rs.in")),
    ("tests/calls.rs", include_str!("template/calls.rs.in")),
];

/// Names that Rust, cargo or Windows refuse, and those of what the crate depends on or calls a module; `-` counts as `_`.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "api",
    "as",
    "async",
    "aux",
    "await",
    "become",
    "box",
    "break",
    "build",
    "con",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "nul",
    "override",
    "priv",
    "prn",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "rpcgen",
    "rpcgen_log",
    "rpcgen_proto",
    "rpcgen_runtime",
    "rpcgen_store",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tokio",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

pub(crate) fn run(args: &NewArgs) -> rpcgen::Result<End> {
    if let Some(why) = wrong_name(&args.name) {
        complain(&format!("error: `{}` is no name for a crate: {why}\n", args.name.escape_debug()));
        return Ok(End::Usage);
    }
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        complain(&format!("error: {} is there already; `--path` names another folder\n", folder.display()));
        return Ok(End::Findings);
    }
    let local = match args.local.as_deref().map(checkout).transpose() {
        Ok(local) => local,
        Err(why) => {
            complain(&format!("error: {why}\n"));
            return Ok(End::Usage);
        }
    };
    let fill = |text: &str| fill(text, &args.name, local.as_deref(), is_in_workspace(&folder));
    for (file, text) in TEMPLATE {
        write(&folder.join(fill(file)), &fill(text))?;
    }
    write(&folder.join(".gitignore"), "/target\n")?;
    let name = folder.display();
    say(&format!(
        "made {name}; next: `cd {name}`, `cargo test`, `cargo run --bin server`, and in another terminal `cargo run --bin client`\n"
    ));
    Ok(End::Fine)
}

fn wrong_name(name: &str) -> Option<&'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(is_allowed) {
        return Some("it begins with a small letter and has small letters, digits, `-` and `_`");
    }
    let is_taken = TAKEN.contains(&name.replace('-', "_").as_str());
    is_taken.then_some("it is taken, by Rust, by cargo, by Windows or by what the crate depends on")
}

/// The checkout as an absolute path.
fn checkout(folder: &Path) -> Result<PathBuf, String> {
    let has = |file: &str| folder.join(file).is_file();
    if !has("rpcgen/Cargo.toml") || !has("rpcgen-runtime/Cargo.toml") {
        return Err(format!(
            "{} is no checkout of rpcgen: it lacks rpcgen/Cargo.toml or rpcgen-runtime/Cargo.toml",
            folder.display()
        ));
    }
    folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))
}

/// A crate in the folders of a workspace is refused by cargo, unless it is a member or a workspace of its own.
fn is_in_workspace(folder: &Path) -> bool {
    let Ok(folder) = std::path::absolute(folder) else { return false };
    let is_workspace = |folder: &Path| {
        fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
    };
    folder.ancestors().skip(1).any(is_workspace)
}

fn fill(text: &str, name: &str, local: Option<&Path>, in_workspace: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let dependency = |package: &str| match local {
        Some(checkout) => format!("{{ path = {:?} }}", checkout.join(package).display().to_string()),
        None => format!("{version:?}"),
    };
    let workspace = if in_workspace {
        "\n# Of its own: the crate stands in the folders of another workspace. Without this, it has to be a member there.\n[workspace]\n"
    } else {
        ""
    };
    let text = text.replace("{name}", name).replace("{module}", &name.replace('-', "_"));
    let text = text.replace("{package}", &name.to_snake_case()).replace("{workspace}\n", workspace);
    text.replace("{runtime}", &dependency("rpcgen-runtime")).replace("{compiler}", &dependency("rpcgen"))
}

fn write(path: &Path, text: &str) -> rpcgen::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|source| Error::Io { path: path.to_path_buf(), source })
}
