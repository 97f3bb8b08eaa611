//! What stands at a place, in words.
//!
//! Knows: how a declaration is shown: as it is written, with its documentation. Does not know: where it is shown.

use super::index::{Kind, Symbol};
use super::lexer::{self, Lexeme};
use super::{Project, words};
use crate::source::{SourceId, Span};

/// So many lines of a declaration are shown.
const LINES_MAX: usize = 24;

/// What is said of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// What it is said of.
    pub at: Span,
    /// Markdown.
    pub text: String,
}

impl Project {
    /// What stands at this byte. `None`: nothing that there is anything to say of.
    pub fn hover(&self, source: SourceId, at: u32) -> Option<Hover> {
        if let Some(found) = self.occurrence(source, at) {
            let mut parts: Vec<String> = found.symbols.iter().map(|id| self.describe(self.symbol(*id))).collect();
            parts.dedup();
            return Some(Hover { at: found.at, text: parts.join("\n\n---\n\n") });
        }
        let text = self.sources().source(source)?.text();
        let parts = lexer::lex(text);
        let byte = at as usize;
        let index = parts.iter().position(|(_, range)| range.start <= byte && byte <= range.end)?;
        let word_at = |index: usize| parts.get(index).filter(|(lexeme, _)| *lexeme == Lexeme::Word);
        let holds = |(_, range): &&(Lexeme, std::ops::Range<usize>)| range.start <= byte && byte <= range.end;
        // A cursor between a sign and a word is at the word.
        let (index, (_, range)) = word_at(index)
            .map(|part| (index, part))
            .or_else(|| word_at(index + 1).filter(holds).map(|part| (index + 1, part)))?;
        let is_annotation = index.checked_sub(1).is_some_and(|before| &text[parts[before].1.clone()] == "@");
        let word = &text[range.clone()];
        let meaning = words::meaning(word, is_annotation)?;
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mark = if is_annotation { "@" } else { "" };
        let at = Span::new(source, offset(range.start), offset(range.end));
        Some(Hover { at, text: format!("```rpc\n{mark}{word}\n```\n\n{meaning}") })
    }

    fn describe(&self, symbol: &Symbol) -> String {
        let shown = match symbol.kind {
            Kind::Package => format!("package {}", symbol.name),
            Kind::Service => format!("service {}", symbol.name),
            _ => self.written(symbol.whole),
        };
        let mut out = format!("```rpc\n{shown}\n```");
        let owner = symbol.owner.map(|owner| self.symbol(owner));
        if let Some(owner) = owner.filter(|_| matches!(symbol.kind, Kind::Field | Kind::Variant | Kind::Reason)) {
            out.push_str(&format!("\n\nin `{}`", owner.name));
        }
        if !symbol.docs.is_empty() {
            out.push_str(&format!("\n\n{}", symbol.docs.join("\n")));
        }
        out
    }

    /// A declaration as it stands in its file, moved to the left, the rest of a long one left out.
    fn written(&self, whole: Span) -> String {
        let text = self.text(whole);
        // The first line begins at the declaration itself; the last one says how far it is moved in.
        let margin = |line: &str| line.len() - line.trim_start().len();
        let indent = text.lines().skip(1).filter(|line| !line.trim().is_empty()).map(margin).min().unwrap_or(0);
        let mut lines: Vec<&str> = text
            .lines()
            .enumerate()
            .map(|(number, line)| if number == 0 { line } else { line.get(indent..).unwrap_or_default() })
            .collect();
        if lines.len() > LINES_MAX {
            lines.truncate(LINES_MAX);
            lines.push("..");
        }
        lines.join("\n")
    }
}
