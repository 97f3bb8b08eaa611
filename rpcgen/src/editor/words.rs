//! What the words of the language mean, in one line each.
//!
//! Knows: keywords, built-in types, annotations. Does not know: where they may stand.

/// Words that begin a declaration.
pub(super) const ITEMS: &[(&str, &str)] = &[
    ("import", "Another file, whose types are named `package.Name`."),
    ("const", "A value with a name: a limit, the length of an array, a default."),
    ("alias", "Another name of a type."),
    ("struct", "Fields, in the order in which they travel."),
    ("enum", "Alternatives, with data or without."),
    ("service", "Actions that clients ask for, and broadcasts that clients hear."),
];

/// Words that begin a member of a service.
pub(super) const MEMBERS: &[(&str, &str)] = &[
    ("action", "From a client to the server: delivered, run and answered, once."),
    ("broadcast", "From the server to one client node."),
];

/// Other words of the language.
pub(super) const CLAUSES: &[(&str, &str)] = &[
    ("package", "The name by which others import this file, and of the generated module."),
    ("fails", "The reasons for which the business may refuse the action."),
    ("to", "`to origin of ACTION by FIELD`: to the node whose action has the same fields."),
    ("origin", "`to origin of ACTION by FIELD`: to the node whose action has the same fields."),
    ("of", "`to origin of ACTION by FIELD`: to the node whose action has the same fields."),
    ("by", "`to origin of ACTION by FIELD`: to the node whose action has the same fields."),
];

/// Words that are values.
pub(super) const VALUES: &[(&str, &str)] =
    &[("true", "A bool."), ("false", "A bool."), ("none", "An optional without a value.")];

/// Built-in types.
pub(super) const TYPES: &[(&str, &str)] = &[
    ("bool", "`true` or `false`; one byte."),
    ("u8", "An integer from 0 to 255."),
    ("u16", "An integer from 0 to 65 535."),
    ("u32", "An integer from 0 to 2³² - 1."),
    ("u64", "An integer from 0 to 2⁶⁴ - 1."),
    ("u128", "An integer from 0 to 2¹²⁸ - 1."),
    ("i8", "An integer from -128 to 127."),
    ("i16", "An integer from -32 768 to 32 767."),
    ("i32", "An integer from -2³¹ to 2³¹ - 1."),
    ("i64", "An integer from -2⁶³ to 2⁶³ - 1."),
    ("i128", "An integer from -2¹²⁷ to 2¹²⁷ - 1."),
    ("f32", "A float of 32 bits."),
    ("f64", "A float of 64 bits."),
    ("string", "UTF-8; `@max(n)` bounds its bytes."),
    ("bytes", "Bytes; `@max(n)` bounds their number."),
    ("uuid", "128 bits."),
    ("timestamp", "A moment."),
    ("duration", "A span of time, not negative: `3s`, `1500ms`."),
    ("AppId", "The application that is spoken of: the first field of every action and broadcast."),
];

/// Annotations, with what is to be inserted behind the `@`.
pub(super) const ANNOTATIONS: &[(&str, &str, &str)] = &[
    ("max", "max()", "At most so many bytes or elements; checked before memory is taken."),
    ("sensitive", "sensitive", "Never printed."),
    ("deprecated", "deprecated(\"\")", "Users are warned, with the reason."),
    ("fixed", "fixed", "A struct without a length on the wire, which never changes."),
    ("persist", "persist(disk)", "Where an action is kept until it is answered: `memory` or `disk`."),
    ("deadline", "deadline(3s)", "How long the business may take."),
];

/// What a word means where nothing is declared by its name.
pub(super) fn meaning(word: &str, is_annotation: bool) -> Option<&'static str> {
    if is_annotation {
        return ANNOTATIONS.iter().find(|(name, ..)| *name == word).map(|(.., meaning)| *meaning);
    }
    let all = TYPES.iter().chain(ITEMS).chain(MEMBERS).chain(CLAUSES).chain(VALUES);
    all.into_iter().find(|(name, _)| *name == word).map(|(_, meaning)| *meaning)
}

/// Whether a word is the name of a built-in type.
pub(super) fn is_type(word: &str) -> bool {
    TYPES.iter().any(|(name, _)| *name == word)
}

/// Whether a word has a meaning in the language where no name stands.
pub(super) fn is_keyword(word: &str) -> bool {
    ITEMS.iter().chain(MEMBERS).chain(CLAUSES).chain(VALUES).any(|(name, _)| *name == word)
}
