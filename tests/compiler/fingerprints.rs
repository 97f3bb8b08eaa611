//! Fingerprints: frozen, changed by what decides the wire, unchanged by all else.

use rpcgen::backend::{Backend as _, Schema};

use super::examples::check;

const TEXT: &str = "package frozen;
alias Key = string @max(8);
enum Color { red, green { shade: u8 } }
struct Tree { key: Key, color: Color = red, children: [Tree] @max(3), parent: Tree?, at: [u16; 2], names: {string: uuid} }
service Frozen {
    action plant(app_id: AppId, tree: Tree) -> (key: Key) fails { full, bad { why: string } };
    broadcast grown(app_id: AppId, key: Key, by: f64) to origin of plant by key;
}
";

fn fingerprint(text: &str) -> u64 {
    let checked = check(text);
    let model = checked.model.unwrap_or_else(|| panic!("{}", checked.diagnostics.to_human(false)));
    model.services[0].fingerprint
}

#[test]
fn the_shape_is_a_text_that_the_runtime_reads() {
    let model = check(TEXT).model.unwrap();
    let shape = &model.services[0].shape;
    let lines = [
        "frozen.Frozen",
        "action plant(app_id: AppId, tree: #0) -> (key: string<8>) fails {full, bad {why: string}}",
        "broadcast grown(app_id: AppId, key: string<8>, by: f64)",
        "#0 struct {key: string<8>, color: #1 = _, children: [#0]<3>, parent: #0?, at: [u16; 2], names: {string: uuid}}",
        "#1 enum {red, green {shade: u8}}",
        "",
    ];
    assert_eq!(shape, &lines.join("\n"));
    assert_eq!(rpcgen_proto::shape::compare(shape, shape), Ok(()));
}

/// What `rpcgen schema` prints is what the ends of a link compare: whoever reads it can tell which services fit.
#[test]
fn the_schema_has_the_shapes_and_the_fingerprint_of_the_handshake() {
    let model = check(TEXT).model.unwrap();
    let files = Schema.generate(&model).unwrap();
    let json: serde_json::Value = serde_json::from_str(&files[0].text).unwrap();
    let service = &json["packages"][0]["services"][0];
    let shape = service["shape"].as_str().unwrap();
    assert_eq!(shape, model.services[0].shape);
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let fingerprint = shape.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    assert_eq!(service["fingerprint"], format!("{fingerprint:016x}"));
    let lines: Vec<&str> = shape.lines().collect();
    assert_eq!(service["actions"][0]["shape"], lines[1]);
    assert_eq!(service["broadcasts"][0]["shape"], lines[2]);
    let code = rpcgen::Config::new().generate(&model, rpcgen::codegen::Form::Include).unwrap();
    assert!(lines.iter().all(|line| code[0].text.contains(line)), "{}", code[0].text);
}

fn with(old: &str, new: &str) -> u64 {
    let text = TEXT.replace(old, new);
    assert_ne!(text, TEXT, "{old}");
    fingerprint(&text)
}

/// A change of this number costs every pair of unequal versions the fast path of the handshake.
#[test]
fn the_algorithm_is_frozen() {
    assert_eq!(fingerprint(TEXT), 0xa735_22c7_2c32_f439, "{:#018x}", fingerprint(TEXT));
}

#[test]
fn what_changes_nothing_on_the_wire_changes_no_fingerprint() {
    for (old, new) in [
        ("enum Color", "/// Documented.\nenum Color"),
        ("Tree", "Plant"),
        ("key: Key, color", "key: string @max(8), color"),
        ("color: Color = red", "color: Color = red @sensitive @deprecated(\"no\")"),
        (" to origin of plant by key", ""),
        ("    action", "    @deadline(3s) @persist(disk) action"),
        ("service Frozen", "const UNUSED: u8 = 1;\nstruct Unused {}\nservice Frozen"),
    ] {
        assert_eq!(with(old, new), fingerprint(TEXT), "{old} -> {new}");
    }
}

#[test]
fn what_decides_the_wire_or_its_meaning_changes_the_fingerprint() {
    let mut seen = vec![fingerprint(TEXT)];
    for (old, new) in [
        ("package frozen", "package melted"),
        ("service Frozen", "service Molten"),
        ("plant", "sow"),
        ("red, green { shade: u8 }", "green { shade: u8 }, red"),
        ("shade: u8", "shade: u16"),
        ("shade", "tone"),
        ("Color = red", "Color"),
        ("@max(3)", "@max(4)"),
        ("@max(8)", ""),
        ("[u16; 2]", "[u16; 3]"),
        ("Tree?", "[Tree]"),
        ("struct Tree", "@fixed struct Tree"),
        ("full, ", ""),
        ("by: f64", "by: f32"),
        ("{string: uuid}", "{uuid: string}"),
    ] {
        let changed = with(old, new);
        assert!(!seen.contains(&changed), "{old} -> {new}");
        seen.push(changed);
    }
}
