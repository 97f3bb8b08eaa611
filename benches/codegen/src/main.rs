//! The compile time and size of generated code beside that of tonic and prost, for one service of a hundred actions.
//!
//! One `.proto` file is made. `tonic-prost-build` makes Rust of it; `rpcgen import` makes a `.rpc` file of it, and `rpcgen` makes Rust of
//! that. Each text is compiled in a crate of its own that serves every action and calls each once, since both leave much to generics that
//! cost nothing until they are used. What is told is processor time of cargo and rustc, that of a cargo with nothing to do taken off.
//! Rounds alternate between the two, and the medians are told: the ratio is worth more than the seconds.

mod schema;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// So many actions.
const ACTIONS_COUNT: usize = 100;

/// Each is compiled so many times; odd, for the median. `CODEGEN_BENCH_ROUNDS` says otherwise.
const ROUNDS_COUNT: usize = 5;

/// How the crate is compiled.
const WAYS: [(&str, &[&str]); 3] =
    [("cargo check", &["check"]), ("cargo build", &["build"]), ("cargo build --release", &["build", "--release"])];

fn main() -> Result<(), Box<dyn Error>> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = home.join("target/codegen");
    fs::create_dir_all(&folder)?;
    let ours =
        Side { package: "ours", variable: "CODEGEN_BENCH_OURS", home, generated: ours(&folder)?, folder: &folder };
    let theirs = Side {
        package: "theirs",
        variable: "CODEGEN_BENCH_THEIRS",
        home,
        generated: theirs(&folder)?,
        folder: &folder,
    };
    fs::write(folder.join("ours_used.rs"), schema::ours_used(ACTIONS_COUNT))?;
    fs::write(folder.join("theirs_used.rs"), schema::theirs_used(ACTIONS_COUNT))?;

    println!("{ACTIONS_COUNT} actions          rpcgen    tonic + prost   ratio");
    rows_of_size("generated", &fs::read_to_string(&ours.generated)?, &fs::read_to_string(&theirs.generated)?);
    // prost leaves to a derive what our text says: what rustc sees of both is comparable.
    rows_of_size("expanded", &ours.expanded()?, &theirs.expanded()?);
    let rounds_count =
        std::env::var("CODEGEN_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS_COUNT);
    for (name, arguments) in WAYS {
        let (mut our_seconds, mut their_seconds) = (Vec::new(), Vec::new());
        for round in 0..=rounds_count {
            let pair = (ours.compile(arguments)?, theirs.compile(arguments)?);
            // The first one compiles dependencies as well.
            if round > 0 {
                our_seconds.push(pair.0);
                their_seconds.push(pair.1);
            }
        }
        row(&format!("{name}, s"), median(our_seconds), median(their_seconds), 2);
    }
    row("bytes of the .rlib, release", ours.library_bytes()? as f64, theirs.library_bytes()? as f64, 0);
    Ok(())
}

fn rows_of_size(of_what: &str, ours: &str, theirs: &str) {
    let lines = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    row(&format!("bytes {of_what}"), ours.len() as f64, theirs.len() as f64, 0);
    row(&format!("lines {of_what}"), lines(ours) as f64, lines(theirs) as f64, 0);
}

fn row(name: &str, ours: f64, theirs: f64, digits: usize) {
    println!("{name:<28} {ours:>10.digits$} {theirs:>12.digits$} {:>8.2}", ours / theirs);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// `.proto` to `.rpc` to Rust.
fn ours(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let proto = folder.join("things.proto");
    fs::write(&proto, schema::proto(ACTIONS_COUNT))?;
    let imported = rpcgen_import::Importer::new().import(&[&proto])?;
    let [file] = imported.files.as_slice() else { return Err("one package is one file".into()) };
    let rpc = folder.join(&file.name);
    fs::write(&rpc, &file.text)?;
    let config = rpcgen::Config::new();
    let checked = config.check(&[&rpc]);
    let model = checked.model.ok_or_else(|| checked.diagnostics.to_human(false))?;
    let generated = config.generate(&model, rpcgen::codegen::Form::Include)?;
    let path = folder.join("ours.rs");
    fs::write(&path, &generated[0].text)?;
    Ok(path)
}

/// `.proto` to Rust.
fn theirs(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let files = protox::compile([folder.join("things.proto")], [folder])?;
    tonic_prost_build::configure().out_dir(folder).compile_fds(files)?;
    Ok(folder.join("things.rs"))
}

/// One of the two.
struct Side<'a> {
    package: &'a str,
    variable: &'a str,
    home: &'a Path,
    folder: &'a Path,
    generated: PathBuf,
}

impl Side<'_> {
    /// Compiles the crate anew: processor time in seconds, without what cargo takes to find that all is fresh.
    fn compile(&self, arguments: &[&str]) -> Result<f64, Box<dyn Error>> {
        // Written anew, it is newer than what was made of it.
        fs::write(&self.generated, fs::read(&self.generated)?)?;
        let busy = self.cargo(arguments)?;
        let idle = self.cargo(arguments)?;
        Ok(busy - idle)
    }

    /// The crate's text when all macros of it are expanded. The flag is an unstable one, which rustc takes from whoever asks so.
    fn expanded(&self) -> Result<String, Box<dyn Error>> {
        let output =
            self.command(&["rustc"]).args(["--", "-Zunpretty=expanded"]).env("RUSTC_BOOTSTRAP", "1").output()?;
        self.said(output)
    }

    /// What `cargo build --release` left.
    fn library_bytes(&self) -> Result<u64, Box<dyn Error>> {
        let library = self.home.join("target/compiled/release").join(format!("lib{}.rlib", self.package));
        Ok(fs::metadata(library)?.len())
    }

    fn cargo(&self, arguments: &[&str]) -> Result<f64, Box<dyn Error>> {
        let before = children_seconds()?;
        self.said(self.command(arguments).output()?)?;
        Ok(children_seconds()? - before)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(arguments)
            .args(["--package", self.package, "--quiet", "--target-dir"])
            .arg(self.home.join("target/compiled"))
            .current_dir(self.home)
            .env("CARGO_INCREMENTAL", "0")
            .env(self.variable, &self.generated)
            .env(format!("{}_USED", self.variable), self.folder.join(format!("{}_used.rs", self.package)));
        command
    }

    fn said(&self, output: Output) -> Result<String, Box<dyn Error>> {
        if !output.status.success() {
            return Err(format!("{}: {}", self.package, String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Processor time of all children that have ended, from `/proc`: Linux only, in hundredths of a second.
fn children_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let ticks: u64 = fields.split_whitespace().skip(13).take(2).map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Ok(ticks as f64 / 100.0)
}
