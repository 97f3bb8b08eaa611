//! Statements, expressions, patterns.
//!
//! Knows: how what generated code computes is laid out. Does not know: items, nor expressions that no generated code has (operators, `if`,
//! loops other than `for`).

use super::Printer;
use super::layout::{Break, Group, INDENT, Sign, Slot};

/// What an expression is, as far as what is around it is laid out by it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has delimiters of its own, and needs no others.
    Block,
    /// `{ .. }`
    BareBlock,
    /// A function is called.
    Call,
    Match,
    For,
    Return,
    /// Something behind a dot is in it, where it may be broken.
    Chain,
    Other,
}

/// A struct of more characters is broken.
const STRUCT_WIDTH_MAX: isize = 34;

impl Printer<'_> {
    /// Statements until the end of a block.
    pub(super) fn statements(&mut self) {
        while !self.is_at("}") {
            self.statement(false);
        }
    }

    /// A statement. One that is a small block's whole content has no end of a line of its own.
    fn statement(&mut self, may_be_whole: bool) {
        self.layout.begin(0, Group::Needed);
        let is_let = self.tokens.peek() == "let";
        let kind = if is_let {
            self.keyword("let ");
            self.pattern();
            self.expect("=");
            self.layout.text(" = ");
            self.layout.add_break(Break::never());
            self.expression()
        } else {
            self.expression_at_start()
        };
        let has_end = self.tokens.peek() == ";";
        if has_end {
            self.tokens.take();
        }
        let text = if (has_end && kind != Kind::For) || kind == Kind::Return { ";" } else { "" };
        if is_let {
            self.layout.end();
            self.layout.text(text);
        } else {
            self.layout.text(text);
            self.layout.end();
        }
        let is_whole = may_be_whole && !has_end && self.is_at("}");
        self.layout.add_break(if is_whole { Break::blank() } else { Break::line() });
    }

    /// `{ .. }`, on one line if it is one expression and fits.
    fn small_block(&mut self) {
        self.layout.begin(INDENT, Group::All);
        self.word("{");
        if !self.is_at("}") {
            self.layout.add_break(Break::blank());
            self.statement(true);
            self.statements();
            self.layout.dedent();
        }
        self.word("}");
        self.layout.end();
    }

    pub(super) fn expression(&mut self) -> Kind {
        self.expression_in(false, true)
    }

    /// An expression at the start of a line: `self.x` and the like stay together there.
    fn expression_at_start(&mut self) -> Kind {
        self.expression_in(true, true)
    }

    fn expression_in(&mut self, at_start: bool, may_be_struct: bool) -> Kind {
        match self.tokens.peek() {
            "&" => {
                self.word("&");
                if self.tokens.peek() == "mut" {
                    self.keyword("mut ");
                }
                self.prefixed(may_be_struct)
            }
            "*" | "-" => {
                self.word_as_is();
                self.prefixed(may_be_struct)
            }
            "return" => {
                self.keyword("return ");
                self.expression();
                Kind::Return
            }
            "move" | "|" | "||" => self.closure(),
            "async" => {
                self.keyword("async ");
                self.keyword("move ");
                self.small_block();
                Kind::Block
            }
            "match" => self.match_expression(),
            "for" => self.for_loop(),
            "{" => {
                self.small_block();
                Kind::BareBlock
            }
            _ => self.chain(at_start, may_be_struct),
        }
    }

    fn prefixed(&mut self, may_be_struct: bool) -> Kind {
        match self.expression_in(false, may_be_struct) {
            Kind::Chain => Kind::Chain,
            _ => Kind::Other,
        }
    }

    /// `a.b(c)?.d`: something, and what stands behind its dots.
    fn chain(&mut self, at_start: bool, may_be_struct: bool) -> Kind {
        let (whole, first) = (self.layout.open(), self.layout.open());
        let head = self.tokens.peek();
        let mut kind = self.primary(may_be_struct);
        let first_end = self.layout.open();
        let is_short = head.len() <= 4 && kind == Kind::Other && is_identifier(head);
        let stays = at_start && is_short && self.tokens.peek() == ".";
        if self.tokens.peek() == "(" {
            self.call_arguments();
            kind = Kind::Call;
        }
        let (mut tries, mut links) = (0, 0);
        let mut last_arguments = None;
        loop {
            match self.tokens.peek() {
                "?" => {
                    self.tokens.take();
                    tries += 1;
                }
                "." => {
                    self.question_marks(tries);
                    tries = 0;
                    last_arguments = self.link(stays && links == 0);
                    links += 1;
                }
                _ => break,
            }
        }
        if links > 0 {
            self.layout.set_begin(whole, INDENT, Group::All);
            self.layout.set_begin(first, -INDENT, Group::All);
            self.layout.set_end(first_end);
            if let Some(arguments) = last_arguments {
                let offset = if stays && links == 1 { -INDENT } else { 0 };
                self.layout.set_begin(arguments, offset, Group::All);
            }
            self.layout.end();
            kind = Kind::Chain;
        }
        self.question_marks(tries);
        if tries > 0 && kind == Kind::Call { Kind::Other } else { kind }
    }

    fn question_marks(&mut self, count: usize) {
        for _ in 0..count {
            self.layout.text("?");
        }
    }

    /// `.name`, `.name(..)` or `.await`. Where the arguments begin.
    fn link(&mut self, stays: bool) -> Option<Slot> {
        if !stays {
            self.layout.add_break(Break::empty());
        }
        self.word(".");
        self.word_as_is();
        if self.tokens.peek() == "::" {
            self.word("::");
            self.arguments();
        }
        (self.tokens.peek() == "(").then(|| {
            let slot = self.layout.open();
            self.layout.set_begin(slot, 0, Group::All);
            self.call_arguments();
            self.layout.end();
            slot
        })
    }

    /// What a chain begins with.
    fn primary(&mut self, may_be_struct: bool) -> Kind {
        match self.tokens.peek() {
            "(" => {
                self.tuple();
                return Kind::Block;
            }
            "[" => {
                self.array();
                return Kind::Block;
            }
            token if !is_identifier(token) && token != "::" => {
                self.word_as_is();
                return Kind::Other;
            }
            _ => {}
        }
        let (whole, path) = (self.layout.open(), self.layout.open());
        self.expression_path();
        match self.tokens.peek() {
            "!" => {
                self.word("!");
                self.macro_arguments();
                Kind::Other
            }
            "{" if may_be_struct => {
                self.layout.set_begin(whole, INDENT, Group::All);
                self.layout.set_begin(path, -INDENT, Group::Needed);
                self.layout.end();
                self.struct_fields();
                Kind::Block
            }
            _ => Kind::Other,
        }
    }

    /// `a::b::<C>`
    fn expression_path(&mut self) {
        self.word_if("::");
        self.word_as_is();
        while self.tokens.peek() == "::" {
            self.word("::");
            if self.tokens.peek() == "<" { self.arguments() } else { self.word_as_is() }
        }
    }

    /// ` { a, b: c }`
    fn struct_fields(&mut self) {
        self.layout.text(" ");
        self.word("{");
        self.layout.add_break(Break::blank().if_inner());
        while !self.is_at("}") {
            self.word_as_is();
            if self.tokens.peek() == ":" {
                self.colon();
                self.layout.begin(0, Group::Needed);
                self.expression();
                self.layout.end();
            }
            self.separator("}", Break::blank());
        }
        self.layout.dedent();
        self.layout.end_within(STRUCT_WIDTH_MAX);
        self.word("}");
    }

    fn tuple(&mut self) {
        self.word("(");
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::empty());
        let mut count = 0;
        while !self.is_at(")") {
            self.expression();
            count += 1;
            self.tuple_separator(count);
        }
        self.layout.dedent();
        self.layout.end();
        self.word(")");
    }

    fn array(&mut self) {
        self.word("[");
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::empty());
        while !self.is_at("]") {
            self.expression();
            self.separator("]", Break::empty());
        }
        self.layout.dedent();
        self.layout.end();
        self.word("]");
    }

    /// Arguments of a call. A single one with delimiters of its own stands close to the parentheses.
    fn call_arguments(&mut self) {
        self.word("(");
        let (whole, inner) = (self.layout.open(), self.layout.open());
        if !self.is_at(")") {
            let kind = self.expression();
            if matches!(kind, Kind::Block | Kind::BareBlock) && self.tokens.peek() == ")" {
                self.word(")");
                return;
            }
            self.layout.set_begin(whole, INDENT, Group::All);
            self.layout.set_break(inner, Break::empty());
            self.separator(")", Break::empty());
            while !self.is_at(")") {
                self.expression();
                self.separator(")", Break::empty());
            }
            self.layout.dedent();
            self.layout.end();
        }
        self.word(")");
    }

    /// `("text", name)` of a macro: words and commas.
    fn macro_arguments(&mut self) {
        self.word("(");
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::empty());
        self.layout.begin(0, Group::Needed);
        let mut is_first = true;
        while !self.is_at(")") {
            if self.tokens.peek() != "," && !is_first {
                self.layout.add_break(Break::blank());
            }
            self.word_as_is();
            is_first = false;
        }
        self.layout.end();
        self.layout.add_break(Break::empty());
        self.layout.dedent();
        self.layout.end();
        self.word(")");
    }

    /// `move |a, b: C| body`
    fn closure(&mut self) -> Kind {
        self.layout.begin(0, Group::Needed);
        if self.tokens.peek() == "move" {
            self.keyword("move ");
        }
        self.layout.begin(INDENT, Group::All);
        if self.tokens.peek() == "||" {
            self.word("||");
        } else {
            self.word("|");
            self.layout.add_break(Break::empty());
            while !self.is_at("|") {
                self.parameter();
                if self.tokens.peek() == "," {
                    self.word(",");
                    self.layout.add_break(Break::blank());
                }
            }
            self.word("|");
        }
        self.layout.add_break(Break::blank());
        self.layout.dedent();
        self.layout.end();
        self.layout.add_break(Break::never());
        let (whole, inner) = (self.layout.open(), self.layout.open());
        let body = self.expression();
        if !matches!(body, Kind::Block | Kind::BareBlock | Kind::Match | Kind::Call) {
            self.layout.set_begin(whole, INDENT, Group::All);
            self.layout.set_break(inner, Break::empty().before(Sign::Open));
            self.layout.add_break(Break::empty().closing(Sign::Close, Sign::None));
            self.layout.end();
        }
        self.layout.end();
        Kind::Block
    }

    fn match_expression(&mut self) -> Kind {
        self.layout.begin(0, Group::Needed);
        self.keyword("match ");
        self.condition();
        self.open_block();
        while !self.is_at("}") {
            self.arm();
            self.comma_if_there();
            self.layout.add_break(Break::line());
        }
        self.close("}");
        self.layout.end();
        Kind::Match
    }

    fn for_loop(&mut self) -> Kind {
        self.layout.begin(0, Group::Needed);
        self.keyword("for ");
        self.pattern();
        self.expect("in");
        self.layout.text(" in ");
        self.layout.add_break(Break::never());
        self.condition();
        self.open_block();
        self.statements();
        self.close("}");
        self.layout.end();
        Kind::For
    }

    /// What `match` and `for` look at, and the blank before their block.
    fn condition(&mut self) {
        self.layout.begin(0, Group::All);
        match self.expression_in(false, false) {
            Kind::Chain => self.layout.add_break(Break::blank()),
            _ => self.layout.text(" "),
        }
        self.layout.end();
    }

    /// The begin of a block that is never on one line.
    fn open_block(&mut self) {
        self.word("{");
        self.layout.add_break(Break::never());
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::line().if_inner());
    }

    fn arm(&mut self) {
        self.layout.begin(0, Group::Needed);
        self.pattern();
        self.expect("=>");
        self.layout.text(" => ");
        if self.tokens.peek() == "{" {
            self.open_block();
            self.statements();
            self.close("}");
        } else {
            self.layout.add_break(Break::never());
            self.layout.begin(INDENT, Group::All);
            self.layout.add_break(Break::empty().before(Sign::Open));
            let kind = self.expression_at_start();
            let end = if kind == Kind::Return { Break::empty().before(Sign::Semicolon) } else { Break::empty() };
            self.layout.add_break(end.closing(Sign::Close, Sign::Comma));
            self.layout.end();
        }
        self.layout.end();
    }

    pub(super) fn pattern(&mut self) {
        if self.tokens.peek() == "(" {
            self.pattern_list();
            return;
        }
        if self.tokens.peek() == "mut" {
            self.keyword("mut ");
        }
        let whole = self.layout.open();
        self.expression_path();
        match self.tokens.peek() {
            "(" => self.pattern_list(),
            "{" => {
                self.layout.set_begin(whole, INDENT, Group::All);
                self.layout.text(" ");
                self.word("{");
                self.layout.add_break(Break::blank().if_inner());
                while !self.is_at("}") {
                    let is_rest = self.tokens.peek() == "..";
                    self.word_as_is();
                    if is_rest {
                        self.layout.add_break(Break::blank());
                    } else {
                        self.separator("}", Break::blank());
                    }
                }
                self.layout.dedent();
                self.layout.end();
                self.word("}");
            }
            _ => {}
        }
    }

    /// `(a, b)`
    fn pattern_list(&mut self) {
        self.word("(");
        self.layout.begin(INDENT, Group::All);
        self.layout.add_break(Break::empty());
        while !self.is_at(")") {
            self.pattern();
            self.separator(")", Break::empty());
        }
        self.layout.dedent();
        self.layout.end();
        self.word(")");
    }
}

/// Whether a token is a name or a keyword.
fn is_identifier(token: &str) -> bool {
    token.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic()) && !token.starts_with("b\"")
}
