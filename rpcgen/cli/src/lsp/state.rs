//! The documents of a session.
//!
//! Knows: which texts are open, which files are in the folders of the session. Does not know: questions about them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use lsp_types::{InitializeParams, PublishDiagnosticsParams, Uri};
use rpcgen::Config;
use rpcgen::editor::Project;
use rpcgen::load::{Disk, FILES_MAX, Files};

use super::convert;

/// Folders are looked into no deeper.
const FOLDER_DEPTH_MAX: usize = 16;

/// An open document.
#[derive(Debug)]
pub(super) struct Document {
    /// As the client calls it.
    pub(super) uri: Uri,
    pub(super) text: String,
}

/// A session.
#[derive(Debug)]
pub(super) struct State {
    search_paths: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    open: BTreeMap<PathBuf, Document>,
    /// What the client was told last, by file.
    pub(super) published: BTreeMap<PathBuf, PublishDiagnosticsParams>,
}

impl State {
    /// Search paths are those of the command line, then `searchPaths` of the client's options, relative to the first folder.
    pub(super) fn new(search_paths: Vec<PathBuf>, params: &InitializeParams) -> Self {
        let folders = params.workspace_folders.iter().flatten().filter_map(|folder| convert::path(&folder.uri));
        let mut folders: Vec<PathBuf> = folders.collect();
        if folders.is_empty() {
            #[expect(deprecated, reason = "clients that know no folders have a root")]
            folders.extend(params.root_uri.as_ref().and_then(convert::path));
        }
        let mut search_paths = search_paths;
        let options = params.initialization_options.as_ref().and_then(|options| options.get("searchPaths"));
        let named = options.and_then(|paths| paths.as_array()).into_iter().flatten().filter_map(|path| path.as_str());
        let root = folders.first().cloned().unwrap_or_default();
        search_paths.extend(named.map(|path| root.join(path)));
        Self { search_paths, folders, open: BTreeMap::new(), published: BTreeMap::new() }
    }

    /// Takes the text of a document, a new one or a changed one. False: it is no file.
    pub(super) fn open(&mut self, uri: Uri, text: String) -> bool {
        let Some(path) = convert::path(&uri) else { return false };
        self.open.insert(Disk.identity(&path), Document { uri, text });
        true
    }

    /// From now on the file counts, not the document.
    pub(super) fn close(&mut self, uri: &Uri) -> bool {
        convert::path(uri).is_some_and(|path| self.open.remove(&Disk.identity(&path)).is_some())
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = (&Path, &Document)> {
        self.open.iter().map(|(path, document)| (path.as_path(), document))
    }

    pub(super) fn document(&self, path: &Path) -> Option<&Document> {
        self.open.get(path)
    }

    /// How the client calls a file.
    pub(super) fn uri(&self, path: &Path) -> Option<Uri> {
        self.open.get(path).map(|document| document.uri.clone()).or_else(|| convert::uri(path))
    }

    pub(super) fn config(&self) -> Config {
        self.search_paths.iter().fold(Config::new(), Config::search_path)
    }

    /// One document with what it imports.
    pub(super) fn near(&self, path: &Path) -> Project {
        self.config().project(self, &[path])
    }

    /// Every file of the session's folders, and every document.
    pub(super) fn all(&self) -> Project {
        let mut files: Vec<PathBuf> = self.open.keys().cloned().collect();
        self.folders.iter().for_each(|folder| collect(folder, FOLDER_DEPTH_MAX, &mut files));
        files.truncate(FILES_MAX);
        self.config().project(self, &files)
    }

    /// Paths that an import of this file could have: files in its folder and below, and those of the search paths.
    pub(super) fn importable(&self, path: &Path) -> Vec<String> {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let mut paths = Vec::new();
        for folder in std::iter::once(folder).chain(self.search_paths.iter().map(PathBuf::as_path)) {
            let mut files = Vec::new();
            collect(folder, 4, &mut files);
            let relative = files.iter().filter(|file| *file != path).filter_map(|file| file.strip_prefix(folder).ok());
            paths.extend(relative.map(|file| file.to_string_lossy().replace('\\', "/")));
        }
        paths
    }
}

/// Open documents stand for their files.
impl Files for State {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        match self.open.get(&self.identity(path)) {
            Some(document) => Ok(document.text.bytes().take(limit + 1).collect()),
            None => Disk.read(path, limit),
        }
    }

    fn identity(&self, path: &Path) -> PathBuf {
        Disk.identity(path)
    }
}

/// The `.rpc` files of a folder and of the folders in it, in order, no more than the compiler reads.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let is_passed_over = name.to_string_lossy().starts_with('.') || name == "target" || name == "node_modules";
        if files.len() >= FILES_MAX || is_passed_over {
            continue;
        }
        // Not through links: they may go round in a circle.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, depth, files),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|extension| extension == "rpc") => {
                files.push(path)
            }
            _ => {}
        }
    }
}
