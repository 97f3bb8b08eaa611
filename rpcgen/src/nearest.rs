//! The name that somebody may have meant.
//!
//! Knows: how far two words are from each other. Does not know: what the words are names of.

use std::cmp::Reverse;

/// Words longer than this are not compared: the work grows with the square.
const LENGTH_MAX: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be what was meant. Of equals the one that begins alike longest.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = word.len().div_ceil(3).min(3);
    let near = candidates.into_iter().filter_map(|candidate| {
        let distance = distance(word, candidate, allowed)?;
        let alike = word.bytes().zip(candidate.bytes()).take_while(|(left, right)| left == right).count();
        Some((distance, Reverse(alike), candidate))
    });
    near.min_by_key(|(distance, alike, _)| (*distance, *alike)).map(|(_, _, candidate)| candidate)
}

/// The nearest candidate, or the only one of which the word is the first or the last part: `order` of `order_id`.
pub(crate) fn nearest_or_part<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    nearest(word, candidates.clone()).or_else(|| {
        let is_part = |candidate: &&str| {
            let (first, last) = (candidate.strip_prefix(word), candidate.strip_suffix(word));
            first.is_some_and(|rest| rest.starts_with('_')) || last.is_some_and(|rest| rest.ends_with('_'))
        };
        let mut having = candidates.into_iter().filter(is_part);
        having.next().filter(|found| having.all(|other| other == *found))
    })
}

/// How many letters must be added, dropped, changed or swapped with their neighbour, up to `allowed`; casing counts nothing.
fn distance(left: &str, right: &str, allowed: usize) -> Option<usize> {
    if left.len() > LENGTH_MAX || right.len() > LENGTH_MAX || left.len().abs_diff(right.len()) > allowed {
        return None;
    }
    let (left, right) = (left.to_ascii_lowercase().into_bytes(), right.to_ascii_lowercase().into_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut next = vec![i];
        for j in 1..=right.len() {
            let changed = row[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut least = changed.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|distance| *distance <= allowed)
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_or_part};

    #[test]
    fn a_part_of_one_name_alone_means_it() {
        assert_eq!(nearest_or_part("order", ["user", "order_id"]), Some("order_id"));
        assert_eq!(nearest_or_part("id", ["user", "order_id"]), Some("order_id"));
        assert_eq!(nearest_or_part("id", ["user_id", "order_id"]), None);
        assert_eq!(nearest_or_part("order", ["reorder_no", "ordering"]), None);
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("Acount", ["Amount", "Account"]), Some("Account"));
        assert_eq!(nearest("sturct", ["service", "struct"]), Some("struct"));
        assert_eq!(nearest("ab", ["xyz", "cd"]), None);
        assert_eq!(nearest("STRING", ["string"]), Some("string"));
    }
}
