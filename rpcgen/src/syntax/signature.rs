//! Signatures of other languages, and how the whole of them is written here.
//!
//! Knows: `rpc Get(Request) returns (Item)`, `fn add(a: i32) -> Result<i32, Error>`, `i32 add(1: i32 a) throws (1: Error e)`,
//! `add(a: number): Promise<number>`. Does not know: where one stands, what its types are.
//! What it offers can be read: it has an `app_id`, names for all fields, and a `;`.

use heck::ToSnakeCase as _;

use super::ast::{Item, Member};
use super::habits::{is_word, named};
use super::parse::{Rule, is_whole};
use crate::diagnostic::Sink;
use crate::foreign;
use crate::source::SourceId;

/// Longer ones are nobody's slip.
const CHARS_MAX: usize = 2_000;

/// A member as it is written here.
pub(super) struct Written {
    pub(super) text: String,
    /// It became an action, and a broadcast for what comes again.
    pub(super) is_stream: bool,
}

/// What an action answers, each part as it is written here, if it is there at all.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// Fields, without parentheses.
    pub(super) fields: String,
    /// Reasons, without braces.
    pub(super) reasons: String,
}

impl Answer {
    /// As it stands behind a request.
    pub(super) fn text(&self) -> String {
        let fields = if self.fields.is_empty() { String::new() } else { format!(" -> ({})", self.fields) };
        let fails = if self.reasons.is_empty() { String::new() } else { format!(" fails {{ {} }}", self.reasons) };
        fields + &fails
    }
}

/// Whether this is one member of ours, with its `app_id`.
pub(super) fn is_member(text: &str) -> bool {
    if !text.contains("app_id") {
        return false;
    }
    let mut sink = Sink::new();
    let file = super::parse(SourceId::default(), &format!("package a;\nservice S {{\n{text}\n}}"), &mut sink);
    let [Item::Service(service)] = file.items.as_slice() else { return false };
    let list = match service.members.as_slice() {
        [Member::Action(action)] => &action.request,
        [Member::Broadcast(broadcast)] => &broadcast.fields,
        _ => return false,
    };
    !sink.has_errors() && list.fields.first().is_some_and(|field| field.head.name.text == "app_id")
}

/// The whole of a signature of another language, as a member that begins with `word`.
pub(super) fn ours(text: &str, word: &str) -> Option<Written> {
    if text.len() > CHARS_MAX {
        return None;
    }
    let (head, rest) = text.split_once('(')?;
    let (asked, behind) = inside(rest, ')')?;
    let (name, before) = name_of(head)?;
    let (asked, streams_in) = without_stream(asked.trim());
    let mut request = fields(asked, "request")?;
    request.retain(|field| !field.starts_with("app_id:"));
    let behind = behind.trim().trim_end_matches(';').trim_end();
    let (answered, reasons) = clauses(without_body(behind))?;
    let answered = if answered.is_empty() { before } else { answered };
    let (answered, streams_out) = without_stream(answered);
    let mut answer = answer(answered)?;
    if !reasons.is_empty() {
        answer.reasons = reasons;
    }
    let asked = std::iter::once("app_id: AppId").chain(request.iter().map(String::as_str)).collect::<Vec<_>>();
    let is_stream = streams_in || streams_out || head.trim_start().starts_with("stream ");
    let text = if is_stream && !answer.fields.is_empty() {
        let keys: Vec<&str> = request.iter().filter_map(|field| Some(field.split_once(':')?.0)).collect();
        let keys = if keys.is_empty() { "app_id".to_owned() } else { keys.join(", ") };
        let (asked, fields) = (asked.join(", "), std::mem::take(&mut answer.fields));
        format!(
            "action {name}({asked}){};\n    broadcast {name}_next({asked}, {fields}) to origin of {name} by {keys};",
            answer.text()
        )
    } else if word == "broadcast" {
        format!("broadcast {name}({});", asked.join(", "))
    } else {
        format!("action {name}({}){};", asked.join(", "), answer.text())
    };
    let mut members = text.split_inclusive(";\n");
    members.all(is_member).then_some(Written { text, is_stream })
}

/// The name before the parentheses, and the type before it.
fn name_of(head: &str) -> Option<(String, &str)> {
    let head = head.split('@').next().unwrap_or_default().trim();
    let (before, name) = head.rsplit_once(char::is_whitespace).unwrap_or(("", head));
    let is_said = |word: &str| {
        let says_nothing =
            matches!(word, "oneway" | "function" | "unsafe" | "static" | "override" | "suspend" | "procedure");
        !says_nothing && !foreign::is_modifier(word) && foreign::member(word).is_none()
    };
    let mut words = before.split_whitespace().filter(|word| is_said(word));
    let ty = words.next().unwrap_or_default();
    (is_word(name) && words.next().is_none()).then(|| (name.to_snake_case(), ty))
}

/// Up to the bracket that closes what is open, and what stands behind it.
fn inside(text: &str, close: char) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            _ if c == close && depth == 0 => return Some((&text[..at], &text[at + 1..])),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// At the commas that stand in no brackets, without what is empty.
fn split(text: &str) -> Vec<&str> {
    foreign::split(text).into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn without_stream(text: &str) -> (&str, bool) {
    let bare = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text).trim();
    bare.strip_prefix("stream ").map_or((text, false), |rest| (rest.trim(), true))
}

/// Without the braces of a body, which are those of no type and no reasons.
fn without_body(behind: &str) -> &str {
    let before = behind.split('{').next().unwrap_or_default().trim_end();
    let is_body = before.len() < behind.len() && !["->", ":", "[", "fails"].iter().any(|sign| before.ends_with(sign));
    if is_body { before } else { behind }
}

/// What stands behind the parentheses: an answer as it is written there, and reasons as they are written here.
fn clauses(behind: &str) -> Option<(&str, String)> {
    let is_clause = |word: &str| matches!(word, "fails" | "throws" | "raises");
    let mut words =
        behind.split_whitespace().filter(|word| is_clause(word.split(['(', '{']).next().unwrap_or_default()));
    let (answer, reasons) =
        words.next().and_then(|word| behind.split_once(word.split(['(', '{']).next()?)).unwrap_or((behind, ""));
    let signs = ["->", "=>", "returns", "return", ":", "="];
    let answer = answer.trim();
    let bare = signs.iter().find_map(|sign| answer.strip_prefix(sign));
    // What is neither an answer nor a reason is not understood.
    (bare.is_some() || answer.is_empty()).then_some((bare.unwrap_or_default().trim(), reasons_of(reasons)?))
}

/// `(1: NotFound e)`, `NotFound, Full`: reasons by the names of their types, without braces.
pub(super) fn reasons_of(text: &str) -> Option<String> {
    let reasons: Option<Vec<String>> =
        split(text.trim().trim_matches(['(', ')', '{', '}'])).into_iter().map(reason).collect();
    Some(reasons?.join(", "))
}

fn reason(text: &str) -> Option<String> {
    let text = text.split_once(':').map_or(text, |(_, behind)| behind).trim();
    let name = text.split([' ', '<']).next()?.rsplit(['.', ':']).next()?;
    match name {
        "String" | "string" | "str" | "" => Some("failed { why: string }".to_owned()),
        _ => is_word(name).then(|| name.to_snake_case()),
    }
}

/// What is answered as `written`: nothing, a type, a `Result` of two, or fields.
pub(super) fn answer(written: &str) -> Option<Answer> {
    let written = written.trim();
    if written.len() > CHARS_MAX {
        return None;
    }
    let nothing =
        ["", "()", "void", "Void", "None", "null", "undefined", "nil", "unit", "Unit", "(google.protobuf.Empty)"];
    if nothing.contains(&written) {
        return Some(Answer::default());
    }
    let generic = written.strip_suffix('>').and_then(|text| text.split_once('<'));
    match generic.map(|(name, arguments)| (name.rsplit(':').next().unwrap_or_default().trim(), split(arguments))) {
        Some(("Promise" | "Future" | "Task" | "CompletableFuture", one)) if one.len() == 1 => answer(one[0]),
        Some(("Result" | "Either", parts)) if matches!(parts.len(), 1 | 2) => {
            let reasons = reason(parts.get(1).copied().unwrap_or("String"))?;
            Some(Answer { reasons, ..answer(parts[0])? })
        }
        _ => {
            let between = |open, close| written.strip_prefix(open).and_then(|text: &str| text.strip_suffix(close));
            // A map begins with a type.
            let is_object = |text: &&str| {
                type_of(text.split(':').next().unwrap_or_default()).is_some_and(|first| {
                    first.starts_with(|c: char| c.is_ascii_lowercase()) && !foreign::BUILT_IN.contains(&first.as_str())
                })
            };
            let bare = between('(', ')').or_else(|| between('{', '}').filter(is_object)).unwrap_or(written);
            Some(Answer { fields: fields(bare, "result")?.join(", "), reasons: String::new() })
        }
    }
}

/// Fields as they are written here; a type alone is called `name`, one of several by its own name.
pub(super) fn fields(text: &str, name: &str) -> Option<Vec<String>> {
    if text.len() > CHARS_MAX {
        return None;
    }
    let parts = split(text);
    let is_self =
        |part: &&str| matches!(part.trim_start_matches(['&', ' ']).trim_start_matches("mut "), "self" | "this");
    let is_nothing = |part: &&str| is_self(part) || *part == "google.protobuf.Empty";
    let parts: Vec<&str> = parts.into_iter().filter(|part| !is_nothing(part)).collect();
    let only = parts.len() == 1;
    let fields =
        parts.into_iter().enumerate().map(|(index, part)| field(part, if only { Ok(name) } else { Err(index) }));
    let mut fields = fields.collect::<Option<Vec<String>>>()?;
    for index in 1..fields.len() {
        let (name, ty) = fields[index].split_once(':')?;
        if fields[..index].iter().any(|field| field.split(':').next() == Some(name)) {
            fields[index] = format!("part_{}:{ty}", index + 1);
        }
    }
    Some(fields)
}

/// `1: optional i32 count = 3`, `count @0 :Int32`, `count?: number`, `i32`. If it has no name, it takes `name`, or one after its type or
/// its place among several.
pub(super) fn field(part: &str, name: Result<&str, usize>) -> Option<String> {
    if part.len() > CHARS_MAX {
        return None;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = match part.split_once(':') {
        Some((number, rest)) if is_number(number.trim()) => rest,
        _ => part,
    };
    let says_nothing = |word: &&str| matches!(*word, "required" | "optional" | "in" | "final" | "const");
    let is_kept = |word: &&str| !says_nothing(word) && !word.strip_prefix('@').is_some_and(is_number);
    let is_optional = part.split_whitespace().next() == Some("optional");
    let part = part.split_whitespace().filter(is_kept).collect::<Vec<_>>().join(" ");
    let (part, behind) = part.split_at(part.find('=').unwrap_or(part.len()));
    let (name, ty) = match part.split_once(':') {
        Some((name, ty)) if is_word(name.trim().trim_end_matches('?')) => {
            let limits = ty.find('@').unwrap_or(ty.len());
            let ours = type_of(&ty[..limits]).unwrap_or_else(|| ty[..limits].to_owned());
            // With `?` and `| null`, as in any field.
            let written = named("", &format!("{name}:{ours}{}{behind}", &ty[limits..]))?;
            return is_whole(Rule::field, &written).then_some(written);
        }
        _ => match part.trim().rsplit_once(' ') {
            Some((ty, name)) if is_word(name) && !ty.ends_with('|') => (name.to_snake_case(), type_of(ty)?),
            _ => {
                let ty = type_of(part)?;
                let own = ty.rsplit('.').next().filter(|own| is_word(own)).map(|own| own.to_snake_case());
                (name.map_or_else(|index| own.unwrap_or_else(|| format!("part_{}", index + 1)), str::to_owned), ty)
            }
        },
    };
    let optional = if is_optional && !ty.ends_with('?') { "?" } else { "" };
    let blank = if behind.is_empty() { "" } else { " " };
    let written = format!("{name}: {ty}{optional}{blank}{behind}");
    is_whole(Rule::field, &written).then_some(written)
}

/// A type as it is written here.
fn type_of(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['&', '*']).trim_start_matches("mut ").trim_start_matches('.').trim();
    let text = text.strip_prefix("google.protobuf.").unwrap_or(text);
    let list = |element: &str| match type_of(element)?.as_str() {
        "u8" => Some("bytes".to_owned()),
        element => Some(format!("[{element}]")),
    };
    if let Some(element) = text.strip_suffix("[]").or_else(|| text.strip_prefix("[]")) {
        return list(element);
    }
    if let Some((inner, none)) = text.split_once('|') {
        let is_none = matches!(none.trim(), "null" | "None" | "undefined" | "nil");
        return type_of(inner).filter(|_| is_none).map(|inner| format!("{}?", inner.trim_end_matches('?')));
    }
    if let Some(inner) = text.strip_suffix('?') {
        return type_of(inner).map(|inner| format!("{}?", inner.trim_end_matches('?')));
    }
    let ours =
        if text.contains('<') { foreign::generic(text)? } else { foreign::scalar(text).unwrap_or(text).to_owned() };
    is_whole(Rule::field, &format!("x: {ours}")).then_some(ours)
}

#[cfg(test)]
mod tests {
    use super::{answer, ours};

    fn written(text: &str) -> String {
        ours(text, "action").map_or_else(String::new, |written| written.text)
    }

    #[test]
    fn signatures_of_other_languages_are_written_in_full() {
        for (theirs, here) in [
            ("fn add(a: i32) -> i32;", "action add(app_id: AppId, a: i32) -> (result: i32);"),
            (
                "async fn add(&self, a: &str) -> Result<u8, NotFound>;",
                "action add(app_id: AppId, a: string) -> (result: u8) fails { not_found };",
            ),
            (
                "fn log(&mut self, line: String) -> Result<(), String>",
                "action log(app_id: AppId, line: string) fails { failed { why: string } };",
            ),
            (
                "rpc GetItem(GetItemRequest) returns (shop.Item) {}",
                "action get_item(app_id: AppId, request: GetItemRequest) -> (result: shop.Item);",
            ),
            ("rpc Ping(google.protobuf.Empty) returns (google.protobuf.Empty);", "action ping(app_id: AppId);"),
            (
                "i32 add(1: i32 a, 2: required string b) throws (1: Failed e);",
                "action add(app_id: AppId, a: i32, b: string) -> (result: i32) fails { failed };",
            ),
            ("oneway void ping();", "action ping(app_id: AppId);"),
            (
                "getThing(id: string, limit?: number): Promise<string[]>;",
                "action get_thing(app_id: AppId, id: string, limit: f64?) -> (result: [string]);",
            ),
            ("find(id: string): Promise<Item | null>;", "action find(app_id: AppId, id: string) -> (result: Item?);"),
            (
                "rpc When(Id) returns (google.protobuf.Timestamp) { option (a) = { get: b }; }",
                "action when(app_id: AppId, request: Id) -> (result: timestamp);",
            ),
            ("add @0 (a :i32) -> (b :i32);", "action add(app_id: AppId, a: i32) -> (b: i32);"),
            ("def f(x: int, y: str) -> float", "action f(app_id: AppId, x: i32, y: string) -> (result: f32);"),
            ("fn pair() -> (u8, string)", "action pair(app_id: AppId) -> (u8: u8, string: string);"),
            ("fn f<T>(a: T)", ""),
            ("fn f(a: Page<u8>) -> u8", ""),
            ("fn f(a: u8) where u8: Copy", ""),
        ] {
            assert_eq!(written(theirs), here, "{theirs}");
        }
    }

    #[test]
    fn what_comes_again_becomes_a_broadcast() {
        assert_eq!(
            written("rpc Watch(Key) returns (stream Item);"),
            "action watch(app_id: AppId, request: Key);\n    \
             broadcast watch_next(app_id: AppId, request: Key, result: Item) to origin of watch by request;"
        );
        assert_eq!(
            ours("stream ticks(every: duration);", "broadcast").map(|one| one.text).as_deref(),
            Some("broadcast ticks(app_id: AppId, every: duration);")
        );
    }

    #[test]
    fn a_result_is_a_field_and_a_reason() {
        let text = |written: &str| answer(written).map(|answer| answer.text());
        assert_eq!(text("Result<u8, BankError>").as_deref(), Some(" -> (result: u8) fails { bank_error }"));
        assert_eq!(text("Result<()>").as_deref(), Some(" fails { failed { why: string } }"));
        assert_eq!(text("void").as_deref(), Some(""));
        assert_eq!(text("a: u8, b: u8").as_deref(), Some(" -> (a: u8, b: u8)"));
        assert_eq!(text("Page<u8>"), None);
    }
}
