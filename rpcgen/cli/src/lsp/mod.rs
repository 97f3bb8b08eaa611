//! `rpcgen lsp`
//!
//! Knows: the life of a session: greeting, messages in order, farewell. Does not know: how a question is answered.
//!
//! One thread. Findings are looked for when no message waits: whoever types fast is not answered letter by letter.

mod answers;
mod convert;
mod findings;
mod outline;
mod state;
mod wire;

use std::path::PathBuf;

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::Notification as _;
use lsp_types::{
    CodeActionProviderCapability, CompletionOptions, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, HoverProviderCapability, InitializeParams, OneOf, RenameOptions,
    SemanticTokensFullOptions, SemanticTokensLegend, SemanticTokensOptions, SemanticTokensServerCapabilities,
    ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind, WorkDoneProgressOptions, notification,
};
use serde_json::{Value, json};

use crate::exit::{End, complain};
use state::State;

/// `rpcgen lsp`
#[derive(Debug, clap::Args)]
pub(crate) struct LspArgs {
    /// A folder where imports are looked for, after that of the importing file; may be repeated
    #[arg(short = 'I', value_name = "DIR")]
    pub(crate) search_paths: Vec<PathBuf>,
    /// Speak over stdin and stdout: the only way there is, and said by some editors
    #[arg(long)]
    pub(crate) stdio: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "every command has the same end")]
pub(crate) fn run(args: &LspArgs) -> rpcgen::Result<End> {
    let (connection, carriers) = wire::connect();
    let end = session(&connection, args);
    // The writer ends when nobody can write to it any more.
    drop(connection);
    let joined = carriers.join().map_err(|error| error.to_string());
    // What is wrong with a message says more than that the session ended.
    Ok(match joined.and(end) {
        Ok(()) => End::Fine,
        Err(error) => {
            complain(&format!("error: {error}\n"));
            End::Findings
        }
    })
}

fn capabilities() -> ServerCapabilities {
    let legend = SemanticTokensLegend {
        token_types: convert::TOKEN_TYPES.to_vec(),
        token_modifiers: convert::TOKEN_MODIFIERS.to_vec(),
    };
    let tokens = SemanticTokensOptions {
        legend,
        full: Some(SemanticTokensFullOptions::Bool(true)),
        ..SemanticTokensOptions::default()
    };
    let triggers = ["@", ".", ":", "(", "\"", " "].map(str::to_owned).to_vec();
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers),
            ..CompletionOptions::default()
        }),
        document_formatting_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Simple(true)),
        semantic_tokens_provider: Some(SemanticTokensServerCapabilities::SemanticTokensOptions(tokens)),
        ..ServerCapabilities::default()
    }
}

fn session(connection: &Connection, args: &LspArgs) -> Result<(), String> {
    let (id, params) = connection.initialize_start().map_err(|error| error.to_string())?;
    let params: InitializeParams = serde_json::from_value(params).map_err(|error| error.to_string())?;
    let greeting = json!({
        "capabilities": capabilities(),
        "serverInfo": { "name": "rpcgen", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, greeting).map_err(|error| error.to_string())?;
    let mut state = State::new(args.search_paths.clone(), &params);
    let mut is_checked = true;
    loop {
        let waiting = if is_checked { connection.receiver.recv().ok() } else { connection.receiver.try_recv().ok() };
        match waiting {
            Some(Message::Request(request)) => {
                if connection.handle_shutdown(&request).map_err(|error| error.to_string())? {
                    return Ok(());
                }
                send(connection, Message::Response(answer(&state, request)))?;
            }
            Some(Message::Notification(notification)) => is_checked &= !notice(&mut state, notification),
            Some(Message::Response(_)) => {}
            // The client is gone without a farewell.
            None if is_checked => return Ok(()),
            None => {
                for publication in findings::publications(&mut state) {
                    let method = notification::PublishDiagnostics::METHOD.to_owned();
                    send(connection, Message::Notification(Notification::new(method, publication)))?;
                }
                is_checked = true;
            }
        }
    }
}

fn send(connection: &Connection, message: Message) -> Result<(), String> {
    connection.sender.send(message).map_err(|error| error.to_string())
}

/// Whether there may be other findings than before.
fn notice(state: &mut State, message: Notification) -> bool {
    fn read<P: serde::de::DeserializeOwned>(params: Value) -> Option<P> {
        serde_json::from_value(params).ok()
    }
    let Notification { method, params, .. } = message;
    match method.as_str() {
        notification::DidOpenTextDocument::METHOD => read(params).is_some_and(|params: DidOpenTextDocumentParams| {
            state.open(params.text_document.uri, params.text_document.text)
        }),
        notification::DidChangeTextDocument::METHOD => {
            read(params).is_some_and(|mut params: DidChangeTextDocumentParams| {
                let last = params.content_changes.pop();
                last.is_some_and(|change| state.open(params.text_document.uri, change.text))
            })
        }
        notification::DidCloseTextDocument::METHOD => {
            read(params).is_some_and(|params: DidCloseTextDocumentParams| state.close(&params.text_document.uri))
        }
        notification::DidSaveTextDocument::METHOD | notification::DidChangeWatchedFiles::METHOD => true,
        _ => false,
    }
}

fn answer(state: &State, request: Request) -> Response {
    let Request { id, method, params } = request;
    match answers::answer(state, &method, params) {
        Ok(result) => Response::new_ok(id, result),
        Err(answers::Refusal::Method) => {
            Response::new_err(id, ErrorCode::MethodNotFound as i32, format!("there is no `{method}` here"))
        }
        Err(answers::Refusal::Params(why)) => Response::new_err(id, ErrorCode::InvalidParams as i32, why),
        Err(answers::Refusal::Rename(why)) => Response::new_err(id, ErrorCode::RequestFailed as i32, why),
    }
}
