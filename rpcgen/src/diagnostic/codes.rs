//! The one table of what the compiler can find.
//!
//! Knows: each rule's code, its title and its page in `rpcgen/errors`. Does not know: how a rule is checked.
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
                match self { $(Self::$name => include_str!(concat!("../../errors/", $id, ".md"))),* }
            }
        }
    };
}

codes! {
    Syntax             "E001" "the text is not in the language";
    Bracket            "E002" "a bracket without its other half";
    Literal            "E003" "a literal that cannot be read";
    Unreadable         "E004" "a file that cannot be read";
    NotUtf8            "E005" "a file that is not UTF-8";
    TooLarge           "E006" "more than the compiler takes";
    Package            "E007" "a file without a package declaration";
    ImportCycle        "E008" "files that import each other in a circle";
    SamePackage        "E009" "two files of one package";
    Duplicate          "E010" "one name for two things";
    Unknown            "E011" "a type that nothing declares";
    SameInRust         "E012" "two names that are one in the generated code";
    Reserved           "E013" "a name that the generated code has";
    PackagePlace       "E014" "a package declaration in a wrong place";
    ImportPlace        "E015" "an import behind a declaration";
    ImportPath         "E016" "an import that is no relative path";
    ImportMissing      "E017" "an import of a file that is not there";
    BuiltInName        "E018" "a name that the language has itself";
    NoLetter           "E019" "a name that Rust cannot have";
    AppIdFirst         "E020" "an action or broadcast without app_id";
    Endless            "E021" "a type that contains itself without end";
    MapKey             "E022" "a type that cannot be the key of a map";
    OptionalTwice      "E023" "an optional of an optional";
    EmptyEnum          "E024" "an enum without variants";
    ConstantType       "E025" "a constant that is not of a scalar type";
    AppIdType          "E026" "an app_id that is not an AppId";
    AppIdLate          "E027" "an app_id that is not the first field";
    NoBytes            "E028" "a list of what takes no bytes";
    EndlessConstant    "E029" "a constant that leads to itself";
    Value              "E030" "a value of another type";
    Limit              "E031" "a limit that makes no sense";
    Annotation         "E032" "an annotation that nothing knows";
    AnnotationPlace    "E033" "an annotation that does not belong here";
    AnnotationTwice    "E034" "an annotation that stands twice";
    AnnotationArgument "E035" "an annotation with other arguments than it takes";
    OutOfRange         "E036" "an integer that its type cannot hold";
    TooLong            "E037" "a value longer than its limit";
    VariantData        "E038" "a default that would need data";
    NoLiterals         "E039" "a default of a type without literals";
    Correlation        "E040" "a correlation field that one side lacks";
    CorrelationType    "E041" "a correlation field of two types";
    OriginAction       "E042" "an origin that is no action";
    CorrelationTwice   "E043" "a correlation field that is named twice";
    UnknownPackage     "E044" "a package that nothing imports";
    UnknownValue       "E045" "a constant that nothing declares";
    UnknownVariant     "E046" "a variant that its enum lacks";
    NotAType           "E047" "a name of something that is no type";
    Unqualified        "E048" "an imported type without its package";
    ImportTwice        "E049" "a file that is imported twice";
    AngleBrackets      "E050" "a type in angle brackets";
    UnnamedResponse    "E051" "a response without names";
    Comment            "E052" "a comment of another language";
    Separator          "E053" "a comma or semicolon in the wrong place, or none";
    UnknownDeclaration "E054" "a word that begins no declaration";
    UnknownMember      "E055" "a word that begins no member of a service";
    TypeFirst          "E056" "a type before its name";
    UnnamedField       "E057" "a field without a name";
    UntypedField       "E058" "a field without a type";
    NoSemicolon        "E059" "a declaration without its semicolon";
    UnclosedString     "E060" "a string that does not end";
    Escape             "E061" "an escape that nothing knows";
    TimeUnit           "E062" "a unit of time that nothing knows";
    Quotes             "E063" "a string that is not in double quotes";
    Modifier           "E064" "a modifier of another language";
    TupleVariant       "E065" "a variant whose data have no names";
    Numbered           "E066" "a field or a variant with a number";
    OtherWord          "E067" "a clause of another language";
    Stream             "E068" "a stream of answers";
    Inheritance        "E069" "a declaration made from another";
    GenericDeclaration "E070" "a declaration with type parameters";
    MaxPlace           "E071" "a limit on what has no length";
    ArrayLength        "E072" "an array of no length, or of too many elements";
    InPlace            "E073" "a value too large to stand in one place";
    AliasDepth         "E074" "aliases of aliases, too many";
    NoDeadline         "E075" "a deadline that nothing can keep";
    StrayBracket       "E076" "a bracket that closes nothing";
    TooDeep            "E077" "brackets that nest too deep";
    NothingReserved    "E078" "something reserved, where nothing is removed";
    Protobuf           "E079" "a file of protobuf";
    ElsewhereType      "E080" "a type that is written as elsewhere";
    UnusedImport       "W001" "an import that nothing uses";
    LostDoc            "W002" "a doc comment that documents nothing";
    NoEffect           "W003" "something that changes nothing";
    NameStyle          "W004" "a name in the casing of another kind";
    DeprecatedUse      "W005" "a use of something deprecated";
    EmptyService       "W006" "a service without members";
    AppIdDefault       "W007" "an app_id that has a default";
    NoReason           "W008" "a deprecation that does not say why";
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
