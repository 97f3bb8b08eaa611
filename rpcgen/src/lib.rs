//! The compiler of `.rpc` files: text to checked model to Rust stubs.
//!
//! The pipeline: [`load`] reads files and their imports, [`syntax`] makes a tree of each, [`mod@check`] makes one [`model`] of all,
//! [`codegen`] writes Rust; what is wrong on the way is a [`diagnostic`]. A build script needs one call:
//!
//! ```no_run
//! fn main() -> rpcgen::Result<()> {
//!     rpcgen::compile(&["idl/bank.rpc"])
//! }
//! ```
#![forbid(unsafe_code)]
// `code!` of the code generator goes through its tokens one by one.
#![recursion_limit = "512"]

pub mod backend;
pub mod breaking;
pub mod check;
pub mod codegen;
pub mod diagnostic;
pub mod editor;
pub mod fmt;
mod foreign;
mod html;
pub mod load;
pub mod model;
mod nearest;
mod output;
mod schema;
pub mod source;
pub mod syntax;
mod threads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diagnostic::{Diagnostics, Sink};
use load::{Disk, Files};
use model::Model;
pub use output::{Error, Generated, Result};
use source::{Places, SourceMap};

/// What a check has found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// `None`: there are errors.
    pub model: Option<Model>,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
    /// The files that were read, imports included.
    pub files: Vec<PathBuf>,
    /// Where everything is declared.
    pub places: Places,
}

/// Checks files and what they import.
pub fn check(files: &[impl AsRef<Path>]) -> Checked {
    Config::new().check(files)
}

/// Checks a tree that has no text, or whose text is `sources`: what the attribute macro calls.
pub fn check_tree(file: syntax::ast::File, sources: SourceMap) -> Checked {
    let mut sink = Sink::default();
    let units = [check::Unit::alone(file, "")];
    let (model, places) = check::check(&units, &mut sink);
    Checked { model, diagnostics: sink.finish(sources), files: Vec::new(), places }
}

/// For a build script: writes `OUT_DIR/<package>.rs` for each file, for `rpcgen_runtime::include_rpc!`.
///
/// # Errors
/// The files have errors, which have been printed to stderr, or cannot be written.
pub fn compile(files: &[impl AsRef<Path>]) -> Result<()> {
    Config::new().compile(files)
}

/// How files are found and what is made of them.
#[derive(Clone, Debug, Default)]
pub struct Config {
    search_paths: Vec<PathBuf>,
    out_dir: Option<PathBuf>,
    extern_packages: BTreeMap<String, String>,
}

impl Config {
    /// No search paths, no extern packages, output to cargo's `OUT_DIR`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Imports are also looked for in this folder, after those given before.
    #[must_use]
    pub fn search_path(mut self, folder: impl Into<PathBuf>) -> Self {
        self.search_paths.push(folder.into());
        self
    }

    /// Where [`Self::compile`] writes, instead of `OUT_DIR`.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// The imported package stands in this module of the user's instead of in a nested one: `("money", "crate::money")`.
    #[must_use]
    pub fn extern_package(mut self, package: impl Into<String>, module: impl Into<String>) -> Self {
        self.extern_packages.insert(package.into(), module.into());
        self
    }

    /// Checks files and what they import.
    pub fn check(&self, files: &[impl AsRef<Path>]) -> Checked {
        self.check_in(&Disk, files)
    }

    /// The same with files from elsewhere, for tests and editors.
    pub fn check_in(&self, from: &dyn Files, files: &[impl AsRef<Path>]) -> Checked {
        let mut sink = Sink::default();
        let roots: Vec<PathBuf> = files.iter().map(|file| file.as_ref().to_path_buf()).collect();
        let loaded = load::load(from, &roots, &self.search_paths, &mut sink);
        let (model, places) = check::check(&loaded.units, &mut sink);
        Checked { model, diagnostics: sink.finish(loaded.sources), files: loaded.paths, places }
    }

    /// What an editor asks of files, whatever state they are in.
    pub fn project(&self, from: &dyn Files, files: &[impl AsRef<Path>]) -> editor::Project {
        let roots: Vec<PathBuf> = files.iter().map(|file| file.as_ref().to_path_buf()).collect();
        editor::Project::load(from, &roots, &self.search_paths)
    }

    /// The Rust text of each package that was asked for.
    ///
    /// # Errors
    /// Names of the generated code meet, or an extern package's path is none.
    pub fn generate(&self, model: &Model, form: codegen::Form) -> Result<Vec<Generated>> {
        output::generate(model, &codegen::Settings { form, extern_packages: self.extern_packages.clone() })
    }

    /// For a build script: see [`compile`].
    ///
    /// # Errors
    /// See [`compile`].
    pub fn compile(&self, files: &[impl AsRef<Path>]) -> Result<()> {
        let checked = self.check(files);
        output::tell_cargo(&checked.files);
        eprint!("{}", checked.diagnostics.to_human(false));
        let Some(model) = &checked.model else {
            return Err(Error::Rejected { errors: checked.diagnostics.errors_count() });
        };
        let folder = match &self.out_dir {
            Some(folder) => folder.clone(),
            None => std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(Error::NoOutDir)?,
        };
        self.generate(model, codegen::Form::Include)?
            .iter()
            .try_for_each(|generated| generated.write(&folder).map(|_| ()))
    }
}
