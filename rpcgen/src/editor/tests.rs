//! Questions of an editor, each with a `|` where the cursor stands.

use std::path::PathBuf;

use super::*;
use crate::load::Memory;

const MONEY: &str = "package money;\n\n/// What a coin is worth.\nalias Amount = u64;\nconst MANY: u64 = 9;\n";

const BANK: &str = r#"package bank;

import "money.rpc";

/// What is paid in.
enum Currency { btc, usd }

struct Account {
    id: uuid,
    balance: money.Amount = money.MANY,
    currency: Currency = usd,
    tags: [string @max(TAGS_MAX)],
}

const TAGS_MAX: u32 = 8;

service Bank {
    /// Opens an account.
    action open(app_id: AppId, user: string) -> (account: Account, user: string) fails { known };

    broadcast paid(app_id: AppId, user: string, amount: money.Amount)
        to origin of open by user;
}
"#;

/// The project, the text and the byte of the cursor.
fn ask(text: &str) -> (Project, SourceId, u32) {
    let at = text.find('|').expect("a cursor");
    let files = Memory::default().with("bank.rpc", text.replacen('|', "", 1)).with("money.rpc", MONEY);
    let project = Project::load(&files, &[PathBuf::from("bank.rpc")], &[]);
    let source = project.source(Path::new("bank.rpc")).expect("it is there");
    (project, source, u32::try_from(at).expect("it is short"))
}

/// [`BANK`] with the cursor behind the first `behind`.
fn in_bank(behind: &str) -> (Project, SourceId, u32) {
    ask(&BANK.replacen(behind, &format!("{behind}|"), 1))
}

fn words_of(project: &Project, spans: &[Span]) -> Vec<(String, usize)> {
    let line = |span: &Span| project.sources().source(span.source).map_or(0, |source| source.place(span.start).line);
    spans.iter().map(|span| (project.text(*span).to_owned(), line(span))).collect()
}

fn labels(text: &str) -> Vec<String> {
    let (project, source, at) = ask(text);
    let found = project.complete(source, at, &["money.rpc".to_owned()]).1;
    found.into_iter().map(|one| one.label).collect()
}

#[test]
fn a_name_is_declared_where_it_is_declared() {
    for (behind, name, line) in [
        ("balance: money.Am", "Amount", 4),
        ("balance: mon", "money", 1),
        ("= money.MA", "MANY", 5),
        ("Currency = us", "usd", 6),
        ("@max(TAGS", "TAGS_MAX", 15),
        ("account: Acc", "Account", 8),
        ("origin of op", "open", 19),
        ("import \"mon", "money", 1),
        ("struct Acc", "Account", 8),
    ] {
        let (project, source, at) = in_bank(behind);
        assert_eq!(words_of(&project, &project.definitions(source, at)), [(name.to_owned(), line)], "{behind}");
    }
    let (project, source, at) = in_bank("by us");
    let lines: Vec<usize> =
        words_of(&project, &project.definitions(source, at)).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, [21, 19, 19]);
    let (project, source, at) = in_bank("id: uu");
    assert_eq!(project.definitions(source, at), []);
}

#[test]
fn all_places_that_name_a_thing_are_found_in_all_files() {
    let (project, source, at) = in_bank("balance: money.Am");
    let found = words_of(&project, &project.references(source, at, true));
    assert_eq!(found.iter().map(|(_, line)| *line).collect::<Vec<_>>(), [10, 21, 4]);
    assert_eq!(project.references(source, at, false).len(), 2);
}

#[test]
fn fields_that_tie_a_broadcast_to_its_action_are_renamed_together() {
    let (project, source, at) = in_bank("amount: money.Amount)\n        to origin of open by us");
    let edits = project.rename(source, at, "owner").expect("it can be renamed");
    let spans: Vec<Span> = edits.iter().map(|edit| edit.at).collect();
    let lines: Vec<usize> = words_of(&project, &spans).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, [19, 19, 21, 22]);
    // What came of it is in order still.
    let mut text = BANK.to_owned();
    for edit in edits.iter().rev() {
        text.replace_range(edit.at.start as usize..edit.at.end as usize, &edit.text);
    }
    let files = Memory::default().with("bank.rpc", text).with("money.rpc", MONEY);
    let checked = crate::Config::new().check_in(&files, &["bank.rpc"]);
    assert!(checked.diagnostics.is_empty(), "{}", checked.diagnostics.to_human(false));
}

#[test]
fn what_is_no_name_is_not_renamed() {
    let (project, source, at) = in_bank("id: uu");
    assert_eq!(project.rename(source, at, "x"), Err(RenameError::Nothing));
    let (project, source, at) = in_bank("open(app_");
    assert_eq!(project.rename(source, at, "x"), Err(RenameError::AppId));
    let (project, source, at) = in_bank("struct Acc");
    assert_eq!(project.rename(source, at, "1x"), Err(RenameError::NoName));
    assert_eq!(project.rename(source, at, "a.b"), Err(RenameError::NoName));
    let (project, source, at) = in_bank("balance: mon");
    assert_eq!(project.rename(source, at, "coins.money").map(|edits| edits.len()), Ok(4));
}

#[test]
fn a_name_that_the_check_would_refuse_is_not_given() {
    let refused = |behind: &str, name: &str| {
        let (project, source, at) = in_bank(behind);
        project.rename(source, at, name).map(|edits| edits.len()).map_err(|error| error.to_string())
    };
    for (behind, name, why) in [
        ("struct Acc", "Currency", "this package has two of `Currency` (E010)"),
        ("struct Acc", "currency", "`Currency` and `currency` differ only in casing and underscores (E012)"),
        ("struct Acc", "string", "`string` is a type of the language (E018)"),
        ("struct Acc", "none", "`none` is a value of the language (E018)"),
        ("struct Acc", "Client", "the generated code has a `Client` already (E013)"),
        ("struct Acc", "_7", "`_7` cannot be a name in the generated code (E019)"),
        ("action op", "paid", "this service has two of `paid` (E010)"),
        ("enum Currency { bt", "usd", "this enum has two of `usd` (E010)"),
        ("    ba", "id", "this list of fields has two of `id` (E010)"),
        ("balance: mon", "bank", "two files"),
    ] {
        let found = refused(behind, name).expect_err(name);
        assert!(found.starts_with("with this name, ") && found.contains(why), "{behind} -> {name}: {found}");
    }
    // Words of the language and of Rust are names like any other.
    assert_eq!(refused("struct Acc", "service"), Ok(2));
    assert_eq!(refused("    ba", "type"), Ok(1));
}

#[test]
fn a_rename_does_not_change_what_another_place_means() {
    // By `user` the answer's field would count from then on, with the same type.
    let text = "package a;\nservice S {\n    action open(app_id: AppId, user: string) -> (ow|ner: string);\n    \
                broadcast paid(app_id: AppId, user: string) to origin of open by user;\n}\n";
    let (project, source, at) = ask(text);
    assert_eq!(project.rename(source, at, "user"), Err(RenameError::OtherMeaning));
    assert_eq!(project.rename(source, at, "holder").map(|edits| edits.len()), Ok(1));
}

#[test]
fn errors_that_are_there_already_hinder_no_rename() {
    let text = "package a;\nstruct A { b: Missing, c: u8 = true }\nstruct |A2 { a: A }\nstruct ( \n";
    let (project, source, at) = ask(text);
    assert_eq!(project.rename(source, at, "B").map(|edits| edits.len()), Ok(1));
    assert!(project.rename(source, at, "A").is_err());
}

#[test]
fn hover_shows_the_declaration_and_its_documentation() {
    let text = |behind: &str| {
        let (project, source, at) = in_bank(behind);
        project.hover(source, at).map(|hover| hover.text)
    };
    assert_eq!(text("balance: money.Am").as_deref(), Some("```rpc\nalias Amount = u64;\n```\n\nWhat a coin is worth."));
    assert_eq!(text("= us").as_deref(), Some("```rpc\nusd\n```\n\nin `Currency`"));
    assert!(
        text("origin of op").is_some_and(|text| text.contains("action open(") && text.contains("Opens an account."))
    );
    assert_eq!(text("id: uu").as_deref(), Some("```rpc\nuuid\n```\n\n128 bits."));
    assert!(text("@ma").is_some_and(|text| text.starts_with("```rpc\n@max\n```")));
    assert_eq!(text("fails "), None);
}

#[test]
fn completion_knows_what_may_stand_at_a_place() {
    assert_eq!(labels("|"), ["package"]);
    assert_eq!(labels("package a;\nst|")[3], "struct");
    assert_eq!(labels("package a;\nimport \"mo|"), ["money.rpc"]);
    let types = labels("package a;\nimport \"money.rpc\";\nenum E { a }\nstruct S { e: |");
    assert!(["u32", "E", "S", "money.Amount"].iter().all(|name| types.contains(&(*name).to_owned())), "{types:?}");
    assert_eq!(labels("package a;\nimport \"money.rpc\";\nstruct S { e: money.|"), ["Amount", "MANY"]);
    assert_eq!(labels("package a;\nenum E { on, off }\nstruct S { e: E = |"), ["on", "off"]);
    assert_eq!(labels("package a;\nstruct S { e: u32 @|")[0], "max");
    assert_eq!(labels("package a;\nconst N: u32 = 4;\nstruct S { e: string @max(|"), ["N"]);
    assert_eq!(labels("package a;\nconst N: u32 = 4;\nstruct S { e: [u8; |"), ["N"]);
    assert_eq!(labels("package a;\nservice A {\n    |"), ["action", "broadcast"]);
    assert_eq!(labels("package a;\nservice A {\n    @persist(|"), ["memory", "disk"]);
    assert_eq!(labels("package a;\nservice A {\n    @persist(disk) ac|"), ["action", "broadcast"]);
    assert_eq!(labels("package a;\nservice A {\n    action b(|"), ["app_id: AppId"]);
    assert_eq!(labels("package a;\nservice A {\n    action b(app_id: AppId) |"), ["->", "fails"]);
    assert_eq!(labels("package a;\nservice A {\n    action b(app_id: AppId) -> (c: u8) |"), ["fails"]);
}

#[test]
fn completion_ties_a_broadcast_to_an_action() {
    let text = |rest: &str| {
        format!(
            "package a;\nservice A {{\n    action open(app_id: AppId, user: string) -> (key: u8);\n    \
             broadcast paid(app_id: AppId, user: string, key: u8, note: string) {rest}"
        )
    };
    assert_eq!(labels(&text("|")), ["to origin of"]);
    assert_eq!(labels(&text("to origin of |")), ["open"]);
    assert_eq!(labels(&text("to origin of open |")), ["by"]);
    assert_eq!(labels(&text("to origin of open by |")), ["user", "key"]);
    assert_eq!(labels(&text("to origin of open by user, |")), ["user", "key"]);
}

#[test]
fn nothing_is_proposed_where_a_name_is_given() {
    for text in [
        "package a;\n// st|",
        "package a;\nstruct S|",
        "package |",
        "package a;\nenum E { a|",
        "package a;\nconst N: u8 = 1|",
    ] {
        assert_eq!(labels(text), [""; 0], "{text}");
    }
}

#[test]
fn every_place_of_a_text_can_be_asked_about() {
    let whole = format!("{BANK}\u{e4}struct \"\u{e4}\\\u{e4} {{ (");
    for at in 0..=whole.len() {
        for text in [whole.as_str(), whole.get(..at).unwrap_or_default()] {
            let files = Memory::default().with("bank.rpc", text).with("money.rpc", MONEY);
            let project = Project::load(&files, &[PathBuf::from("bank.rpc")], &[]);
            let Some(source) = project.source(Path::new("bank.rpc")) else { continue };
            let at = u32::try_from(at).expect("it is short");
            project.complete(source, at, &[]);
            let _ = (project.hover(source, at), project.definitions(source, at), project.tokens(source));
        }
    }
}

#[test]
fn words_are_what_they_are_where_they_stand() {
    let text = "package a;\n/// Docs.\nstruct type { action: u8 @sensitive = 7 }\nalias B = type;|";
    let (project, source, _) = ask(text);
    let found: Vec<(String, TokenKind)> =
        project.tokens(source).into_iter().map(|token| (project.text(token.at).to_owned(), token.kind)).collect();
    let expected = [
        ("package", TokenKind::Keyword),
        ("a", TokenKind::Name(Kind::Package)),
        ("/// Docs.", TokenKind::Comment),
        ("struct", TokenKind::Keyword),
        ("type", TokenKind::Name(Kind::Struct)),
        ("action", TokenKind::Name(Kind::Field)),
        ("u8", TokenKind::BuiltInType),
        ("@", TokenKind::Annotation),
        ("sensitive", TokenKind::Annotation),
        ("7", TokenKind::Number),
        ("alias", TokenKind::Keyword),
        ("B", TokenKind::Name(Kind::Alias)),
        ("type", TokenKind::Name(Kind::Struct)),
    ];
    assert_eq!(found, expected.map(|(word, kind)| (word.to_owned(), kind)));
}
