//! Messages as structs, and each `oneof` as an enum.
//!
//! Knows: the order of fields. Does not know: types of fields.
//!
//! Fields stand in the order of their numbers: what a later version of the `.proto` file appends, wherever it stands there, is appended
//! here, and `rpcgen breaking` agrees. A `oneof` stands where its lowest number is.

use std::fmt::Write as _;

use prost_types::{DescriptorProto, FieldDescriptorProto};

use super::fields::deprecated;
use super::{Writer, below, document, part};
use crate::comments::tag;
use crate::loss::Kind;
use crate::names::{Casing, Taken, oneofs, snake};
use crate::options::{DEPRECATED, Options, SENSITIVE};
use crate::select::is_one_of;
use crate::symbols::DeclaredId;
use crate::{Refused, wellknown};

/// What stands in a struct, by its number in the message.
#[derive(Clone, Copy, Debug)]
enum Member {
    Field(usize),
    Oneof(usize),
}

fn members(message: &DescriptorProto) -> Vec<Member> {
    let plain = message.field.iter().enumerate().filter(|(_, field)| !is_one_of(field));
    let mut all: Vec<(i32, Member)> = plain.map(|(index, field)| (field.number(), Member::Field(index))).collect();
    all.extend(oneofs(message).map(|index| {
        let lowest = fields_of(message, index).map(|(_, field)| field.number()).min().unwrap_or_default();
        (lowest, Member::Oneof(index))
    }));
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, member)| member).collect()
}

/// The fields of one `oneof`.
fn fields_of(message: &DescriptorProto, oneof: usize) -> impl Iterator<Item = (usize, &FieldDescriptorProto)> {
    message.field.iter().enumerate().filter(move |(_, field)| {
        is_one_of(field) && usize::try_from(field.oneof_index()).is_ok_and(|index| index == oneof)
    })
}

/// What is said of `reserved`.
pub(super) fn reservation(of: &str) -> String {
    format!("what {of} reserves: there are no numbers here, and `rpcgen breaking` watches over names")
}

impl Writer<'_, '_> {
    pub(super) fn message(&mut self, id: DeclaredId, message: &DescriptorProto) -> Result<(), Refused> {
        let (file, path) = (self.symbols.list[id].file, self.symbols.list[id].path.clone());
        let given = message.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let options = Options::of(given, &[DEPRECATED]);
        self.text.push('\n');
        self.remarks(file, &path);
        let _ = writeln!(self.text, "{}struct {} {{", deprecated(options.deprecated), self.names.types[&id]);
        self.members(id, message, &mut Taken::default())?;
        self.text.push_str("}\n");
        Ok(())
    }

    /// The fields of a message, wherever they are to stand; `taken` holds the names that stand there already.
    pub(super) fn members(
        &mut self,
        id: DeclaredId,
        message: &DescriptorProto,
        taken: &mut Taken,
    ) -> Result<(), Refused> {
        let declared = &self.symbols.list[id];
        let (file, scope) = (declared.file, declared.full_name.clone());
        for member in members(message) {
            match member {
                Member::Field(index) => {
                    let field = &message.field[index];
                    let path = below(&declared.path, tag::FIELD, index);
                    let name = self.member_name(file, &path, field.name(), taken);
                    self.field(file, &scope, field, &name, &path)?;
                }
                Member::Oneof(index) => {
                    let path = below(&declared.path, tag::ONEOF, index);
                    let oneof = &message.oneof_decl[index];
                    let name = self.member_name(file, &path, oneof.name(), taken);
                    let given = oneof.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
                    self.options(file, &part(&path, tag::ONEOF_OPTIONS), &Options::of(given, &[]));
                    self.remarks(file, &path);
                    let _ = writeln!(self.text, "{name}: {}?,", self.names.oneofs[&(id, index)]);
                }
            }
        }
        self.end_remarks(file, &declared.path);
        Ok(())
    }

    fn member_name(&mut self, file: usize, path: &[i32], wanted: &str, taken: &mut Taken) -> String {
        let usual = snake(wanted);
        let name = taken.take(&usual, "_field", Casing::Snake);
        if name != usual {
            self.lose(file, path, Kind::Renamed, format!("field {wanted} is called {name}: another one has its name"));
        }
        name
    }

    /// The enums of a message's `oneof`s.
    pub(super) fn oneofs(&mut self, id: DeclaredId, message: &DescriptorProto) -> Result<(), Refused> {
        let declared = &self.symbols.list[id];
        let (file, scope) = (declared.file, declared.full_name.clone());
        for index in oneofs(message) {
            let docs = [format!("One of several, for {}.", declared.names.join("."))];
            self.text.push('\n');
            document(&mut self.text, &docs);
            let _ = writeln!(self.text, "enum {} {{", self.names.oneofs[&(id, index)]);
            let mut taken = Taken::default();
            let mut fields: Vec<(usize, &FieldDescriptorProto)> = fields_of(message, index).collect();
            fields.sort_by_key(|(_, field)| field.number());
            for (number, field) in fields {
                let path = below(&declared.path, tag::FIELD, number);
                let given = field.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
                let options = Options::of(given, &[DEPRECATED, SENSITIVE]);
                self.options(file, &part(&path, tag::FIELD_OPTIONS), &options);
                if let Some(default) = &field.default_value {
                    let what = format!("{}: default {default} of one of several", field.name());
                    self.lose(file, &path, Kind::Default, what);
                }
                self.remarks(file, &path);
                let name = taken.take(&snake(field.name()), "_variant", Casing::Camel);
                let data = if self.is_empty(file, &scope, field)? {
                    String::new()
                } else {
                    let sensitive = if options.sensitive { " @sensitive" } else { "" };
                    format!(" {{ value: {}{sensitive} }}", self.ty(file, &scope, field, &path)?.text)
                };
                let _ = writeln!(self.text, "{}{name}{data},", deprecated(options.deprecated));
            }
            self.end_remarks(file, &below(&declared.path, tag::ONEOF, index));
            self.text.push_str("}\n");
        }
        Ok(())
    }

    fn is_empty(&self, file: usize, scope: &str, field: &FieldDescriptorProto) -> Result<bool, Refused> {
        let Some(name) = field.type_name.as_deref() else { return Ok(false) };
        Ok(self.symbols.list[self.symbols.resolve(file, scope, name)?].full_name == wellknown::EMPTY)
    }

    /// What a message says beyond its fields.
    pub(super) fn message_losses(&mut self, file: usize, path: &[i32], message: &DescriptorProto, likes: &[&str]) {
        let given = message.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        self.options(file, &part(path, tag::MESSAGE_OPTIONS), &Options::of(given, likes));
        for (index, extension) in message.extension.iter().enumerate() {
            let what = format!("extension of {}: no message is extended from outside", extension.extendee());
            self.lose(file, &below(path, tag::EXTENSION, index), Kind::Extension, what);
        }
        if !message.reserved_range.is_empty() {
            self.lose(file, &part(path, tag::RESERVED_RANGE), Kind::Reserved, reservation(message.name()));
        } else if !message.reserved_name.is_empty() {
            self.lose(file, &part(path, tag::RESERVED_NAME), Kind::Reserved, reservation(message.name()));
        }
        if !message.extension_range.is_empty() {
            let what = format!("extensions of {}: no message is extended from outside", message.name());
            self.lose(file, &part(path, tag::EXTENSION_RANGE), Kind::Extension, what);
        }
    }
}
