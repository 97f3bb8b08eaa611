//! Who does what the help says has a text that is accepted, and that means what was meant.

use rpcgen::Checked;
use rpcgen::diagnostic::Fix;

use super::examples::check;

/// The text with every fix that is offered.
fn fixed(text: &str, checked: &Checked) -> String {
    let mut fixes: Vec<&Fix> = checked.diagnostics.list().iter().filter_map(|finding| finding.fix.as_ref()).collect();
    fixes.sort_by_key(|fix| fix.span);
    let mut text = text.to_owned();
    for fix in fixes.into_iter().rev() {
        text.replace_range(fix.span.start as usize..fix.span.end as usize, &fix.replacement);
    }
    text
}

/// Each text becomes, fix by fix, one that there is nothing to say of.
fn assert_fixed(cases: &[(&str, &str)]) {
    for (written, meant) in cases {
        let mut text = format!("package a;\n{written}");
        for _ in 0..3 {
            text = fixed(&text, &check(&text));
        }
        assert_eq!(text, format!("package a;\n{meant}"), "{}", check(&text).diagnostics.to_human(false));
        let found = check(&text).diagnostics;
        assert!(found.is_empty(), "{written}\n{}", found.to_human(false));
    }
}

fn said(text: &str) -> String {
    check(&format!("package a;\n{text}")).diagnostics.to_human(false)
}

#[test]
fn words_of_rust_are_names_without_their_mark() {
    assert_fixed(&[
        ("struct A { r#type: u8, b: r#B }\nstruct B {}", "struct A { type: u8, b: B }\nstruct B {}"),
        ("struct r#loop {}", "struct Loop {}"),
        ("service S { action r#match(app_id: AppId); }", "service S { action match(app_id: AppId); }"),
    ]);
    let text = said("struct A { a: string = r#\"x\"#, b: u8 = #ff, c: u8 }");
    assert!(text.contains("there are no raw strings") && !text.contains("r//") && !text.contains("//ff"), "{text}");
}

#[test]
fn comments_of_other_languages_become_comments() {
    assert_fixed(&[
        ("# one\nstruct A { a: u8, # two\n b: u8 # three\n}", "// one\nstruct A { a: u8, // two\n b: u8 // three\n}"),
        ("#[derive(Debug)]\nstruct A {}", "//[derive(Debug)]\nstruct A {}"),
        ("/* one */\nstruct A {\n    a: u8, /* two */\n}", "// one\nstruct A {\n    a: u8, // two\n}"),
        ("/** What it is. */\nstruct A {}\n/**/", "/// What it is.\nstruct A {}\n//"),
    ]);
    // A comment in the middle of a line would take the rest of it.
    let text = said("struct B { a: u8 /* x */, b: u8 }\n/* one\n   two */ struct C {}");
    assert_eq!(text.matches("put it on lines of its own, each of which begins with `//`").count(), 2, "{text}");
    assert!(said("/* one\n   two */\n").contains("write `//` at the start of each line"));
}

#[test]
fn modifiers_are_left_out_and_what_they_meant_is_written() {
    assert_fixed(&[
        ("pub struct A {}\nexport enum B { x }", "struct A {}\nenum B { x }"),
        ("pub(crate) struct A {}\npublic const X: u8 = 1;", "struct A {}\nconst X: u8 = 1;"),
        ("export abstract struct A {}", "struct A {}"),
        ("service S { public action f(app_id: AppId); }", "service S { action f(app_id: AppId); }"),
        ("struct A { pub a: u8 = 5, pub b: Vec<u8> }", "struct A { a: u8 = 5, b: bytes }"),
        ("struct A { pub a: HashMap<String, u32>, b: u8 }", "struct A { a: {string: u32}, b: u8 }"),
        ("struct A { optional a: string, repeated b: String }", "struct A { a: string?, b: [string] }"),
        ("struct A { optional string a=3, repeated u8 b }", "struct A { a: string?, b: [u8] }"),
        ("struct A { optional int32 a = 1 [default = 5] }", "struct A { a: i32 = 5 }"),
        ("struct A { readonly a?: string, b?: uuid = none }", "struct A { a: string?, b: uuid? }"),
        ("struct A { a?: string @max(4), b: u8? | null }", "struct A { a: string? @max(4), b: u8? }"),
        ("struct A { a: null | string, b: u8 | null = null }", "struct A { a: string?, b: u8? }"),
    ]);
}

#[test]
fn what_stands_behind_a_modifier_is_read() {
    let text = said(
        "pub struct A { a: sting }\nstruct C { a: A }\n\
         service S { pub action f(app_id: AppId); broadcast b(app_id: AppId, a: u8) to origin of f by a; }",
    );
    assert_eq!(text.matches("error").count(), 4, "{text}");
    assert!(text.contains("`sting`") && text.contains("action `f` has no field `a`"), "{text}");
}

#[test]
fn a_name_takes_its_casing_where_nothing_else_names_it() {
    assert_fixed(&[
        (
            "const tags_max: u32 = 3;\nstruct account { userName: string }",
            "const TAGS_MAX: u32 = 3;\nstruct Account { user_name: string }",
        ),
        ("enum E { DARK_RED, green }", "enum E { dark_red, green }"),
    ]);
    // Elsewhere, both places have to be changed.
    for text in [
        "struct account {}\nstruct B { a: account }",
        "const max: u32 = 3;\nstruct B { a: string @max(max) }",
        "enum E { DARK_RED }\nstruct B { a: E = DARK_RED }",
        "service S { action doIt(app_id: AppId, aKey: u8); broadcast b(app_id: AppId, aKey: u8) to origin of doIt by aKey; }",
    ] {
        let checked = check(&format!("package a;\n{text}"));
        assert!(checked.model.is_some(), "{text}");
        assert!(checked.diagnostics.list().iter().all(|finding| finding.fix.is_none()), "{text}");
        assert!(checked.diagnostics.to_human(false).contains("here and where it is used"), "{text}");
    }
    // The usual name is another's, which is told by itself, or the language's.
    assert_eq!(said("struct A { user_name: u8, userName: u8 }").matches("W004").count(), 0);
    assert_eq!(said("struct app_id {}"), "");
}

#[test]
fn signatures_of_other_languages_become_ours_with_an_app_id() {
    let both = "action f(app_id: AppId, x: u8) -> (result: u8)";
    assert_fixed(&[
        ("service S { action f(x: u8) -> u8; }", &format!("service S {{ {both}; }}")),
        ("service S { action f(x: u8) -> u8 }", &format!("service S {{ {both}; }}")),
        ("service S { fn f(x: u8) -> u8; }", &format!("service S {{ {both}; }}")),
        ("service S { u8 f(1: u8 x); }", &format!("service S {{ {both}; }}")),
        ("service S { f @0 (x :UInt8) -> (result :UInt8); }", &format!("service S {{ {both}; }}")),
        (
            "service S { action f() -> Result<u8, NoSuchUser>; }",
            "service S { action f(app_id: AppId) -> (result: u8) fails { no_such_user }; }",
        ),
        ("service S { action f(x: u8): u8 }", &format!("service S {{ {both}; }}")),
        ("service S { action f() -> void; }", "service S { action f(app_id: AppId); }"),
        (
            "service S { action f() throws (1: Gone a, 2: Full b); }",
            "service S { action f(app_id: AppId) fails { gone, full }; }",
        ),
        (
            "struct R {}\nservice S { action f(app_id: AppId); rpc Get(R) returns (R) {}\n}",
            "struct R {}\nservice S { action f(app_id: AppId); action get(app_id: AppId, request: R) -> (result: R);\n}",
        ),
        (
            "service S {\n    stream seen(key: string) -> u64;\n}",
            "service S {\n    action seen(app_id: AppId, key: string);\n    broadcast seen_next(app_id: AppId, key: string, \
             result: u64) to origin of seen by key;\n}",
        ),
        (
            "service S { getThing(id: string, all?: boolean): Promise<string[] | null>; }",
            "service S { action get_thing(app_id: AppId, id: string, all: bool?) -> (result: [string]?); }",
        ),
    ]);
}

#[test]
fn what_another_language_writes_of_a_field_has_its_place_here() {
    assert_fixed(&[
        ("struct A { a: u8?? }\nalias B = [u8???];", "struct A { a: u8? }\nalias B = [u8?];"),
        ("struct A { 1: optional i32 a = 3, 2: list<string> b }", "struct A { a: i32? = 3, b: [string] }"),
        ("struct A { a @0 :Text; b @1 :Int64 }", "struct A { a: string, b: i64 }"),
        (
            "enum E { y(u8), z(a: u8, b: String), w(u8, string), v() }",
            "enum E { y { value: u8 }, z { a: u8, b: string }, w { u8: u8, string: string }, v }",
        ),
        ("struct A { a: string\n    @sensitive b: u8 }", "struct A { a: string,\n    @sensitive b: u8 }"),
        ("alias A = u8\n@fixed\nstruct B { a: A }", "alias A = u8;\n@fixed\nstruct B { a: A }"),
        (
            "service S {\n@deadline(3)\naction a(app_id: AppId)\n@deadline(2sec) @persist(\"disk\")\naction b(app_id: AppId);\n}",
            "service S {\n@deadline(3s)\naction a(app_id: AppId);\n@deadline(2s) @persist(disk)\naction b(app_id: AppId);\n}",
        ),
    ]);
}

#[test]
fn declarations_of_other_languages_become_ours() {
    assert_fixed(&[
        ("const u8 A = 3;\nlet B: u8 = 3;", "const A: u8 = 3;\nconst B: u8 = 3;"),
        ("type A = { x: f64 };\nstruct B;\nstruct C(u8);", "struct A { x: f64 }\nstruct B {}\nstruct C { value: u8 }"),
        ("struct A { map<string, i32> a = 4; list<u8> b }", "struct A { a: {string: i32}, b: bytes }"),
        ("struct A { a: ?u8, b: Option[u8], c: map[string]u8 }", "struct A { a: u8?, b: u8?, c: {string: u8} }"),
        (
            "struct A { a: string max(8), b: string @max 8, c: bytes(16) }",
            "struct A { a: string @max(8), b: string @max(8), c: bytes @max(16) }",
        ),
        ("enum E { x }\nstruct A { a: E = E::x }", "enum E { x }\nstruct A { a: E = x }"),
        (
            "struct A { a: duration = 3, b: u8 = \"3\", c: bool = 1, d: AppId = 7 }",
            "struct A { a: duration = 3s, b: u8 = 3, c: bool = true, d: AppId = AppId(7) }",
        ),
    ]);
}

#[test]
fn clauses_take_their_form_and_their_order() {
    let whole = "action f(app_id: AppId) -> (x: u8) fails { gone };";
    let broadcast = "service S { action f(app_id: AppId); broadcast b(app_id: AppId)";
    assert_fixed(&[
        ("service S { action f(app_id: AppId) fails { gone } -> (x: u8); }", &format!("service S {{ {whole} }}")),
        ("service S { action f(app_id: AppId) -> (x: u8) fails Gone; }", &format!("service S {{ {whole} }}")),
        ("service S { action f(app_id: AppId) => (x: u8) fails { gone }; }", &format!("service S {{ {whole} }}")),
        ("service S { action f(app_id: AppId) -> {x: u8} fails { gone }; }", &format!("service S {{ {whole} }}")),
        ("service S { action f(AppId app_id) -> (u8 x) fails { gone }; }", &format!("service S {{ {whole} }}")),
        ("service S { action f(app_id) {} }", "service S { action f(app_id: AppId); }"),
        (&format!("{broadcast} to all; }}"), &format!("{broadcast}; }}")),
        (&format!("{broadcast} origin f by app_id; }}"), &format!("{broadcast} to origin of f by app_id; }}")),
    ]);
}
