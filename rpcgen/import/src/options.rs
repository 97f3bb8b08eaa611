//! Options of `.proto` files.
//!
//! Knows: which ones have a like in `.rpc`, which ones concern only generators for other languages. Does not know: where they stand.
//! The parser leaves every option as it was written: nothing here depends on extensions being found.

use prost_types::UninterpretedOption;

/// Options that say how other generators work, or how protobuf writes bytes: nothing of a service is lost with them.
const OF_GENERATORS: [&str; 29] = [
    "java_package",
    "java_outer_classname",
    "java_multiple_files",
    "java_generate_equals_and_hash",
    "java_string_check_utf8",
    "java_generic_services",
    "optimize_for",
    "go_package",
    "cc_generic_services",
    "cc_enable_arenas",
    "py_generic_services",
    "php_generic_services",
    "objc_class_prefix",
    "csharp_namespace",
    "swift_prefix",
    "php_class_prefix",
    "php_namespace",
    "php_metadata_namespace",
    "ruby_package",
    "packed",
    "ctype",
    "jstype",
    "lazy",
    "unverified_lazy",
    "weak",
    "json_name",
    "allow_alias",
    "message_set_wire_format",
    "no_standard_descriptor_accessor",
];

/// `deprecated = true`
pub(crate) const DEPRECATED: &str = "deprecated";
/// `debug_redact = true`
pub(crate) const SENSITIVE: &str = "debug_redact";
/// `(google.api.field_behavior) = REQUIRED`
pub(crate) const REQUIRED: &str = "(google.api.field_behavior)";

/// What the options of one thing say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) deprecated: bool,
    /// `debug_redact`: it is not to be printed.
    pub(crate) sensitive: bool,
    /// `(google.api.field_behavior) = REQUIRED`
    pub(crate) required: bool,
    /// Those that have no like: which one it is, and its name.
    pub(crate) lost: Vec<(usize, String)>,
}

impl Options {
    /// `likes` names those that have a like where they stand.
    pub(crate) fn of(options: &[UninterpretedOption], likes: &[&str]) -> Self {
        let mut out = Self::default();
        for (index, option) in options.iter().enumerate() {
            let name = name(option);
            let word = option.identifier_value();
            match name.as_str() {
                DEPRECATED | SENSITIVE if word == "false" => {}
                DEPRECATED if likes.contains(&DEPRECATED) => out.deprecated = true,
                SENSITIVE if likes.contains(&SENSITIVE) => out.sensitive = true,
                REQUIRED if likes.contains(&REQUIRED) && word == "REQUIRED" => out.required = true,
                known if OF_GENERATORS.contains(&known) => {}
                // One option may stand several times, and in parts.
                _ if out.lost.iter().any(|(_, lost)| *lost == name) => {}
                _ => out.lost.push((index, name)),
            }
        }
        out
    }
}

/// `(google.api.http).get` is `(google.api.http)`: its parts are lost with it.
fn name(option: &UninterpretedOption) -> String {
    match option.name.first() {
        Some(part) if part.is_extension => format!("({})", part.name_part.trim_start_matches('.')),
        Some(part) => part.name_part.clone(),
        None => String::new(),
    }
}
