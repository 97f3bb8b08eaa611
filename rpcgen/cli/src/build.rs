//! `rpcgen build`
//!
//! Knows: all is generated before anything is written. Does not know: how.

use rpcgen::codegen::Form;
use rpcgen::{Config, Generated};

use crate::args::BuildArgs;
use crate::exit::{End, complain, say, show};
use crate::files;

pub(crate) fn run(args: &BuildArgs) -> rpcgen::Result<End> {
    let config = args.search_paths.iter().fold(Config::new(), Config::search_path);
    let checked = config.check(&files::named(&args.files)?);
    show(&checked.diagnostics);
    let Some(model) = &checked.model else { return Ok(End::Findings) };
    let generated = config.generate(model, Form::File)?;
    if args.check {
        return Ok(stale(args, &generated));
    }
    for file in &generated {
        let path = args.out.join(&file.file_name);
        let what = if file.write(&args.out)? { "wrote" } else { "unchanged" };
        say(&format!("{what} {}\n", path.display()));
    }
    Ok(End::Fine)
}

fn stale(args: &BuildArgs, generated: &[Generated]) -> End {
    let mut end = End::Fine;
    for file in generated.iter().filter(|file| !file.is_fresh(&args.out)) {
        let path = args.out.join(&file.file_name);
        let what = if path.exists() { "is not what the .rpc files give now" } else { "is missing" };
        complain(&format!("{} {what}; run the same command without --check\n", path.display()));
        end = End::Findings;
    }
    end
}
