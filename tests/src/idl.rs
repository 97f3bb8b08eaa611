//! Texts that nobody wrote: each is a model, or has errors that say where.

use rpcgen::codegen::Form;
use rpcgen::load::Memory;

/// As many diagnostics as a run shows at most.
const DIAGNOSTICS_MAX: usize = 200;

/// What an import may find.
const SHARED: &str = "package money;\nstruct Amount { cents: i64, currency: string @max(3) }\n";

fn check(text: &[u8]) {
    let files = Memory::default().with("fuzz.rpc", text).with("money.rpc", SHARED);
    let config = rpcgen::Config::new();
    let checked = config.check_in(&files, &["fuzz.rpc"]);
    assert_eq!(checked.model.is_none(), checked.diagnostics.has_errors(), "a model, or errors");
    assert!(checked.diagnostics.list().len() <= DIAGNOSTICS_MAX);
    let _ = (checked.diagnostics.to_human(false), checked.diagnostics.to_json());
    if let Some(model) = &checked.model {
        // Rust, or a named error: names of the generated code may meet.
        let _ = config.generate(model, Form::File);
    }
}

/// Any bytes as a text.
///
/// # Panics
/// The compiler does, or it says both that all is well and that it is not.
pub fn fuzz_idl_parse(data: &[u8]) {
    check(data);
}

/// The language's words.
pub const WORDS: [&str; 64] = [
    "package",
    "import",
    "struct",
    "enum",
    "service",
    "action",
    "broadcast",
    "const",
    "alias",
    "fails",
    "to",
    "origin",
    "of",
    "by",
    "x",
    "Y",
    "AppId",
    "app_id: AppId",
    "u8",
    "u32",
    "i64",
    "f64",
    "bool",
    "string",
    "bytes",
    "uuid",
    "timestamp",
    "duration",
    "3",
    "3s",
    "-1",
    "1.5",
    "true",
    "\"s\"",
    "b\"s\"",
    "\"money.rpc\"",
    "money.Amount",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    ",",
    ":",
    "?",
    "@",
    "@max(3)",
    "@fixed",
    "@deadline(5s)",
    "@persist(memory)",
    "@sensitive",
    "@deprecated(\"d\")",
    "=",
    "->",
    ".",
    "\n",
    "/// doc\n",
    "//! doc\n",
    "// c\n",
    "/*",
    "\"",
    "é",
];

/// Words in any order, with or without spaces between them; the first is a package so that the rest is read.
///
/// # Panics
/// As [`fuzz_idl_parse`].
pub fn fuzz_idl_tokens(data: &[u8]) {
    let mut text = String::from("package fuzz;\n");
    for byte in data {
        text.push_str(WORDS[usize::from(byte % 64)]);
        if *byte < 192 {
            text.push(' ');
        }
    }
    check(text.as_bytes());
}
