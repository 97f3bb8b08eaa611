//! The name that somebody may have meant.
//!
//! Knows: how far two words are from each other. Does not know: what the words are names of.

use std::cmp::Reverse;

/// Words longer than this are not compared: the work grows with the square.
const LENGTH_MAX: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be what was meant. Of equals the one that begins alike longest.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One letter is near to nothing else.
    let allowed = word.len().div_ceil(3).min(3).min(word.len() / 2);
    let small = word.to_ascii_lowercase();
    let near = candidates.into_iter().filter_map(|candidate| {
        let distance = distance(small.as_bytes(), candidate, allowed)?;
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

/// How many letters must be added, dropped, changed or swapped with their neighbour, up to `allowed`; casing counts nothing, `left` is
/// in small letters. The work grows with the shorter word times `allowed` at most, and ends where the two are too far apart.
fn distance(left: &[u8], right: &str, allowed: usize) -> Option<usize> {
    /// In a cell that is not looked at: it is as far from the diagonal as more letters are added or dropped than allowed.
    const FAR: usize = usize::MAX / 2;
    if left.len() > LENGTH_MAX || right.len() > LENGTH_MAX || left.len().abs_diff(right.len()) > allowed {
        return None;
    }
    let right = right.to_ascii_lowercase().into_bytes();
    let begin_alike = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[begin_alike..], &right[begin_alike..]);
    let mut before = [FAR; LENGTH_MAX + 1];
    let mut row: [usize; LENGTH_MAX + 1] = std::array::from_fn(|at| at);
    for i in 1..=left.len() {
        let mut next = [FAR; LENGTH_MAX + 1];
        let mut least_of_row = FAR;
        for j in i.saturating_sub(allowed)..=right.len().min(i + allowed) {
            let mut least = row[j] + 1;
            if j > 0 {
                let changed = row[j - 1] + usize::from(left[i - 1] != right[j - 1]);
                least = least.min(changed).min(next[j - 1] + 1);
            }
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next[j] = least;
            least_of_row = least_of_row.min(least);
        }
        // No later row has less: a swap costs one more than the row before this one, which has one less than this one at most.
        if least_of_row > allowed {
            return None;
        }
        (before, row) = (row, next);
    }
    Some(row[right.len()]).filter(|distance| *distance <= allowed)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest, nearest_or_part};

    /// The same by its definition, without a limit.
    fn by_definition(left: &[u8], right: &[u8]) -> usize {
        let ([left_rest @ .., left_last], [right_rest @ .., right_last]) = (left, right) else {
            return left.len() + right.len();
        };
        let changed = by_definition(left_rest, right_rest) + usize::from(left_last != right_last);
        let one = changed.min(by_definition(left_rest, right) + 1).min(by_definition(left, right_rest) + 1);
        match (left_rest, right_rest) {
            ([left_before @ .., a], [right_before @ .., b]) if a == right_last && b == left_last => {
                one.min(by_definition(left_before, right_before) + 1)
            }
            _ => one,
        }
    }

    #[test]
    fn what_is_given_up_early_is_too_far() {
        let words: Vec<String> = (0..=5)
            .flat_map(|length| (0..3_usize.pow(length)).map(move |number| (length, number)))
            .map(|(length, number)| (0..length).map(|at| ["a", "b", "c"][number / 3_usize.pow(at) % 3]).collect())
            .collect();
        for left in words.iter().step_by(3) {
            for right in words.iter().step_by(5) {
                let exact = by_definition(left.as_bytes(), right.as_bytes());
                for allowed in 0..=3 {
                    let found = distance(left.as_bytes(), right, allowed);
                    assert_eq!(found, Some(exact).filter(|exact| *exact <= allowed), "{left} {right} {allowed}");
                }
            }
        }
    }

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
