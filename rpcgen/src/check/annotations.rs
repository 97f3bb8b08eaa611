//! Annotations: known ones, in their places, once, with the arguments that they take; and what says nothing.
//!
//! Knows: the table of annotations. Does not know: whether a number makes sense (`limits`).

use super::scope::Scope;
use super::walk::{self, Owner};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::foreign;
use crate::nearest::nearest;
use crate::syntax::{
    self,
    ast::{Attribute, Head, Item, Literal, LiteralKind, Member},
};

/// Where an annotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Struct,
    Enum,
    Alias,
    Constant,
    Service,
    Action,
    Broadcast,
    Field,
    Variant,
    Type,
}

/// What stands between its parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Text,
    Count,
    Duration,
    Word(&'static [&'static str]),
}

struct Annotation {
    name: &'static str,
    takes: Takes,
    example: &'static str,
    targets: &'static [Target],
}

const TABLE: &[Annotation] = &[
    Annotation { name: "fixed", takes: Takes::Nothing, example: "@fixed", targets: &[Target::Struct] },
    Annotation {
        name: "deprecated",
        takes: Takes::Text,
        example: "@deprecated(\"use .. instead\")",
        targets: &[
            Target::Struct,
            Target::Enum,
            Target::Alias,
            Target::Action,
            Target::Broadcast,
            Target::Field,
            Target::Variant,
        ],
    },
    Annotation { name: "sensitive", takes: Takes::Nothing, example: "@sensitive", targets: &[Target::Field] },
    Annotation {
        name: "persist",
        takes: Takes::Word(&["memory", "disk"]),
        example: "@persist(memory)` or `@persist(disk)",
        targets: &[Target::Action],
    },
    Annotation { name: "deadline", takes: Takes::Duration, example: "@deadline(3s)", targets: &[Target::Action] },
    Annotation { name: "max", takes: Takes::Count, example: "@max(64)", targets: &[Target::Type] },
];

impl Target {
    fn describe(self) -> &'static str {
        match self {
            Self::Struct => "structs",
            Self::Enum => "enums",
            Self::Alias => "aliases",
            Self::Constant => "constants",
            Self::Service => "services",
            Self::Action => "actions",
            Self::Broadcast => "broadcasts",
            Self::Field => "fields",
            Self::Variant => "variants",
            Self::Type => "types",
        }
    }
}

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for (_, item) in walk::items(scope.units) {
        match item {
            Item::Constant(constant) => all(&constant.head.attributes, Target::Constant, sink),
            Item::Alias(alias) => {
                all(&alias.head.attributes, Target::Alias, sink);
            }
            Item::Struct(item) => all(&item.head.attributes, Target::Struct, sink),
            Item::Enum(item) => all(&item.head.attributes, Target::Enum, sink),
            Item::Service(service) => {
                all(&service.head.attributes, Target::Service, sink);
                service.members.iter().for_each(|member| of_member(member, sink));
            }
            Item::External(_) | Item::Lost(_) => {}
        }
    }
    for site in walk::variant_lists(scope.units) {
        site.list.variants.iter().for_each(|variant| all(&variant.head.attributes, Target::Variant, sink));
        if site.reasons && site.list.variants.is_empty() && !site.list.incomplete {
            no_effect(
                site.list.span,
                "a `fails` without reasons",
                "an action that cannot fail is written without `fails`",
                sink,
            );
        }
    }
    for (_, field) in walk::fields(scope.units) {
        all(&field.head.attributes, Target::Field, sink);
    }
    for (_, ty) in walk::type_exprs(scope.units) {
        all(&ty.attributes, Target::Type, sink);
    }
    defaults_without_effect(scope, sink);
}

fn of_member(member: &Member, sink: &mut Sink) {
    match member {
        Member::Action(action) => {
            all(&action.head.attributes, Target::Action, sink);
            if let Some(list) = action.response.as_ref().filter(|list| list.fields.is_empty() && !list.incomplete) {
                no_effect(
                    list.span,
                    "a response without fields",
                    "an action that answers no more than \"done\" is written without `->`",
                    sink,
                );
            }
        }
        Member::Broadcast(broadcast) => all(&broadcast.head.attributes, Target::Broadcast, sink),
        Member::Lost(_) => {}
    }
}

fn defaults_without_effect(scope: &Scope<'_>, sink: &mut Sink) {
    let fixed = |site: &walk::FieldsSite<'_>| site.owner == Owner::Struct { fixed: true };
    for site in walk::field_lists(scope.units).into_iter().filter(fixed) {
        for default in site.list.fields.iter().filter_map(|field| field.default.as_ref()) {
            no_effect(
                default.span,
                "a default in a `@fixed` struct",
                "a fixed struct is always whole: no field of it is ever absent",
                sink,
            );
        }
    }
}

fn no_effect(span: crate::source::Span, what: &str, help: &str, sink: &mut Sink) {
    sink.push(Diagnostic::new(Code::NoEffect, span, format!("{what} changes nothing")).with_help(help));
}

fn all(attributes: &[Attribute], target: Target, sink: &mut Sink) {
    for (index, attribute) in attributes.iter().enumerate() {
        let name = &attribute.name;
        let Some(annotation) = TABLE.iter().find(|annotation| annotation.name == name.text) else {
            unknown(attribute, sink);
            continue;
        };
        if let Some(first) = attributes[..index].iter().find(|first| first.name.text == name.text) {
            let diagnostic =
                Diagnostic::new(Code::AnnotationTwice, attribute.span, format!("`@{}` stands here twice", name.text));
            sink.push(diagnostic.with_secondary(first.span, "the first one"));
        } else if annotation.targets.contains(&target) {
            arguments(attribute, annotation, sink);
        } else {
            misplaced(attribute, annotation, target, sink);
        }
    }
}

fn unknown(attribute: &Attribute, sink: &mut Sink) {
    let name = &attribute.name;
    let diagnostic = Diagnostic::new(Code::Annotation, name.span, format!("there is no annotation `@{}`", name.text));
    let names = || TABLE.iter().map(|annotation| annotation.name);
    sink.push(match foreign::annotation(&name.text).or_else(|| nearest(&name.text, names())) {
        Some(near) => diagnostic.with_fix("did you mean", name.span, near),
        None if name.text == "default" => {
            diagnostic.with_help("a default stands behind the type: `name: type = value`")
        }
        None if matches!(name.text.as_str(), "optional" | "nullable") => {
            diagnostic.with_help("an optional has a `?` behind its type: `name: type?`")
        }
        None => diagnostic.with_help(format!("the annotations are @{}", names().collect::<Vec<_>>().join(", @"))),
    });
}

fn misplaced(attribute: &Attribute, annotation: &Annotation, target: Target, sink: &mut Sink) {
    let names: Vec<&str> = annotation.targets.iter().map(|target| target.describe()).collect();
    let message = format!("`@{}` is not for {}", annotation.name, target.describe());
    let help = match annotation.name {
        "max" => "it stands behind the type that it bounds: `name: string @max(64)`".to_owned(),
        "sensitive" => "it stands behind the type of a field: `name: string @sensitive`".to_owned(),
        _ => format!("it is for {}", names.join(", ")),
    };
    sink.push(Diagnostic::new(Code::AnnotationPlace, attribute.span, message).with_help(help));
}

fn arguments(attribute: &Attribute, annotation: &Annotation, sink: &mut Sink) {
    let fits = match (annotation.takes, attribute.arguments.as_slice()) {
        (Takes::Nothing, []) => true,
        (Takes::Text, [Literal { kind: LiteralKind::String(_), .. }]) => true,
        (Takes::Duration, [Literal { kind: LiteralKind::Duration(_), .. }]) => true,
        (Takes::Count, [Literal { kind: LiteralKind::Integer { .. } | LiteralKind::Path(_), .. }]) => true,
        (Takes::Word(words), [Literal { kind: LiteralKind::Path(path), .. }]) => words.contains(&path.text().as_str()),
        _ => false,
    };
    if !fits {
        let takes = match annotation.takes {
            Takes::Nothing => "takes nothing",
            Takes::Text => "takes a text",
            Takes::Count => "takes a number",
            Takes::Duration => "takes a duration",
            Takes::Word(_) => "takes a word",
        };
        let message = format!("`@{}` {takes}", annotation.name);
        let diagnostic = Diagnostic::new(Code::AnnotationArgument, attribute.span, message);
        sink.push(match meant(annotation.takes, &attribute.arguments) {
            Some((literal, ours)) => diagnostic.with_fix("write", literal.span, ours),
            None => diagnostic.with_help(format!("it is written `{}`", annotation.example)),
        });
    }
}

/// `@deadline(3)`, `@deadline("3s")`, `@persist("disk")`, `@deprecated(old)`: what was meant by an argument.
fn meant(takes: Takes, arguments: &[Literal]) -> Option<(&Literal, String)> {
    let [literal] = arguments else { return None };
    let ours = match (takes, &literal.kind) {
        (Takes::Duration, LiteralKind::Integer { negative: false, magnitude }) => format!("{magnitude}s"),
        (Takes::Duration, LiteralKind::String(text)) if syntax::is_duration(text) => text.clone(),
        (Takes::Word(words), LiteralKind::String(text)) if words.contains(&text.as_str()) => text.clone(),
        (Takes::Word(words), LiteralKind::Path(path)) => nearest(&path.text(), words.iter().copied())?.to_owned(),
        (Takes::Text, LiteralKind::Path(path)) => format!("\"{}\"", path.text()),
        _ => return None,
    };
    Some((literal, ours))
}

/// The first annotation of this name; for the pass that makes the model, after all is checked.
pub(super) fn find<'a>(head: &'a Head, name: &str) -> Option<&'a Attribute> {
    head.attributes.iter().find(|attribute| attribute.name.text == name)
}
