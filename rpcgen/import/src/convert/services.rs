//! Services: methods as actions.
//!
//! Knows: requests and answers, streams that have no like. Does not know: fields.

use std::fmt::Write as _;

use heck::ToSnakeCase as _;
use prost_types::{MethodDescriptorProto, ServiceDescriptorProto};

use super::fields::deprecated;
use super::{Writer, document, part, remark};
use crate::comments::tag;
use crate::loss::Kind;
use crate::names::{Casing, Taken, snake};
use crate::options::{DEPRECATED, Options};
use crate::symbols::{DeclaredId, What};
use crate::{Refused, wellknown};

impl Writer<'_, '_> {
    pub(super) fn service(
        &mut self,
        file: usize,
        index: usize,
        service: &ServiceDescriptorProto,
    ) -> Result<(), Refused> {
        let path = vec![tag::SERVICE, i32::try_from(index).unwrap_or_default()];
        let given = service.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        self.options(file, &part(&path, tag::SERVICE_OPTIONS), &Options::of(given, &[]));
        self.text.push('\n');
        let Some(name) = self.names.services.get(&(file, index)) else {
            // Nothing of it is left but what is said of it and of its streams.
            self.as_remarks(file, &path);
            let why = "none of its methods is one request with one answer";
            remark(&mut self.text, &[format!("Service {} is not here: {why}.", service.name())]);
            self.lose(file, &path, Kind::Service, format!("service {}: {why}", service.name()));
            self.methods(file, &path, service)?;
            self.end_remarks(file, &path);
            return Ok(());
        };
        self.remarks(file, &path);
        let _ = writeln!(self.text, "service {name} {{");
        self.methods(file, &path, service)?;
        self.end_remarks(file, &path);
        self.text.push_str("}\n");
        Ok(())
    }

    fn methods(&mut self, file: usize, path: &[i32], service: &ServiceDescriptorProto) -> Result<(), Refused> {
        let mut taken = Taken::default();
        for (index, method) in (0..).zip(&service.method) {
            let path: Vec<i32> = path.iter().copied().chain([tag::METHOD, index]).collect();
            if method.client_streaming() || method.server_streaming() {
                self.stream(file, &path, method);
            } else {
                let usual = method.name().to_snake_case();
                let name = taken.take(&usual, "_action", Casing::Snake);
                if name != usual {
                    self.lose(file, &path, Kind::Renamed, format!("rpc {} is called {name}", method.name()));
                }
                self.action(file, &path, method, &name)?;
            }
        }
        Ok(())
    }

    /// What cannot be an action is named where it would stand.
    fn stream(&mut self, file: usize, path: &[i32], method: &MethodDescriptorProto) {
        let side = |streams: bool, name: &str| {
            format!("{}{}", if streams { "stream " } else { "" }, name.trim_start_matches('.'))
        };
        let (input, output) = (
            side(method.client_streaming(), method.input_type()),
            side(method.server_streaming(), method.output_type()),
        );
        let what = format!("rpc {}({input}) returns ({output}): streams are not convertible", method.name());
        let instead = match (method.client_streaming(), method.server_streaming()) {
            (false, _) => {
                "An action that subscribes, and a broadcast `to origin of` it for each element, may take its place."
            }
            (true, false) => "An action for each element may take its place.",
            (true, true) => "An action for each element, and a broadcast `to origin of` it, may take its place.",
        };
        self.text.push('\n');
        let comments = &self.symbols.files[file].comments;
        let docs = comments.docs(path);
        remark(&mut self.text, comments.detached(path));
        remark(&mut self.text, &[format!("Not imported: {what}."), instead.to_owned()]);
        remark(&mut self.text, &docs.iter().map(|line| format!("| {line}")).collect::<Vec<_>>());
        self.text.push('\n');
        self.lose(file, path, Kind::Stream, what);
    }

    fn action(&mut self, file: usize, path: &[i32], method: &MethodDescriptorProto, name: &str) -> Result<(), Refused> {
        let given = method.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let options = Options::of(given, &[DEPRECATED]);
        self.options(file, &part(path, tag::METHOD_OPTIONS), &options);
        let scope = self.symbols.files[file].prefix.clone();
        let request = self.symbols.resolve(file, &scope, method.input_type())?;
        let response = self.symbols.resolve(file, &scope, method.output_type())?;
        self.text.push('\n');
        for id in [request, response] {
            self.remarks_of_inlined(id);
        }
        self.remarks(file, path);
        for (what, id) in [("Request", request), ("Response", response)] {
            self.docs_of_inlined(what, id);
        }
        let _ = writeln!(self.text, "{}action {name}(app_id: AppId,", deprecated(options.deprecated));
        let mut taken = Taken::default();
        taken.take("app_id", "", Casing::Snake);
        self.side(file, path, request, "request", &mut taken)?;
        self.text.push(')');
        if !self.is_nothing(response) {
            self.text.push_str(" -> (");
            self.side(file, path, response, "response", &mut Taken::default())?;
            self.text.push(')');
        }
        self.text.push_str(";\n");
        Ok(())
    }

    /// What stands before a message that has no declaration of its own, and at its end if it has no fields to stand behind.
    fn remarks_of_inlined(&mut self, id: DeclaredId) {
        let declared = &self.symbols.list[id];
        if !self.names.inlined.contains(&id) {
            return;
        }
        remark(&mut self.text, self.symbols.files[declared.file].comments.detached(&declared.path));
        if self.is_nothing(id) {
            self.end_remarks(declared.file, &declared.path);
        }
    }

    /// The message has no declaration of its own that could carry them.
    fn docs_of_inlined(&mut self, what: &str, id: DeclaredId) {
        let declared = &self.symbols.list[id];
        let mut docs = self.symbols.files[declared.file].comments.docs(&declared.path);
        if !self.names.inlined.contains(&id) || docs.is_empty() {
            return;
        }
        docs[0].insert_str(0, &format!("{what}: "));
        docs.insert(0, String::new());
        document(&mut self.text, &docs);
    }

    fn is_nothing(&self, id: DeclaredId) -> bool {
        let declared = &self.symbols.list[id];
        let is_empty = declared.message().is_some_and(|message| message.field.is_empty());
        declared.full_name == wellknown::EMPTY || self.names.inlined.contains(&id) && is_empty
    }

    /// The fields of a request or an answer: the message's own, or the message.
    fn side(
        &mut self,
        file: usize,
        path: &[i32],
        id: DeclaredId,
        name: &str,
        taken: &mut Taken,
    ) -> Result<(), Refused> {
        let declared = &self.symbols.list[id];
        if self.is_nothing(id) {
            return Ok(());
        }
        if let (true, What::Message(message)) = (self.names.inlined.contains(&id), declared.what) {
            return self.members(id, message, taken);
        }
        let built_in = wellknown::built_in(&declared.full_name).is_some();
        let ty = self.named(id, file, path).text;
        // `GetItemRequest` is a request, `Item` an item.
        let own = snake(&declared.names.last().copied().unwrap_or_default().to_snake_case());
        let wanted = if own.ends_with(name) || built_in { name.to_owned() } else { own };
        let name = taken.take(&wanted, "_message", Casing::Snake);
        let _ = writeln!(self.text, "{name}: {ty},");
        Ok(())
    }
}
