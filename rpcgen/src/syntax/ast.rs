//! What a file says, as it says it.
//!
//! Knows: names, documentation, annotations and their places. Does not know: what a name means, text, pest.
//! A tree may come from a text ([`super::parse`]) or from elsewhere (the attribute macro): the checker does not ask.

use crate::source::{SourceId, Span};

/// A name as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The characters.
    pub text: String,
    /// The place.
    pub span: Span,
}

impl Name {
    /// A name at a place.
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span }
    }
}

/// Names with dots between them; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// What stands before the last dot.
    pub prefix: Vec<Name>,
    /// What stands after it.
    pub last: Name,
}

impl Path {
    /// A path of one name.
    pub fn single(name: Name) -> Self {
        Self { prefix: Vec::new(), last: name }
    }

    /// All of it.
    pub fn span(&self) -> Span {
        self.prefix.first().map_or(self.last.span, |first| first.span.to(self.last.span))
    }

    /// The part before the last dot, with its dots; empty for a single name.
    pub fn prefix_text(&self) -> String {
        let names: Vec<&str> = self.prefix.iter().map(|name| name.text.as_str()).collect();
        names.join(".")
    }

    /// All of it, with its dots.
    pub fn text(&self) -> String {
        if self.prefix.is_empty() {
            self.last.text.clone()
        } else {
            format!("{}.{}", self.prefix_text(), self.last.text)
        }
    }
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Whose spans these are.
    pub source: SourceId,
    /// The `//!` lines.
    pub docs: Vec<String>,
    /// `package a.b;`; `None` has been reported.
    pub package: Option<Path>,
    /// In order.
    pub imports: Vec<Import>,
    /// In order.
    pub items: Vec<Item>,
}

/// `import "money.rpc";`
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Between the quotes.
    pub path: String,
    /// The string with its quotes.
    pub span: Span,
    /// It could not be read, which was reported: nobody knows what it would have brought.
    pub lost: bool,
}

/// What a file declares.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are their contents")]
pub enum Item {
    Constant(Constant),
    Alias(Alias),
    Struct(Struct),
    Enum(Enum),
    Service(Service),
    /// From the attribute macro only; a text has none.
    External(External),
    /// It could not be read and has been reported; its name is known so far that nobody need complain of it again.
    Lost(Name),
}

impl Item {
    /// The name that it declares.
    pub fn name(&self) -> &Name {
        match self {
            Self::Constant(constant) => &constant.head.name,
            Self::Alias(alias) => &alias.head.name,
            Self::Struct(item) => &item.head.name,
            Self::Enum(item) => &item.head.name,
            Self::Service(service) => &service.head.name,
            Self::External(external) => &external.name,
            Self::Lost(name) => name,
        }
    }
}

/// What every declaration begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The `///` lines, without the slashes and one leading space.
    pub docs: Vec<String>,
    /// `@name(..)` before the declaration; for fields also those behind the type, except `@max`.
    pub attributes: Vec<Attribute>,
    /// The name.
    pub name: Name,
    /// The whole declaration, from its first annotation or word to its last token. In a tree without a text: the name's.
    pub span: Span,
}

impl Head {
    /// A name without docs and annotations.
    pub fn new(name: Name) -> Self {
        let span = name.span;
        Self { docs: Vec::new(), attributes: Vec::new(), name, span }
    }
}

/// `@name` or `@name(argument, ..)`
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Without the `@`.
    pub name: Name,
    /// Between the parentheses.
    pub arguments: Vec<Literal>,
    /// All of it.
    pub span: Span,
}

/// A Rust type that is declared elsewhere and implements the codec's traits.
#[derive(Clone, Debug, PartialEq)]
pub struct External {
    /// How the tree names it; no name of the language has to fit it.
    pub name: Name,
    /// As a Rust path.
    pub path: String,
}

/// `const NAME: type = value;`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the grammar names them")]
pub struct Constant {
    pub head: Head,
    pub ty: TypeExpr,
    pub value: Literal,
}

/// `alias Name = type;`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the grammar names them")]
pub struct Alias {
    pub head: Head,
    pub target: TypeExpr,
}

/// `struct Name { .. }`; `@fixed` is among the attributes.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the grammar names them")]
pub struct Struct {
    pub head: Head,
    pub fields: FieldList,
}

/// `enum Name { .. }`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the grammar names them")]
pub struct Enum {
    pub head: Head,
    pub variants: VariantList,
}

/// Fields between two brackets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldList {
    /// In order.
    pub fields: Vec<Field>,
    /// With the brackets.
    pub span: Span,
    /// A field could not be read and has been reported: what is missing here may have been in it.
    pub incomplete: bool,
}

/// Variants or reasons between two braces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VariantList {
    /// In order.
    pub variants: Vec<Variant>,
    /// With the braces.
    pub span: Span,
    /// See [`FieldList::incomplete`].
    pub incomplete: bool,
}

/// `name: type = default`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the grammar names them")]
pub struct Field {
    pub head: Head,
    pub ty: TypeExpr,
    pub default: Option<Literal>,
}

/// A variant of an enum or a reason of `fails`.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Docs, annotations, name.
    pub head: Head,
    /// `None`: a plain one.
    pub fields: Option<FieldList>,
}

/// `service Name { .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Docs, annotations, name.
    pub head: Head,
    /// In order.
    pub members: Vec<Member>,
}

/// What a service declares.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are their contents")]
pub enum Member {
    Action(Action),
    Broadcast(Broadcast),
    /// See [`Item::Lost`].
    Lost(Name),
}

/// `action name(..) -> (..) fails { .. };`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the grammar names them")]
pub struct Action {
    pub head: Head,
    pub request: FieldList,
    pub response: Option<FieldList>,
    pub fails: Option<VariantList>,
    /// Instead of `fails`: the [`External`] type that is its error. From the attribute macro only.
    pub fails_with: Option<Path>,
}

/// `broadcast name(..) to origin of action by field, ..;`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the grammar names them")]
pub struct Broadcast {
    pub head: Head,
    pub fields: FieldList,
    pub origin: Option<Origin>,
}

/// `to origin of action by field, ..`
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The action whose node hears of it.
    pub action: Name,
    /// At least one.
    pub by: Vec<Name>,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// Its shape.
    pub kind: TypeKind,
    /// `@max(n)`, behind it. In `string? @max(8)` it belongs to the `string`.
    pub attributes: Vec<Attribute>,
    /// Without the attributes.
    pub span: Span,
}

impl TypeExpr {
    /// A type without annotations.
    pub fn new(kind: TypeKind, span: Span) -> Self {
        Self { kind, attributes: Vec::new(), span }
    }
}

/// The shape of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `u32`, `Account`, `money.Amount`.
    Path(Path),
    /// `T?`
    Optional(Box<TypeExpr>),
    /// `[T]`
    List(Box<TypeExpr>),
    /// `[T; N]`
    Array(Box<TypeExpr>, Literal),
    /// `{K: V}`
    Map(Box<TypeExpr>, Box<TypeExpr>),
}

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// What it is.
    pub kind: LiteralKind,
    /// The place.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum LiteralKind {
    /// `7`, `-7`, `0xff`, `1_000`.
    Integer {
        /// With a minus.
        negative: bool,
        /// Without it.
        magnitude: u128,
    },
    /// `1.5`, `1e9`.
    Float(f64),
    /// `"text"`
    String(String),
    /// `b"bytes"`
    Bytes(Vec<u8>),
    /// `3s`, in nanoseconds.
    Duration(u128),
    /// `[]`
    EmptyList,
    /// `{}`
    EmptyMap,
    /// `AppId(7)`
    AppId(u64),
    /// `true`, `none`, a variant, a constant.
    Path(Path),
}
