//! Fields and their types.
//!
//! Knows: presence, labels, maps, types of the language that protobuf has as messages. Does not know: what holds the fields.
//!
//! A message that is a field may be absent, and so may what is `optional`: they become `T?`. A scalar of proto3 cannot tell absent from
//! zero: it becomes `T`. What `google.api.field_behavior` calls required, and proto2's `required`, become `T`.

use std::fmt::Write as _;

use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::{Label, Type};

use super::enums::variant_of;
use super::{Writer, literals, part};
use crate::comments::tag;
use crate::loss::Kind;
use crate::options::{DEPRECATED, Options, REQUIRED, SENSITIVE};
use crate::symbols::{DeclaredId, What};
use crate::{Refused, wellknown};

/// What a field's type becomes, alone.
#[derive(Debug)]
pub(super) struct Ty {
    pub(super) text: String,
    /// A message: it may be absent without being called optional.
    is_message: bool,
    /// The enum, if it is one: a default is one of its variants.
    of: Option<DeclaredId>,
}

/// `@deprecated(..)`, before whatever it is.
pub(super) fn deprecated(is_deprecated: bool) -> &'static str {
    if is_deprecated { "@deprecated(\"deprecated in protobuf\") " } else { "" }
}

impl Writer<'_, '_> {
    /// The type of one value of a field: without its label.
    pub(super) fn ty(
        &mut self,
        file: usize,
        scope: &str,
        field: &FieldDescriptorProto,
        path: &[i32],
    ) -> Result<Ty, Refused> {
        let scalar = |text: &str| Ok(Ty { text: text.to_owned(), is_message: false, of: None });
        if let Some(name) = field.type_name.as_deref() {
            let id = self.symbols.resolve(file, scope, name)?;
            return Ok(self.named(id, file, path));
        }
        match field.r#type() {
            Type::Double => scalar("f64"),
            Type::Float => scalar("f32"),
            Type::Int64 | Type::Sint64 | Type::Sfixed64 => scalar("i64"),
            Type::Uint64 | Type::Fixed64 => scalar("u64"),
            Type::Int32 | Type::Sint32 | Type::Sfixed32 => scalar("i32"),
            Type::Uint32 | Type::Fixed32 => scalar("u32"),
            Type::Bool => scalar("bool"),
            Type::String => scalar("string"),
            // The parser gives a name to the others.
            Type::Bytes | Type::Enum | Type::Message | Type::Group => scalar("bytes"),
        }
    }

    /// A declared type, and what is lost with it.
    pub(super) fn named(&mut self, id: DeclaredId, file: usize, path: &[i32]) -> Ty {
        let declared = &self.symbols.list[id];
        let is_message = matches!(declared.what, What::Message(_));
        let of = (!is_message).then_some(id);
        if let Some(text) = wellknown::built_in(&declared.full_name) {
            if text == "duration" {
                self.lose(file, path, Kind::Meaning, "google.protobuf.Duration may be negative; a `duration` may not");
            }
            return Ty { text: text.to_owned(), is_message, of };
        }
        if declared.full_name == wellknown::ANY {
            self.lose(file, path, Kind::Meaning, "what google.protobuf.Any holds stays as protobuf encodes it");
        }
        Ty { text: self.name(id), is_message, of }
    }

    /// How a type is named in this package.
    pub(super) fn name(&mut self, id: DeclaredId) -> String {
        let (package, name) = (&self.symbols.file_of(id).package, &self.names.types[&id]);
        if *package == self.package.name {
            return name.clone();
        }
        self.imports.insert(package.clone());
        format!("{package}.{name}")
    }

    /// `name: type = default`, with its docs and annotations. `name` is the field's in the language.
    pub(super) fn field(
        &mut self,
        file: usize,
        scope: &str,
        field: &FieldDescriptorProto,
        name: &str,
        path: &[i32],
    ) -> Result<(), Refused> {
        let given = field.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        // A list may be empty, and what is `optional` absent, whatever else is said of it.
        let is_fixed = field.label() == Label::Repeated || field.proto3_optional();
        let likes: &[&str] = if is_fixed { &[DEPRECATED, SENSITIVE] } else { &[DEPRECATED, SENSITIVE, REQUIRED] };
        let options = Options::of(given, likes);
        self.options(file, &part(path, tag::FIELD_OPTIONS), &options);
        self.remarks(file, path);
        let ty = if field.label() == Label::Repeated {
            self.repeated(file, scope, field, path)?
        } else {
            self.singular(file, scope, field, &options, path)?
        };
        let sensitive = if options.sensitive { " @sensitive" } else { "" };
        let _ = writeln!(self.text, "{}{name}: {ty}{sensitive},", deprecated(options.deprecated));
        Ok(())
    }

    fn repeated(
        &mut self,
        file: usize,
        scope: &str,
        field: &FieldDescriptorProto,
        path: &[i32],
    ) -> Result<String, Refused> {
        if let Some(name) = field.type_name.as_deref() {
            let id = self.symbols.resolve(file, scope, name)?;
            if let Some((key, value)) = self.symbols.list[id].map_entry() {
                let key = self.ty(file, scope, key, path)?.text;
                let value = self.ty(file, scope, value, path)?.text;
                return Ok(format!("{{{key}: {value}}}"));
            }
        }
        Ok(format!("[{}]", self.ty(file, scope, field, path)?.text))
    }

    fn singular(
        &mut self,
        file: usize,
        scope: &str,
        field: &FieldDescriptorProto,
        options: &Options,
        path: &[i32],
    ) -> Result<String, Refused> {
        let ty = self.ty(file, scope, field, path)?;
        let is_proto3 = self.symbols.files[file].descriptor.syntax() == "proto3";
        if field.label() == Label::Required || options.required {
            // A field with a default is one that may be absent here.
            if let Some(default) = &field.default_value {
                let what = format!("{}: default {default} of a field that is always there", field.name());
                self.lose(file, path, Kind::Default, what);
            }
            return Ok(ty.text);
        }
        if let Some(default) = field.default_value.as_deref() {
            let literal = match ty.of.map(|id| self.symbols.list[id].what) {
                Some(What::Enum(one)) => variant_of(one, default),
                _ => literals::literal(field.r#type(), default),
            };
            let what = match &literal {
                Some(_) => format!("{}: whether a field with a default was set", field.name()),
                None => format!("{}: default {default} is no value of the language", field.name()),
            };
            self.lose(file, path, Kind::Default, what);
            return Ok(literal.map_or_else(|| format!("{}?", ty.text), |literal| format!("{} = {literal}", ty.text)));
        }
        let may_be_absent = ty.is_message || field.proto3_optional() || !is_proto3;
        Ok(if may_be_absent { format!("{}?", ty.text) } else { ty.text })
    }
}
