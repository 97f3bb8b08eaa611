//! `rpcgen log`: what is in the durable log of a client or a server.
//!
//! Knows: how to show sessions, calls, broadcasts, space, damage. Does not know: formats; `rpcgen-log` and `rpcgen-store` read them.
//!
//! Nothing is changed: a log that is in use may be looked at, and what is shown is then a moment old.

mod report;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use rpcgen_log::{Disk as _, LogError, RealDisk, Survey, repair, survey};
use rpcgen_store::FoundRecords;

use self::report::{Damage, Report};
use crate::exit::{End, complain, say};

/// `rpcgen log`
#[derive(Debug, clap::Args)]
#[command(subcommand_precedence_over_arg = true)]
pub(crate) struct LogArgs {
    /// The directory that was given to `ClientBuilder::log` or `ServerBuilder::log`
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// One JSON document on stdout
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<LogAction>,
}

#[derive(Debug, Subcommand)]
enum LogAction {
    /// Check every CRC and read every record; ends with 1 if something that was durable is damaged
    Verify,
    /// Make a new log of all that can be read of a damaged one; the damaged one stays as it is
    Repair {
        /// Where to; a directory without a log
        #[arg(long, value_name = "NEW_DIR")]
        to: PathBuf,
    },
}

/// While a log is in use its files come and go: how often it is tried to see it whole.
const TRIES: u32 = 5;

pub(crate) fn run(args: &LogArgs) -> Result<End, rpcgen::Error> {
    if !args.directory.is_dir() {
        complain(&format!("error: there is no directory {}\n", args.directory.display()));
        return Ok(End::Usage);
    }
    let result = match &args.action {
        None => look(&args.directory).map(|(survey, found)| show(args, &survey, found)),
        Some(LogAction::Verify) => look(&args.directory).map(|(survey, found)| verify(args, &survey, found)),
        Some(LogAction::Repair { to }) => mend(args, to),
    };
    Ok(result.unwrap_or_else(|error| {
        complain(&format!("error: {}: {error}\n", args.directory.display()));
        End::Findings
    }))
}

fn look(directory: &Path) -> Result<(Survey, FoundRecords), LogError> {
    let mut tries = 1;
    loop {
        let mut found = FoundRecords::default();
        match survey(&mut RealDisk::read_only(directory), &mut |told| found.tell(told)) {
            // A segment that was there when the directory was listed is needed no more.
            Err(LogError::Io { .. }) if tries < TRIES => tries += 1,
            Ok(survey) => return Ok((survey, found)),
            Err(error) => return Err(error),
        }
    }
}

fn show(args: &LogArgs, survey: &Survey, found: FoundRecords) -> End {
    if survey.segments.is_empty() {
        complain(&format!("error: there is no log in {}\n", args.directory.display()));
        return End::Findings;
    }
    let report = Report::new(survey, found);
    say(&if args.json { report.to_json() } else { report.to_text() });
    report.end()
}

fn verify(args: &LogArgs, survey: &Survey, found: FoundRecords) -> End {
    if survey.segments.is_empty() {
        return show(args, survey, found);
    }
    let report = Report::new(survey, found);
    say(&if args.json { report.to_json() } else { report.verdict(&args.directory) });
    report.end()
}

fn mend(args: &LogArgs, to: &Path) -> Result<End, LogError> {
    // A log that is in use is not damaged, and would change while it is read: its lock is taken for as long as this lasts.
    let mut damaged = RealDisk::open(&args.directory)?;
    let survey = repair(&mut damaged, RealDisk::open(to)?)?;
    let losses = survey.losses.iter().map(Damage::of).collect::<Vec<_>>();
    if args.json {
        say(&report::json(&serde_json::json!({ "repaired": to.display().to_string(), "lost": losses })));
    } else {
        let lost: String = losses.iter().map(|damage| format!("lost: {damage}\n")).collect();
        let kept = survey.live_count;
        say(&format!(
            "{lost}{kept} records that can be read are in {}; put it in the place of the old one\n",
            to.display()
        ));
    }
    let _ = damaged.list();
    Ok(End::Fine)
}
