//! Pieces of generated code: what `quote!` gives, as one text.
//!
//! Knows: how a token is written, and that one blank stands behind each. Does not know: lines and indentation, which are the layout's.
//!
//! A service of 10 000 lines gives a million tokens. A tree of them, each on the heap, costs more time than all else together; a text in
//! which blanks stand between tokens is as easy to put together, and read again at the speed of memory.

use std::fmt;

use proc_macro2::{Literal, TokenStream};

/// Tokens of Rust. A blank stands behind each; behind a line of a doc comment stands its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Code(String);

impl Code {
    pub(super) const fn new() -> Self {
        Self(String::new())
    }

    /// As long as most pieces become, so that few of them move while they grow.
    pub(super) fn with_room() -> Self {
        Self(String::with_capacity(240))
    }

    /// Tokens that were written otherwise, with blanks between them.
    pub(super) fn of_tokens(tokens: &TokenStream) -> Self {
        let mut code = Self::new();
        code.token(&tokens.to_string());
        code
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Text that ends with a blank already.
    pub(super) fn fixed(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// One token.
    pub(super) fn token(&mut self, token: &str) {
        self.0.push_str(token);
        self.0.push(' ');
    }

    /// A line of a doc comment, with its slashes.
    pub(super) fn doc(&mut self, slashes: &str, text: &str) {
        self.0.push_str(slashes);
        if !text.is_empty() {
            self.0.push(' ');
            self.0.push_str(text);
        }
        self.0.push('\n');
    }

    pub(super) fn add(&mut self, piece: &impl Piece) {
        piece.add_to(self);
    }

    /// Pieces one behind the other, each with `end` behind it.
    pub(super) fn each<P: Piece>(&mut self, pieces: impl IntoIterator<Item = P>, end: &str) {
        for piece in pieces {
            piece.add_to(self);
            self.0.push_str(end);
        }
    }

    /// Pieces with commas between them.
    pub(super) fn listed<P: Piece>(&mut self, pieces: impl IntoIterator<Item = P>) {
        for (index, piece) in pieces.into_iter().enumerate() {
            if index > 0 {
                self.fixed(", ");
            }
            piece.add_to(self);
        }
    }
}

impl FromIterator<Self> for Code {
    fn from_iter<T: IntoIterator<Item = Self>>(pieces: T) -> Self {
        let mut code = Self::new();
        code.each(pieces, "");
        code
    }
}

/// What can stand behind a `#` in `code!`.
pub(super) trait Piece {
    fn add_to(&self, code: &mut Code);
}

impl Piece for Code {
    fn add_to(&self, code: &mut Code) {
        code.0.push_str(&self.0);
    }
}

impl<P: Piece + ?Sized> Piece for &P {
    fn add_to(&self, code: &mut Code) {
        (**self).add_to(code);
    }
}

impl<P: Piece> Piece for Option<P> {
    fn add_to(&self, code: &mut Code) {
        if let Some(piece) = self {
            piece.add_to(code);
        }
    }
}

/// A string literal.
impl Piece for str {
    fn add_to(&self, code: &mut Code) {
        if self.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            code.0.push('"');
            code.0.push_str(self);
            code.0.push_str("\" ");
        } else {
            code.token(&Literal::string(self).to_string());
        }
    }
}

impl Piece for String {
    fn add_to(&self, code: &mut Code) {
        self.as_str().add_to(code);
    }
}

/// A literal of bytes.
impl Piece for [u8] {
    fn add_to(&self, code: &mut Code) {
        code.token(&Literal::byte_string(self).to_string());
    }
}

impl Piece for Vec<u8> {
    fn add_to(&self, code: &mut Code) {
        self.as_slice().add_to(code);
    }
}

/// A literal written by someone else.
impl Piece for Literal {
    fn add_to(&self, code: &mut Code) {
        code.token(&self.to_string());
    }
}

macro_rules! displayed {
    ($($ty:ty)+) => {$(
        /// A literal without a suffix.
        impl Piece for $ty {
            fn add_to(&self, code: &mut Code) {
                code.token(&self.to_string());
            }
        }
    )+};
}

displayed!(bool u32 u64 u128 usize);

/// A Rust identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// The text must be an identifier; a keyword has its `r#`.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Piece for Name {
    fn add_to(&self, code: &mut Code) {
        code.token(&self.0);
    }
}

/// Rust code with values in it: `#name` stands for a [`Piece`]; `#(#names)*`, `#(#names,)*` and `#(#names),*` for all of an iterator.
macro_rules! code {
    () => { $crate::codegen::code::Code::new() };
    ($($tokens:tt)+) => {{
        let mut code = $crate::codegen::code::Code::with_room();
        $crate::codegen::code::add_code!(code [] $($tokens)+);
        code
    }};
}

/// Goes through the tokens of `code!`. What is fixed is collected between the brackets, so that it is one text; the closing delimiter of a
/// group stands behind the group's tokens as `#: "}"`.
macro_rules! add_code {
    ($code:ident []) => {};
    ($code:ident [$($fixed:tt)+]) => { $code.fixed(concat!($($fixed)+)); };
    ($code:ident [$($fixed:tt)*] #: $close:literal $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)* $close, " ",] $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] #(#$pieces:ident)* $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)*]);
        $code.each($pieces, "");
        $crate::codegen::code::add_code!($code [] $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] #(#$pieces:ident,)* $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)*]);
        $code.each($pieces, ", ");
        $crate::codegen::code::add_code!($code [] $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] #(#$pieces:ident),* $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)*]);
        $code.listed($pieces);
        $crate::codegen::code::add_code!($code [] $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] #$piece:ident $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)*]);
        $code.add(&$piece);
        $crate::codegen::code::add_code!($code [] $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] { $($inner:tt)* } $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)* "{ ",] $($inner)* #: "}" $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] ( $($inner:tt)* ) $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)* "( ",] $($inner)* #: ")" $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] [ $($inner:tt)* ] $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)* "[ ",] $($inner)* #: "]" $($rest)*);
    };
    ($code:ident [$($fixed:tt)*] $token:tt $($rest:tt)*) => {
        $crate::codegen::code::add_code!($code [$($fixed)* stringify!($token), " ",] $($rest)*);
    };
}

pub(super) use {add_code, code};

/// Reads a text of [`Code`] token by token.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// What stands behind the next token.
    rest: &'a str,
    /// The next token; at the end it is empty.
    next: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut tokens = Self { rest: text, next: "" };
        tokens.skip();
        tokens
    }

    /// The next token, which stays.
    pub(super) const fn peek(&self) -> &'a str {
        self.next
    }

    /// The token behind the next one.
    pub(super) fn peek_second(&self) -> &'a str {
        split_token(self.rest).0
    }

    /// What stands behind the next token.
    pub(super) const fn behind(&self) -> &'a str {
        self.rest
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> &'a str {
        let token = self.next;
        self.skip();
        token
    }

    fn skip(&mut self) {
        (self.next, self.rest) = split_token(self.rest);
    }

    /// The next token begins with this one-character token, which is taken from it: `>` of `>>`.
    pub(super) fn take_start(&mut self, start: &str) {
        match self.next.strip_prefix(start) {
            None | Some("") => self.skip(),
            Some(left) => self.next = left,
        }
    }
}

/// The first token and what stands behind it.
fn split_token(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let end = match bytes {
        [b'"', ..] => end_of_string(bytes, 1),
        [b'b', b'"', ..] => end_of_string(bytes, 2),
        [b'/', b'/', ..] => bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()),
        _ => bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len()),
    };
    (text.get(..end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default())
}

/// One past the quote that ends a string.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}
