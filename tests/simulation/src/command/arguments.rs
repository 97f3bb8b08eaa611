//! The options of the command line.
//!
//! Knows: their names and defaults. Does not know: who uses them.

use std::str::FromStr;

/// What was asked for; `None` where nothing was said.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) from: Option<u64>,
    pub(super) seeds: Option<u64>,
    pub(super) minutes: Option<f64>,
    pub(super) threads: Option<usize>,
    pub(super) all: bool,
    pub(super) json: bool,
    pub(super) smoke: bool,
    pub(super) only: Option<String>,
    pub(super) table: Option<String>,
    pub(super) file: Option<String>,
    pub(super) plan: Option<String>,
    pub(super) mutant: Option<String>,
    pub(super) commit: Option<String>,
}

impl Arguments {
    /// Reads the words after the command's own.
    ///
    /// # Errors
    /// A word that is no option, or an option without its value.
    pub(super) fn read(words: Vec<String>) -> Result<Self, String> {
        let mut read = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--from" => read.from = Some(number(&value()?)?),
                "--seeds" => read.seeds = Some(number(&value()?)?),
                "--minutes" => read.minutes = Some(number(&value()?)?),
                "--threads" => read.threads = Some(number(&value()?)?),
                "--only" => read.only = Some(value()?),
                "--table" => read.table = Some(value()?),
                "--file" => read.file = Some(value()?),
                "--plan" => read.plan = Some(value()?),
                "--mutant" => read.mutant = Some(value()?),
                "--commit" => read.commit = Some(value()?),
                "--all" => read.all = true,
                "--json" => read.json = true,
                "--smoke" => read.smoke = true,
                _ => return Err(format!("there is no option `{word}`")),
            }
        }
        Ok(read)
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}
