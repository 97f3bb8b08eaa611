//! `rpcgen completions`
//!
//! Knows: that they are made from the command line's description. Does not know: shells.

use clap::CommandFactory as _;

use crate::args::{Args, CompletionsArgs};
use crate::exit::{End, say};

#[expect(clippy::unnecessary_wraps, reason = "every command has the same end")]
pub(crate) fn run(args: &CompletionsArgs) -> rpcgen::Result<End> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "rpcgen", &mut script);
    say(&String::from_utf8_lossy(&script));
    Ok(End::Fine)
}
