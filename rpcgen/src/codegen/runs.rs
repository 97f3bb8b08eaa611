//! The items of a package in runs, each of which is made and printed by itself.
//!
//! Knows: which runs there are and how they follow each other. Does not know: what is in them, how an item is printed.
//! A large text is the work of several threads, and the same text whoever has made which run.

use std::ops::Range;

use super::code::{Code, code};
use super::{CodegenError, Generator, Scope, names, print};
use crate::model::{PackageId, Service, TypeId};
use crate::threads;

/// Types of a run: many enough that to take one costs nothing beside it, few enough that all threads end together.
const TYPES_PER_RUN: usize = 32;

/// So many types and members of services are made by one thread.
const ALONE_MAX: usize = 64;

/// A part of what stands for a service.
type Part = for<'g, 's> fn(&'g Generator<'_>, &'s Service, Scope) -> Code;

/// What stands for a service, in the order of the text.
const SERVICE_PARTS: [Part; 9] = [
    |this, service, scope| this.error_enums(service, scope),
    |this, service, scope| this.response_structs(service, scope),
    |this, service, scope| this.actions_module(service, scope),
    |this, service, scope| this.broadcast_structs(service, scope),
    |this, service, scope| this.server_side(service, scope),
    |this, service, scope| this.client_side(service, scope),
    |this, service, _| this.broadcast_handlers(service),
    |this, service, scope| this.broadcast_sender(service, scope),
    |this, service, _| this.descriptor(service),
];

/// Items that stand one behind the other at the top of a package.
pub(super) enum Run<'m> {
    /// That the runtime is of the same time.
    Assert,
    Constants,
    Types(Range<usize>),
    Imported(PackageId),
    /// One of several services, in a module of its own.
    Service(&'m Service),
    /// A part of the only service.
    Part(&'m Service, Part),
}

/// A run as it stands in the file.
struct Printed {
    text: String,
    /// The runtime's door is called by its short name in it.
    names_runtime: bool,
}

impl<'m> Generator<'m> {
    /// Everything at the top of the root package.
    pub(super) fn runs(&self) -> Vec<Run<'m>> {
        let services: Vec<&'m Service> = self.root_services().collect();
        let mut runs = Vec::new();
        if !services.is_empty() {
            runs.push(Run::Assert);
        }
        runs.push(Run::Constants);
        let count = self.model.types.len();
        runs.extend((0..count).step_by(TYPES_PER_RUN).map(|from| Run::Types(from..count.min(from + TYPES_PER_RUN))));
        runs.extend(self.imported_packages().into_iter().map(Run::Imported));
        match services.as_slice() {
            [service] => runs.extend(SERVICE_PARTS.map(|part| Run::Part(service, part))),
            several => runs.extend(several.iter().map(|service| Run::Service(service))),
        }
        runs
    }

    pub(super) fn run(&self, run: &Run<'_>) -> Code {
        let (rpc, scope) = (&self.rpc, Scope::top(self.root));
        match run {
            Run::Assert => code!(const _: () = #rpc::assert_abi::<6>();),
            Run::Constants => self.constants(scope),
            Run::Types(range) => self.types(range.clone(), scope),
            Run::Imported(id) => self.imported_package(*id),
            Run::Service(service) => self.service_module(service, scope),
            Run::Part(service, part) => part(self, service, scope),
        }
    }

    /// The items of a service among others: all of its parts.
    pub(super) fn service_items(&self, service: &Service, scope: Scope) -> Code {
        SERVICE_PARTS.iter().map(|part| part(self, service, scope)).collect()
    }

    /// How much work a run is, in declarations.
    fn weight(&self, run: &Run<'_>) -> usize {
        let members = |service: &Service| service.actions.len() + service.broadcasts.len();
        match run {
            Run::Assert | Run::Constants => 1,
            Run::Types(range) => range.len(),
            Run::Imported(id) => self.model.types.iter().filter(|def| def.package == *id).count(),
            Run::Service(service) => SERVICE_PARTS.len() * members(service),
            Run::Part(service, _) => members(service),
        }
    }

    /// All runs as they stand in the file, and the import that they need.
    pub(super) fn printed(&self) -> Result<(bool, Vec<String>), CodegenError> {
        let runs = self.runs();
        let weights: Vec<usize> = runs.iter().map(|run| self.weight(run)).collect();
        let printed = threads::in_order(&weights, ALONE_MAX, |index| self.print_run(&runs[index]));
        let printed = printed.into_iter().collect::<Result<Vec<Printed>, CodegenError>>()?;
        let names_runtime = printed.iter().any(|run| run.names_runtime);
        Ok((names_runtime, printed.into_iter().map(|run| run.text).collect()))
    }

    fn print_run(&self, run: &Run<'_>) -> Result<Printed, CodegenError> {
        let items = self.run(run);
        let names_runtime = self.needs_import(&items);
        let items = if self.is_in_place() { print::allow_each_item(&items) } else { items };
        Ok(Printed { text: print::items(&items)?, names_runtime })
    }

    /// Whether items call the runtime's door by its short name.
    pub(super) fn needs_import(&self, items: &Code) -> bool {
        !self.is_in_place() && names::mentions(items, self.rpc.text().trim_end())
    }
}

/// The number of a type's place in the model.
pub(super) fn type_id(index: usize) -> TypeId {
    TypeId(u32::try_from(index).unwrap_or(u32::MAX))
}
