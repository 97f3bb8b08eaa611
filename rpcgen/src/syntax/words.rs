//! What a person calls the parts of a text.
//!
//! Knows: the rules of the grammar. Does not know: when one is told of them.

use pest::error::ErrorVariant;

use super::parse::Rule;

/// The rules that could have gone on, as a person calls them. What only lengthens what is complete is named last of all.
pub(super) fn expected(piece: Rule, error: &pest::error::Error<Rule>) -> String {
    let ErrorVariant::ParsingError { positives, .. } = &error.variant else { return "something else".to_owned() };
    let lengthens = |rule: &&Rule| matches!(rule, Rule::dot | Rule::question | Rule::attribute | Rule::at);
    let needed: Vec<&Rule> = positives.iter().filter(|rule| !lengthens(rule)).collect();
    let rules = if needed.is_empty() { positives.iter().collect() } else { needed };
    let mut words: Vec<&str> = Vec::new();
    for word in rules.into_iter().map(|rule| if *rule == Rule::EOI { end_of(piece) } else { describe(*rule) }) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.as_slice() {
        [] => "the end".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A declaration ends with what it ends with; a field and a variant just end.
fn end_of(piece: Rule) -> &'static str {
    match piece {
        Rule::field => "the end of the field",
        Rule::variant => "the end of the variant",
        _ => "the end of the declaration",
    }
}

/// What a person calls a rule.
fn describe(rule: Rule) -> &'static str {
    match rule {
        Rule::EOI => "the end",
        Rule::name => "a name",
        Rule::path => "a name",
        Rule::string => "a string",
        Rule::bytes => "bytes",
        Rule::number => "a number",
        Rule::value | Rule::empty_list | Rule::empty_map | Rule::app_id => "a value",
        Rule::attribute | Rule::at => "an annotation",
        Rule::type_expr | Rule::list | Rule::map => "a type",
        Rule::dot => "`.`",
        Rule::colon => "`:`",
        Rule::comma => "`,`",
        Rule::semicolon => "`;`",
        Rule::equals => "`=`",
        Rule::arrow | Rule::response => "`->`",
        Rule::question => "`?`",
        Rule::open_paren | Rule::parens => "`(`",
        Rule::close_paren => "`)`",
        Rule::open_square => "`[`",
        Rule::close_square => "`]`",
        Rule::open_brace | Rule::braces => "`{`",
        Rule::close_brace => "`}`",
        Rule::kw_fails | Rule::fails => "`fails`",
        Rule::kw_to | Rule::origin => "`to`",
        Rule::kw_origin => "`origin`",
        Rule::kw_of => "`of`",
        Rule::kw_by => "`by`",
        Rule::kw_package | Rule::package_item => "`package`",
        Rule::kw_import | Rule::import_item => "`import`",
        Rule::kw_const | Rule::const_item => "`const`",
        Rule::kw_alias | Rule::alias_item => "`alias`",
        Rule::kw_struct | Rule::struct_item => "`struct`",
        Rule::kw_enum | Rule::enum_item => "`enum`",
        Rule::kw_service | Rule::service_item => "`service`",
        Rule::kw_action | Rule::action | Rule::signature => "`action`",
        Rule::kw_broadcast | Rule::broadcast => "`broadcast`",
        Rule::field => "a field",
        Rule::variant => "a variant",
        Rule::WHITESPACE | Rule::boundary => "a blank",
    }
}

/// How a piece is written.
pub(super) fn form(rule: Rule) -> &'static str {
    match rule {
        Rule::package_item => "a package is declared by `package name;`",
        Rule::import_item => "a file is imported by `import \"file.rpc\";`",
        Rule::const_item => "a constant is written `const NAME: type = value;`",
        Rule::alias_item => "an alias is written `alias Name = type;`",
        Rule::struct_item => "a struct is written `struct Name { field: type, .. }`",
        Rule::enum_item => "an enum is written `enum Name { variant, variant { field: type, .. }, .. }`",
        Rule::service_item => "a service is written `service Name { action ..; broadcast ..; }`",
        Rule::action => {
            "an action is written `action name(app_id: AppId, ..) -> (field: type, ..) fails { reason, .. };`"
        }
        Rule::broadcast => "a broadcast is written `broadcast name(app_id: AppId, ..) to origin of action by field;`",
        Rule::variant => "a variant is written `name` or `name { field: type, .. }`",
        _ => "a field is written `name: type` or `name: type = default`",
    }
}
