//! Items and their members.
//!
//! Knows: how an item is laid out. Does not know: what is in types and expressions.

use super::Printer;
use super::layout::{Break, Group, INDENT};

impl Printer<'_> {
    /// Items until the end of the text or of a module. Each is written as soon as it is read.
    pub(super) fn items(&mut self) {
        while !self.is_at("}") {
            self.item();
            self.layout.shift(0);
        }
    }

    /// An item, or a member of a trait or an `impl`.
    fn item(&mut self) {
        self.attributes();
        if self.tokens.peek() == "pub" && self.tokens.peek_second() == "mod" {
            self.module();
            return;
        }
        let keyword = if self.tokens.peek() == "pub" { self.tokens.peek_second() } else { self.tokens.peek() };
        let is_function = matches!(keyword, "fn" | "async") || keyword == "const" && self.is_const_function();
        match keyword {
            "use" => self.import(),
            "struct" | "enum" => self.declaration(keyword == "enum"),
            "trait" => self.trait_item(),
            "impl" => self.implementation(),
            "type" => self.alias(),
            _ if is_function => self.function(),
            _ => self.constant(),
        }
        self.layout.add_break(Break::line());
    }

    /// `const fn`, with or without `pub`.
    fn is_const_function(&self) -> bool {
        let mut ahead = self.tokens;
        while matches!(ahead.peek(), "pub" | "const") {
            ahead.take();
        }
        ahead.peek() == "fn"
    }

    pub(super) fn attributes(&mut self) {
        loop {
            match self.tokens.peek() {
                line if line.starts_with("//") => {
                    self.layout.text(self.tokens.take().trim_end_matches(' '));
                    self.layout.add_break(Break::line());
                }
                "#" => self.attribute(),
                _ => return,
            }
        }
    }

    fn attribute(&mut self) {
        self.word("#");
        self.word_if("!");
        self.word("[");
        self.path_without_arguments();
        match self.tokens.peek() {
            "(" => self.attribute_list(),
            "=" => {
                self.tokens.take();
                self.layout.text(" = ");
                self.word_as_is();
            }
            _ => {}
        }
        self.word("]");
        self.layout.add_break(Break::blank());
    }

    /// `(a, b::c, d = "..")`
    fn attribute_list(&mut self) {
        self.word("(");
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::empty());
        while !self.is_at(")") {
            match self.tokens.peek() {
                "," if self.tokens.peek_second() == ")" => {
                    self.tokens.take();
                }
                "," => {
                    self.word(",");
                    self.layout.add_break(Break::blank());
                }
                "=" => {
                    self.tokens.take();
                    self.layout.text(" = ");
                }
                _ => self.word_as_is(),
            }
        }
        self.layout.add_break(Break::empty());
        self.layout.dedent();
        self.layout.end();
        self.word(")");
    }

    /// `use a::b as c;`
    fn import(&mut self) {
        while !self.is_at(";") {
            match self.tokens.peek() {
                "use" => self.keyword("use "),
                "as" => {
                    self.tokens.take();
                    self.layout.text(" as ");
                }
                _ => self.word_as_is(),
            }
        }
        self.word(";");
    }

    /// A module holds thousands of items: it is no group, what is in it is shifted.
    fn module(&mut self) {
        self.visibility();
        self.keyword("mod ");
        self.word_as_is();
        self.layout.text(" ");
        self.word("{");
        if !self.is_at("}") {
            self.layout.add_break(Break::line());
            self.layout.shift(1);
            self.items();
            self.layout.shift(-1);
        }
        self.word("}");
        self.layout.add_break(Break::line());
    }

    fn visibility(&mut self) {
        if self.tokens.peek() == "pub" {
            self.keyword("pub ");
        }
    }

    /// `const NAME: T = value;` or `static`.
    fn constant(&mut self) {
        self.layout.begin(0, Group::All);
        self.visibility();
        if self.tokens.peek() == "static" {
            self.keyword("static ")
        } else {
            self.keyword("const ")
        }
        self.word_as_is();
        self.colon();
        self.ty();
        self.expect("=");
        self.layout.text(" = ");
        self.layout.add_break(Break::never());
        self.expression();
        self.word(";");
        self.layout.end();
    }

    /// `type Name = T;`
    fn alias(&mut self) {
        self.layout.begin(INDENT, Group::All);
        self.visibility();
        self.keyword("type ");
        self.word_as_is();
        self.expect("=");
        self.layout.text(" = ");
        self.layout.add_break(Break::never());
        self.layout.begin(-INDENT, Group::Needed);
        self.ty();
        self.layout.end();
        self.word(";");
        self.layout.end();
    }

    /// A struct or an enum.
    fn declaration(&mut self, is_enum: bool) {
        self.layout.begin(INDENT, Group::All);
        self.visibility();
        self.keyword(if is_enum { "enum " } else { "struct " });
        self.word_as_is();
        self.generics();
        self.where_clause();
        self.word("{");
        self.layout.add_break(Break::line().if_inner());
        while !self.is_at("}") {
            if is_enum {
                self.variant()
            } else {
                self.field()
            }
            self.comma_if_there();
            self.layout.text(",");
            self.layout.add_break(Break::line());
        }
        self.close("}");
    }

    fn field(&mut self) {
        self.attributes();
        self.visibility();
        self.word_as_is();
        self.colon();
        self.ty();
    }

    fn variant(&mut self) {
        self.attributes();
        self.word_as_is();
        match self.tokens.peek() {
            "{" => {
                self.layout.text(" ");
                self.word("{");
                self.layout.begin(INDENT, Group::All);
                self.layout.add_break(Break::blank());
                while !self.is_at("}") {
                    self.field();
                    self.separator("}", Break::blank());
                }
                self.close("}");
            }
            "(" => {
                self.layout.begin(INDENT, Group::All);
                self.types_in_parentheses();
                self.layout.end();
            }
            _ => {}
        }
    }

    fn trait_item(&mut self) {
        self.layout.begin(INDENT, Group::All);
        self.visibility();
        self.keyword("trait ");
        self.word_as_is();
        self.generics();
        if self.tokens.peek() == ":" {
            self.colon();
            self.bounds_on_a_line();
        }
        self.where_clause();
        self.members();
    }

    fn implementation(&mut self) {
        self.layout.begin(INDENT, Group::All);
        self.layout.begin(-INDENT, Group::Needed);
        self.layout.begin(INDENT, Group::All);
        self.word("impl");
        self.generics();
        self.layout.end();
        self.layout.text(" ");
        self.ty();
        if self.tokens.peek() == "for" {
            self.layout.add_break(Break::blank());
            self.keyword("for ");
            self.ty();
        }
        self.layout.end();
        self.where_clause();
        self.members();
    }

    fn members(&mut self) {
        self.word("{");
        self.layout.add_break(Break::line().if_inner());
        while !self.is_at("}") {
            self.item();
        }
        self.close("}");
    }

    fn function(&mut self) {
        self.layout.begin(INDENT, Group::All);
        self.visibility();
        for (keyword, text) in [("const", "const "), ("async", "async ")] {
            if self.tokens.peek() == keyword {
                self.keyword(text);
            }
        }
        self.signature();
        if self.tokens.peek() == ";" {
            self.word(";");
            self.layout.end();
            return;
        }
        self.where_clause();
        self.word("{");
        self.layout.add_break(Break::line().if_inner());
        self.statements();
        self.close("}");
    }

    fn signature(&mut self) {
        self.keyword("fn ");
        self.word_as_is();
        self.generics();
        self.word("(");
        self.layout.add_break(Break::never());
        self.layout.begin(0, Group::All);
        self.layout.add_break(Break::empty());
        while !self.is_at(")") {
            self.parameter();
            self.separator(")", Break::empty());
        }
        self.layout.dedent();
        self.layout.end();
        self.word(")");
        self.layout.begin(-INDENT, Group::All);
        if self.tokens.peek() == "->" {
            self.tokens.take();
            self.layout.text(" -> ");
            self.ty();
        }
        self.layout.end();
    }

    /// `&mut self`, or `name: T`.
    pub(super) fn parameter(&mut self) {
        self.word_if("&");
        if self.tokens.peek() == "mut" {
            self.keyword("mut ");
        }
        self.pattern();
        if self.tokens.peek() == ":" {
            self.colon();
            self.ty();
        }
    }

    /// `<A, B: C + D>`
    fn generics(&mut self) {
        if self.tokens.peek() != "<" {
            return;
        }
        self.word("<");
        self.layout.begin(0, Group::All);
        self.layout.add_break(Break::empty());
        while !self.is_at(">") {
            self.word_as_is();
            self.layout.begin(INDENT, Group::Needed);
            if self.tokens.peek() == ":" {
                self.colon();
                self.bounds();
            }
            self.layout.end();
            self.separator(">", Break::empty());
        }
        self.layout.dedent();
        self.layout.end();
        self.word(">");
    }

    /// `where A: B + C, D: E`, or a blank before what follows.
    fn where_clause(&mut self) {
        if self.tokens.peek() != "where" {
            self.layout.text(" ");
            return;
        }
        self.layout.add_break(Break::line());
        self.layout.dedent();
        self.word("where");
        self.layout.add_break(Break::line());
        while !self.is_at("{") {
            self.ty();
            self.expect(":");
            self.layout.text(":");
            let indent = if self.has_one_bound() { 0 } else { INDENT };
            self.layout.begin(indent, Group::Needed);
            self.layout.text(" ");
            self.bounds();
            self.layout.end();
            self.comma_if_there();
            self.layout.text(",");
            self.layout.add_break(Break::line());
        }
        self.layout.dedent();
    }

    /// Whether no `+` stands before the comma that ends the bounds.
    fn has_one_bound(&self) -> bool {
        let (mut ahead, mut depth) = (self.tokens, 0_isize);
        loop {
            match ahead.take() {
                "(" | "<" => depth += 1,
                ")" | ">" => depth -= 1,
                "+" if depth <= 0 => return false,
                "," if depth <= 0 => return true,
                "{" | "" => return true,
                _ => {}
            }
        }
    }
}
