//! The shape of a service: all that decides the wire and its meaning, as a text that people can read.
//!
//! Knows: order, names of services, actions, broadcasts, variants and fields, types, limits, which fields may be absent. Does not know:
//! what changes nothing there: docs, names of types, aliases, values of defaults, deadlines, routing.
//!
//! The one canonical form: equal texts are equal wires, the fingerprint is of this text, and two ends of different versions compare it
//! (`rpcgen_proto::shape` reads it and shows a sample). A named type is written as the number of its first use; the definitions follow
//! in the order of those numbers, so that recursion ends.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::written::scalar_name;
use super::{Action, Field, Model, Service, Type, TypeId, TypeKind, Variant};

/// The shape of `service`, one of `model`: lines, each with its end.
pub fn of(model: &Model, service: &Service) -> String {
    let mut form = Form { model, text: String::new(), numbers: HashMap::new(), order: Vec::new() };
    form.service(service);
    form.text
}

struct Form<'a> {
    model: &'a Model,
    text: String,
    numbers: HashMap<TypeId, usize>,
    order: Vec<TypeId>,
}

impl Form<'_> {
    fn service(&mut self, service: &Service) {
        let package = self.model.packages.get(service.package.0 as usize).map_or("", |package| &package.name);
        self.say(&format!("{package}.{}\n", service.name));
        for action in &service.actions {
            self.action(action);
        }
        for broadcast in &service.broadcasts {
            self.say(&format!("broadcast {}", broadcast.name));
            self.fields("(", &broadcast.fields, ")\n");
        }
        let mut next = 0;
        while let Some(id) = self.order.get(next).copied() {
            self.say(&format!("#{next} "));
            next += 1;
            self.definition(id);
        }
    }

    fn action(&mut self, action: &Action) {
        self.say(&format!("action {}", action.name));
        self.fields("(", &action.request, ")");
        if !action.response.is_empty() {
            self.say(" -> ");
            self.fields("(", &action.response, ")");
        }
        if !action.fails.is_empty() {
            self.say(" fails ");
            self.variants(&action.fails);
        }
        if let Some(error) = action.fails_with {
            self.say(" fails ");
            self.named(error);
        }
        self.say("\n");
    }

    fn definition(&mut self, id: TypeId) {
        let model = self.model;
        match &model.type_def(id).kind {
            TypeKind::Struct { fields, fixed } => {
                self.say(if *fixed { "fixed struct " } else { "struct " });
                self.fields("{", fields, "}");
            }
            TypeKind::Enum { variants } => {
                self.say("enum ");
                self.variants(variants);
            }
            TypeKind::External { path } => {
                // What it looks like is not known here; another path is another type.
                let words: Vec<&str> = path.split_whitespace().collect();
                self.say(&format!("external {}", words.join(" ")));
            }
            TypeKind::Alias { target } => self.ty(target),
        }
        self.say("\n");
    }

    fn variants(&mut self, variants: &[Variant]) {
        self.say("{");
        for (index, variant) in variants.iter().enumerate() {
            self.say(if index == 0 { "" } else { ", " });
            self.say(&variant.name);
            if !variant.fields.is_empty() {
                self.fields(" {", &variant.fields, "}");
            }
        }
        self.say("}");
    }

    fn fields(&mut self, open: &str, fields: &[Field], close: &str) {
        self.say(open);
        for (index, field) in fields.iter().enumerate() {
            self.say(if index == 0 { "" } else { ", " });
            self.say(&format!("{}: ", field.name));
            self.ty(&field.ty);
            self.say(if field.default.is_some() { " = _" } else { "" });
        }
        self.say(close);
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Optional(content) => {
                self.ty(content);
                self.say("?");
            }
            Type::List { element, max } => {
                self.say("[");
                self.ty(element);
                self.say("]");
                self.limit(*max);
            }
            Type::Array { element, length } => {
                self.say("[");
                self.ty(element);
                self.say(&format!("; {length}]"));
            }
            Type::Map { key, value, max } => {
                self.say("{");
                self.ty(key);
                self.say(": ");
                self.ty(value);
                self.say("}");
                self.limit(*max);
            }
            Type::Named(id) => self.named(*id),
            scalar => {
                self.say(scalar_name(scalar).unwrap_or_default());
                if let Type::String { max } | Type::Bytes { max } = scalar {
                    self.limit(*max);
                }
            }
        }
    }

    fn named(&mut self, id: TypeId) {
        let model = self.model;
        if let TypeKind::Alias { target } = &model.type_def(id).kind {
            return self.ty(target);
        }
        let next = self.order.len();
        let number = *self.numbers.entry(id).or_insert_with(|| {
            self.order.push(id);
            next
        });
        self.say(&format!("#{number}"));
    }

    fn limit(&mut self, max: Option<u64>) {
        if let Some(max) = max {
            let _ = write!(self.text, "<{max}>");
        }
    }

    fn say(&mut self, text: &str) {
        self.text.push_str(text);
    }
}
