//! Types, paths, bounds.
//!
//! Knows: how a type is laid out. Does not know: where it stands.

use super::Printer;
use super::layout::{Break, Group, INDENT};

impl Printer<'_> {
    pub(super) fn ty(&mut self) {
        match self.tokens.peek() {
            "&" => {
                self.word("&");
                if self.tokens.peek().starts_with('\'') {
                    self.word_as_is();
                    self.layout.text(" ");
                }
                if self.tokens.peek() == "mut" {
                    self.keyword("mut ");
                }
                self.ty();
            }
            "(" => self.tuple_type(),
            "[" => {
                self.word("[");
                self.ty();
                if self.tokens.peek() == ";" {
                    self.tokens.take();
                    self.layout.text("; ");
                    self.word_as_is();
                }
                self.word("]");
            }
            "impl" => {
                self.keyword("impl ");
                self.bounds_on_a_line();
            }
            _ => self.path(),
        }
    }

    fn tuple_type(&mut self) {
        self.word("(");
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::empty());
        let mut count = 0;
        while !self.is_at(")") {
            self.ty();
            count += 1;
            self.tuple_separator(count);
        }
        self.layout.dedent();
        self.layout.end();
        self.word(")");
    }

    /// Behind a member of a tuple: one with a single member keeps its comma.
    pub(super) fn tuple_separator(&mut self, count: usize) {
        if count == 1 && self.tokens.peek() == "," && self.tokens.peek_second() == ")" {
            self.word(",");
            self.layout.add_break(Break::empty());
        } else {
            self.separator(")", Break::empty());
        }
    }

    /// `A + B`, which stay on one line.
    pub(super) fn bounds_on_a_line(&mut self) {
        self.bound();
        while self.tokens.peek() == "+" {
            self.tokens.take();
            self.layout.text(" + ");
            self.bound();
        }
    }

    /// `A + B`
    pub(super) fn bounds(&mut self) {
        self.bound();
        while self.tokens.peek() == "+" {
            self.layout.add_break(Break::blank());
            self.keyword("+ ");
            self.bound();
        }
    }

    /// A trait or a lifetime.
    fn bound(&mut self) {
        if self.tokens.peek().starts_with('\'') { self.word_as_is() } else { self.path() }
    }

    /// `a::B<C>`, as a type.
    fn path(&mut self) {
        self.word_if("::");
        loop {
            self.word_as_is();
            match self.tokens.peek() {
                "<" => self.arguments(),
                "(" => self.function_arguments(),
                _ => {}
            }
            if self.tokens.peek() != "::" {
                return;
            }
            self.word("::");
        }
    }

    pub(super) fn path_without_arguments(&mut self) {
        self.word_if("::");
        self.word_as_is();
        while self.tokens.peek() == "::" {
            self.word("::");
            self.word_as_is();
        }
    }

    /// `<A, B = C>`
    pub(super) fn arguments(&mut self) {
        self.word("<");
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::empty());
        while !self.is_at(">") && !self.tokens.peek().starts_with(">>") {
            if self.tokens.peek().starts_with('\'') {
                self.word_as_is();
            } else {
                if self.tokens.peek_second() == "=" {
                    self.word_as_is();
                    self.expect("=");
                    self.layout.text(" = ");
                }
                self.ty();
            }
            self.separator(">", Break::empty());
        }
        self.layout.dedent();
        self.layout.end();
        self.tokens.take_start(">");
        self.layout.text(">");
    }

    /// `(A, B)`, in a group that the caller begins and ends.
    pub(super) fn types_in_parentheses(&mut self) {
        self.word("(");
        self.layout.add_break(Break::empty());
        while !self.is_at(")") {
            self.ty();
            self.separator(")", Break::empty());
        }
        self.layout.dedent();
        self.word(")");
    }

    /// `Fn(A, B) -> C`
    fn function_arguments(&mut self) {
        self.layout.begin(INDENT, Group::All);
        self.types_in_parentheses();
        if self.tokens.peek() == "->" {
            self.tokens.take();
            self.layout.text(" -> ");
            self.ty();
        }
        self.layout.end();
    }
}
