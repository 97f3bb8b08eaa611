//! What fits and what does not, one difference at a time, in both directions of each message.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{Unfit, compare};

/// A service with one action of this request and response, and these types.
fn service(request: &str, response: &str, types: &str) -> String {
    format!("a.A\naction go({request}) -> ({response})\n{types}")
}

fn difference(client: &str, server: &str) -> String {
    compare(client, server).map_or_else(|why| why.to_string(), |()| String::new())
}

/// What is said when a client of the first and a server of the second version meet, and the other way round.
fn both_ways(one: &str, other: &str) -> (String, String) {
    (difference(one, other), difference(other, one))
}

fn fit(one: &str, other: &str) -> bool {
    both_ways(one, other) == (String::new(), String::new())
}

#[test]
fn what_is_appended_is_skipped_by_who_does_not_know_it_and_absent_to_who_does() {
    let old = service("a: u8", "b: u8", "");
    for new in [
        service("a: u8, n: u8?", "b: u8, m: [u8] = _", ""),
        service("a: u8", "b: u8", "action more(c: u8)\nbroadcast told(c: u8)\n"),
        service("a: u8", "b: u8", "").replace(")\n", ") fails {no, never {why: string}}\n"),
    ] {
        assert!(fit(&old, &new), "{new}: {:?}", both_ways(&old, &new));
    }
}

#[test]
fn appended_field_without_a_default_is_missed_by_its_reader_only() {
    let old = service("a: u8", "b: u8", "");
    let up = service("a: u8, n: u8", "b: u8", "");
    let missed = "`go.request.n` must be there for the server, and this end does not know it";
    assert_eq!(both_ways(&old, &up), (missed.into(), String::new()));
    let down = service("a: u8", "b: u8, m: u8", "");
    let missed = "`go.response.m` must be there, and the server does not know it";
    assert_eq!(both_ways(&old, &down), (String::new(), missed.into()));
}

#[test]
fn what_only_some_values_show_is_left_to_those_values() {
    for (one, other) in [
        ("a: u16", "a: u128"),
        ("a: i32", "a: i16"),
        ("a: string<3>", "a: string"),
        ("a: [string<3>]<9>", "a: [string]"),
        ("a: bytes<9>", "a: [u8]"),
        ("a: u8 = _", "a: u8"),
    ] {
        assert!(fit(&service(one, one, ""), &service(other, other, "")), "{one} and {other}");
    }
    let types = |variants: &str| service("a: #0", "b: #0", &format!("#0 enum {{{variants}}}\n"));
    assert!(fit(&types("red, mixed {share: f32}"), &types("red, mixed {share: f32}, blue")));
}

#[test]
fn what_would_be_misread_is_named_with_its_place() {
    let of = |types: &str| service("a: #0", "b: u8", types);
    let cases = [
        ("#0 struct {x: u8}", "#0 struct {x: u16}", "`go.request.a.x` is `u8` here and `u16` at the server"),
        ("#0 struct {x: u32}", "#0 struct {x: i32}", "`go.request.a.x` is `u32` here and `i32` at the server"),
        ("#0 struct {x: u8}", "#0 struct {x: u8?}", "`go.request.a.x` is `u8` here and `u8?` at the server"),
        (
            "#0 struct {x: [u16; 2]}",
            "#0 struct {x: [u16; 3]}",
            "`go.request.a.x` is `[u16; 2]` here and `[u16; 3]` at the server",
        ),
        (
            "#0 struct {x: {u8: u8}}",
            "#0 struct {x: {string: u8}}",
            "`go.request.a.x` is `u8` here and `string` at the server",
        ),
        (
            "#0 struct {x: {u8: u8}}",
            "#0 struct {x: {u8: bool}}",
            "`go.request.a.x` is `u8` here and `bool` at the server",
        ),
        ("#0 struct {x: u8}", "#0 struct {y: u8}", "field 1 of `go.request.a` is `x` here and `y` at the server"),
        ("#0 struct {x: u8}", "#0 fixed struct {x: u8}", "`go.request.a` is `@fixed` at the server and not here"),
        (
            "#0 fixed struct {x: u8}",
            "#0 fixed struct {x: u8, y: u8?}",
            "`@fixed` `go.request.a` has 1 fields here and 2 at the server",
        ),
        ("#0 struct {x: u8}", "#0 enum {x}", "`go.request.a` is a struct here and an enum at the server"),
        (
            "#0 struct {x: #0?}",
            "#0 struct {x: #1}\n#1 enum {}",
            "`go.request.a.x` is an optional struct here and an enum at the server",
        ),
        (
            "#0 struct {x: [#0]}",
            "#0 struct {x: #0?}",
            "`go.request.a.x` is `[struct]` here and an optional struct at the server",
        ),
        ("#0 enum {x, y}", "#0 enum {y, x}", "variant 1 of `go.request.a` is `x` here and `y` at the server"),
        ("#0 enum {x}", "#0 enum {x {z: u8}}", "`go.request.a.x` has data at the server and none here"),
        ("#0 external a::B", "#0 external a::C", "`go.request.a` is `a::B` here and `a::C` at the server"),
    ];
    for (one, other, said) in cases {
        assert_eq!(difference(&of(&format!("{one}\n")), &of(&format!("{other}\n"))), said);
        assert_ne!(difference(&of(&format!("{other}\n")), &of(&format!("{one}\n"))), "", "{one}");
    }
}

#[test]
fn actions_and_broadcasts_are_known_by_their_place() {
    let of = |rest: &str| format!("a.A\n{rest}");
    let (one, other) = (of("action a()\naction b()\n"), of("action b()\naction a()\n"));
    assert_eq!(difference(&one, &other), "action 1 is `a` here and `b` at the server");
    let (one, other) = (of("broadcast a()\nbroadcast b()\n"), of("broadcast a()\nbroadcast c()\nbroadcast b()\n"));
    assert_eq!(difference(&one, &other), "broadcast 2 is `b` here and `c` at the server");
    let (one, other) = (of("broadcast a(x: u8)\n"), of("broadcast a(x: bool)\n"));
    assert_eq!(difference(&one, &other), "`a.x` is `u8` here and `bool` at the server");
    let (one, other) = (of("action a() fails {x}\n"), of("action a() fails #0\n#0 external a::B\n"));
    assert_eq!(difference(&one, &other), "`a.fails` is declared elsewhere at one end only");
}

#[test]
fn type_in_two_directions_is_compared_in_both() {
    let of = |fields: &str| service("a: #0", "b: #0", &format!("#0 struct {{{fields}}}\n"));
    let (one, other) = (of("x: u8"), of("x: u8, y: u8"));
    assert_eq!(
        both_ways(&one, &other),
        (
            "`go.request.a.y` must be there for the server, and this end does not know it".into(),
            "`go.response.b.y` must be there, and the server does not know it".into()
        )
    );
    // What differs either way is said once.
    let said = difference(&of("x: u8"), &of("x: bool"));
    assert_eq!(said, "`go.request.a.x` is `u8` here and `bool` at the server");
}

#[test]
fn four_differences_are_named_and_no_more() {
    let of = |ty: &str| {
        let fields: Vec<String> = (0..6).map(|index| format!("f{index}: {ty}")).collect();
        service(&fields.join(", "), "b: u8", "")
    };
    let said = difference(&of("u8"), &of("bool"));
    assert_eq!(said.matches(" here and ").count(), 4);
    assert!(said.contains("f3") && !said.contains("f4") && said.ends_with("; and more"), "{said}");
}

#[test]
fn recursive_types_end_and_may_be_split_into_several() {
    let one = service("a: #0", "b: u8", "#0 struct {next: #0?, x: u8}\n");
    let two = service("a: #0", "b: u8", "#0 struct {next: #1?, x: u8}\n#1 struct {next: #0?, x: u8}\n");
    assert!(fit(&one, &two));
    let two = two.replace("#0?, x: u8", "#0?, x: bool");
    assert_eq!(difference(&one, &two), "`go.request.a.next.x` is `u8` here and `bool` at the server");
}

#[test]
fn what_is_no_shape_is_named_as_none() {
    let good = service("a: #0", "b: u8", "#0 struct {x: u8}\n");
    for bad in [
        String::new(),
        good.replace("#0 struct", "#1 struct"),
        format!("{}#0 enum {{}}\n", good.replace("#0 struct", "#1 struct")),
        good.replace("}\n", "} \n"),
        good.replace("a: #0", "a: #1"),
        good.replace("a: #0", "a: #99999999999999999999"),
        good.replace("x: u8", "x: "),
        good.replace("x: u8", "x: u8,"),
        good.replace("x: u8", "x: u8 y"),
        good.replace("x: u8", &format!("x: {}u8{}", "[".repeat(1_000), "]".repeat(1_000))),
        good.replace("x: u8", &format!("x: u8{}", "?".repeat(1_000))),
        good.replace("struct {x: u8}", "external a\u{1b}[1mb"),
        good.replace("action", "activity"),
    ] {
        assert_eq!(compare(&good, &bad), Err(Unfit::NoShapeThere), "{bad}");
        assert_eq!(compare(&bad, &good), Err(Unfit::NoShapeHere), "{bad}");
    }
}

#[test]
fn comparison_has_an_end_whatever_the_other_end_says() {
    // Cycles of lengths without a common divisor: the pairs are their product.
    let ring = |count: usize| {
        let types: String =
            (0..count).map(|index| format!("#{index} struct {{n: #{}?}}\n", (index + 1) % count)).collect();
        service("a: #0", "b: u8", &types)
    };
    assert_eq!(compare(&ring(1_009), &ring(8_009)), Err(Unfit::TooLarge));
    assert_eq!(compare(&ring(7), &ring(8_009)), Ok(()));
    // A long chain is no deep recursion, and its end is shown.
    let chain = |last: &str| {
        let types: String = (0..9_000).map(|index| format!("#{index} struct {{n: #{}}}\n", index + 1)).collect();
        service("a: #0", "b: u8", &format!("{types}#9000 struct {{n: {last}}}\n"))
    };
    let said = difference(&chain("u8"), &chain("bool"));
    assert_eq!(said, "`..n.n.n.n.n.n.n.n.n` is `u8` here and `bool` at the server");
    let long = "x".repeat(100_000);
    let said = difference(&service("a: u8", "b: u8", ""), &service(&format!("{long}: {long}"), "b: u8", ""));
    assert!(said.len() < 200, "{said}");
}
