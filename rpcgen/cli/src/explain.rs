//! `rpcgen explain`
//!
//! Knows: where pages come from. Does not know: what is on them.

use rpcgen::breaking;
use rpcgen::diagnostic::Code;

use crate::args::ExplainArgs;
use crate::exit::{End, complain, say};

#[expect(clippy::unnecessary_wraps, reason = "every command has the same end")]
pub(crate) fn run(args: &ExplainArgs) -> rpcgen::Result<End> {
    if let Some(code) = Code::from_id(&args.code) {
        say(code.page());
        return Ok(End::Fine);
    }
    if let Some(rule) = breaking::rule(&args.code) {
        say(&rule.page());
        return Ok(End::Fine);
    }
    complain(&format!("error: there is no code `{}`; the codes are:\n", args.code.escape_debug()));
    for code in Code::ALL {
        complain(&format!("  {}  {}\n", code.id(), code.title()));
    }
    complain("and the rules of `rpcgen breaking`:\n");
    for rule in breaking::RULES {
        complain(&format!("  {}\n", rule.id));
    }
    Ok(End::Usage)
}
