//! Who can be measured in this program, by name. The peers have a program of their own: their dependencies are not ours.

use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::measure::Figure;
use crate::ours::{self, Failure};
use crate::workload::Workload;
use crate::{codec, durable, pinned, raw, raw_durable};

/// The names that [`measure`] knows.
pub(crate) const HERE: &[&str] = &[
    "ours-tcp",
    "ours-threads",
    "ours-durable",
    "ours-sqlite",
    "ours-postgres",
    "raw-tcp-mux",
    "raw-tcp-durable",
    "disk-append",
    "mpsc-oneshot",
    "ours-pinned",
    "crossbeam-pinned",
    "ours-encode",
    "bincode-encode",
    "ours-decode",
    "bincode-decode",
];

/// Measures one side once.
pub(crate) async fn measure(who: &str, workload: Workload, time: Duration) -> Result<Figure, Failure> {
    match who {
        "ours-tcp" => ours::calls("tcp://127.0.0.1:0", workload, time).await,
        "ours-threads" => ours::calls("thread://bench", workload, time).await,
        "ours-durable" => durable::calls(workload, time).await,
        "ours-sqlite" => durable::sqlite(workload, time).await,
        "ours-postgres" => durable::postgres(workload, time).await,
        "raw-tcp-durable" => raw_durable::tcp(workload, time).await,
        "disk-append" => raw_durable::disk(workload, time).await,
        "raw-tcp-mux" => Ok(raw::tcp_mux(workload, time).await?),
        "mpsc-oneshot" => Ok(raw::channel(workload, time).await),
        "ours-pinned" => spawn_blocking(move || pinned::ours(workload.outstanding(), time)).await?,
        "crossbeam-pinned" => spawn_blocking(move || pinned::crossbeam(workload.outstanding(), time)).await?,
        "ours-encode" => codec::ours_encode(time),
        "bincode-encode" => codec::bincode_encode(time),
        "ours-decode" => codec::ours_decode(time),
        "bincode-decode" => codec::bincode_decode(time),
        _ => Err(format!("nobody here is called `{who}`; there are {}", HERE.join(", ")).into()),
    }
}
