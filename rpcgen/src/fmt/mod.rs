//! One style for `.rpc` files.
//!
//! Knows: the syntax tree and where comments stand. Does not know: what names mean: files that fail the check are formatted too.
//!
//! What a file says is not changed, only how it looks: each comment stays with what it stands before or behind. Formatting what is
//! formatted changes nothing.

mod comments;
mod flat;
mod layout;
mod printer;

use std::path::Path;

use crate::diagnostic::{Code, Diagnostics, Sink};
use crate::source::SourceMap;
use crate::syntax;

/// Lines are no longer where they can be broken.
const WIDTH: usize = 100;

/// The text of a file in the one style, with a newline at its end. `path` is how findings call it.
///
/// # Errors
/// The text cannot be read as a whole: what could not be read could not be printed either.
pub fn format(path: &Path, text: &str) -> Result<String, Box<Diagnostics>> {
    let mut sources = SourceMap::default();
    let source = sources.add(path, text);
    let mut sink = Sink::default();
    let file = syntax::parse(source, text, &mut sink);
    let found = sink.finish(sources);
    // A file that lacks a package is whole but for that.
    let is_whole = found.errors_count() == found.list().iter().filter(|finding| finding.code == Code::Package).count();
    if !is_whole {
        return Err(Box::new(found));
    }
    let formatted = printer::print(&layout::layout(text, &file), text);
    Ok(if has_crlf(text) { formatted.replace('\n', "\r\n") } else { formatted })
}

/// Whether lines end as on Windows: the first one tells.
fn has_crlf(text: &str) -> bool {
    text.find('\n').is_some_and(|end| text[..end].ends_with('\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        format(Path::new("test.rpc"), text).expect("it can be read")
    }

    #[test]
    fn a_file_of_comments_alone_keeps_them() {
        assert_eq!(formatted("\n\n// a\n\n\n// b   "), "// a\n\n// b\n");
        assert_eq!(formatted(""), "");
    }

    #[test]
    fn a_comment_inside_a_declaration_moves_before_it_and_documents_nothing() {
        let text = "package a;\nalias B // why\n  = /// no doc\n u8;\n";
        assert_eq!(formatted(text), "package a;\n\n// why\n// no doc\nalias B = u8;\n");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(format(Path::new("test.rpc"), "package a;\nstruct A { a u8 }").is_err());
    }
}
