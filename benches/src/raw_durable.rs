//! The limits of what is durable: the same bytes without any protocol, on the same disk.
//!
//! Both files are as long as they get before the clock starts, and are written again from their beginning when they are full: a sync has
//! no metadata to write.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use effects::Folder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::measure::{Figure, Meter, Tally, figure};
use crate::ours::Failure;
use crate::workload::Workload;

/// A request or a response on the wire, and a record: payload, length and number.
const REQUEST_BYTES: usize = 80 + 8;
const RESPONSE_BYTES: usize = 18 + 8;
/// The length of a file.
const FILE_BYTES: usize = 64 << 20;

/// An append-only file without a format.
struct Log {
    file: File,
    end: u64,
}

impl Log {
    fn create(path: &Path) -> std::io::Result<Self> {
        let file = File::create(path)?;
        file.write_all_at(&vec![0; FILE_BYTES], 0)?;
        file.sync_all()?;
        Ok(Self { file, end: 0 })
    }

    /// Appends, and returns when that is durable.
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.end + bytes.len() as u64 > FILE_BYTES as u64 {
            self.end = 0;
        }
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        self.file.sync_data()
    }
}

/// The disk alone: one append of all that is outstanding, one fdatasync.
pub(crate) async fn disk(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let folder = Folder::new("bench");
    let mut log = Log::create(&folder.path().join("log"))?;
    let batch = vec![7; REQUEST_BYTES * workload.outstanding()];
    in_rounds(workload, time, async move || log.append(&batch)).await
}

/// One loop that sends all that is outstanding at once, over TCP. The client has it on its log before it sends it, the server before it
/// answers.
pub(crate) async fn tcp(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let folder = Folder::new("bench");
    let (mut ours, theirs) = (Log::create(&folder.path().join("client"))?, Log::create(&folder.path().join("server"))?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    stream.set_nodelay(true)?;
    let server = tokio::spawn(serve(listener.accept().await?.0, theirs));
    let batch = vec![7; REQUEST_BYTES * workload.outstanding()];
    let mut answers = vec![0; RESPONSE_BYTES * workload.outstanding()];
    let figure = in_rounds(workload, time, async move || {
        ours.append(&batch)?;
        stream.write_all(&batch).await?;
        stream.read_exact(&mut answers).await.map(|_| ())
    })
    .await?;
    server.abort();
    Ok(figure)
}

async fn serve(mut stream: TcpStream, mut log: Log) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(64 * 1024);
    while stream.read_buf(&mut input).await? > 0 {
        let requests = input.len() / REQUEST_BYTES;
        if requests == 0 {
            continue;
        }
        log.append(&input[..requests * REQUEST_BYTES])?;
        input.drain(..requests * REQUEST_BYTES);
        stream.write_all(&vec![7; requests * RESPONSE_BYTES]).await?;
    }
    Ok(())
}

/// Rounds of as many calls as are outstanding.
async fn in_rounds(
    workload: Workload,
    time: Duration,
    mut round: impl AsyncFnMut() -> std::io::Result<()>,
) -> Result<Figure, Failure> {
    if workload.clients() > 1 {
        return Err("this limit has one client".into());
    }
    let meter = Meter::default();
    let mut tally = Tally::new(&meter);
    let rounds = async move {
        while tally.goes_on() {
            let began: Vec<_> = (0..workload.outstanding()).map(|_| tally.begin()).collect();
            round().await?;
            began.into_iter().for_each(|began| tally.end(began));
            tokio::task::yield_now().await;
        }
        Ok::<_, std::io::Error>(tally.finish())
    };
    // The clock has a thread of its own: the disk blocks this one.
    let clock = tokio::spawn({
        let meter = meter.clone();
        async move { meter.run(time).await }
    });
    let latencies = rounds.await?;
    let (rate, cpu) = clock.await?;
    Ok(figure(rate, cpu, latencies))
}
