//! A folder that goes with its test.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of a test's own.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// It goes when this does. Otherwise it goes with the folder that it is in.
    is_removed: bool,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Folder {
    /// One that nobody else has, empty; removed when it is dropped.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("rpcgen-{name}-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Self { path, is_removed: true },
                // Of an earlier process that had our number, and was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    /// One within another folder.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn within(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).expect("a folder can be made there");
        Self { path, is_removed: false }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes one folder of files what another one is now.
///
/// # Panics
/// It cannot be done.
pub fn replace(folder: &Path, by: &Path) {
    if folder.exists() {
        std::fs::remove_dir_all(folder).expect("a folder of files goes");
    }
    std::fs::create_dir_all(folder).expect("a folder can be made there");
    for file in std::fs::read_dir(by).expect("the other one is there") {
        let file = file.expect("it can be listed");
        std::fs::copy(file.path(), folder.join(file.file_name())).expect("its files can be copied");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_removed {
            // What is left there harms nobody.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
