//! Where a version of a schema comes from: a file, a folder, a git revision.
//!
//! Knows: how each is written on a command line, which files it has. Does not know: rules.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use crate::load::{Disk, FILES_MAX, Files, in_folder};
use crate::{Checked, Config};

/// A version of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// A `.rpc` file, or a folder with all the `.rpc` files in it.
    Disk(PathBuf),
    /// The same, as a git revision has it: `git:REVISION:PATH`.
    Git {
        /// Whatever git understands: `main`, `v1.2`, `HEAD~1`.
        revision: String,
        /// From the current folder.
        path: PathBuf,
    },
}

/// Why a baseline cannot be looked at.
#[derive(Debug)]
pub struct BaselineError(String);

impl BaselineError {
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BaselineError {}

impl Baseline {
    /// `git:REVISION:PATH`, or a path. `git:REVISION` alone speaks of `path_otherwise`.
    pub fn parse(text: &str, path_otherwise: Option<&Path>) -> Self {
        let Some(rest) = text.strip_prefix("git:") else { return Self::Disk(text.into()) };
        let (revision, path) = match rest.split_once(':') {
            Some((revision, path)) => (revision, PathBuf::from(path)),
            None => (rest, path_otherwise.map_or_else(|| PathBuf::from("."), Path::to_path_buf)),
        };
        Self::Git { revision: revision.to_owned(), path }
    }

    /// Checks all files of this version.
    ///
    /// # Errors
    /// There are no such files, or no such revision, or no git.
    pub fn check(&self, config: &Config) -> Result<Checked, BaselineError> {
        match self {
            Self::Disk(path) => {
                let inside = |folder: &Path| in_folder(folder).map_err(|error| BaselineError(error.to_string()));
                let files = if path.is_dir() { inside(path)? } else { vec![path.clone()] };
                some_files(&files, &path.display().to_string())?;
                Ok(config.check_in(&Disk, &files))
            }
            Self::Git { revision, path } => {
                let git = Git::new(revision)?;
                let files = git.files(path)?;
                some_files(&files, &format!("{} at {revision}", path.display()))?;
                Ok(config.check_in(&git, &files))
            }
        }
    }
}

fn some_files(files: &[PathBuf], place: &str) -> Result<(), BaselineError> {
    if files.is_empty() { Err(BaselineError(format!("there is no .rpc file in {place}"))) } else { Ok(()) }
}

/// The files of a git revision, by paths from the current folder. Asks the `git` command; changes nothing.
#[derive(Clone, Debug)]
pub struct Git {
    /// As it was asked for; stands before each path that is shown.
    name: String,
    /// The tree's own name.
    tree: String,
    /// The top of the repository.
    top: PathBuf,
    /// The current folder, from there.
    prefix: PathBuf,
}

impl Git {
    /// The files of a revision of the repository that the current folder is in.
    ///
    /// # Errors
    /// There is no git, no repository, or no such revision.
    pub fn new(revision: &str) -> Result<Self, BaselineError> {
        let tree = run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{tree}}")])
            .map_err(|error| {
                BaselineError(format!("there is no git revision `{revision}` here{error}{}", shallow()))
            })?;
        let prefix = run(&["rev-parse", "--show-prefix"]).map_err(BaselineError)?;
        // A bare repository has no files, and so none above it.
        let top = run(&["rev-parse", "--show-toplevel"]).unwrap_or_else(|_| b"/".to_vec());
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
        // rev-parse repeats the end of options that it was told of.
        let tree = text(tree).lines().last().unwrap_or_default().to_owned();
        Ok(Self { name: revision.to_owned(), tree, top: text(top).into(), prefix: text(prefix).into() })
    }

    /// The `.rpc` file of this path, or all in the folder of this path, in order.
    fn files(&self, path: &Path) -> Result<Vec<PathBuf>, BaselineError> {
        let at = self.in_repository(path).ok_or_else(|| self.outside(path))?;
        let at = at.to_string_lossy().into_owned();
        let mut arguments = vec!["ls-tree", "-r", "-z", "--full-tree", "--name-only", &self.tree, "--"];
        if !at.is_empty() {
            arguments.push(&at);
        }
        let listed = run(&arguments).map_err(BaselineError)?;
        let listed = String::from_utf8_lossy(&listed);
        let depth = self.prefix.components().count();
        let from_here = |name: &str| match Path::new(name).strip_prefix(&self.prefix) {
            Ok(inside) => inside.to_path_buf(),
            Err(_) => std::iter::repeat_n("..", depth).collect::<PathBuf>().join(name),
        };
        let mut files: Vec<PathBuf> = listed.split('\0').filter(|name| name.ends_with(".rpc")).map(from_here).collect();
        files.truncate(FILES_MAX);
        files.sort();
        Ok(files)
    }

    fn outside(&self, path: &Path) -> BaselineError {
        BaselineError(format!("{} at {} is outside of the repository", path.display(), self.name))
    }

    /// A path from the current folder, from the top of the repository. `None`: it is not in the repository.
    fn in_repository(&self, path: &Path) -> Option<PathBuf> {
        let mut out = PathBuf::new();
        for component in self.top.join(&self.prefix).join(path).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => _ = out.pop(),
                other => out.push(other),
            }
        }
        out.strip_prefix(&self.top).map(Path::to_path_buf).ok()
    }
}

impl Files for Git {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let at = self.in_repository(path).ok_or(io::ErrorKind::NotFound)?;
        let object = format!("{}:{}", self.tree, at.to_string_lossy());
        let output = git(&["cat-file", "--batch-check"], Some(&object))?;
        let answer = String::from_utf8_lossy(&output).trim_end().to_owned();
        let mut words = answer.rsplit(' ');
        let (size, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match (kind, size.parse::<usize>()) {
            ("blob", Ok(size)) if size <= limit => git(&["cat-file", "blob", &object], None),
            // The loader only looks at the length of what is too long.
            ("blob", Ok(_)) => Ok(vec![b' '; limit + 1]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn identity(&self, path: &Path) -> PathBuf {
        self.in_repository(path).unwrap_or_else(|| path.to_path_buf())
    }
}

/// What to say of a revision that is not here, where not all are.
fn shallow() -> &'static str {
    let is_shallow = run(&["rev-parse", "--is-shallow-repository"]).is_ok_and(|answer| answer.starts_with(b"true"));
    if is_shallow { ": this clone is shallow, `git fetch` brings what it lacks" } else { "" }
}

fn run(arguments: &[&str]) -> Result<Vec<u8>, String> {
    git(arguments, None).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ": there is no `git` command".to_owned(),
        _ if error.to_string().is_empty() => String::new(),
        _ => format!(": {error}"),
    })
}

fn git(arguments: &[&str], input: Option<&str>) -> io::Result<Vec<u8>> {
    let mut command = Command::new("git");
    command.args(arguments).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes())?;
        stdin.write_all(b"\n")?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or_default();
    Err(io::Error::other(said.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_without_a_path_speaks_of_the_new_versions_path() {
        let parse = |text| Baseline::parse(text, Some(Path::new("idl")));
        assert_eq!(parse("old"), Baseline::Disk("old".into()));
        assert_eq!(parse("git:v1"), Baseline::Git { revision: "v1".into(), path: "idl".into() });
        assert_eq!(parse("git:v1:a/b.rpc"), Baseline::Git { revision: "v1".into(), path: "a/b.rpc".into() });
    }

    #[test]
    fn a_path_that_leaves_the_repository_is_none_of_it() {
        let git = Git { name: "v1".into(), tree: String::new(), top: "/top".into(), prefix: "a/b".into() };
        assert_eq!(git.in_repository(Path::new("../c.rpc")), Some("a/c.rpc".into()));
        assert_eq!(git.in_repository(Path::new("../../../c.rpc")), None);
        assert_eq!(git.in_repository(Path::new("/etc/passwd")), None);
        assert_eq!(git.in_repository(Path::new("/top/a/c.rpc")), Some("a/c.rpc".into()));
        assert_eq!(git.in_repository(Path::new("../../../top/a")), Some("a".into()));
    }
}
