//! The limits: the same bytes without any protocol. A thin call API over TCP, and a channel between tasks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::measure::Figure;
use crate::workload::Workload;

/// Bytes of the encoded request and response of the echo service.
const REQUEST_BYTES: usize = 80;
const RESPONSE_BYTES: usize = 18;
/// Before each: length and call number, four bytes each.
const HEADER_BYTES: usize = 8;

/// Frames with a call number, one reader and one writer task: what any call API over a stream needs.
pub(crate) async fn tcp_mux(workload: Workload, time: Duration) -> std::io::Result<Figure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    let mut clients = Vec::new();
    for _ in 0..workload.clients() {
        let stream = TcpStream::connect(address).await?;
        tasks.spawn(serve(listener.accept().await?.0));
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let mux = Mux::default();
        let (outgoing, queue) = mpsc::unbounded_channel();
        tasks.spawn(write_calls(write, queue));
        tasks.spawn(read_answers(read, mux.clone()));
        clients.push((mux, outgoing));
    }
    let figure = workload
        .run(time, move |caller| {
            let (mux, outgoing) = clients[caller % clients.len()].clone();
            async move {
                let (answer, answered) = oneshot::channel();
                let number = mux.open(answer);
                // The reader and the writer live as long as the run.
                outgoing.send(number).expect("the writer is there");
                answered.await.expect("the reader answers");
            }
        })
        .await;
    tasks.shutdown().await;
    Ok(figure)
}

#[derive(Clone, Default)]
struct Mux {
    open: Arc<Mutex<Slots>>,
}

#[derive(Default)]
struct Slots {
    calls: Vec<Option<oneshot::Sender<Vec<u8>>>>,
    free: Vec<u32>,
}

impl Mux {
    fn open(&self, answer: oneshot::Sender<Vec<u8>>) -> u32 {
        let mut slots = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.calls.push(None);
            u32::try_from(slots.calls.len() - 1).unwrap_or(u32::MAX)
        });
        slots.calls[slot as usize] = Some(answer);
        slot
    }

    fn close(&self, slot: u32) -> Option<oneshot::Sender<Vec<u8>>> {
        let mut slots = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        slots.free.push(slot);
        slots.calls[slot as usize].take()
    }
}

async fn write_calls(mut stream: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<u32>) -> std::io::Result<()> {
    let mut batch = Vec::new();
    while let Some(number) = queue.recv().await {
        push(&mut batch, number, REQUEST_BYTES);
        while let Ok(number) = queue.try_recv() {
            push(&mut batch, number, REQUEST_BYTES);
        }
        stream.write_all(&batch).await?;
        batch.clear();
    }
    Ok(())
}

fn push(batch: &mut Vec<u8>, number: u32, bytes: usize) {
    batch.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
    batch.extend_from_slice(&number.to_le_bytes());
    batch.resize(batch.len() + bytes, 7);
}

async fn read_answers(mut stream: OwnedReadHalf, mux: Mux) -> std::io::Result<()> {
    let mut input = Vec::with_capacity(64 * 1024);
    while stream.read_buf(&mut input).await? > 0 {
        let mut rest = input.as_slice();
        while let Some((number, body, after)) = split(rest) {
            if let Some(answer) = mux.close(number) {
                let _ = answer.send(body.to_vec());
            }
            rest = after;
        }
        let used = input.len() - rest.len();
        input.drain(..used);
    }
    Ok(())
}

fn split(input: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    (rest.len() >= length).then(|| (u32::from_le_bytes(*number), &rest[..length], &rest[length..]))
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut output) = (Vec::with_capacity(64 * 1024), Vec::with_capacity(64 * 1024));
    while stream.read_buf(&mut input).await? > 0 {
        let mut rest = input.as_slice();
        while let Some((number, _, after)) = split(rest) {
            push(&mut output, number, RESPONSE_BYTES);
            rest = after;
        }
        let used = input.len() - rest.len();
        input.drain(..used);
        stream.write_all(&output).await?;
        output.clear();
    }
    Ok(())
}

/// Bytes on the wire of one call of the row above.
pub(crate) const fn mux_bytes_per_call() -> usize {
    REQUEST_BYTES + RESPONSE_BYTES + 2 * HEADER_BYTES
}

/// A request of the echo service, as it stands in memory.
struct Request {
    _app: u64,
    _user: String,
    amount: u64,
    payload: Vec<u8>,
    answer: oneshot::Sender<(u64, Vec<u8>)>,
}

/// tokio's mpsc and oneshot: what a service between tasks costs by hand.
pub(crate) async fn channel(workload: Workload, time: Duration) -> Figure {
    let (outgoing, mut queue) = mpsc::channel::<Request>(1_024);
    let server = tokio::spawn(async move {
        while let Some(request) = queue.recv().await {
            let _ = request.answer.send((request.amount, request.payload[..16].to_vec()));
        }
    });
    let figure = workload
        .run(time, move |_| {
            let outgoing = outgoing.clone();
            async move {
                let (answer, answered) = oneshot::channel();
                let request =
                    Request { _app: 7, _user: "alice-000001".to_owned(), amount: 42, payload: vec![7; 64], answer };
                assert!(outgoing.send(request).await.is_ok(), "the server is there");
                answered.await.expect("the server answers");
            }
        })
        .await;
    server.abort();
    figure
}
