//! Reads the files that were asked for and everything that they import.
//!
//! Knows: files through a trait, paths of imports, limits on what is read. Does not know: the language beyond `import`.
//! An import is looked for beside the file that has it, then in the search paths, in order. Circles are fine here: a file is read once;
//! the checker refuses them.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::Error;
use crate::check::Unit;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Sink};
use crate::model::written::string_text;
use crate::nearest::nearest;
use crate::source::{SourceId, SourceMap, Span};
use crate::syntax::{self, ast};

/// One file is no longer.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// One run reads no more files.
pub const FILES_MAX: usize = 1_000;

/// One run reads no more text.
const TOTAL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where files come from.
pub trait Files {
    /// The bytes of a file, at most `limit` and one more if there are more.
    ///
    /// # Errors
    /// As the file system says; [`io::ErrorKind::NotFound`] sends an import on to the next search path.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;

    /// One path for all paths to the same file.
    fn identity(&self, path: &Path) -> PathBuf;

    /// Names of the `.rpc` files in a folder, for guesses at what was meant; none, if nobody knows.
    fn names_in(&self, _folder: &Path) -> Vec<String> {
        Vec::new()
    }
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        // Before it is opened: a pipe would wait for somebody who writes.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let file = std::fs::File::options().read(true).open(path)?;
        let mut bytes = Vec::new();
        file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| normal(path))
    }

    fn names_in(&self, folder: &Path) -> Vec<String> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(FILES_MAX);
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".rpc")).collect();
        names.sort();
        names
    }
}

/// Files that are texts in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Memory {
    /// Puts a file in.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(normal(&path.into()), text.into());
        self
    }
}

impl Files for Memory {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let path = normal(path);
        let Some(bytes) = self.files.get(&path) else {
            let is_folder = self.files.keys().any(|file| file.starts_with(&path));
            return Err(if is_folder { io::Error::other("it is not a file") } else { io::ErrorKind::NotFound.into() });
        };
        Ok(bytes.iter().take(limit + 1).copied().collect())
    }

    fn identity(&self, path: &Path) -> PathBuf {
        normal(path)
    }

    fn names_in(&self, folder: &Path) -> Vec<String> {
        let here = self.files.keys().filter(|path| path.parent() == Some(&normal(folder)));
        here.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
    }
}

/// All `.rpc` files in a folder and those in it, in order. Links to folders are not followed, nor are hidden folders, nor those of caches
/// (`target` of cargo).
///
/// # Errors
/// A folder cannot be read, or there are more than [`FILES_MAX`] files.
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        files_of(&next, &mut found, &mut open).map_err(|source| Error::Io { path: next, source })?;
        if found.len() > FILES_MAX {
            let source = io::Error::other(format!("there are more than {FILES_MAX} .rpc files in this folder"));
            return Err(Error::Io { path: folder.to_path_buf(), source });
        }
    }
    found.sort();
    Ok(found)
}

/// The `.rpc` files of one folder, and the folders in it.
fn files_of(folder: &Path, files: &mut Vec<PathBuf>, folders: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !is_hidden && !path.join("CACHEDIR.TAG").exists() {
                folders.push(path);
            }
        } else if path.extension().is_some_and(|extension| extension == "rpc") && path.is_file() {
            // `./a.rpc` is shown as `a.rpc`.
            files.push(path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path));
        }
    }
    Ok(())
}

/// The text of one file.
///
/// # Errors
/// It cannot be read, is too long or is not UTF-8.
pub fn text(path: &Path) -> Result<String, Box<Diagnostics>> {
    text_of(path, Disk.read(path, FILE_BYTES_MAX))
}

/// The text of one file that has been read, [`FILE_BYTES_MAX`] and one more byte of it if there are more. `path` is how findings call it.
///
/// # Errors
/// As for [`text`].
pub fn text_of(path: &Path, read: io::Result<Vec<u8>>) -> Result<String, Box<Diagnostics>> {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let found = match read {
        Err(error) => unreadable(sources.add(path, ""), path, &error),
        Ok(bytes) => match readable(bytes) {
            (text, None) => return Ok(text),
            (text, Some(wrong)) => wrong.diagnostic(sources.add(path, text)),
        },
    };
    sink.push(found);
    Err(Box::new(sink.finish(sources)))
}

/// There is no text to point at: the diagnostic stands at the top of an empty one of this name.
fn unreadable(source: SourceId, path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::new(Code::Unreadable, Span::new(source, 0, 0), format!("cannot read {}: {error}", path.display()))
}

/// Without `.`, and without `..` where a folder stands before it.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// What was asked for first, then the imports in the order of their first mention.
    pub(crate) units: Vec<Unit>,
    pub(crate) sources: SourceMap,
    /// Every file that was read, in that order.
    pub(crate) paths: Vec<PathBuf>,
}

/// Reads `roots` and what they import.
pub(crate) fn load(files: &dyn Files, roots: &[PathBuf], search_paths: &[PathBuf], sink: &mut Sink) -> Loaded {
    let mut loader =
        Loader { files, search_paths, sink, loaded: Loaded::default(), by_identity: HashMap::new(), bytes_count: 0 };
    for root in roots {
        loader.root(root);
    }
    let mut next = 0;
    while next < loader.loaded.units.len() {
        loader.imports(next);
        next += 1;
    }
    loader.loaded
}

struct Loader<'a> {
    files: &'a dyn Files,
    search_paths: &'a [PathBuf],
    sink: &'a mut Sink,
    loaded: Loaded,
    by_identity: HashMap<PathBuf, usize>,
    bytes_count: usize,
}

impl Loader<'_> {
    fn root(&mut self, path: &Path) {
        if self.by_identity.contains_key(&self.files.identity(path)) {
            return;
        }
        match self.files.read(path, FILE_BYTES_MAX) {
            Ok(bytes) => {
                self.take(path, bytes, true);
            }
            Err(error) => {
                let source = self.loaded.sources.add(path, "");
                self.sink.push(unreadable(source, path, &error));
            }
        }
    }

    fn imports(&mut self, unit: usize) {
        let imports = self.loaded.units[unit].file.imports.clone();
        for import in &imports {
            let target = self.import(unit, import);
            self.loaded.units[unit].imports.push(target);
        }
    }

    fn import(&mut self, unit: usize, import: &ast::Import) -> Option<usize> {
        if import.lost {
            return None;
        }
        let written = Path::new(&import.path);
        let relative = written
            .components()
            .all(|component| matches!(component, Component::Normal(_) | Component::ParentDir | Component::CurDir));
        if !relative || import.path.is_empty() || import.path.contains('\\') {
            let diagnostic = Diagnostic::new(Code::ImportPath, import.span, "this is no path of an import");
            self.sink.push(
                diagnostic.with_help(
                    "an import is a path relative to this file or to a search path, with `/` between folders",
                ),
            );
            return None;
        }
        let beside = self.loaded.paths[unit].parent().unwrap_or_else(|| Path::new("")).join(written);
        let candidates = std::iter::once(beside).chain(self.search_paths.iter().map(|folder| folder.join(written)));
        for path in candidates {
            if let Some(known) = self.by_identity.get(&self.files.identity(&path)) {
                return Some(*known);
            }
            match self.files.read(&path, FILE_BYTES_MAX) {
                Ok(bytes) => return self.take_import(&path, bytes, import),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let message = format!("cannot read {}: {error}", path.display());
                    self.sink.push(Diagnostic::new(Code::Unreadable, import.span, message));
                    return None;
                }
            }
        }
        let diagnostic = Diagnostic::new(
            Code::ImportMissing,
            import.span,
            format!("there is no file `{}`", import.path.escape_debug()),
        );
        let near = if self.sink.may_compare(FILES_MAX) { self.near_file(unit, written) } else { None };
        if let Some(near) = near {
            self.sink.push(diagnostic.with_fix("did you mean", import.span, string_text(&near)));
            return None;
        }
        let help = if self.search_paths.is_empty() {
            "it is looked for beside this file; `-I FOLDER` names other places".to_owned()
        } else {
            let places: Vec<String> = self.search_paths.iter().map(|folder| folder.display().to_string()).collect();
            format!("it is looked for beside this file, then in {}", places.join(", "))
        };
        self.sink.push(diagnostic.with_help(help));
        None
    }

    /// The path of a file with nearly the name that was written, in the same folder.
    fn near_file(&self, unit: usize, written: &Path) -> Option<String> {
        let name = written.file_name()?.to_str()?;
        let folder = written.parent().unwrap_or_else(|| Path::new(""));
        let importing = self.loaded.paths[unit].parent().unwrap_or_else(|| Path::new(""));
        let names = self.files.names_in(&importing.join(folder));
        let own = self.loaded.paths[unit].file_name().and_then(|name| name.to_str());
        let is_other = |candidate: &&str| folder != Path::new("") || Some(*candidate) != own;
        let near = nearest(name, names.iter().map(String::as_str).filter(is_other))?;
        // A path of an import has `/` between folders, on every system.
        Some(match written.to_str()?.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{near}"),
            None => near.to_owned(),
        })
    }

    fn take_import(&mut self, path: &Path, bytes: Vec<u8>, import: &ast::Import) -> Option<usize> {
        if self.loaded.units.len() == FILES_MAX || self.bytes_count > TOTAL_BYTES_MAX {
            let message = format!("more than {FILES_MAX} files, or more than {} MiB of them", TOTAL_BYTES_MAX >> 20);
            self.sink.push(Diagnostic::new(Code::TooLarge, import.span, message));
            return None;
        }
        self.take(path, bytes, false)
    }

    /// Parses a file and gives it the next number. `None`: it has been reported.
    fn take(&mut self, path: &Path, bytes: Vec<u8>, root: bool) -> Option<usize> {
        let (text, wrong) = readable(bytes);
        let source = self.loaded.sources.add(path, text);
        if let Some(wrong) = wrong {
            self.sink.push(wrong.diagnostic(source));
            return None;
        }
        let number = self.loaded.units.len();
        let file = self.parse(source);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.loaded.units.push(Unit { file, name, root, imports: Vec::new() });
        self.loaded.paths.push(path.to_path_buf());
        self.by_identity.insert(self.files.identity(path), number);
        Some(number)
    }

    fn parse(&mut self, source: SourceId) -> ast::File {
        let text = self.loaded.sources.source(source).map_or("", |source| source.text());
        self.bytes_count += text.len();
        syntax::parse(source, text, self.sink)
    }
}

/// Why a file is not parsed.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    TooLong,
    /// With the first byte that belongs to no character, and where it stands.
    NotUtf8(u8, usize),
}

impl Wrong {
    fn diagnostic(&self, source: SourceId) -> Diagnostic {
        match self {
            Self::TooLong => {
                let message = format!("this file is longer than {} MiB", FILE_BYTES_MAX >> 20);
                Diagnostic::new(Code::TooLarge, Span::new(source, 0, 0), message).with_help("cut it into several files")
            }
            Self::NotUtf8(byte, at) => {
                let at = u32::try_from(*at).unwrap_or(u32::MAX);
                // The text shows a replacement character there, of three bytes.
                let span = Span::new(source, at, at.saturating_add(3));
                let message = format!("this file is not UTF-8: byte {byte:#04x} stands here");
                Diagnostic::new(Code::NotUtf8, span, message).with_help("save the file as UTF-8")
            }
        }
    }
}

/// The text of a file, fit to be shown even where it is none.
fn readable(bytes: Vec<u8>) -> (String, Option<Wrong>) {
    if bytes.len() > FILE_BYTES_MAX {
        return (String::new(), Some(Wrong::TooLong));
    }
    String::from_utf8(bytes).map_or_else(
        |error| {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(at).copied().unwrap_or_default();
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(Wrong::NotUtf8(byte, at)))
        },
        |text| (text, None),
    )
}
