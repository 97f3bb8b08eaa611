//! A session of an editor with `rpcgen lsp`, over its stdin and stdout.
#![expect(clippy::unwrap_used, reason = "a test that cannot speak to the server fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const MONEY: &str = "package money;\n\n/// What a coin is worth.\nalias Amount = u64;\n";
const SHOP: &str = "package shop;\n\nimport \"money.rpc\";\n\nstruct Price {\n    amount: money.Amount,\n}\n";
const BANK: &str = "package bank;\n\nimport \"money.rpc\";\n\nenum Currency { btc, usd }\n\nstruct Account {\n    \
                    user: strng,\n    balance: money.Amount = 0,\n    currency: Currency = usd,\n}\n";

/// What an editor is, as far as the server can tell.
struct Editor {
    server: Child,
    to_server: Option<ChildStdin>,
    from_server: BufReader<ChildStdout>,
    folder: PathBuf,
    requests_count: u64,
    /// Notifications that came while an answer was waited for.
    notifications: Vec<Value>,
}

impl Editor {
    /// Starts a server in a folder of its own and greets it.
    fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in [("money.rpc", MONEY), ("shop.rpc", SHOP), ("bank.rpc", BANK)] {
            fs::write(folder.join(file), text).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_rpcgen"));
        let command = command.args(["lsp", "--stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let to_server = server.stdin.take();
        let from_server = BufReader::new(server.stdout.take().unwrap());
        let (requests_count, notifications) = (0, Vec::new());
        let mut editor = Self { server, to_server, from_server, folder, requests_count, notifications };
        let folder = editor.uri("");
        let folders = json!([{ "uri": folder.trim_end_matches('/'), "name": "test" }]);
        let greeting =
            editor.ask("initialize", json!({ "processId": null, "capabilities": {}, "workspaceFolders": folders }));
        assert_eq!(greeting["serverInfo"]["name"], "rpcgen");
        editor.tell("initialized", json!({}));
        editor
    }

    fn uri(&self, file: &str) -> String {
        format!("file://{}/{file}", self.folder.canonicalize().unwrap().display())
    }

    fn write(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        let body = message.to_string();
        let to_server = self.to_server.as_mut().unwrap();
        write!(to_server, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        to_server.flush().unwrap();
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from_server.read_line(&mut line).unwrap() > 0, "the server has gone");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.from_server.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.write(json!({ "method": method, "params": params }));
    }

    fn ask_for_all(&mut self, method: &str, params: Value) -> Value {
        self.requests_count += 1;
        let id = self.requests_count;
        self.write(json!({ "id": id, "method": method, "params": params }));
        loop {
            let message = self.read();
            if message["id"] == json!(id) {
                return message;
            }
            self.notifications.push(message);
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask_for_all(method, params);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// About a place of a file: line and column from 0.
    fn ask_at(&mut self, method: &str, file: &str, (line, character): (u32, u32), more: Value) -> Value {
        let mut params = more;
        params["textDocument"] = json!({ "uri": self.uri(file) });
        params["position"] = json!({ "line": line, "character": character });
        self.ask(method, params)
    }

    fn open(&mut self, file: &str, text: &str) {
        let document = json!({ "uri": self.uri(file), "languageId": "rpc", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&mut self, file: &str, text: &str) {
        let document = json!({ "uri": self.uri(file), "version": 2 });
        let changes = json!([{ "text": text }]);
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// The next findings that the server tells of this file.
    fn findings(&mut self, file: &str) -> Vec<Value> {
        let uri = self.uri(file);
        loop {
            let message = if self.notifications.is_empty() { self.read() } else { self.notifications.remove(0) };
            if message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == json!(uri) {
                return message["params"]["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// Says goodbye; how the server ends.
    fn leave(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        self.server.wait().unwrap().code()
    }
}

fn range(line: u32, start: u32, end: u32) -> Value {
    json!({ "start": { "line": line, "character": start }, "end": { "line": line, "character": end } })
}

/// The text after edits of one file, given from the first to the last.
fn edited(text: &str, edits: &Value) -> String {
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let at = |place: &Value| {
        let line = usize::try_from(place["line"].as_u64().unwrap()).unwrap();
        starts[line] + usize::try_from(place["character"].as_u64().unwrap()).unwrap()
    };
    let mut out = text.to_owned();
    for edit in edits.as_array().unwrap().iter().rev() {
        let range = at(&edit["range"]["start"])..at(&edit["range"]["end"]);
        out.replace_range(range, edit["newText"].as_str().unwrap());
    }
    out
}

#[test]
fn findings_come_as_one_types_and_bring_their_fixes() {
    let mut editor = Editor::start("lsp_findings");
    editor.open("bank.rpc", BANK);
    let found = editor.findings("bank.rpc");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&json!("E011"), &json!(1)));
    assert_eq!(found[0]["range"], range(7, 10, 15));
    assert!(found[0]["message"].as_str().unwrap().contains("help: did you mean `string`"), "{found:?}");

    let uri = editor.uri("bank.rpc");
    let about =
        json!({ "textDocument": { "uri": uri }, "range": range(7, 12, 12), "context": { "diagnostics": found } });
    let actions = editor.ask("textDocument/codeAction", about);
    let mended = edited(BANK, &actions[0]["edit"]["changes"][&uri]);
    assert_eq!(mended, BANK.replace("strng", "string"));

    editor.change("bank.rpc", &mended);
    assert_eq!(editor.findings("bank.rpc"), [] as [Value; 0]);
    // What another open document says counts, not its file.
    editor.open("money.rpc", &MONEY.replace("Amount", "Sum"));
    let found = editor.findings("bank.rpc");
    assert_eq!((found.len(), &found[0]["code"]), (1, &json!("E011")));
    let money = editor.uri("money.rpc");
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": money } }));
    assert_eq!(editor.findings("bank.rpc"), [] as [Value; 0]);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn findings_of_a_file_that_is_not_open_are_shown_there() {
    let mut editor = Editor::start("lsp_imported");
    fs::write(editor.folder.join("money.rpc"), "package money;\nalias Amount = u46;\n").unwrap();
    editor.open("shop.rpc", SHOP);
    let found = editor.findings("money.rpc");
    assert_eq!((found.len(), &found[0]["code"]), (1, &json!("E011")));
    fs::write(editor.folder.join("money.rpc"), MONEY).unwrap();
    let changed = json!({ "changes": [{ "uri": editor.uri("money.rpc"), "type": 2 }] });
    editor.tell("workspace/didChangeWatchedFiles", changed);
    assert_eq!(editor.findings("money.rpc"), [] as [Value; 0]);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn names_are_shown_found_and_renamed_in_all_files_of_the_folder() {
    let mut editor = Editor::start("lsp_names");
    let bank = BANK.replace("strng", "string");
    fs::write(editor.folder.join("bank.rpc"), &bank).unwrap();
    editor.open("bank.rpc", &bank);
    let at = (8, 22);

    let hover = editor.ask_at("textDocument/hover", "bank.rpc", at, json!({}));
    assert_eq!(hover["contents"]["value"], "```rpc\nalias Amount = u64;\n```\n\nWhat a coin is worth.");
    assert_eq!(hover["range"], range(8, 19, 25));

    let found = editor.ask_at("textDocument/definition", "bank.rpc", at, json!({}));
    assert_eq!(found, json!([{ "uri": editor.uri("money.rpc"), "range": range(3, 6, 12) }]));

    let context = json!({ "context": { "includeDeclaration": false } });
    let found = editor.ask_at("textDocument/references", "bank.rpc", at, context);
    let uris: Vec<&str> = found.as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, [editor.uri("bank.rpc"), editor.uri("shop.rpc")]);

    assert_eq!(editor.ask_at("textDocument/prepareRename", "bank.rpc", at, json!({})), range(8, 19, 25));
    let changes = editor.ask_at("textDocument/rename", "bank.rpc", at, json!({ "newName": "Sum" }))["changes"].clone();
    for (file, text) in [("bank.rpc", bank.as_str()), ("money.rpc", MONEY), ("shop.rpc", SHOP)] {
        assert_eq!(edited(text, &changes[editor.uri(file)]), text.replace("Amount", "Sum"), "{file}");
    }
    let place =
        json!({ "textDocument": { "uri": editor.uri("bank.rpc") }, "position": { "line": 8, "character": 22 } });
    for (name, why) in
        [("two words", "a name has ASCII letters"), ("string", "`string` is a type of the language (E018)")]
    {
        let mut wrong = place.clone();
        wrong["newName"] = json!(name);
        let refused = editor.ask_for_all("textDocument/rename", wrong);
        assert!(refused["error"]["message"].as_str().unwrap().contains(why), "{refused}");
    }
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_text_is_completed_formatted_coloured_and_outlined() {
    let mut editor = Editor::start("lsp_texts");
    let ugly = "package b;\nimport \"money.rpc\";\nenum E { on, off }\nstruct  S { e: E = on,\n /// Docs.\n m: money.Amount }\n";
    editor.open("ugly.rpc", ugly);
    let items = editor.ask_at("textDocument/completion", "ugly.rpc", (3, 20), json!({}));
    let labels: Vec<&str> = items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["on", "off"]);
    assert_eq!(items[0]["textEdit"]["range"], range(3, 19, 20));

    let uri = editor.uri("ugly.rpc");
    let document = json!({ "uri": uri });
    let options = json!({ "tabSize": 4, "insertSpaces": true });
    let edits = editor.ask("textDocument/formatting", json!({ "textDocument": document, "options": options }));
    let formatted = edits[0]["newText"].as_str().unwrap().to_owned();
    assert!(formatted.contains("struct S {\n    e: E = on,\n    /// Docs.\n    m: money.Amount,\n}\n"), "{formatted}");
    editor.change("ugly.rpc", &formatted);
    let again = editor.ask("textDocument/formatting", json!({ "textDocument": document, "options": options }));
    assert_eq!(again, json!([]));

    let tokens = editor.ask("textDocument/semanticTokens/full", json!({ "textDocument": document }));
    // `package b`: a keyword of seven characters, and a namespace that is declared here, eight behind its start.
    assert_eq!(tokens["data"].as_array().unwrap()[..10], [0, 0, 7, 3, 0, 0, 8, 1, 6, 1].map(|number| json!(number)));

    let outline = editor.ask("textDocument/documentSymbol", json!({ "textDocument": document }));
    assert_eq!((&outline[1]["name"], &outline[1]["children"][1]["name"]), (&json!("S"), &json!("m")));

    let unknown = editor.ask_for_all("textDocument/foldingRange", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(unknown["error"]["code"], -32601);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn an_editor_that_goes_without_a_word_leaves_no_server_behind() {
    let mut editor = Editor::start("lsp_gone");
    editor.to_server = None;
    assert_eq!(editor.server.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_no_json_is_answered_as_that_and_the_session_goes_on() {
    let mut editor = Editor::start("malformed");
    write!(editor.to_server.as_mut().unwrap(), "Content-Length: 5\r\n\r\n{{bad}}").unwrap();
    let refused = loop {
        let message = editor.read();
        if message.get("error").is_some() {
            break message;
        }
    };
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &json!(-32_700)));
    assert!(editor.ask("shutdown", Value::Null).is_null());
}
