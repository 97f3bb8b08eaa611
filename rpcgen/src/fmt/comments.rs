//! Comments by their place.
//!
//! Knows: where each comment begins and ends, and which have been printed. Does not know: the tree.

use std::ops::Range;

/// The comments of a text that are not printed yet.
pub(super) struct Comments<'t> {
    text: &'t str,
    /// In order.
    ranges: Vec<Range<usize>>,
    taken: Vec<bool>,
    /// All before it are taken.
    first: usize,
}

impl<'t> Comments<'t> {
    /// Finds them; what is in a string is none.
    pub(super) fn find(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let (mut ranges, mut at) = (Vec::new(), 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at = string_end(bytes, at + 1),
                b'/' if bytes.get(at + 1) == Some(&b'/') => {
                    let end =
                        bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length);
                    let trimmed = text[at..end].trim_end().len();
                    ranges.push(at..at + trimmed);
                    at = end;
                }
                _ => at += 1,
            }
        }
        let taken = vec![false; ranges.len()];
        Self { text, ranges, taken, first: 0 }
    }

    /// Whether any that is left stands in this range.
    pub(super) fn is_any_in(&self, range: &Range<usize>) -> bool {
        self.indices_in(range).next().is_some()
    }

    /// Takes all that are left in this range.
    pub(super) fn take_in(&mut self, range: &Range<usize>) -> Vec<Range<usize>> {
        let indices: Vec<usize> = self.indices_in(range).collect();
        self.take(&indices)
    }

    /// Takes those left in `range` that stand in none of `groups`.
    pub(super) fn take_between(&mut self, range: &Range<usize>, groups: &[Range<usize>]) -> Vec<Range<usize>> {
        let inside = |at: usize| groups.iter().any(|group| group.contains(&at));
        let indices: Vec<usize> = self.indices_in(range).filter(|index| !inside(self.ranges[*index].start)).collect();
        self.take(&indices)
    }

    /// Takes the one that stands behind `end` on the same line, with nothing but separators before it.
    pub(super) fn take_behind(&mut self, end: usize) -> Option<Range<usize>> {
        let index = self.indices_in(&(end..self.text.len())).next()?;
        // Stops at the first other character: a line may be as long as the file.
        let between = &self.text[end..self.ranges[index].start];
        let is_behind = between.chars().all(|c| c != '\n' && c.is_whitespace() || matches!(c, ',' | ';'));
        if is_behind { self.take(&[index]).pop() } else { None }
    }

    fn take(&mut self, indices: &[usize]) -> Vec<Range<usize>> {
        for index in indices {
            self.taken[*index] = true;
        }
        while self.taken.get(self.first) == Some(&true) {
            self.first += 1;
        }
        indices.iter().map(|index| self.ranges[*index].clone()).collect()
    }

    fn indices_in<'s>(&'s self, range: &Range<usize>) -> impl Iterator<Item = usize> + use<'s, 't> {
        let start = self.ranges.partition_point(|comment| comment.start < range.start).max(self.first);
        let end = self.ranges.partition_point(|comment| comment.start < range.end);
        (start..end).filter(|index| !self.taken[*index])
    }
}

/// The first byte from `at` on that is neither blank nor in a comment.
pub(super) fn next_code(text: &str, mut at: usize) -> usize {
    loop {
        at = text.len() - text[at..].trim_start().len();
        if !text[at..].starts_with("//") {
            return at;
        }
        at = text[at..].find('\n').map_or(text.len(), |length| at + length);
    }
}

/// One past the quote that ends a string, or the end of its line.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' => return at,
            b'\\' if bytes.get(at + 1).is_some_and(|next| *next != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    at
}
