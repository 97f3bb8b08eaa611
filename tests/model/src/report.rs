//! What was looked through, for people and for programs.
//!
//! Knows: reports. Does not know: how they came about.

use std::fmt::Write as _;

use crate::explore::Report;

impl Report {
    /// Whether nothing is wrong, and everything that should have been seen was. Of a world that was not looked through to its end
    /// nobody can say that something is never seen.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.counterexample.is_none() && (self.missing.is_empty() || !self.is_complete)
    }

    /// As a row of the table of docs/evidence/model.md.
    #[must_use]
    pub fn row(&self) -> String {
        let states = if self.is_complete { "all" } else { "some" };
        let (name, about, unique) = (self.configuration.name, self.configuration.about, grouped(self.unique_states));
        let (steps, depth, seconds) = (grouped(self.steps), self.depth, self.took.as_secs_f64());
        format!(
            "| ({name}) | {about} | {unique} | {states} | {steps} | {depth} | {seconds:.1} | {} |",
            self.seen.join(", ")
        )
    }

    /// As an object.
    #[must_use]
    pub fn json(&self) -> String {
        let list = |words: &[&str]| words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(",");
        let violated = self.counterexample.as_ref().map(|(violation, _)| violation.invariant);
        let violated = violated.map_or_else(|| "null".to_owned(), |name| format!("{name:?}"));
        let (name, unique, complete) = (self.configuration.name, self.unique_states, self.is_complete);
        let (steps, depth, seconds) = (self.steps, self.depth, self.took.as_secs_f64());
        let counts = format!(r#""unique_states":{unique},"complete":{complete},"steps":{steps},"depth":{depth}"#);
        let outcomes = format!(r#""seen":[{}],"missing":[{}]"#, list(&self.seen), list(&self.missing));
        format!(r#"{{"config":{name:?},{counts},"seconds":{seconds:.1},{outcomes},"violated":{violated}}}"#)
    }

    /// What is wrong, in lines; empty if nothing is.
    #[must_use]
    pub fn complaint(&self) -> String {
        let mut text = String::new();
        if let Some((violation, steps)) = &self.counterexample {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "({}) {} does not hold: {}",
                self.configuration.name, violation.invariant, violation.how
            );
            for (number, step) in (1..).zip(steps) {
                let _ = writeln!(text, "{number:5}. {step}");
            }
        } else if !self.missing.is_empty() {
            let _ = writeln!(text, "({}) never seen: {}", self.configuration.name, self.missing.join(", "));
        }
        text
    }
}

/// The table's first lines.
pub const HEAD: &str = "| configuration | what | unique states | looked at | steps | depth | s | seen |
| --- | --- | --: | --- | --: | --: | --: | --- |";

/// A number with its digits in groups of three.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!([grouped(7), grouped(123), grouped(1_234), grouped(1_234_567)], ["7", "123", "1,234", "1,234,567"]);
    }
}
