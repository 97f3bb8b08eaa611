//! What the files declare, and what a name means where it stands.
//!
//! Knows: full names, scopes. Does not know: what anything becomes.

use std::collections::HashMap;

use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto};

use crate::comments::tag;
use crate::load::ProtoFile;
use crate::{Reason, Refused};

/// A message or an enum of [`Symbols`].
pub(crate) type DeclaredId = usize;

/// One message or enum.
#[derive(Debug)]
pub(crate) struct Declared<'a> {
    /// `package.Outer.Inner`
    pub(crate) full_name: String,
    /// Its own names from the outermost in: `Outer`, `Inner`.
    pub(crate) names: Vec<&'a str>,
    pub(crate) file: usize,
    /// Where it stands in its file.
    pub(crate) path: Vec<i32>,
    pub(crate) what: What<'a>,
}

/// What is declared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    Message(&'a DescriptorProto),
    Enum(&'a EnumDescriptorProto),
}

impl<'a> Declared<'a> {
    pub(crate) fn message(&self) -> Option<&'a DescriptorProto> {
        match self.what {
            What::Message(message) => Some(message),
            What::Enum(_) => None,
        }
    }

    /// The key and the value, if this is what the parser makes of `map<key, value>`.
    pub(crate) fn map_entry(&self) -> Option<(&'a FieldDescriptorProto, &'a FieldDescriptorProto)> {
        let message = self.message()?;
        let is_entry = message.options.as_ref().is_some_and(|options| options.map_entry());
        match message.field.as_slice() {
            [key, value] if is_entry => Some((key, value)),
            _ => None,
        }
    }
}

/// Everything that is declared.
#[derive(Debug)]
pub(crate) struct Symbols<'a> {
    pub(crate) files: &'a [ProtoFile],
    /// File by file, what is outside before what is inside.
    pub(crate) list: Vec<Declared<'a>>,
    by_name: HashMap<String, DeclaredId>,
}

impl<'a> Symbols<'a> {
    pub(crate) fn of(files: &'a [ProtoFile]) -> Result<Self, Refused> {
        let mut symbols = Self { files, list: Vec::new(), by_name: HashMap::new() };
        for (number, file) in files.iter().enumerate() {
            for (index, message) in (0..).zip(&file.descriptor.message_type) {
                symbols.message(number, &file.prefix, Vec::new(), vec![tag::MESSAGE, index], message)?;
            }
            for (index, one) in (0..).zip(&file.descriptor.enum_type) {
                let names = vec![one.name()];
                symbols.declare(number, &file.prefix, names, vec![tag::ENUM, index], What::Enum(one))?;
            }
        }
        Ok(symbols)
    }

    fn message(
        &mut self,
        file: usize,
        scope: &str,
        outer: Vec<&'a str>,
        path: Vec<i32>,
        message: &'a DescriptorProto,
    ) -> Result<(), Refused> {
        let mut names = outer;
        names.push(message.name());
        let below = |kind: i32, index: i32| path.iter().copied().chain([kind, index]).collect::<Vec<i32>>();
        self.declare(file, scope, names.clone(), path.clone(), What::Message(message))?;
        let inside = joined(scope, message.name());
        for (index, nested) in (0..).zip(&message.nested_type) {
            self.message(file, &inside, names.clone(), below(tag::NESTED_MESSAGE, index), nested)?;
        }
        for (index, nested) in (0..).zip(&message.enum_type) {
            let names = names.iter().copied().chain([nested.name()]).collect();
            self.declare(file, &inside, names, below(tag::NESTED_ENUM, index), What::Enum(nested))?;
        }
        Ok(())
    }

    fn declare(
        &mut self,
        file: usize,
        scope: &str,
        names: Vec<&'a str>,
        path: Vec<i32>,
        what: What<'a>,
    ) -> Result<(), Refused> {
        let full_name = joined(scope, names.last().copied().unwrap_or_default());
        if let Some(first) = self.by_name.insert(full_name.clone(), self.list.len()) {
            let place = |file: usize, path: &[i32]| {
                format!("{}:{}", self.files[file].path, self.files[file].comments.line(path))
            };
            let (first, second) = (&self.list[first], place(file, &path));
            let message = format!("{second}: `{full_name}` is declared in {} too", place(first.file, &first.path));
            return Err(Refused::new(Reason::DeclaredTwice, message));
        }
        self.list.push(Declared { full_name, names, file, path, what });
        Ok(())
    }

    pub(crate) fn file_of(&self, id: DeclaredId) -> &'a ProtoFile {
        &self.files[self.list[id].file]
    }

    /// What `name` means inside of `scope`, a package or a message of `file`: the innermost declaration that fits.
    pub(crate) fn resolve(&self, file: usize, scope: &str, name: &str) -> Result<DeclaredId, Refused> {
        let found = match name.strip_prefix('.') {
            Some(full) => self.by_name.get(full),
            None => scopes(scope).find_map(|scope| self.by_name.get(&joined(scope, name))),
        };
        found.copied().ok_or_else(|| {
            let file = &self.files[file];
            let missing = file.missing.iter().map(|import| format!("`{import}`")).collect::<Vec<_>>().join(", ");
            let help = if missing.is_empty() {
                "no file that it imports declares it".to_owned()
            } else {
                format!("it may be in {missing}, which was not found: name the folder that holds it with -I")
            };
            let message =
                format!("{}: there is no `{}` for `{scope}`: {help}", file.path, name.trim_start_matches('.'));
            Refused::new(Reason::UnknownType, message)
        })
    }
}

/// `a.b`, `a`, and nothing.
fn scopes(scope: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(scope), |scope| match scope.rsplit_once('.') {
        Some((outer, _)) => Some(outer),
        None => (!scope.is_empty()).then_some(""),
    })
}

fn joined(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
