//! What is said of a log.
//!
//! Knows: words, JSON. Does not know: how the log was read.

use std::fmt::{self, Write as _};
use std::path::Path;

use bytes::Bytes;
use rpcgen_log::{LogError, Loss, Sequence, StreamId, Survey};
use rpcgen_proto::record::{RecoveredSession, RecoveredState};
use rpcgen_store::codec::{Owner, Role};
use rpcgen_store::{ClientStore, FoundRecords, RecordLog, Retention, Room, ServerStore, StoreError};
use serde::Serialize;

use crate::exit::End;

/// All that is said of a log.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    id: Option<String>,
    /// How often it was opened.
    life: Option<u64>,
    space: Space,
    /// Nothing was in flight when it was left.
    closed_in_good_order: bool,
    /// What the next opening cuts from the end: a commit that a crash cut short, or that is being written now.
    torn: Option<Torn>,
    damage: Vec<Damage>,
    /// Records that are whole, and that this program does not know.
    unreadable: Option<String>,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
struct Space {
    segments: usize,
    segment_bytes: u64,
    spare_bytes: u64,
    live_records: usize,
    live_bytes: u64,
    /// Of the segments; the rest is garbage, or not written yet.
    live_percent: u64,
    records: u64,
    batches: u64,
}

#[derive(Debug, Serialize)]
struct Torn {
    file: String,
    offset: u64,
}

/// Something that was durable and cannot be read.
#[derive(Debug, Serialize)]
pub(super) struct Damage {
    file: String,
    offset: u64,
    first_sequence: u64,
    until_sequence: Option<u64>,
    what: String,
}

impl Damage {
    pub(super) fn of(loss: &Loss) -> Self {
        Self {
            file: loss.damage.file.clone(),
            offset: loss.damage.offset,
            first_sequence: loss.damage.sequence.0,
            until_sequence: loss.until.map(|until| until.0),
            what: loss.damage.what.to_owned(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, offset {}: {} (records from {}", self.file, self.offset, self.what, self.first_sequence)?;
        match self.until_sequence {
            Some(until) => write!(f, " to {}, {} of them)", until - 1, until - self.first_sequence),
            None => f.write_str(" on)"),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "owner", rename_all = "snake_case")]
enum Content {
    Client(Client),
    Server(Server),
    Unknown {},
}

#[derive(Debug, Serialize)]
struct Client {
    service: String,
    session: Option<u64>,
    server_epoch: Option<u64>,
    open_calls: Vec<Call>,
    unclaimed_answers: Vec<Call>,
    broadcasts_to_handle: usize,
}

#[derive(Debug, Serialize)]
struct Call {
    number: u64,
    action: u32,
    state: String,
}

#[derive(Debug, Serialize)]
struct Server {
    sessions: Vec<Session>,
    tombstones: Vec<Session>,
    broadcasts: Vec<Broadcast>,
}

#[derive(Debug, Serialize)]
struct Session {
    client: String,
    service: String,
    session: u64,
    /// Of the client's log; 0 without one.
    client_life: u64,
    called_below: u64,
    actions: Vec<Call>,
}

#[derive(Debug, Serialize)]
struct Broadcast {
    service: String,
    broadcast: u32,
    is_assigned: bool,
    bytes: usize,
}

/// A log that is not written to: what its book-keepers would release stays.
struct Nowhere;

impl RecordLog for Nowhere {
    fn append(&mut self, _: StreamId, _: &[u8], _: Room) -> Result<Sequence, LogError> {
        Ok(Sequence(u64::MAX))
    }

    fn release(&mut self, _: StreamId, _: Sequence, _: Sequence) -> Result<(), LogError> {
        Ok(())
    }
}

impl Report {
    pub(super) fn new(survey: &Survey, found: FoundRecords) -> Self {
        let whole: u64 = survey.segments.iter().map(|segment| segment.bytes).sum();
        let (content, unreadable) = match content(found) {
            Ok(content) => (content, None),
            Err(error) => (Content::Unknown {}, Some(error.to_string())),
        };
        Self {
            id: survey.id.map(|id| id.to_string()),
            life: survey.incarnation.map(|incarnation| incarnation.0),
            space: Space {
                segments: survey.segments.len(),
                segment_bytes: survey.segments.last().map_or(0, |segment| segment.bytes),
                spare_bytes: survey.spare_bytes.unwrap_or(0),
                live_records: survey.live_count,
                live_bytes: survey.live_bytes,
                live_percent: (survey.live_bytes * 100).checked_div(whole).unwrap_or(0),
                records: survey.segments.iter().map(|segment| segment.records).sum(),
                batches: survey.segments.iter().map(|segment| segment.batches).sum(),
            },
            closed_in_good_order: survey.closed,
            torn: survey.torn.as_ref().map(|torn| Torn { file: torn.file.clone(), offset: torn.offset }),
            damage: survey.losses.iter().map(Damage::of).collect(),
            unreadable,
            content,
        }
    }

    pub(super) fn end(&self) -> End {
        if self.damage.is_empty() && self.unreadable.is_none() { End::Fine } else { End::Findings }
    }

    pub(super) fn to_json(&self) -> String {
        json(self)
    }

    /// What `verify` says.
    pub(super) fn verdict(&self, directory: &Path) -> String {
        let mut text = String::new();
        for damage in &self.damage {
            let _ = writeln!(text, "damaged: {damage}");
        }
        if let Some(why) = &self.unreadable {
            let _ = writeln!(text, "unreadable: {why}");
        }
        let (records, batches, segments) = (self.space.records, self.space.batches, self.space.segments);
        let _ = writeln!(text, "{records} records in {batches} batches of {segments} segments could be read");
        text.push_str(&self.tail());
        if !self.damage.is_empty() {
            let _ = writeln!(
                text,
                "the log is not opened while it is damaged; `rpcgen log {} repair --to NEW_DIR` makes one of what can be read",
                directory.display()
            );
        }
        text
    }

    fn tail(&self) -> String {
        match &self.torn {
            Some(torn) => format!(
                "{}, offset {}: a commit that was not finished; the next opening cuts it (nobody was told of it)\n",
                torn.file, torn.offset
            ),
            None if self.closed_in_good_order => "it was closed in good order\n".to_owned(),
            None => "it was not closed: it is in use, or its process was killed\n".to_owned(),
        }
    }

    /// What `rpcgen log DIR` says.
    pub(super) fn to_text(&self) -> String {
        let mut text = match &self.content {
            Content::Client(client) => format!("the log of a client of {}", client.service),
            Content::Server(_) => "the log of a server".to_owned(),
            Content::Unknown {} => "a log".to_owned(),
        };
        if let (Some(id), Some(life)) = (&self.id, self.life) {
            let _ = write!(text, ", {id}, life {life}");
        }
        text.push('\n');
        text.push_str(&self.tail());
        let space = &self.space;
        let _ = writeln!(
            text,
            "space: {} segments of {} bytes, {} bytes spare; {} records of {} live, {} bytes ({} %)",
            space.segments,
            space.segment_bytes,
            space.spare_bytes,
            space.live_records,
            space.records,
            space.live_bytes,
            space.live_percent
        );
        for damage in &self.damage {
            let _ = writeln!(text, "damaged: {damage}");
        }
        if let Some(why) = &self.unreadable {
            let _ = writeln!(text, "unreadable: {why}");
        }
        match &self.content {
            Content::Client(client) => client.describe(&mut text),
            Content::Server(server) => server.describe(&mut text),
            Content::Unknown {} => {}
        }
        text
    }
}

/// One document, for programs.
pub(super) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn content(found: FoundRecords) -> Result<Content, StoreError> {
    let Some(owner) = found.owner() else { return Ok(Content::Unknown {}) };
    let Owner { role, service } = owner?;
    match role {
        Role::Client => client(found, service).map(Content::Client),
        Role::Server => server(found).map(Content::Server),
    }
}

fn client(found: FoundRecords, service: String) -> Result<Client, StoreError> {
    let (_, log) = ClientStore::recover::<Bytes>(found, &mut Nowhere, &service)?;
    let established = log.client.established;
    let open = log.client.calls.iter().map(|call| Call {
        number: call.number.0,
        action: call.method.0,
        state: format!("open, {} bytes", call.payload.len()),
    });
    let unclaimed = log.answers.iter().map(|unclaimed| Call {
        number: unclaimed.number.0,
        action: unclaimed.method.0,
        state: answer(&unclaimed.answer),
    });
    Ok(Client {
        service,
        session: established.as_ref().map(|established| established.session.0),
        server_epoch: established.as_ref().map(|established| established.epoch.0),
        open_calls: open.collect(),
        unclaimed_answers: unclaimed.collect(),
        broadcasts_to_handle: log.broadcasts.len(),
    })
}

fn answer(answer: &rpcgen_proto::session::Answer<Bytes>) -> String {
    use rpcgen_proto::session::Answer;
    match answer {
        Answer::Response(payload) => format!("response, {} bytes", payload.len()),
        Answer::Failure(payload) => format!("business error, {} bytes", payload.len()),
        Answer::Refused(refusal) => format!("{refusal:?}"),
    }
}

fn server(found: FoundRecords) -> Result<Server, StoreError> {
    // Nothing is forgotten by looking.
    let retention = Retention { answers_for: std::time::Duration::MAX, tombstones_for: std::time::Duration::MAX };
    let (_, log) = ServerStore::recover::<Bytes>(found, &mut Nowhere, retention)?;
    let broadcasts = log.broadcasts.iter().map(|it| Broadcast {
        service: it.broadcast.service.clone(),
        broadcast: it.broadcast.method.0,
        is_assigned: it.handle.is_assigned(),
        bytes: it.broadcast.payload.len(),
    });
    Ok(Server {
        sessions: log.sessions.iter().map(|(it, _)| session(it)).collect(),
        tombstones: log.tombstones.iter().map(session).collect(),
        broadcasts: broadcasts.collect(),
    })
}

fn session(recovered: &RecoveredSession<Bytes>) -> Session {
    let actions = recovered.actions.iter().map(|action| Call {
        number: action.number.0,
        action: action.method.0,
        state: match &action.state {
            RecoveredState::Open { payload, begun: 0 } => format!("open, {} bytes", payload.len()),
            RecoveredState::Open { payload, begun } => format!("open, begun {begun} times, {} bytes", payload.len()),
            RecoveredState::Answered(answered) => answer(answered),
        },
    });
    Session {
        client: format!("{:032x}", recovered.session.client.0),
        service: recovered.session.service.clone(),
        session: recovered.session.session.0,
        client_life: recovered.session.life.0,
        called_below: recovered.called_below.0,
        actions: actions.collect(),
    }
}

fn list(text: &mut String, calls: &[Call]) {
    for call in calls {
        let _ = writeln!(text, "  call {}, action {}: {}", call.number, call.action, call.state);
    }
}

impl Client {
    fn describe(&self, text: &mut String) {
        match (self.session, self.server_epoch) {
            (Some(session), Some(epoch)) => {
                let _ = writeln!(text, "session {session} with the server of epoch {epoch}");
            }
            _ => text.push_str("no session yet\n"),
        }
        let _ = writeln!(text, "open calls: {}", self.open_calls.len());
        list(text, &self.open_calls);
        let _ = writeln!(text, "answers that nobody has claimed: {}", self.unclaimed_answers.len());
        list(text, &self.unclaimed_answers);
        let _ = writeln!(text, "broadcasts whose handlers are to run: {}", self.broadcasts_to_handle);
    }
}

impl Server {
    fn describe(&self, text: &mut String) {
        let _ = writeln!(text, "sessions: {}", self.sessions.len());
        self.sessions.iter().for_each(|session| session.describe(text));
        let _ = writeln!(text, "expired sessions of which something is kept: {}", self.tombstones.len());
        self.tombstones.iter().for_each(|session| session.describe(text));
        let _ = writeln!(text, "broadcasts that no node has guaranteed: {}", self.broadcasts.len());
        for broadcast in &self.broadcasts {
            let Broadcast { service, broadcast: number, is_assigned, bytes } = broadcast;
            let assigned = if *is_assigned { ", a node was told" } else { "" };
            let _ = writeln!(text, "  {service}, broadcast {number}: {bytes} bytes{assigned}");
        }
    }
}

impl Session {
    fn describe(&self, text: &mut String) {
        let Self { client, service, session, client_life, called_below, actions } = self;
        let life = if *client_life > 0 { format!(" in life {client_life}") } else { String::new() };
        let _ = writeln!(text, " client {client}{life}, {service}, session {session}, calls below {called_below}");
        list(text, actions);
    }
}
