//! Large texts, which are the work of several threads: the result is that of one.

use std::fmt::Write as _;
use std::ops::Range;

use rpcgen::codegen::Form;

use super::examples::check;

const TYPES_COUNT: usize = 600;

/// So few types are the work of one thread.
const PART: usize = 20;

fn types(numbers: Range<usize>) -> String {
    let mut text = "package large;\n".to_owned();
    for number in numbers {
        let _ = writeln!(
            text,
            "/// Number {number}.\nstruct Thing{number} {{ id: uuid, name: string @max(64), tags: [string] = [], note: string? }}\n\
             enum Kind{number} {{ plain, sized {{ width: u32 }} }}"
        );
    }
    text
}

/// The items, without what stands above them once in a file.
fn items(text: &str) -> String {
    let model = check(text).model.unwrap();
    let code = rpcgen::Config::new().generate(&model, Form::Include).unwrap();
    code[0].text.split_once(" as rpc;\n").unwrap().1.trim().to_owned()
}

#[test]
fn a_large_package_is_its_parts_one_behind_the_other() {
    let parts = (0..TYPES_COUNT).step_by(PART).map(|from| items(&types(from..from + PART)));
    let parts: Vec<String> = parts.collect();
    assert!(items(&types(0..TYPES_COUNT)) == parts.join("\n\n"));
}

#[test]
fn a_large_service_is_the_same_every_time() {
    let mut text = types(0..TYPES_COUNT) + "service Large {\n";
    for number in 0..TYPES_COUNT {
        let _ = writeln!(
            text,
            "/// Does it.\naction act_{number}(app_id: AppId, thing: Thing{number}) -> (kind: Kind{number});"
        );
    }
    text.push_str("}\n");
    let first = items(&text);
    assert!((0..3).all(|_| items(&text) == first));
    let order: Vec<Option<usize>> =
        (0..TYPES_COUNT).map(|number| first.find(&format!("impl rpc::Action for Act{number} "))).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted());
}

/// A mistake in every struct: the first ones are told, in the order of the text.
#[test]
fn mistakes_of_a_large_text_stand_in_its_order() {
    let text = types(0..TYPES_COUNT).replace("note: string?", "note: string? |");
    let found = check(&text).diagnostics;
    let starts: Vec<u32> = found.list().iter().map(|one| one.primary.span.start).collect();
    assert_eq!((found.errors_count(), found.dropped_count(), starts.len()), (TYPES_COUNT, TYPES_COUNT - 200, 200));
    let first: Vec<u32> = text.match_indices('|').take(200).filter_map(|(at, _)| u32::try_from(at).ok()).collect();
    assert_eq!(starts, first);
}

#[test]
fn types_in_one_another_are_told_by_their_depth_and_not_by_a_size() {
    let chain = |length: usize| {
        let links = (0..length).map(|link| format!("struct Link{link} {{ inner: Link{} }}\n", link + 1));
        format!("package chain;\n{}struct Link{length} {{ value: u8 }}\n", links.collect::<String>())
    };
    assert!(check(&chain(200)).model.is_some());
    let told = check(&chain(300)).diagnostics.to_human(false);
    assert!(told.contains("more than 256 deep") && !told.contains("scalars"), "{told}");
}

/// Each way round: what a constant leads to is found once, whichever of them is asked first.
#[test]
fn constants_lead_through_thirty_others_and_no_more() {
    let text = |numbers: &mut dyn Iterator<Item = usize>| {
        let value = |n: usize| n.checked_sub(1).map_or_else(|| "7".to_owned(), |before| format!("C{before}"));
        let one = |n: usize| format!("const C{n}: u8 = {};\n", value(n));
        format!("package chain;\n{}", numbers.map(one).collect::<String>())
    };
    assert!(check(&text(&mut (0..=31))).model.is_some() && check(&text(&mut (0..=31).rev())).model.is_some());
    for text in [text(&mut (0..=40)), text(&mut (0..=40).rev())] {
        let found = check(&text).diagnostics;
        assert_eq!(found.errors_count(), 9, "{}", found.to_human(false));
    }
}

/// A line of ten megabytes: whoever looked from each field to its end would look for minutes.
#[test]
fn fields_on_one_long_line_are_formatted_one_by_one() {
    let count = 49_000;
    let fields: String = (0..count).map(|n| format!("f{n}: u8,{}", " ".repeat(200))).collect();
    let text =
        rpcgen::fmt::format("long.rpc".as_ref(), &format!("package long; struct Long {{ {fields} }} // end")).unwrap();
    assert_eq!(text.lines().count(), count + 4);
    assert!(text.ends_with(&format!("    f{}: u8,\n}} // end\n", count - 1)));
}
