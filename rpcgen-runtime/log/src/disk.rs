//! What the log asks of a disk, and the real one.
//!
//! Knows: one directory, its files by name. Does not know: what is in them. Errors are passed on, never handled: whether one is
//! final is for the log to say.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::LogError;

/// A file of the log's directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEntry {
    /// Its name, without the directory.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Whether there is no space, for anybody or for this user: the rest of the disk is as good as before.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// One directory on a disk. A write is durable after [`Disk::sync`] of its file, a name after [`Disk::sync_directory`].
pub trait Disk {
    /// The files, in any order.
    ///
    /// # Errors
    /// What the disk says.
    fn list(&mut self) -> io::Result<Vec<FileEntry>>;
    /// Makes a file of zeros that really has its space, so that no later write to it needs any; an older one of the name goes.
    ///
    /// # Errors
    /// What the disk says; that there is no space (`StorageFull`, `QuotaExceeded`) leaves nothing behind.
    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()>;
    /// Fills the buffer from this offset on.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::UnexpectedEof`] if the file is shorter.
    fn read(&mut self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()>;
    /// Writes at this offset, into the page cache.
    ///
    /// # Errors
    /// What the disk says; what was written is then unknown.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes durable what was written to the file.
    ///
    /// # Errors
    /// What the disk says; what is durable is then unknown, and a second sync that succeeds says nothing.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Gives a file another name; an older file of that name goes.
    ///
    /// # Errors
    /// What the disk says.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; none of that name is no error.
    ///
    /// # Errors
    /// What the disk says.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// What the disk says.
    fn sync_directory(&mut self) -> io::Result<()>;
}

const LOCK: &str = "lock";

/// A directory of the file system, locked against other processes while this lives.
#[derive(Debug)]
pub struct RealDisk {
    directory: PathBuf,
    open: BTreeMap<String, File>,
    /// Held for as long as the log may write.
    lock: Option<File>,
}

impl RealDisk {
    /// Makes the directory if there is none, and locks it.
    ///
    /// # Errors
    /// [`LogError::Locked`] if somebody has it; [`LogError::Io`].
    pub fn open(directory: &Path) -> Result<Self, LogError> {
        let name = directory.display().to_string();
        make_directory(directory).map_err(LogError::io("make the directory", &name))?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(directory.join(LOCK));
        let lock = lock.map_err(LogError::io("open", LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_owned(), open: BTreeMap::new(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(LogError::Locked { directory: name }),
            Err(TryLockError::Error(source)) => Err(LogError::Io { action: "lock", file: LOCK.to_owned(), source }),
        }
    }

    /// To look at the files of a log that may be in use. Writing to it is refused.
    #[must_use]
    pub fn read_only(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), open: BTreeMap::new(), lock: None }
    }

    fn file(&mut self, name: &str) -> io::Result<&File> {
        if !self.open.contains_key(name) {
            let writable = self.lock.is_some();
            let file = OpenOptions::new().read(true).write(writable).open(self.directory.join(name))?;
            self.open.insert(name.to_owned(), file);
        }
        Ok(&self.open[name])
    }
}

impl Drop for RealDisk {
    /// The lock belongs to the open file, which a child that is just being made shares until it runs its own program (flock(2)): closing
    /// it here is not enough to be rid of it.
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            let _ = lock.unlock();
        }
    }
}

/// Makes a directory, and those that it is to be in. Afterwards none of them can be lost: what is durable in a directory that its own
/// parent forgets would be lost with it.
fn make_directory(directory: &Path) -> io::Result<()> {
    // The last ancestor of a relative path is the empty one: the directory that the process is in.
    let is_missing = |ancestor: &&Path| !ancestor.as_os_str().is_empty() && !ancestor.exists();
    let parent_of = |made: &Path| match made.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => made.to_owned(),
    };
    let missing: Vec<PathBuf> = directory.ancestors().take_while(is_missing).map(parent_of).collect();
    fs::create_dir_all(directory)?;
    // The outermost last: what it holds is there before it says so.
    missing.iter().try_for_each(|parent| File::open(parent)?.sync_all())
}

impl Disk for RealDisk {
    fn list(&mut self) -> io::Result<Vec<FileEntry>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                files.push(FileEntry { name, bytes: metadata.len() });
            }
        }
        Ok(files)
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        self.open.remove(name);
        let path = self.directory.join(name);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        // Zeros are written, not promised by a hole: the blocks are there, and writing to them later changes no metadata.
        let zeros = vec![0; 1 << 20];
        let mut left = bytes;
        let filled = loop {
            let part = left.min(zeros.len() as u64);
            if part == 0 {
                break file.sync_all();
            }
            if let Err(error) = file.write_all(&zeros[..usize::try_from(part).unwrap_or(zeros.len())]) {
                break Err(error);
            }
            left -= part;
        };
        if let Err(error) = filled {
            if is_full(&error) {
                fs::remove_file(&path)?;
            }
            return Err(error);
        }
        self.open.insert(name.to_owned(), file);
        Ok(())
    }

    #[cfg(unix)]
    fn read(&mut self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self.file(name)?, into, offset)
    }

    #[cfg(not(unix))]
    fn read(&mut self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        use std::io::{Read as _, Seek as _};
        let mut file = self.file(name)?;
        file.seek(io::SeekFrom::Start(offset))?;
        file.read_exact(into)
    }

    #[cfg(unix)]
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self.file(name)?, bytes, offset)
    }

    #[cfg(not(unix))]
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        use std::io::Seek as _;
        let mut file = self.file(name)?;
        file.seek(io::SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))?;
        self.open.remove(to);
        if let Some(file) = self.open.remove(from) {
            self.open.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        match fs::remove_file(self.directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    #[cfg(unix)]
    fn sync_directory(&mut self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_directory(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_free_once_dropped_even_if_a_child_still_shares_its_lock() {
        let directory = std::env::temp_dir().join(format!("rpcgen-log-lock-{}", std::process::id()));
        let disk = RealDisk::open(&directory).unwrap();
        assert!(matches!(RealDisk::open(&directory), Err(LogError::Locked { .. })));
        // What a child has between fork and exec.
        let shared = disk.lock.as_ref().unwrap().try_clone().unwrap();
        drop(disk);
        drop(RealDisk::open(&directory).unwrap());
        drop(shared);
        fs::remove_dir_all(&directory).unwrap();
    }
}
