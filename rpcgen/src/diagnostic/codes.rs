//! The one table of what the compiler can find.
//!
//! Knows: each rule's code, its title and its page in `docs/errors`. Does not know: how a rule is checked.
//! A code is never given to another rule, and a retired one is never used again.

/// Whether a finding stops the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is generated.
    Error,
    /// Said, and passed over.
    Warning,
}

macro_rules! codes {
    ($($name:ident $id:literal $title:literal;)*) => {
        /// A rule that a source can break.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!($id, ": ", $title, ".")] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// `E001`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }

            /// What is wrong, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// The page that `rpcgen explain` prints: what it means, a wrong example, a right one.
            pub const fn page(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../../../docs/errors/", $id, ".md"))),* }
            }
        }
    };
}

codes! {
    Syntax           "E001" "the text is not in the language";
    Bracket          "E002" "a bracket without its other half";
    Literal          "E003" "a literal that cannot be read";
    Unreadable       "E004" "a file that cannot be read";
    NotUtf8          "E005" "a file that is not UTF-8";
    TooLarge         "E006" "more than the compiler takes";
    Package          "E007" "a file without one package declaration at its top";
    ImportCycle      "E008" "files that import each other in a circle";
    SamePackage      "E009" "two files of one package";
    Duplicate        "E010" "one name for two things";
    Unknown          "E011" "a name that nothing has";
    SameInRust       "E012" "two names that are one in the generated code";
    Reserved         "E013" "a name that is taken";
    AppIdFirst       "E020" "an action or broadcast without app_id";
    Endless          "E021" "a type that contains itself without end";
    MapKey           "E022" "a type that cannot be the key of a map";
    OptionalTwice    "E023" "an optional of an optional";
    EmptyEnum        "E024" "an enum without variants";
    ConstantType     "E025" "a constant that is not of a scalar type";
    Value            "E030" "a value of another type";
    Limit            "E031" "a limit that makes no sense";
    Annotation       "E032" "an annotation that does not belong here";
    Correlation      "E040" "a correlation field that the two sides do not share";
    UnusedImport     "W001" "an import that nothing uses";
    LostDoc          "W002" "a doc comment that documents nothing";
    NoEffect         "W003" "something that changes nothing";
}

impl Code {
    /// The code with this id, in any casing.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// From the first letter of the id.
    pub fn severity(self) -> Severity {
        if self.id().starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_used_once() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].id() < pair[1].id()));
    }
}
