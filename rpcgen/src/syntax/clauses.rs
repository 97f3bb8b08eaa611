//! Clauses of actions and broadcasts that are right in another language, or in another order.
//!
//! Knows: answers, reasons, bodies, origins. Does not know: which piece is tried when (`habits`).

use super::habits::{Broken, is_word};
use super::signature;
use super::split::Range;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

impl Broken<'_> {
    pub(super) fn action(&self) -> Option<(Diagnostic, usize)> {
        let before = self.before().trim_end();
        let is_arrow = self.behind(self.at).starts_with("=>");
        let length = if is_arrow { 2 } else { self.found.len() };
        let found = self.pieces.span(Range { start: self.at, end: self.at + length });
        let is_answer = before.ends_with("->");
        if is_answer && self.found == "stream" {
            let diagnostic = Diagnostic::new(Code::Stream, found, "an action answers once");
            let diagnostic = diagnostic.with_help("what comes later, and again, is a broadcast to the node that asked");
            return Some((self.rewritten(diagnostic), self.code.end));
        }
        if is_answer && !self.found.is_empty() {
            let message = "what an action answers has names, as what it is asked has";
            return Some((
                self.answered(self.at, |span| Diagnostic::new(Code::UnnamedResponse, span, message)),
                self.code.end,
            ));
        }
        if let Some(found) = self.order().or_else(|| self.body()).or_else(|| self.reasons()) {
            return Some((found, self.code.end));
        }
        let ours = match self.found {
            "throws" | "raises" | "errors" | "error" | "fail" => "fails",
            "returns" | "return" | ":" | "=" => "->",
            _ => return None,
        };
        let message =
            format!("`{}` is written `{ours}`", self.pieces.text(Range { start: self.at, end: self.at + length }));
        let diagnostic = Diagnostic::new(Code::OtherWord, found, message);
        let behind = self.pieces.trim(Range { start: self.at + length, end: self.code.end });
        let is_named = ours == "fails" || behind.start == behind.end || self.pieces.text(behind).starts_with('(');
        if !is_named {
            return Some((self.answered(behind.start, |_| diagnostic), self.code.end));
        }
        let blank = if self.before().ends_with(before) { " " } else { "" };
        let reasons = self.pieces.text(behind);
        let diagnostic = match signature::reasons_of(reasons.trim_end_matches(';')) {
            Some(reasons_here) if ours == "fails" && !reasons.starts_with('{') && !reasons_here.is_empty() => {
                let whole = self.pieces.span(Range { start: self.at, end: behind.end });
                diagnostic.with_fix("write", whole, format!("{blank}fails {{ {reasons_here} }};"))
            }
            _ => diagnostic.with_fix("write", found, format!("{blank}{ours}")),
        };
        Some((diagnostic, self.code.end))
    }

    /// The whole member as it is written here, from its first word on.
    fn rewritten(&self, diagnostic: Diagnostic) -> Diagnostic {
        let Some(word) = self.pieces.leading_word(self.code) else { return diagnostic };
        let whole = Range { start: word.start, end: self.code.end };
        match signature::ours(self.pieces.text(whole), "action") {
            Some(written) => diagnostic.with_fix("write", self.pieces.span(whole), written.text),
            None => diagnostic,
        }
    }

    /// An answer without parentheses that begins at `start`: what is said of its place, and how it is written, up to the `;`.
    fn answered(&self, start: usize, said: impl FnOnce(Span) -> Diagnostic) -> Diagnostic {
        let rest = self.pieces.text(Range { start, end: self.code.end });
        let has_reasons = rest.find(" fails");
        let end = has_reasons.or_else(|| rest.rfind(';')).unwrap_or(rest.len());
        let ty = rest[..end].trim_end();
        let diagnostic = said(self.pieces.span(Range { start, end: start + ty.len() }));
        let Some(mut answer) = signature::answer(ty) else {
            return diagnostic.with_help("write `-> (name: type, ..)`, and `fails { reason, .. }` behind it");
        };
        let (mut end, mut semicolon) = (self.code.end, ";");
        if has_reasons.is_some() {
            answer.reasons.clear();
            (end, semicolon) = (start + ty.len(), "");
        }
        let before = self.pieces.text(Range { start: self.code.start, end: start });
        let begin = before.rfind(')').map_or(start, |at| self.code.start + at + 1);
        let whole = self.pieces.span(Range { start: begin, end });
        diagnostic.with_fix("write", whole, format!("{}{semicolon}", answer.text()))
    }

    /// `to open by key`, `by key`, `to origin of open`: a part of an origin.
    pub(super) fn origin(&self) -> Option<Diagnostic> {
        let before = self.before().trim_end();
        let last = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        match (last, self.found) {
            ("to", "all" | "any" | "everyone" | "everybody" | "clients" | "nodes")
                if !self.behind(self.at).contains(" by ") =>
            {
                let diagnostic =
                    self.at_found(Code::Syntax, "a broadcast without `to` goes to any node that handles it");
                let start = self.code.start + before.trim_end_matches("to").trim_end().len();
                let span = self.pieces.span(Range { start, end: self.at + self.found.len() });
                Some(diagnostic.with_fix("leave it out", span, ""))
            }
            ("to", action) if is_word(action) && !self.behind(self.at).contains(" by ") => {
                let diagnostic = self.at_found(Code::Syntax, "the action stands behind `to origin of`");
                Some(
                    diagnostic
                        .with_help(format!("write `to origin of {action} by field`, with a field that both have")),
                )
            }
            ("origin", action) if is_word(action) && action != "of" => {
                let diagnostic = self.at_found(Code::Syntax, "the action stands behind `to origin of`");
                Some(diagnostic.with_fix("write", self.pieces.span(self.found_range()), format!("of {action}")))
            }
            (_, "origin") if before.ends_with(')') => {
                let diagnostic = self.at_found(Code::Syntax, "where a broadcast goes begins with `to`");
                Some(diagnostic.with_fix("write", self.pieces.span(self.found_range()), "to origin"))
            }
            (_, "-" | "fails" | "throws" | "returns") if before.ends_with(')') => {
                let diagnostic = self.at_found(Code::OtherWord, "a broadcast is not answered");
                Some(diagnostic.with_help(
                    "what is answered is an action, which the client asks: `action name(..) -> (..) fails { .. };`",
                ))
            }
            ("to", action) if is_word(action) => {
                let diagnostic = self.at_found(Code::Syntax, "the action stands behind `to origin of`");
                let span = self.pieces.span(self.found_range());
                Some(diagnostic.with_fix("write", span, format!("origin of {action}")))
            }
            (_, "by") if before.ends_with(')') => {
                let diagnostic = self.at_found(Code::Syntax, "nothing says whose origin is meant");
                Some(diagnostic.with_help("an action stands before it: `to origin of action by field`"))
            }
            (action, ";") if before.trim_end_matches(action).trim_end().ends_with(" of") => {
                let diagnostic = self.at_found(Code::Syntax, "nothing says which fields tie the two");
                let help =
                    format!("name what the broadcast and `{action}` both have: `to origin of {action} by field`");
                Some(diagnostic.with_help(help))
            }
            _ => None,
        }
    }

    /// `fails { .. } -> (..)`
    fn order(&self) -> Option<Diagnostic> {
        let rest = self.behind(self.at).strip_prefix("->")?.trim();
        let begin = self.before().rfind("fails")?;
        let answer = rest.trim_end_matches(';').trim_end();
        let fails = self.before()[begin..].trim_end();
        if self.before()[..begin].contains("->") || !(answer.starts_with('(') && answer.ends_with(')')) {
            return None;
        }
        let arrow = self.pieces.span(Range { start: self.at, end: self.at + 2 });
        let diagnostic = Diagnostic::new(Code::OtherWord, arrow, "what an action answers stands before why it fails");
        let whole = self.pieces.span(Range { start: self.code.start + begin, end: self.code.end });
        Some(diagnostic.with_fix("write", whole, format!("-> {answer} {fails};")))
    }

    /// `action ping(app_id: AppId) {}`
    fn body(&self) -> Option<Diagnostic> {
        let before = self.before().trim_end();
        let inside = self.behind(self.at).strip_prefix('{')?.trim_end_matches([';', ' ']).strip_suffix('}')?;
        if !before.ends_with(')') || !inside.trim().is_empty() {
            return None;
        }
        let diagnostic = self.at_found(Code::OtherWord, "an action is declared here, and has no body");
        let start = self.code.start + before.len();
        Some(diagnostic.with_fix("write", self.pieces.span(Range { start, end: self.code.end }), ";"))
    }

    /// `fails NotFound`
    fn reasons(&self) -> Option<Diagnostic> {
        if !self.before().trim_end().ends_with("fails") || !is_word(self.found) {
            return None;
        }
        let rest = self.behind(self.at).trim_end().trim_end_matches(';').trim_end();
        let ours = signature::reasons_of(rest).filter(|ours| !ours.is_empty())?;
        let diagnostic = self.at_found(Code::OtherWord, "reasons stand between braces");
        let whole = self.pieces.span(Range { start: self.at, end: self.code.end });
        Some(diagnostic.with_fix("write", whole, format!("{{ {ours} }};")))
    }
}
