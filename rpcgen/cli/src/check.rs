//! `rpcgen check`
//!
//! Knows: the three formats. Does not know: rules.

use rpcgen::Config;

use crate::args::{CheckArgs, CheckFormat};
use crate::exit::{End, say, show};
use crate::files;

pub(crate) fn run(args: &CheckArgs) -> rpcgen::Result<End> {
    let config = args.search_paths.iter().fold(Config::new(), Config::search_path);
    let checked = config.check(&files::named(&args.files)?);
    match args.format {
        CheckFormat::Human => show(&checked.diagnostics),
        CheckFormat::Sarif => say(&checked.diagnostics.to_sarif()),
        CheckFormat::Json => say(&checked.diagnostics.to_json()),
    }
    Ok(if checked.diagnostics.has_errors() { End::Findings } else { End::Fine })
}
