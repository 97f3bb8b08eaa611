//! From the parse of one piece to its node in the tree.
//!
//! Knows: which rule becomes which node. Does not know: how pieces are found, what is said when one cannot be parsed.
//! The grammar decides which pairs there are; a pair that is not there makes the node `None`, never a panic.

use pest::iterators::{Pair, Pairs};

use super::ast::{
    Action, Alias, Attribute, Broadcast, Constant, Enum, Field, FieldList, Head, Import, Item, Literal, LiteralKind,
    Member, Name, Origin, Path, Service, Struct, TypeExpr, TypeKind, Variant, VariantList,
};
use super::literal;
use super::parse::{Parser, Rule};
use super::split::{Cut, Group, Range};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// What a piece at the top of a file is.
pub(super) enum Declaration {
    Package(Path),
    Import(Import),
    Item(Box<Item>),
}

pub(super) struct Builder<'p, 'a> {
    pub(super) parser: &'p mut Parser<'a>,
    /// The piece in the file, without the blanks around it.
    pub(super) code: Range,
    /// The docs of the piece, until its head takes them.
    pub(super) docs: Vec<String>,
    /// False: a literal could not be read and has been reported.
    pub(super) sound: bool,
}

/// The parts of a piece, in whatever order they stand.
#[derive(Default)]
struct Parts {
    attributes: Vec<Attribute>,
    name: Option<Name>,
    ty: Option<TypeExpr>,
    value: Option<Literal>,
    path: Option<Path>,
    import: Option<Import>,
    origin: Option<Origin>,
    has_response: bool,
    has_fails: bool,
    has_braces: bool,
}

impl Builder<'_, '_> {
    pub(super) fn item(&mut self, mut pairs: Pairs<'_, Rule>, groups: &[Group]) -> Option<Declaration> {
        let piece = pairs.next()?;
        let rule = piece.as_rule();
        let parts = self.parts(piece)?;
        if rule == Rule::package_item {
            return parts.path.map(Declaration::Package);
        }
        if rule == Rule::import_item {
            return parts.import.map(Declaration::Import);
        }
        let head = self.head(parts.attributes, parts.name?);
        let item = match rule {
            Rule::const_item => Item::Constant(Constant { head, ty: parts.ty?, value: parts.value? }),
            Rule::alias_item => Item::Alias(Alias { head, target: parts.ty? }),
            Rule::struct_item => Item::Struct(Struct { head, fields: self.fields(*groups.first()?) }),
            Rule::enum_item => Item::Enum(Enum { head, variants: self.variants(*groups.first()?) }),
            _ => Item::Service(Service { head, members: self.parser.members(*groups.first()?) }),
        };
        Some(Declaration::Item(Box::new(item)))
    }

    pub(super) fn member(&mut self, mut pairs: Pairs<'_, Rule>, groups: &[Group]) -> Option<Member> {
        let piece = pairs.next()?;
        let rule = piece.as_rule();
        let parts = self.parts(piece)?;
        let head = self.head(parts.attributes, parts.name?);
        let mut groups = groups.iter().copied();
        let first = self.fields(groups.next()?);
        if rule == Rule::broadcast {
            return Some(Member::Broadcast(Broadcast { head, fields: first, origin: parts.origin }));
        }
        let response = if parts.has_response { Some(self.fields(groups.next()?)) } else { None };
        let fails = if parts.has_fails { Some(self.variants(groups.next()?)) } else { None };
        Some(Member::Action(Action { head, request: first, response, fails, fails_with: None }))
    }

    /// A member without its answer or its origin, which could not be read; nor could its request, if that `is_told`.
    pub(super) fn signature(
        &mut self,
        mut pairs: Pairs<'_, Rule>,
        groups: &[Group],
        rule: Rule,
        is_told: bool,
    ) -> Option<Member> {
        let parts = self.parts(pairs.next()?)?;
        let head = self.head(parts.attributes, parts.name?);
        let mut groups = groups.iter().copied();
        let mut request = self.fields(groups.next()?);
        request.incomplete |= is_told;
        if rule == Rule::broadcast {
            return Some(Member::Broadcast(Broadcast { head, fields: request, origin: None }));
        }
        let fails = groups.next().filter(|_| parts.has_fails).map(|group| self.variants(group));
        let response = Some(FieldList { span: head.name.span, incomplete: true, ..FieldList::default() });
        Some(Member::Action(Action { head, request, response, fails, fails_with: None }))
    }

    fn field(&mut self, mut pairs: Pairs<'_, Rule>) -> Option<Field> {
        let parts = self.parts(pairs.next()?)?;
        let mut ty = parts.ty?;
        let (limits, others) =
            std::mem::take(&mut ty.attributes).into_iter().partition(|attribute| attribute.name.text == "max");
        ty.attributes = limits;
        let mut attributes = parts.attributes;
        attributes.extend(others);
        attributes.sort_by_key(|attribute| attribute.span);
        let head = self.head(attributes, parts.name?);
        Some(Field { head, ty, default: parts.value })
    }

    fn variant(&mut self, mut pairs: Pairs<'_, Rule>, groups: &[Group]) -> Option<Variant> {
        let parts = self.parts(pairs.next()?)?;
        let head = self.head(parts.attributes, parts.name?);
        let fields = if parts.has_braces { Some(self.fields(*groups.first()?)) } else { None };
        Some(Variant { head, fields })
    }

    /// The fields between two brackets.
    fn fields(&mut self, group: Group) -> FieldList {
        let mut list = FieldList { span: self.group_span(group), ..FieldList::default() };
        for range in self.parser.pieces.cut(group.inside(), Cut::List, &mut self.parser.sink) {
            let empty = self.parser.is_empty_piece(range, "a field");
            if empty {
                continue;
            }
            let parse = |parser: &mut Parser<'_>, range| {
                parser.piece(range, Rule::field, |builder, pairs, _| builder.field(pairs))
            };
            for field in self.parser.with_commas(range, parse) {
                list.incomplete |= field.is_none();
                list.fields.extend(field);
            }
        }
        list
    }

    /// The variants between two braces.
    fn variants(&mut self, group: Group) -> VariantList {
        let mut list = VariantList { span: self.group_span(group), ..VariantList::default() };
        for range in self.parser.pieces.cut(group.inside(), Cut::List, &mut self.parser.sink) {
            let empty = self.parser.is_empty_piece(range, "a variant");
            if empty {
                continue;
            }
            let parse = |parser: &mut Parser<'_>, range| {
                parser.piece(range, Rule::variant, |builder, pairs, groups| builder.variant(pairs, groups))
            };
            for variant in self.parser.with_commas(range, parse) {
                list.incomplete |= variant.is_none();
                list.variants.extend(variant);
            }
        }
        list
    }

    fn head(&mut self, attributes: Vec<Attribute>, name: Name) -> Head {
        Head { docs: std::mem::take(&mut self.docs), attributes, name, span: self.parser.pieces.span(self.code) }
    }

    fn parts(&mut self, piece: Pair<'_, Rule>) -> Option<Parts> {
        let mut parts = Parts::default();
        for pair in piece.into_inner() {
            match pair.as_rule() {
                Rule::attribute => parts.attributes.extend(self.annotation(pair)),
                Rule::name => parts.name = Some(self.name(&pair)),
                Rule::type_expr => parts.ty = Some(self.type_expr(pair)?),
                Rule::value => parts.value = Some(self.value(pair)?),
                Rule::path => parts.path = Some(self.path(pair)?),
                Rule::string => parts.import = Some(self.import(&pair)),
                Rule::origin => parts.origin = Some(self.origin(pair)?),
                Rule::response => parts.has_response = true,
                Rule::fails => parts.has_fails = true,
                Rule::braces => parts.has_braces = true,
                _ => {}
            }
        }
        Some(parts)
    }

    /// One with an argument that cannot be read, which was reported, is left out: the rest of the piece can be read.
    fn annotation(&mut self, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let sound = self.sound;
        let attribute = self.attribute(pair);
        self.sound = sound;
        attribute
    }

    fn attribute(&mut self, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let span = self.span(&pair);
        let (mut name, mut arguments) = (None, Vec::new());
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::name => name = Some(self.name(&inner)),
                Rule::value => arguments.push(self.value(inner)?),
                _ => {}
            }
        }
        Some(Attribute { name: name?, arguments, span })
    }

    fn origin(&self, pair: Pair<'_, Rule>) -> Option<Origin> {
        let mut names = pair.into_inner().filter(|inner| inner.as_rule() == Rule::name).map(|inner| self.name(&inner));
        Some(Origin { action: names.next()?, by: names.collect() })
    }

    fn type_expr(&mut self, pair: Pair<'_, Rule>) -> Option<TypeExpr> {
        let (mut base, mut optional, mut attributes) = (None, None, Vec::new());
        for inner in pair.into_inner() {
            let span = self.span(&inner);
            match inner.as_rule() {
                Rule::path => base = Some(TypeExpr::new(TypeKind::Path(self.path(inner)?), span)),
                Rule::list => base = Some(TypeExpr::new(self.list(inner)?, span)),
                Rule::map => base = Some(TypeExpr::new(self.map(inner)?, span)),
                Rule::question => optional = Some(span),
                Rule::attribute => attributes.extend(self.annotation(inner)),
                _ => {}
            }
        }
        let mut base = base?;
        let Some(question) = optional else {
            base.attributes = attributes;
            return Some(base);
        };
        // `@max` speaks of what is optional, everything else of the field: `field` takes it from the outermost type.
        let (limits, others) = attributes.into_iter().partition(|attribute: &Attribute| attribute.name.text == "max");
        base.attributes = limits;
        let span = base.span.to(question);
        Some(TypeExpr { kind: TypeKind::Optional(Box::new(base)), attributes: others, span })
    }

    fn list(&mut self, pair: Pair<'_, Rule>) -> Option<TypeKind> {
        let (mut element, mut length) = (None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::type_expr => element = Some(Box::new(self.type_expr(inner)?)),
                Rule::value => length = Some(self.value(inner)?),
                _ => {}
            }
        }
        Some(match length {
            Some(length) => TypeKind::Array(element?, length),
            None => TypeKind::List(element?),
        })
    }

    fn map(&mut self, pair: Pair<'_, Rule>) -> Option<TypeKind> {
        let mut types = pair.into_inner().filter(|inner| inner.as_rule() == Rule::type_expr);
        let (key, value) = (types.next()?, types.next()?);
        Some(TypeKind::Map(Box::new(self.type_expr(key)?), Box::new(self.type_expr(value)?)))
    }

    fn value(&mut self, pair: Pair<'_, Rule>) -> Option<Literal> {
        let span = self.span(&pair);
        let inner = pair.into_inner().next()?;
        let (text, rule) = (inner.as_str(), inner.as_rule());
        let kind = match rule {
            Rule::string => literal::string(text).map(LiteralKind::String),
            Rule::bytes => literal::bytes(text).map(LiteralKind::Bytes),
            Rule::number => literal::number(text),
            Rule::empty_list => Ok(LiteralKind::EmptyList),
            Rule::empty_map => Ok(LiteralKind::EmptyMap),
            Rule::app_id => app_id(inner),
            _ => Ok(LiteralKind::Path(self.path(inner)?)),
        };
        match kind {
            Ok(kind) => Some(Literal { kind, span }),
            Err((code, why)) => {
                let diagnostic = Diagnostic::new(code, span, why);
                let without_type = || literal::without_type(text).map(str::to_owned);
                let number =
                    if rule == Rule::number { without_type().or_else(|| literal::duration_of(text)) } else { None };
                self.bad_literal(match number {
                    Some(number) => diagnostic.with_fix("write", span, number),
                    None => diagnostic,
                })
            }
        }
    }

    fn import(&mut self, pair: &Pair<'_, Rule>) -> Import {
        let span = self.span(pair);
        let path = literal::string(pair.as_str()).unwrap_or_else(|(code, why)| {
            self.bad_literal::<()>(Diagnostic::new(code, span, why));
            String::new()
        });
        Import { path, span, lost: false }
    }

    fn bad_literal<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.sound = false;
        self.parser.sink.push(diagnostic);
        None
    }

    fn path(&self, pair: Pair<'_, Rule>) -> Option<Path> {
        let mut names: Vec<Name> =
            pair.into_inner().filter(|inner| inner.as_rule() == Rule::name).map(|inner| self.name(&inner)).collect();
        let last = names.pop()?;
        Some(Path { prefix: names, last })
    }

    fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name::new(pair.as_str(), self.span(pair))
    }

    /// Without the blanks that pest may have passed before it saw that nothing more follows.
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let start = self.code.start + pair.as_span().start();
        self.parser.pieces.span(Range { start, end: start + pair.as_str().trim_end().len() })
    }

    fn group_span(&self, group: Group) -> Span {
        self.parser.pieces.span(Range { start: group.open, end: group.inside().end + 1 })
    }
}

fn app_id(pair: Pair<'_, Rule>) -> Result<LiteralKind, literal::Wrong> {
    let digits = pair.into_inner().find(|inner| inner.as_rule() == Rule::number).map_or("", |inner| inner.as_str());
    match literal::number(digits)? {
        LiteralKind::Integer { negative: false, magnitude } => {
            let number = u64::try_from(magnitude).map_err(|_| (Code::Literal, "an app id has 64 bits".to_owned()))?;
            Ok(LiteralKind::AppId(number))
        }
        _ => Err((Code::Literal, "an app id is an integer that is not negative".to_owned())),
    }
}
