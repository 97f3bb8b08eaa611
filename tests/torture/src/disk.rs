//! A disk that can lose power: an ext4 file system in a file, which is shut down without writing what was not synced.
//!
//! Knows: loop devices, mounts, the shutdown ioctl (by `xfs_io`, which works for ext4 too). Does not know: what is on it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of the file system, and those more for each transfer of the run: in PostgreSQL one takes 700 in tables, beside its log of
/// changes. The file is sparse: it takes what is written.
const BYTES: u64 = 512 << 20;
const BYTES_PER_TRANSFER: u64 = 2 << 10;

/// Seconds that a command may take.
const COMMAND_WITHIN: &str = "60";

/// A mounted file system. It is unmounted when it is dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
    bytes: u64,
}

/// Runs a command; what it said, if it failed.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    // Whatever a file system does: nothing here waits for ever.
    let command = Command::new("timeout").arg(COMMAND_WITHIN).arg(program).args(arguments).output();
    let output = command.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    if output.status.code() == Some(124) {
        return Err(format!("waited for {program} {}: not within {COMMAND_WITHIN} s", arguments.join(" ")));
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

impl Disk {
    /// Makes one for a run of so many transfers, and proves that it loses what was not synced, and nothing else.
    ///
    /// # Errors
    /// It cannot be had here: no root, no loop device, no tools, or the shutdown does not do what it should.
    pub(crate) fn make(folder: &Path, transfers: u64) -> Result<Self, String> {
        let bytes = (BYTES + transfers * BYTES_PER_TRANSFER).next_multiple_of(1 << 20);
        let disk = Self { image: folder.join("disk.img"), mount: folder.join("disk"), bytes };
        std::fs::create_dir_all(&disk.mount).map_err(|error| error.to_string())?;
        run("truncate", &["-s", &disk.bytes.to_string(), text(&disk.image)])?;
        // Without a reserve for root: a full disk is full.
        run("mkfs.ext4", &["-q", "-F", "-m", "0", text(&disk.image)])?;
        disk.power_on()?;
        disk.prove()?;
        Ok(disk)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.mount
    }

    fn prove(&self) -> Result<(), String> {
        let prove = || -> std::io::Result<()> {
            let synced = self.mount.join("synced");
            std::fs::write(&synced, "kept")?;
            std::fs::File::open(&synced)?.sync_all()?;
            std::fs::File::open(&self.mount)?.sync_all()?;
            std::fs::write(self.mount.join("unsynced"), "lost")
        };
        prove().map_err(|error| error.to_string())?;
        self.power_off()?;
        self.power_on()?;
        let kept = std::fs::read_to_string(self.mount.join("synced")).is_ok_and(|text| text == "kept");
        let lost = std::fs::read_to_string(self.mount.join("unsynced")).map_or(true, |text| text != "lost");
        if kept && lost { Ok(()) } else { Err(format!("a shut-down file system kept: {kept}, lost: {lost}")) }
    }

    /// From here on nothing reaches the disk: every process that tries is told so.
    pub(crate) fn power_off(&self) -> Result<(), String> {
        run("xfs_io", &["-x", "-c", "shutdown", text(&self.mount)])
    }

    /// The disk as it was left by a loss of power. No process may have anything open there.
    pub(crate) fn power_on(&self) -> Result<(), String> {
        // It is not mounted yet the first time.
        let _ = run("umount", &[text(&self.mount)]);
        run("mount", &["-o", "loop", text(&self.image), text(&self.mount)])
    }

    fn filling(&self) -> PathBuf {
        self.mount.join("filling")
    }

    /// Takes all space that there is.
    pub(crate) fn fill(&self) {
        let (mut bytes, mut taken) = (self.bytes, 0);
        while bytes >= 4096 {
            // More than there is cannot be had: then half of it is tried.
            match run("fallocate", &["-o", &taken.to_string(), "-l", &bytes.to_string(), text(&self.filling())]) {
                Ok(()) => taken += bytes,
                Err(_) => bytes /= 2,
            }
        }
    }

    /// There is space again.
    pub(crate) fn free(&self) -> Result<(), String> {
        std::fs::remove_file(self.filling()).map_err(|error| error.to_string())?;
        // Its blocks can be had when that is in the journal.
        run("sync", &["-f", text(&self.mount)])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The processes are gone, or go now.
        let _ = run("umount", &["-l", text(&self.mount)]);
    }
}
