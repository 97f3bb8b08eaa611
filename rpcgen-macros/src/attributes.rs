//! Attributes and values: what stands in `#[action(..)]`, `#[broadcast(..)]`, `#[rpc(..)]`, and docs.
//!
//! Knows: their forms in Rust and in the syntax tree. Does not know: where which is allowed; the checker does.

use heck::ToSnakeCase;
use proc_macro2::TokenStream;
use rpcgen::syntax::ast::{Attribute, Head, Literal, LiteralKind, Name, Path};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit, Meta, Token, UnOp};

use crate::from_trait::Reader;

impl Reader {
    /// Name, documentation, deprecation.
    pub(crate) fn head(&mut self, name: Name, attributes: &[syn::Attribute], known: &[&str]) -> Head {
        let mut head = Head::new(name);
        for attribute in attributes {
            let path = attribute.path();
            if path.is_ident("doc") {
                if let Some(text) = doc_text(attribute) {
                    head.docs.extend(text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()));
                    if text.is_empty() {
                        head.docs.push(String::new());
                    }
                }
            } else if path.is_ident("deprecated") {
                let deprecated = self.deprecated(attribute);
                head.attributes.push(deprecated);
            } else if !known.iter().any(|known| path.is_ident(known))
                && !path.is_ident("allow")
                && !path.is_ident("expect")
            {
                let name = path.segments.last().map_or_else(String::new, |segment| segment.ident.to_string());
                self.refuse(
                    attribute,
                    format!("`#[{name}]` has no meaning here: the generated item has its own attributes"),
                );
            }
        }
        head
    }

    fn deprecated(&mut self, attribute: &syn::Attribute) -> Attribute {
        let note = match &attribute.meta {
            Meta::NameValue(pair) => string(&pair.value),
            Meta::List(_) => {
                attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok().and_then(|list| {
                    let note = list.into_iter().find(|meta| meta.path().is_ident("note"))?;
                    string(&note.require_name_value().ok()?.value)
                })
            }
            Meta::Path(_) => None,
        };
        let span = self.spans.add(attribute.span());
        let literal = Literal { kind: LiteralKind::String(note.unwrap_or_default()), span };
        Attribute { name: Name::new("deprecated", span), arguments: vec![literal], span }
    }

    /// What stands between the parentheses of all attributes of this name.
    pub(crate) fn arguments(&mut self, attributes: &[syn::Attribute], name: &str) -> Vec<Meta> {
        let mut arguments = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
            if matches!(attribute.meta, Meta::Path(_)) {
                continue;
            }
            match attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
                Ok(list) => arguments.extend(list),
                Err(error) => self.problem(error.span(), error.to_string()),
            }
        }
        arguments
    }

    /// The names in `by(a, b)` or `by = a`.
    pub(crate) fn names(&mut self, argument: &Meta) -> Vec<Name> {
        match argument {
            Meta::List(list) => match list.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated) {
                Ok(idents) => idents.iter().map(|ident| self.name(ident)).collect(),
                Err(error) => {
                    self.problem(error.span(), error.to_string());
                    Vec::new()
                }
            },
            Meta::NameValue(pair) => match ident(&pair.value) {
                Some(ident) => vec![self.name(&ident)],
                None => {
                    self.refuse(&pair.value, "a name is expected here");
                    Vec::new()
                }
            },
            Meta::Path(path) => {
                self.refuse(path, "names are expected: `(a, b)` or `= a`");
                Vec::new()
            }
        }
    }

    /// An option such as `persist = disk` as an annotation of the tree.
    pub(crate) fn annotation(&mut self, argument: &Meta) -> Option<Attribute> {
        let span = self.spans.add(argument.span());
        let name =
            argument.path().get_ident().map(|ident| Name::new(ident.to_string(), self.spans.add(ident.span())))?;
        let arguments = match argument {
            Meta::Path(_) => Vec::new(),
            Meta::NameValue(pair) => vec![self.literal(&pair.value)?],
            Meta::List(list) => {
                self.refuse(list, format!("`{0}` is written `{0} = ..`", name.text));
                return None;
            }
        };
        Some(Attribute { name, arguments, span })
    }

    /// A value.
    pub(crate) fn literal(&mut self, expr: &Expr) -> Option<Literal> {
        let kind = match expr {
            Expr::Group(group) => return self.literal(&group.expr),
            Expr::Paren(paren) => return self.literal(&paren.expr),
            Expr::Lit(ExprLit { lit, .. }) => scalar(lit),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => negative(&unary.expr),
            Expr::Array(array) if array.elems.is_empty() => Some(LiteralKind::EmptyList),
            Expr::Call(call) => {
                self.replaced_in_call(&call.func);
                called(&call.func, call.args.iter().collect::<Vec<_>>().as_slice())
            }
            Expr::Path(path) => self.value_path(&path.path),
            _ => None,
        };
        let Some(kind) = kind else {
            self.refuse(
                expr,
                "this value has no form in the model: write a literal, a constant, a plain variant, `None`, `[]`, `Vec::new()`, \
                 `BTreeMap::new()`, `AppId(7)` or `Duration::from_secs(3)`",
            );
            return None;
        };
        Some(Literal { kind, span: self.spans.add(expr.span()) })
    }

    /// The type in `AppId(7)` and `Duration::from_secs(3)`.
    fn replaced_in_call(&mut self, function: &Expr) {
        let Expr::Path(path) = function else { return };
        let mut path = path.path.clone();
        if path.segments.last().is_some_and(|last| last.ident != "AppId") {
            path.segments.pop();
            path.segments.pop_punct();
        }
        if path.segments.last().is_some_and(|last| last.ident == "AppId" || last.ident == "Duration") {
            self.replaced(&path, TokenStream::new());
        }
    }

    /// `None`, a constant, or `Enum::Variant`.
    fn value_path(&mut self, path: &syn::Path) -> Option<LiteralKind> {
        let last = &path.segments.last()?.ident;
        let text = match last.to_string().as_str() {
            "None" if path.segments.len() == 1 => "none".to_owned(),
            variant if path.segments.len() > 1 => variant.to_snake_case(),
            constant => constant.to_owned(),
        };
        let span = self.spans.add(last.span());
        Some(LiteralKind::Path(Path::single(Name::new(text, span))))
    }
}

fn doc_text(attribute: &syn::Attribute) -> Option<String> {
    string(&attribute.meta.require_name_value().ok()?.value)
}

fn string(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

fn ident(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    }
}

fn scalar(lit: &Lit) -> Option<LiteralKind> {
    Some(match lit {
        Lit::Int(int) => {
            // syn reads a minus into the literal where it can.
            let digits = int.base10_digits();
            let magnitude = digits.trim_start_matches('-').parse().ok()?;
            LiteralKind::Integer { negative: digits.starts_with('-'), magnitude }
        }
        Lit::Float(float) => LiteralKind::Float(float.base10_parse().ok()?),
        Lit::Str(text) => LiteralKind::String(text.value()),
        Lit::ByteStr(bytes) => LiteralKind::Bytes(bytes.value()),
        Lit::Bool(value) => {
            let word = if value.value { "true" } else { "false" };
            LiteralKind::Path(Path::single(Name::new(word, rpcgen::source::Span::default())))
        }
        _ => return None,
    })
}

fn negative(expr: &Expr) -> Option<LiteralKind> {
    let Expr::Lit(ExprLit { lit, .. }) = expr else { return None };
    match scalar(lit)? {
        LiteralKind::Integer { magnitude, .. } => Some(LiteralKind::Integer { negative: true, magnitude }),
        LiteralKind::Float(value) => Some(LiteralKind::Float(-value)),
        _ => None,
    }
}

/// `AppId(7)`, `Duration::from_secs(3)`, `Vec::new()`, `String::from("x")` and their like.
fn called(function: &Expr, arguments: &[&Expr]) -> Option<LiteralKind> {
    let Expr::Path(path) = function else { return None };
    let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let number = || match arguments {
        [Expr::Lit(ExprLit { lit: Lit::Int(int), .. })] => int.base10_parse::<u64>().ok(),
        _ => None,
    };
    let last_two = names.len().checked_sub(2).map(|at| (names[at].as_str(), names[at + 1].as_str()));
    if names.last().is_some_and(|name| name == "AppId") {
        return Some(LiteralKind::AppId(number()?));
    }
    let nanoseconds_each: u64 = match last_two? {
        ("Vec", "new") => return Some(LiteralKind::EmptyList),
        ("BTreeMap", "new") => return Some(LiteralKind::EmptyMap),
        ("String", "new") => return Some(LiteralKind::String(String::new())),
        ("String", "from") => return Some(LiteralKind::String(string(arguments.first()?)?)),
        ("Duration", "from_secs") => 1_000_000_000,
        ("Duration", "from_millis") => 1_000_000,
        ("Duration", "from_micros") => 1_000,
        ("Duration", "from_nanos") => 1,
        _ => return None,
    };
    Some(LiteralKind::Duration(u128::from(number()?) * u128::from(nanoseconds_each)))
}
