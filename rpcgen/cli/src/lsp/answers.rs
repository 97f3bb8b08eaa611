//! Answers to an editor's questions.
//!
//! Knows: which question is which method of the project. Does not know: the language, the life of a session.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lsp_types::request::{
    CodeActionRequest, Completion, DocumentSymbolRequest, Formatting, GotoDefinition, HoverRequest,
    PrepareRenameRequest, References, Rename, Request, SemanticTokensFullRequest,
};
use lsp_types::{
    CompletionItem, CompletionTextEdit, Hover, HoverContents, Location, MarkupContent, MarkupKind, Position,
    SemanticTokens, TextDocumentPositionParams, TextEdit, Uri,
};
use rpcgen::editor::{CompletionKind, Project, RenameError};
use rpcgen::load::Files as _;
use rpcgen::source::{Source, SourceId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::convert;
use super::outline;
use super::state::State;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody asks that here.
    Method,
    /// The question makes no sense.
    Params(String),
    /// It cannot be renamed.
    Rename(String),
}

impl From<RenameError> for Refusal {
    fn from(error: RenameError) -> Self {
        Self::Rename(error.to_string())
    }
}

/// The answer to a request; `null` where there is nothing to say.
pub(super) fn answer(state: &State, method: &str, params: Value) -> Result<Value, Refusal> {
    fn read<R: Request>(params: Value) -> Result<R::Params, Refusal>
    where
        R::Params: DeserializeOwned,
    {
        serde_json::from_value(params).map_err(|error| Refusal::Params(error.to_string()))
    }
    match method {
        HoverRequest::METHOD => {
            Ok(hover(state, &read::<HoverRequest>(params)?.text_document_position_params).unwrap_or_default())
        }
        GotoDefinition::METHOD => {
            Ok(definition(state, &read::<GotoDefinition>(params)?.text_document_position_params).unwrap_or_default())
        }
        References::METHOD => {
            let params = read::<References>(params)?;
            let declarations = params.context.include_declaration;
            Ok(references(state, &params.text_document_position, declarations).unwrap_or_default())
        }
        PrepareRenameRequest::METHOD => prepare_rename(state, &read::<PrepareRenameRequest>(params)?),
        Rename::METHOD => {
            let params = read::<Rename>(params)?;
            rename(state, &params.text_document_position, &params.new_name)
        }
        Completion::METHOD => {
            Ok(completion(state, &read::<Completion>(params)?.text_document_position).unwrap_or_default())
        }
        Formatting::METHOD => Ok(format(state, &read::<Formatting>(params)?.text_document.uri).unwrap_or_default()),
        SemanticTokensFullRequest::METHOD => {
            Ok(tokens(state, &read::<SemanticTokensFullRequest>(params)?.text_document.uri).unwrap_or_default())
        }
        DocumentSymbolRequest::METHOD => {
            let params = read::<DocumentSymbolRequest>(params)?;
            let asked = Asked::near(state, &params.text_document.uri);
            Ok(asked.map(|asked| json!(outline::outline(&asked.project, asked.source))).unwrap_or_default())
        }
        CodeActionRequest::METHOD => {
            let params = read::<CodeActionRequest>(params)?;
            Ok(fixes(state, &params.text_document.uri, params.range).unwrap_or_default())
        }
        _ => Err(Refusal::Method),
    }
}

/// A project and the file in it that a question is about.
struct Asked {
    path: PathBuf,
    project: Project,
    source: SourceId,
}

impl Asked {
    /// The file with what it imports.
    fn near(state: &State, uri: &Uri) -> Option<Self> {
        let path = state.identity(&convert::path(uri)?);
        let project = state.near(&path);
        Self::new(path, project)
    }

    /// All files of the session: for questions about uses.
    fn all(state: &State, uri: &Uri) -> Option<Self> {
        let path = state.identity(&convert::path(uri)?);
        let project = state.all();
        Self::new(path, project)
    }

    fn new(path: PathBuf, project: Project) -> Option<Self> {
        let source = project.source(&path)?;
        Some(Self { path, project, source })
    }

    fn text(&self) -> Option<&Source> {
        self.project.sources().source(self.source)
    }

    fn byte(&self, position: Position) -> Option<u32> {
        Some(convert::offset(self.text()?, position))
    }

    fn locations(&self, state: &State, spans: &[rpcgen::source::Span]) -> Vec<Location> {
        let location = |span| convert::location(&self.project, span, |path: &Path| state.uri(path));
        spans.iter().copied().filter_map(location).collect()
    }
}

fn hover(state: &State, place: &TextDocumentPositionParams) -> Option<Value> {
    let asked = Asked::near(state, &place.text_document.uri)?;
    let hover = asked.project.hover(asked.source, asked.byte(place.position)?)?;
    let contents = MarkupContent { kind: MarkupKind::Markdown, value: hover.text };
    let range = Some(convert::range(asked.text()?, hover.at));
    Some(json!(Hover { contents: HoverContents::Markup(contents), range }))
}

fn definition(state: &State, place: &TextDocumentPositionParams) -> Option<Value> {
    let asked = Asked::near(state, &place.text_document.uri)?;
    let found = asked.project.definitions(asked.source, asked.byte(place.position)?);
    Some(json!(asked.locations(state, &found)))
}

fn references(state: &State, place: &TextDocumentPositionParams, declarations: bool) -> Option<Value> {
    let asked = Asked::all(state, &place.text_document.uri)?;
    let found = asked.project.references(asked.source, asked.byte(place.position)?, declarations);
    Some(json!(asked.locations(state, &found)))
}

fn prepare_rename(state: &State, place: &TextDocumentPositionParams) -> Result<Value, Refusal> {
    let Some(asked) = Asked::near(state, &place.text_document.uri) else { return Ok(Value::Null) };
    let Some(at) = asked.byte(place.position) else { return Ok(Value::Null) };
    let span = asked.project.renameable(asked.source, at)?;
    Ok(asked.text().map(|source| json!(convert::range(source, span))).unwrap_or_default())
}

fn rename(state: &State, place: &TextDocumentPositionParams, name: &str) -> Result<Value, Refusal> {
    let Some(asked) = Asked::all(state, &place.text_document.uri) else { return Ok(Value::Null) };
    let Some(at) = asked.byte(place.position) else { return Ok(Value::Null) };
    let mut changes: BTreeMap<String, Vec<TextEdit>> = BTreeMap::new();
    for edit in asked.project.rename(asked.source, at, name)? {
        for Location { uri, range } in asked.locations(state, &[edit.at]) {
            changes.entry(uri.as_str().to_owned()).or_default().push(TextEdit::new(range, edit.text.clone()));
        }
    }
    Ok(json!({ "changes": changes }))
}

fn completion(state: &State, place: &TextDocumentPositionParams) -> Option<Value> {
    let asked = Asked::near(state, &place.text_document.uri)?;
    let files = state.importable(&asked.path);
    let (span, found) = asked.project.complete(asked.source, asked.byte(place.position)?, &files);
    let range = convert::range(asked.text()?, span);
    let items = found.into_iter().enumerate().map(|(number, proposal)| CompletionItem {
        label: proposal.label,
        kind: Some(convert::completion_kind(proposal.kind)),
        detail: (!proposal.detail.is_empty()).then_some(proposal.detail),
        deprecated: proposal.deprecated.then_some(true),
        // What is declared by the user stands before what the language has.
        sort_text: Some(format!("{}{number:04}", u8::from(!matches!(proposal.kind, CompletionKind::Name(_))))),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(range, proposal.text))),
        ..CompletionItem::default()
    });
    Some(json!(items.collect::<Vec<_>>()))
}

/// One edit of the whole text; none if it is in the style, or cannot be read.
fn format(state: &State, uri: &Uri) -> Option<Value> {
    let asked = Asked::near(state, uri)?;
    let source = asked.text()?;
    let formatted = rpcgen::fmt::format(&asked.path, source.text()).ok()?;
    let whole = rpcgen::source::Span::new(asked.source, 0, convert::number(source.text().len()));
    let edit = TextEdit::new(convert::range(source, whole), formatted);
    let edits = if edit.new_text == source.text() { Vec::new() } else { vec![edit] };
    Some(json!(edits))
}

fn tokens(state: &State, uri: &Uri) -> Option<Value> {
    let asked = Asked::near(state, uri)?;
    let data = convert::tokens(asked.text()?, &asked.project.tokens(asked.source));
    Some(json!(SemanticTokens { result_id: None, data }))
}

/// The changes that findings in a range propose.
fn fixes(state: &State, uri: &Uri, range: lsp_types::Range) -> Option<Value> {
    let path = state.identity(&convert::path(uri)?);
    let checked = state.config().check_in(state, &[&path]);
    let mut actions = Vec::new();
    for diagnostic in checked.diagnostics.list() {
        let Some(fix) = &diagnostic.fix else { continue };
        let Some(source) = checked.diagnostics.sources().source(fix.span.source) else { continue };
        let at = convert::range(source, diagnostic.primary.span);
        if state.identity(source.path()) != path || at.end < range.start || range.end < at.start {
            continue;
        }
        let edit = TextEdit::new(convert::range(source, fix.span), fix.replacement.clone());
        let title = format!("{}: {} `{}`", diagnostic.message, fix.title, fix.replacement.trim());
        let changes = BTreeMap::from([(uri.as_str().to_owned(), vec![edit])]);
        actions
            .push(json!({ "title": title, "kind": "quickfix", "isPreferred": true, "edit": { "changes": changes } }));
    }
    Some(json!(actions))
}
