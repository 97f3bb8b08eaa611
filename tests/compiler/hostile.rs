//! Texts that nobody writes by hand: the compiler answers each with diagnostics, soon, and never panics.

use rpcgen_tests::WORDS;

use super::examples::check;

/// A small generator of numbers; the same every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[test]
fn a_text_with_bytes_cut_out_put_in_and_swapped_never_panics() {
    let bank = std::fs::read_to_string(super::root().join("idl/all_types.rpc")).unwrap();
    let letters: Vec<char> = "{}()[];,:?@=\"/\\.-> \nä0aé".chars().collect();
    let mut numbers = Numbers(7);
    for _ in 0..600 {
        let mut text: Vec<char> = bank.chars().collect();
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(text.len());
            let letter = letters[numbers.below(letters.len())];
            match numbers.below(4) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, letter),
                2 => text[at] = letter,
                _ => drop(text.drain(at..(at + numbers.below(40)).min(text.len()))),
            }
        }
        let text: String = text.into_iter().collect();
        let checked = check(&text);
        assert_eq!(checked.model.is_none(), checked.diagnostics.has_errors(), "{text}");
        let _ = (checked.diagnostics.to_human(false), checked.diagnostics.to_json());
    }
}

#[test]
fn tokens_in_any_order_never_panic() {
    let words = [&WORDS[..], &["*/", "\u{feff}"]].concat();
    let mut numbers = Numbers(11);
    for _ in 0..3_000 {
        let text: Vec<&str> = (0..numbers.below(60)).map(|_| words[numbers.below(words.len())]).collect();
        let checked = check(&text.join(if numbers.below(2) == 0 { " " } else { "" }));
        let _ = (checked.diagnostics.to_human(true), checked.diagnostics.to_json());
    }
}

#[test]
fn large_and_deep_texts_end_in_bounded_time() {
    let half = 500_000;
    let many_fields: String = (0..40_000).map(|n| format!("f{n}: u8,")).collect();
    let chain: String = (0..20_000).map(|n| format!("struct S{n} {{ a: S{} }}\n", n + 1)).collect();
    let lists: String = (0..20_000).map(|n| format!("struct S{n} {{ a: [S{}] }}\n", n + 1)).collect();
    let aliases: String = (0..20_000).map(|n| format!("alias A{n} = [A{}];\n", n + 1)).collect();
    let doubling: String = (0..60).map(|n| format!("alias A{n} = {{A{0}: A{0}}};\n", n + 1)).collect();
    let constants: String = (0..20_000).map(|n| format!("const C{n}: u8 = C{};\n", n + 1)).collect();
    let texts = [
        "[".repeat(half),
        "]".repeat(half),
        "{".repeat(half),
        ";".repeat(half),
        ",".repeat(half),
        "\"".repeat(half),
        "@".repeat(half),
        "/".repeat(half),
        "a".repeat(half),
        "\n".repeat(half),
        "() ".repeat(half / 3),
        "struct A{} ".repeat(half / 11),
        "package a; ".repeat(half / 11),
        format!("package a; {}", "/*a*/".repeat(half / 5)),
        format!("{}{}", " ".repeat(half), "/*a*/".repeat(half / 10)),
        format!("package a; {} struct A {{}}", "pub ".repeat(half / 4)),
        format!("package a; {} struct A {{}}", "pub(crate) ".repeat(half / 11)),
        format!("package a; {}", "pub struct A {} ".repeat(half / 16)),
        format!("package a;\nstruct A {{ {} }}", ",".repeat(half)),
        format!("package a;\nalias A = {}u8{};", "[".repeat(60), "]".repeat(60)),
        format!("package a;\nstruct A {{ a: u8{} }}", "?".repeat(half)),
        format!("package a;\nstruct A {{ {many_fields} }}"),
        format!("package a;\n{}@fixed {} struct A {{}}", " ".repeat(half / 2), "() ".repeat(half / 6)),
        format!("package a;\n{chain}struct S20000 {{}}"),
        format!("package a;\n{lists}struct S20000 {{}}"),
        format!("package a;\n{aliases}alias A20000 = u8;"),
        format!(
            "package a;\n{doubling}alias A60 = u8;\nservice S {{ action f(app_id: AppId, a: A0); \
             broadcast b(app_id: AppId, a: A0) to origin of f by a; }}"
        ),
        format!("package a;\n{constants}const C20000: u8 = 1;"),
        "package a;\nstruct A { a: [[[u8; 65536]; 65536]; 65536] }".to_owned(),
        format!("package a;\n{}", "#\n".repeat(half / 2)),
        format!("package a;\nstruct A {{ a: u8 {} b: u8 }}", "@a\n".repeat(half / 3)),
        format!("package a;\nstruct A {{ 1: u8{} a }}", "[]".repeat(half / 2)),
        format!("package a;\nstruct A({});", "u8, ".repeat(half / 4)),
        format!("package a;\nenum E {{ a({}) }}", "u8, ".repeat(half / 4)),
        format!("package a;\nservice S {{ action f(app_id: AppId) -> u8{}; }}", "[]".repeat(half / 2)),
        format!("package a;\nservice S {{ action f() -> {}u8; }}", "Promise<".repeat(half / 8)),
        format!("package a;\nservice S {{ {} }}", "fn f(a: u8) -> u8;\n".repeat(half / 200)),
        format!("package a;\nservice S {{ {} }}", "oneway action f(); ".repeat(half / 20)),
        format!("package a;\nservice S {{ fn f({}); }}", "a: u8, ".repeat(half / 7)),
        format!("package a;\nstruct A {{ {} }}", "oneof a { b: u8 } ".repeat(half / 18)),
        format!("package a;\nservice S {{ {} action f(); }}", "@a\n".repeat(half / 3)),
        format!("package a;\n{}", "type A = ".repeat(half / 9)),
        format!("package a;\n{}", "mod ".repeat(half / 4)),
        "x".repeat(2 << 20),
    ];
    for text in texts {
        let checked = check(&text);
        assert!(checked.diagnostics.list().len() <= 200);
        let _ = checked.diagnostics.to_human(false);
    }
}

/// Names that are wrong by a few letters, each beside many that may have been meant: what is compared is bounded, not what is declared.
#[test]
fn many_unknown_names_near_many_known_ones_end_in_bounded_time() {
    let count = 5_000;
    let each = |one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let name = |n: usize| format!("as_long_a_name_as_is_looked_at_for_a_while_{n:05}_x");
    let wrong = |n: usize| format!("as_long_a_name_as_is_looked_at_for_a_whiel_{n:05}_y");
    let mut names = Numbers(13);
    let mut random = || (0..60).map(|_| char::from(b'a' + u8::try_from(names.below(26)).unwrap())).collect::<String>();
    let (far, near): (String, String) =
        (0..count).map(|n| (format!("struct A{} {{}}\n", random()), format!("f{n}: A{},", random()))).unzip();
    let structs = each(&|n| format!("struct T{} {{}}\n", name(n)));
    let used = each(&|n| format!("f{n}: T{},", wrong(n)));
    let constants = each(&|n| format!("const {}: u8 = {};\n", name(n), wrong(n)));
    let variants = each(&|n| format!("{},", name(n)));
    let defaults = each(&|n| format!("f{n}: E = {},", wrong(n)));
    let actions = each(&|n| format!("action {}(app_id: AppId);\n", name(n)));
    let broadcasts = each(&|n| format!("broadcast b{n}(app_id: AppId) to origin of {} by x;\n", wrong(n)));
    let fields = each(&|n| format!("{}: u8,", name(n)));
    let by = (0..count).map(wrong).collect::<Vec<_>>().join(", ");
    let limits = each(&|n| format!("f{n}: string @max({}),", wrong(n)));
    let packages = each(&|n| format!("f{n}: p.T{},", wrong(n)));
    let texts = [
        format!("package a;\n{structs}struct U {{ {used} }}"),
        format!("package a;\n{far}struct U {{ {near} }}"),
        format!("package a;\n{constants}"),
        format!("package a;\nenum E {{ {variants} }}\nstruct U {{ {defaults} }}"),
        format!("package a;\nservice S {{ {actions}{broadcasts} }}"),
        format!(
            "package a;\nservice S {{ action f(app_id: AppId, {fields}); \
             broadcast b(app_id: AppId, {fields}) to origin of f by {by}; }}"
        ),
        format!("package a;\n{}struct U {{ {limits} }}", constants.replace("_y;", "_x;")),
        format!("package a;\n{structs}struct U {{ {packages} }}"),
    ];
    for text in texts {
        let checked = check(&text);
        assert_eq!(checked.diagnostics.list().len(), 200, "{}", &text[..100]);
        assert!(checked.diagnostics.errors_count() >= count, "{}", &text[..100]);
        assert!(checked.diagnostics.to_json().len() < 1_000_000, "{}", &text[..100]);
    }
}
