//! Reads the `.proto` files that were asked for and everything that they import.
//!
//! Knows: files on the disk, search paths, the parser. Does not know: what is declared in them.
//!
//! An import is looked for in the search paths, then beside the importing file and in each folder above it: in most trees one of them is
//! the root that imports are written from. An import that is nowhere is no error here: annotations of other tools are imported
//! everywhere and matter to nobody. A type of it that is used is one.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use prost_types::FileDescriptorProto;
use rpcgen::load::{Disk, Files as _};

use crate::comments::{Comments, scan};
use crate::{Reason, Refused, wellknown};

/// One file is no longer.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One run reads no more files.
const FILES_MAX: usize = 10_000;

/// One file as the parser has read it.
#[derive(Debug)]
pub(crate) struct ProtoFile {
    /// Where it was found, for people.
    pub(crate) path: String,
    /// As an import names it; as it was asked for, if it was.
    pub(crate) name: String,
    /// As declared; made of the file's name where none is.
    pub(crate) package: String,
    /// The package as it stands before the names of its types: empty where none is declared.
    pub(crate) prefix: String,
    pub(crate) asked: bool,
    pub(crate) descriptor: FileDescriptorProto,
    pub(crate) comments: Comments,
    /// Imports that were found nowhere.
    pub(crate) missing: Vec<String>,
}

/// Reads `asked` and what they import, in that order.
pub(crate) fn load(asked: &[PathBuf], search_paths: &[PathBuf]) -> Result<Vec<ProtoFile>, Refused> {
    let mut loader = Loader { search_paths, files: Vec::new(), known: HashMap::new(), waiting: VecDeque::new() };
    for path in asked {
        loader.read(path, &path.display().to_string(), true)?;
    }
    while let Some((importer, path, import)) = loader.waiting.pop_front() {
        loader.import(importer, path.as_deref(), &import)?;
    }
    Ok(loader.files)
}

struct Loader<'a> {
    search_paths: &'a [PathBuf],
    files: Vec<ProtoFile>,
    /// Which file a path is, one path for all paths to it.
    known: HashMap<PathBuf, usize>,
    /// The importing file, where it is (nowhere, if it is built in), and what it imports.
    waiting: VecDeque<(usize, Option<PathBuf>, String)>,
}

impl Loader<'_> {
    fn read(&mut self, path: &Path, name: &str, asked: bool) -> Result<(), Refused> {
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if self.known.contains_key(&identity) {
            return Ok(());
        }
        let unreadable =
            |why: String| Refused::new(Reason::Unreadable, format!("cannot read {}: {why}", path.display()));
        if self.files.len() == FILES_MAX {
            return Err(unreadable(format!("one run reads {FILES_MAX} files at most")));
        }
        let bytes = Disk.read(path, FILE_BYTES_MAX).map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(unreadable(format!("it is longer than {} MiB", FILE_BYTES_MAX >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
            unreadable(format!("it is not UTF-8: byte {:#04x} stands in line {line}", error.as_bytes()[at]))
        })?;
        self.known.insert(identity.clone(), self.files.len());
        self.take(&path.display().to_string(), name, &text, asked, Some(&identity))
    }

    fn take(&mut self, path: &str, name: &str, text: &str, asked: bool, at: Option<&Path>) -> Result<(), Refused> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let descriptor = parse(path, text)?;
        let number = self.files.len();
        self.waiting
            .extend(descriptor.dependency.iter().map(|import| (number, at.map(Path::to_path_buf), import.clone())));
        let prefix = descriptor.package().to_owned();
        let package = if prefix.is_empty() { package_of(path) } else { prefix.clone() };
        let comments = Comments::of(&descriptor, text);
        let (path, name) = (path.to_owned(), name.to_owned());
        self.files.push(ProtoFile { path, name, package, prefix, asked, descriptor, comments, missing: Vec::new() });
        Ok(())
    }

    fn import(&mut self, importer: usize, at: Option<&Path>, import: &str) -> Result<(), Refused> {
        let above = at.into_iter().flat_map(|path| path.ancestors().skip(1));
        let folders = self.search_paths.iter().map(PathBuf::as_path).chain(above);
        let found = folders.map(|folder| folder.join(import)).find(|path| path.is_file());
        if let Some(path) = found {
            match self.read(&path, import, false) {
                // A newer protobuf brings files along that the parser does not know how to read.
                Err(refused) if refused.reason == Reason::Syntax && wellknown::text(import).is_some() => {}
                read => return read,
            }
        }
        let built_in = Path::new("<built in>").join(import);
        if self.known.contains_key(&built_in) {
            return Ok(());
        }
        if let Some(text) = wellknown::text(import) {
            self.known.insert(built_in, self.files.len());
            return self.take(import, import, text, false, None);
        }
        self.files[importer].missing.push(import.to_owned());
        Ok(())
    }
}

fn parse(path: &str, text: &str) -> Result<FileDescriptorProto, Refused> {
    if let Some(edition) = edition(text) {
        return Err(Refused::new(Reason::Edition, of_edition(path, edition)));
    }
    if is_too_deep(text) {
        return Err(Refused::new(Reason::Syntax, format!("{path}: brackets nest more than {NESTING_MAX} deep")));
    }
    protox_parse::parse(path, text).map_err(|error| {
        // The parser's own words name file, line and column, but where the file ends too soon.
        let words = format!("{error:?}");
        let is_named = words.starts_with(path);
        let at = if is_named { String::new() } else { format!("{path}:{}: ", text.lines().count().max(1)) };
        Refused::new(Reason::Syntax, format!("{at}{words}"))
    })
}

/// Brackets nest no deeper: values of options are read by recursion.
const NESTING_MAX: usize = 100;

/// Whether brackets nest too deep, those in comments and strings apart.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut rest) = (0_usize, text);
    while let Some(found) = rest.find(['{', '}', '[', ']', '<', '>', '"', '\'', '/']) {
        let (mark, tail) = (rest.as_bytes()[found], &rest[found + 1..]);
        rest = match mark {
            b'{' | b'[' | b'<' => {
                depth += 1;
                tail
            }
            b'}' | b']' | b'>' => {
                depth = depth.saturating_sub(1);
                tail
            }
            b'/' if tail.starts_with('/') => tail.find('\n').map_or("", |end| &tail[end..]),
            b'/' if tail.starts_with('*') => tail[1..].find("*/").map_or("", |end| &tail[end + 3..]),
            b'/' => tail,
            _ => &rest[scan::string_end(rest.as_bytes(), found)..],
        };
        if depth > NESTING_MAX {
            return true;
        }
    }
    false
}

/// What a file of an edition is told.
fn of_edition(path: &str, edition: &str) -> String {
    format!(
        "{path} has edition {edition}: only `syntax = \"proto2\"` and `syntax = \"proto3\"` are read. Begin a copy of it with \
         `syntax = \"proto3\";`, write `optional` before each field that has no \
         `features.field_presence = IMPLICIT`, and leave out all `features`; docs/import.md tells more"
    )
}

/// The edition that a text begins with, as it is written.
fn edition(text: &str) -> Option<&str> {
    let behind = first_code(text).strip_prefix("edition")?.trim_start().strip_prefix('=')?;
    Some(behind.split(';').next().unwrap_or_default().lines().next().unwrap_or_default().trim())
}

/// The text from where it is no comment.
fn first_code(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        rest = if rest.starts_with("//") {
            rest.find('\n').map_or("", |end| &rest[end..])
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or("", |end| &rest[end + 2..])
        } else {
            return rest;
        }
        .trim_start();
    }
}

/// `shop/v1/Shop-Items.proto` without a package is `shop_items`.
fn package_of(path: &str) -> String {
    let stem = Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("imported_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_of_comments_and_strings_do_not_nest() {
        let many = "{".repeat(NESTING_MAX + 1);
        assert!(is_too_deep(&many));
        assert!(!is_too_deep(&format!("// {many}\n/* {many} */ '{many}' \"\\\"{many}\"")));
        assert!(is_too_deep(&format!("\"unterminated\n{many}")));
    }

    #[test]
    fn a_file_without_a_package_is_named_after_itself() {
        assert_eq!(package_of("a/Shop-Items.proto"), "shop_items");
        assert_eq!(package_of("a/7.proto"), "imported_7");
    }

    #[test]
    fn an_edition_is_found_behind_comments() {
        assert_eq!(edition("// syntax\n/* a */ edition = \"2023\"; // b"), Some("\"2023\""));
        assert_eq!(edition("edition = '2024'"), Some("'2024'"));
        assert_eq!(edition("/* edition = \"2023\"; */ syntax = \"proto3\";"), None);
        assert_eq!(edition(""), None);
    }
}
