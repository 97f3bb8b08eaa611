//! The checked model: what every back end sees.
//!
//! Knows: packages, types, services, resolved and valid. Does not know: text, spans, pest, Rust.
//! Everything stands in declaration order, so that what is generated from it is deterministic.

pub mod fingerprint;
pub mod shape;
pub mod written;

/// Index into [`Model::packages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId(pub u32);

/// Index into [`Model::types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// Lines of a doc comment, without the slashes and one leading space.
pub type Docs = Vec<String>;

/// One compilation: the files given and everything that they import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The packages; those given on the command line first, then the imported ones in order of first import.
    pub packages: Vec<Package>,
    /// All named types of all packages.
    pub types: Vec<TypeDef>,
    /// All services of all packages.
    pub services: Vec<Service>,
}

impl Model {
    /// The package of an ID of this model.
    ///
    /// # Panics
    /// The ID is of another model.
    #[must_use]
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    /// The type of an ID of this model.
    ///
    /// # Panics
    /// The ID is of another model.
    #[must_use]
    pub fn type_def(&self, id: TypeId) -> &TypeDef {
        &self.types[id.0 as usize]
    }
}

/// One `.rpc` file.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Name as declared, dots allowed.
    pub name: String,
    /// The `//!` comment.
    pub docs: Docs,
    /// Whether it was asked for, as opposed to imported.
    pub root: bool,
    /// File name without folders, for the header of what is generated.
    pub file: String,
    /// What it imports, in order.
    pub imports: Vec<PackageId>,
    /// Its constants.
    pub constants: Vec<Constant>,
}

/// `const NAME: type = value;`
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// As declared.
    pub name: String,
    /// Doc comment.
    pub docs: Docs,
    /// A scalar type.
    pub ty: Type,
    /// Its value.
    pub value: Value,
}

/// A named type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDef {
    /// Where it is declared.
    pub package: PackageId,
    /// As declared.
    pub name: String,
    /// Doc comment.
    pub docs: Docs,
    /// `@deprecated("why")`.
    pub deprecated: Option<String>,
    /// What it is.
    pub kind: TypeKind,
}

/// What a named type is.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `struct`.
    Struct {
        /// In wire order.
        fields: Vec<Field>,
        /// `@fixed`: no length on the wire, no evolution.
        fixed: bool,
    },
    /// `enum`, plain or data-carrying.
    Enum {
        /// In wire order.
        variants: Vec<Variant>,
    },
    /// `alias`.
    Alias {
        /// What it stands for.
        target: Type,
    },
    /// A Rust type that is declared elsewhere and implements the codec's traits: from the attribute macro only.
    External {
        /// As a Rust path.
        path: String,
    },
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the scalar types are their own names")]
pub enum Type {
    Bool,
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
    /// UTF-8; `max` in bytes.
    String {
        max: Option<u64>,
    },
    /// `max` in bytes.
    Bytes {
        max: Option<u64>,
    },
    Uuid,
    Timestamp,
    Duration,
    AppId,
    /// `T?`
    Optional(Box<Self>),
    /// `[T]`; `max` in elements.
    List {
        element: Box<Self>,
        max: Option<u64>,
    },
    /// `[T; N]`
    Array {
        element: Box<Self>,
        length: u64,
    },
    /// `{K: V}`; `max` in entries.
    Map {
        key: Box<Self>,
        value: Box<Self>,
        max: Option<u64>,
    },
    /// A struct, an enum or an alias.
    Named(TypeId),
}

/// A field of a struct, a variant, a request, a response or a broadcast.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As declared.
    pub name: String,
    /// Doc comment.
    pub docs: Docs,
    /// Its type.
    pub ty: Type,
    /// What an absent field is.
    pub default: Option<Value>,
    /// `@sensitive`: never printed.
    pub sensitive: bool,
    /// `@deprecated("why")`.
    pub deprecated: Option<String>,
}

/// A value of a default or a constant, already checked against its type.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Value {
    Bool(bool),
    /// Any integer that is not negative.
    Unsigned(u128),
    /// A negative integer.
    Negative(i128),
    Float(f64),
    String(String),
    Bytes(Vec<u8>),
    /// Nanoseconds.
    Duration(u128),
    /// A plain variant of an enum, by index.
    Variant(TypeId, u32),
    /// `[]`
    EmptyList,
    /// `{}`
    EmptyMap,
    /// `none`
    None,
    /// `AppId(7)`
    AppId(u64),
}

/// A variant of an enum or a reason of `fails`.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// As declared.
    pub name: String,
    /// Doc comment.
    pub docs: Docs,
    /// Its data; empty for a plain one.
    pub fields: Vec<Field>,
    /// `@deprecated("why")`.
    pub deprecated: Option<String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Where it is declared.
    pub package: PackageId,
    /// As declared.
    pub name: String,
    /// Doc comment.
    pub docs: Docs,
    /// Client to server, answered. The index is the wire number.
    pub actions: Vec<Action>,
    /// Server to exactly one client node. The index is the wire number.
    pub broadcasts: Vec<Broadcast>,
    /// Of the shape.
    pub fingerprint: u64,
    /// Everything that decides the wire, as text: see `model::shape`.
    pub shape: String,
}

/// An action.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// As declared.
    pub name: String,
    /// Doc comment.
    pub docs: Docs,
    /// `@deprecated("why")`.
    pub deprecated: Option<String>,
    /// The first is `app_id: AppId`.
    pub request: Vec<Field>,
    /// May be empty.
    pub response: Vec<Field>,
    /// Empty: it cannot fail as a business, unless by `fails_with`.
    pub fails: Vec<Variant>,
    /// Its error, if that is declared elsewhere ([`TypeKind::External`]): from the attribute macro only.
    pub fails_with: Option<TypeId>,
    /// `@persist`.
    pub persist: Option<Persist>,
    /// `@deadline`, in nanoseconds.
    pub deadline: Option<u64>,
}

/// Where an action is kept until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist {
    /// `@persist(memory)`
    Memory,
    /// `@persist(disk)`
    Disk,
}

/// A broadcast.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// As declared.
    pub name: String,
    /// Doc comment.
    pub docs: Docs,
    /// `@deprecated("why")`.
    pub deprecated: Option<String>,
    /// The first is `app_id: AppId`.
    pub fields: Vec<Field>,
    /// `to origin of ACTION by FIELDS`; `None`: to any node that handles it.
    pub origin: Option<Origin>,
}

/// Which action's client node a broadcast goes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Index into [`Service::actions`].
    pub action: u32,
    /// The fields that tie the two, in the order named.
    pub by: Vec<Correlation>,
}

/// One field that ties a broadcast to an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// Index into [`Broadcast::fields`].
    pub broadcast_field: u32,
    /// Where the action has it.
    pub place: CorrelationPlace,
    /// Index into the action's request or response.
    pub action_field: u32,
}

/// Where an action has a correlation field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorrelationPlace {
    /// In [`Action::request`].
    Request,
    /// In [`Action::response`].
    Response,
}
