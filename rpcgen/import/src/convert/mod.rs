//! From descriptors to the text of one `.rpc` file for each package.
//!
//! Knows: the order of a file, what was found on the way. Does not know: layout; the formatter sets it.

mod enums;
mod fields;
mod literals;
mod messages;
mod services;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Refused;
use crate::comments::tag;
use crate::loss::{Kind, Loss};
use crate::names::Names;
use crate::options::{DEPRECATED, Options};
use crate::select::{Package, Packages};
use crate::symbols::{DeclaredId, Symbols, What};

/// One text for each package, in their order, and what they do not say.
pub(crate) fn convert(symbols: &Symbols<'_>, packages: &Packages) -> Result<(Vec<String>, Vec<Loss>), Refused> {
    let names = Names::of(symbols, packages)?;
    let mut losses = Vec::new();
    let mut texts = Vec::new();
    for package in &packages.list {
        let mut writer = Writer {
            symbols,
            names: &names,
            package,
            imports: BTreeSet::new(),
            text: String::new(),
            losses: Vec::new(),
        };
        writer.package()?;
        texts.push(writer.finish());
        losses.append(&mut writer.losses);
    }
    for (file, path, what) in &names.renamed {
        let file = &symbols.files[*file];
        losses.push(Loss {
            file: file.path.clone(),
            line: file.comments.line(path),
            kind: Kind::Renamed,
            what: what.clone(),
        });
    }
    losses.sort();
    losses.dedup();
    Ok((texts, losses))
}

/// Writes one package.
struct Writer<'s, 'a> {
    symbols: &'s Symbols<'a>,
    names: &'s Names,
    package: &'s Package,
    /// Packages that are named in the text.
    imports: BTreeSet<String>,
    /// Items so far.
    text: String,
    losses: Vec<Loss>,
}

impl Writer<'_, '_> {
    fn package(&mut self) -> Result<(), Refused> {
        for id in self.package.types.iter().copied() {
            self.declaration(id)?;
        }
        for number in self.package.files.iter().copied() {
            let file = &self.symbols.files[number];
            if !file.asked {
                continue;
            }
            for (index, extension) in file.descriptor.extension.iter().enumerate() {
                let what = format!("extension of {}: no message is extended from outside", extension.extendee());
                self.lose(number, &below(&[], tag::FILE_EXTENSION, index), Kind::Extension, what);
            }
            for (index, import) in file.descriptor.dependency.iter().enumerate() {
                if file.missing.contains(import) {
                    let what = format!("import \"{import}\": found nowhere, and not needed");
                    self.lose(number, &below(&[], tag::IMPORT, index), Kind::MissingImport, what);
                }
            }
            if let Some(options) = &file.descriptor.options {
                self.options(number, &[tag::FILE_OPTIONS], &Options::of(&options.uninterpreted_option, &[]));
            }
            for (index, service) in file.descriptor.service.iter().enumerate() {
                self.service(number, index, service)?;
            }
            self.text.push('\n');
            self.end_remarks(number, &[]);
        }
        Ok(())
    }

    fn declaration(&mut self, id: DeclaredId) -> Result<(), Refused> {
        let declared = &self.symbols.list[id];
        let (file, path) = (declared.file, declared.path.clone());
        match declared.what {
            // Its fields stand in the action; what it says besides is looked at there.
            What::Message(message) if self.names.inlined.contains(&id) => {
                self.message_losses(file, &path, message, &[]);
            }
            What::Message(message) => {
                self.message_losses(file, &path, message, &[DEPRECATED]);
                self.message(id, message)?;
            }
            What::Enum(one) => self.enumeration(id, one),
        }
        if let What::Message(message) = declared.what {
            self.oneofs(id, message)?;
        }
        Ok(())
    }

    /// Remarks that document nothing, then documentation.
    fn remarks(&mut self, file: usize, path: &[i32]) {
        let comments = &self.symbols.files[file].comments;
        remark(&mut self.text, comments.detached(path));
        document(&mut self.text, &comments.docs(path));
    }

    /// All that is said of something that is not here.
    fn as_remarks(&mut self, file: usize, path: &[i32]) {
        let comments = &self.symbols.files[file].comments;
        remark(&mut self.text, comments.detached(path));
        remark(&mut self.text, &comments.docs(path));
    }

    /// Remarks at the end of what is declared there.
    fn end_remarks(&mut self, file: usize, path: &[i32]) {
        remark(&mut self.text, self.symbols.files[file].comments.end(path));
    }

    fn lose(&mut self, file: usize, path: &[i32], kind: Kind, what: impl Into<String>) {
        let file = &self.symbols.files[file];
        self.losses.push(Loss { file: file.path.clone(), line: file.comments.line(path), kind, what: what.into() });
    }

    /// What options say that the language cannot; `path` is that of the options.
    fn options(&mut self, file: usize, path: &[i32], options: &Options) {
        for (index, name) in &options.lost {
            self.lose(file, &below(path, tag::UNINTERPRETED, *index), Kind::Option, format!("option {name}"));
        }
    }

    fn finish(&self) -> String {
        let mut out = String::new();
        let files = || self.package.files.iter().map(|file| &self.symbols.files[*file]);
        let mut seen = BTreeSet::new();
        for file in files() {
            // Mostly a licence, and mostly the same one.
            let above =
                file.comments.detached(&[tag::SYNTAX]).iter().cloned().chain(file.comments.docs(&[tag::SYNTAX]));
            let above: Vec<String> = above.collect();
            if seen.insert(above.clone()) {
                remark(&mut out, &above);
                out.push('\n');
            }
        }
        out.push_str("// Made by `rpcgen import` from\n");
        for file in files() {
            remark(&mut out, &[format!("- {}", file.name)]);
        }
        out.push('\n');
        for file in files() {
            remark(&mut out, file.comments.detached(&[tag::PACKAGE]));
            for line in file.comments.docs(&[tag::PACKAGE]) {
                let _ = writeln!(out, "//! {line}");
            }
        }
        let _ = writeln!(out, "package {};", self.package.name);
        for package in &self.imports {
            let _ = writeln!(out, "import \"{package}.rpc\";");
        }
        out + &self.text
    }
}

/// The place of one thing of a kind within another.
fn below(path: &[i32], kind: i32, index: usize) -> Vec<i32> {
    path.iter().copied().chain([kind, i32::try_from(index).unwrap_or_default()]).collect()
}

/// The place of what there is one of.
fn part(path: &[i32], kind: i32) -> Vec<i32> {
    path.iter().copied().chain([kind]).collect()
}

/// Lines of `///`.
fn document(out: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(out, "/// {line}");
    }
}

/// Lines of `//`; an empty one stays empty.
fn remark(out: &mut String, lines: &[String]) {
    for line in lines {
        // `///` would document.
        let line = line.trim_start_matches(['/', '!']);
        if line.is_empty() {
            out.push('\n');
        } else {
            let _ = writeln!(out, "// {line}");
        }
    }
}
