//! Members of a service, and what can be read of those that are broken.
//!
//! Knows: the words that begin a member, ours and others'. Does not know: how a signature of another language is written here
//! (`signature`). A member of which a part cannot be read is kept without it: what is wrong with the rest is told in the same run.

use pest::Parser as _;

use super::ast::{Member, Name};
use super::build::Builder;
use super::parse::{Parser, Rule, first_token, grammar, is_whole};
use super::signature;
use super::split::{Cut, Group, Range};
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;
use crate::nearest::nearest;

impl Parser<'_> {
    /// Members of a service between its braces.
    pub(super) fn members(&mut self, group: Group) -> Vec<Member> {
        let ranges = self.pieces.cut(group.inside(), Cut::Members, &mut self.sink);
        self.each(&ranges, Self::member).into_iter().flatten().collect()
    }

    fn member(&mut self, range: Range) -> Option<Member> {
        let Some(word) = self.pieces.leading_word(range) else {
            self.not_a_member(range, range);
            return None;
        };
        let rule = match self.pieces.text(word) {
            "action" => Rule::action,
            "broadcast" => Rule::broadcast,
            "reserved" => {
                self.reserved(range, "action");
                return None;
            }
            modifier if foreign::is_modifier(modifier) => match self.behind_modifier(word, range) {
                Some(rest) => return self.member(rest),
                None => return self.not_a_member(word, range),
            },
            _ => return self.not_a_member(word, range),
        };
        let member = self.piece(range, rule, |builder, pairs, groups| builder.member(pairs, groups));
        member.or_else(|| self.parts_of_member(word, range, rule, None))
    }

    /// Reports a member that begins with another word, and keeps what can be read of it.
    fn not_a_member(&mut self, word: Range, range: Range) -> Option<Member> {
        let code = self.pieces.trim(word);
        drop(self.take_docs(range, false));
        if self.is_reported(range) {
            return self.lost_name(range).map(Member::Lost);
        }
        let found = first_token(self.pieces.text(code));
        let span = self.pieces.span(Range { start: code.start, end: code.start + found.len() });
        if found == ";" {
            let diagnostic = Diagnostic::new(Code::Separator, span, "one `;` ends an action or a broadcast");
            self.sink.push(diagnostic.with_fix("remove it", span, ""));
            return None;
        }
        let message = format!("expected `action` or `broadcast`, found `{}`", found.escape_debug());
        let diagnostic = Diagnostic::new(Code::UnknownMember, span, message);
        let behind = self.pieces.trim(Range { start: code.start + found.len(), end: range.end.max(word.end) });
        if ["action", "broadcast"].contains(&first_token(self.pieces.text(behind))) {
            let whole = self.pieces.span(Range { start: code.start, end: behind.start });
            self.sink.push(diagnostic.with_fix("leave it out", whole, ""));
            return self.member(behind);
        }
        if let Some(ours) = nearest(found, ["action", "broadcast"]).filter(|_| foreign::member(found).is_none()) {
            self.sink.push(diagnostic.with_fix("did you mean", span, ours));
            return self.parts_of_member(word, range, rule_of(ours), None);
        }
        self.foreign_member(word, range, diagnostic)
    }

    /// `rpc Get(GetRequest) returns (Item);`, `fn add(a: i32) -> i32;`: with a word for another, or as a whole, as it is written here.
    fn foreign_member(&mut self, word: Range, range: Range, diagnostic: Diagnostic) -> Option<Member> {
        let found = self.pieces.text(word);
        let whole = Range { start: word.start, end: self.pieces.trim(range).end.max(word.end) };
        let (text, behind) = (self.pieces.text(whole), self.pieces.text(Range { start: word.end, ..whole }));
        let ours = foreign::member(found);
        let diagnostic = if found == "rpc" {
            diagnostic.with_help("moving from protobuf: `rpcgen import FILE.proto` makes `.rpc` files of it")
        } else {
            diagnostic
        };
        if let Some(ours) = ours.filter(|ours| found != "stream" && signature::is_member(&format!("{ours}{behind}"))) {
            let span = diagnostic.primary.span;
            self.sink.push(diagnostic.with_fix("write", span, ours));
            return self.parts_of_member(word, range, rule_of(ours), None);
        }
        let Some(written) = signature::ours(text, ours.unwrap_or("action")) else {
            self.sink.push(diagnostic.with_help("a service has actions and broadcasts, each ended by `;`"));
            return self.lost_name(range).map(Member::Lost);
        };
        let diagnostic = if written.is_stream {
            let diagnostic = Diagnostic::new(Code::Stream, diagnostic.primary.span, "an action answers once");
            diagnostic.with_help("what comes later, and again, is a broadcast to the node that asked")
        } else {
            diagnostic
        };
        self.sink.push(diagnostic.with_fix("write", self.pieces.span(whole), written.text.as_str()));
        self.parts_of_member(word, range, rule_of(ours.unwrap_or("action")), Some(&written.text))
    }

    /// What can be read of a broken member: its annotations, its name, what it is asked and why it fails. Where it was told how all of it
    /// is `written` here, what is written otherwise there is not told of again.
    fn parts_of_member(&mut self, word: Range, range: Range, rule: Rule, written: Option<&str>) -> Option<Member> {
        let code = self.pieces.trim(range);
        let bare = Range { start: word.start, end: code.end };
        let groups = self.pieces.groups(code);
        if word.start > code.start && is_whole(rule, &self.pieces.emptied(bare, &groups)) {
            return self.piece(bare, rule, |builder, pairs, groups| builder.member(pairs, groups));
        }
        let ended = self.pieces.emptied(bare, &groups) + ";";
        if let Ok(pairs) = grammar::PieceParser::parse(rule, &ended).map_err(drop)
            && !self.is_reported(range)
        {
            return Builder { parser: self, code: bare, docs: Vec::new(), sound: true }.member(pairs, &groups);
        }
        let is_open = |group: &Group| self.pieces.text(group.whole()).starts_with('(');
        let Some(request) = groups.first().copied().filter(is_open) else {
            return self.lost_name(range).map(Member::Lost);
        };
        let name = self.last_word(Range { start: word.start, end: request.open })?;
        if name.start == word.start && ["action", "broadcast"].contains(&self.pieces.text(name)) {
            return None;
        }
        let lost = Member::Lost(Name::new(self.pieces.text(name), self.pieces.span(name)));
        if self.is_reported(range) || written.is_some_and(|written| !self.is_as_written(name, request, written)) {
            return Some(lost);
        }
        let clause = groups[1..].iter().find_map(|group| {
            let fails = self.last_word(Range { start: request.whole().end, end: group.open })?;
            (self.pieces.text(fails) == "fails")
                .then_some((*group, Range { start: fails.start, end: group.whole().end }))
        });
        let (fails, clause) = clause.unzip();
        let groups: Vec<Group> = std::iter::once(request).chain(fails).collect();
        let kept = [Range { start: code.start, end: word.start }, name, request.whole()];
        let text = self.pieces.kept(code, &groups, &kept.into_iter().chain(clause).collect::<Vec<_>>());
        let Ok(pairs) = grammar::PieceParser::parse(Rule::signature, &text) else { return Some(lost) };
        let mut builder = Builder { parser: self, code, docs: Vec::new(), sound: true };
        builder.signature(pairs, &groups, rule, written.is_some()).or(Some(lost))
    }

    /// The word that a text ends with.
    fn last_word(&self, range: Range) -> Option<Range> {
        let text = self.pieces.text(range).trim_end();
        let word = &text[text.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len()..];
        let end = range.start + text.len();
        (!word.is_empty()).then_some(Range { start: end - word.len(), end })
    }

    fn is_as_written(&self, name: Range, request: Group, written: &str) -> bool {
        let name = format!(" {}(", self.pieces.text(name));
        written.contains(&name) && written.contains(self.pieces.text(request.inside()).trim())
    }
}

fn rule_of(word: &str) -> Rule {
    if word == "broadcast" { Rule::broadcast } else { Rule::action }
}
