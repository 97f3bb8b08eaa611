//! `rpcgen breaking`
//!
//! Knows: how the two versions are named. Does not know: rules.

use std::path::Path;

use rpcgen::Config;
use rpcgen::breaking::{Baseline, Report};

use crate::args::{BreakingArgs, Format};
use crate::exit::{End, colours, complain, say, show};

#[expect(clippy::unnecessary_wraps, reason = "every command has the same end")]
pub(crate) fn run(args: &BreakingArgs) -> rpcgen::Result<End> {
    let (old, new) = match (&args.against, args.versions.as_slice()) {
        (Some(old), [new]) | (None, [old, new]) => (old, new),
        (Some(_), _) => return Ok(usage("--against names the old version already: give the new one only")),
        (None, _) => return Ok(usage("two versions are needed: the old one and the new one, or --against OLD NEW")),
    };
    let old = Baseline::parse(old, Some(Path::new(new)));
    let new = Baseline::parse(new, None);
    let config = args.search_paths.iter().fold(Config::new(), Config::search_path);
    // Where there is nothing to compare, nothing breaks: that is another end.
    let (old_checked, new_checked) = match (old.check(&config), new.check(&config)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(error), _) | (_, Err(error)) => return Ok(usage(&error.to_string())),
    };
    for checked in [&old_checked, &new_checked].into_iter().filter(|checked| checked.model.is_none()) {
        show(&checked.diagnostics);
    }
    let report = match Report::new(old_checked, new_checked) {
        Ok(report) => report,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let old_name = match &old {
        Baseline::Git { revision, .. } => format!("git:{revision}:"),
        Baseline::Disk(_) => String::new(),
    };
    match args.format {
        Format::Human => {
            complain(&report.to_human(&old_name, colours()));
            summary(&report);
        }
        Format::Json => say(&report.to_json()),
    }
    let is_fine = report.breaking_count() == 0 && (!args.strict || report.findings().is_empty());
    Ok(if is_fine { End::Fine } else { End::Findings })
}

fn summary(report: &Report) {
    let (all, breaking) = (report.findings().len(), report.breaking_count());
    if all > 0 {
        let cautions = all - breaking;
        complain(&format!("{breaking} breaking, {cautions} to take care of; `rpcgen explain RULE` tells more\n"));
    }
}

fn usage(text: &str) -> End {
    complain(&format!("error: {text}\n"));
    End::Usage
}
