//! Another name for something, wherever it is named.
//!
//! Knows: what has to be renamed together, what is no name. Does not know: what the check says of the new name (`trial`).

use std::collections::BTreeSet;
use std::fmt;

use super::index::{Kind, Occurrence, Role, SymbolId};
use super::{Project, trial};
use crate::diagnostic::Code;
use crate::source::{SourceId, Span};

/// A place and what is to stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub at: Span,
    /// By what.
    pub text: String,
}

/// Why something is not renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenameError {
    /// No name of the project stands there.
    Nothing,
    /// `app_id` is the language's own.
    AppId,
    /// The new name has other characters than letters, digits and `_`, or begins with a digit.
    NoName,
    /// With the new name, the check would find an error that it does not find now: the name is taken, or the language's own.
    Refused {
        /// The rule that it would break.
        code: Code,
        /// What the check would say.
        message: String,
    },
    /// With the new name, some name would stand for something else than it does now.
    OtherMeaning,
}

impl fmt::Display for RenameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "there is no name here that is declared in these files",
            Self::AppId => "the first field of every action and broadcast is called app_id",
            Self::NoName => "a name has ASCII letters, digits and `_`, and does not begin with a digit",
            Self::Refused { code, message } => return write!(f, "with this name, {message} ({})", code.id()),
            Self::OtherMeaning => "with this name, something else would be meant in another place",
        })
    }
}

impl std::error::Error for RenameError {}

impl Project {
    /// The name at this byte, if it can be renamed.
    ///
    /// # Errors
    /// See [`RenameError`].
    pub fn renameable(&self, source: SourceId, at: u32) -> Result<Span, RenameError> {
        let found = self.occurrence(source, at).filter(|one| one.role != Role::Import).ok_or(RenameError::Nothing)?;
        let first = found.symbols.first().map(|id| self.symbol(*id)).ok_or(RenameError::Nothing)?;
        if first.kind == Kind::Field && first.name == "app_id" {
            return Err(RenameError::AppId);
        }
        Ok(found.at)
    }

    /// All edits that give what stands at this byte the name `name`. Fields that tie a broadcast to its action are renamed on both sides.
    ///
    /// # Errors
    /// See [`RenameError`].
    pub fn rename(&self, source: SourceId, at: u32, name: &str) -> Result<Vec<Edit>, RenameError> {
        self.renameable(source, at)?;
        let here = self.occurrence(source, at).ok_or(RenameError::Nothing)?;
        let is_package = here.symbols.iter().any(|id| self.symbol(*id).kind == Kind::Package);
        let fits = |part: &str| {
            let mut bytes = part.bytes();
            let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
            bytes.next().is_some_and(is_first) && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let is_name = if is_package { name.split('.').all(fits) } else { fits(name) };
        if !is_name {
            return Err(RenameError::NoName);
        }
        let together = self.together(here);
        let is_meant =
            |one: &&Occurrence| one.role != Role::Import && one.symbols.iter().any(|id| together.contains(id));
        let meant = self.index.occurrences().iter().filter(is_meant);
        let edits: Vec<Edit> = meant.map(|one| Edit { at: one.at, text: name.to_owned() }).collect();
        trial::passes(self, &edits)?;
        Ok(edits)
    }

    /// What has to keep one name with what is named here.
    fn together(&self, here: &Occurrence) -> BTreeSet<SymbolId> {
        let mut together: BTreeSet<SymbolId> = here.symbols.iter().copied().collect();
        loop {
            let count = together.len();
            for one in self.index.occurrences() {
                if one.symbols.iter().any(|id| together.contains(id)) {
                    together.extend(&one.symbols);
                }
            }
            if together.len() == count {
                return together;
            }
        }
    }
}
