//! Two threads, each on a processor of its own: a client and a server, and two channels of crossbeam that promise nothing.
//!
//! Knows: processors 0 and 1. Does not know: what the rest of this machine does on them.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rpcgen_runtime::Server;

use crate::echo;
use crate::measure::{Figure, Meter, Tally, figure};
use crate::ours::{Echo, Failure, leave, many_calls};

/// Keeps this thread on one processor. Elsewhere than on Linux it stays where it is put.
fn pin(processor: usize) -> Result<(), Failure> {
    #[cfg(target_os = "linux")]
    {
        let mut set = rustix::thread::CpuSet::new();
        set.set(processor);
        rustix::thread::sched_setaffinity(None, &set)?;
    }
    let _ = processor;
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Ours: many calls of one task, from one processor to the other.
pub(crate) fn ours(outstanding: usize, time: Duration) -> Result<Figure, Failure> {
    let (listens, is_listening) = mpsc::channel();
    let (stop, is_stopped) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || -> Result<(), Failure> {
        pin(1)?;
        runtime()?.block_on(async {
            let server = Server::builder().serve(echo::server(Echo)).listen("thread://pinned").await?;
            listens.send(())?;
            // Either way the run is over.
            let _ = is_stopped.await;
            server.shutdown(Duration::from_secs(5)).await;
            Ok(())
        })
    });
    is_listening.recv()?;
    let client = thread::spawn(move || -> Result<Figure, Failure> {
        pin(0)?;
        runtime()?.block_on(async {
            let client = echo::Client::connect("thread://pinned").await?;
            let meter = Meter::default();
            let (latencies, (rate, cpu)) = tokio::join!(many_calls(&client, outstanding, &meter), meter.run(time));
            leave(&client).await?;
            Ok(figure(rate, cpu, latencies))
        })
    });
    let figure = client.join().map_err(|_| "the client's thread panicked")?;
    drop(stop);
    server.join().map_err(|_| "the server's thread panicked")??;
    figure
}

struct Request {
    _app: u64,
    _user: String,
    amount: u64,
    payload: Vec<u8>,
}

/// The limit: a channel there and a channel back, the same messages.
pub(crate) fn crossbeam(outstanding: usize, time: Duration) -> Result<Figure, Failure> {
    let (requests, incoming) = crossbeam_channel::unbounded::<Request>();
    let (responses, answers) = crossbeam_channel::unbounded::<(u64, Vec<u8>)>();
    let server = thread::spawn(move || -> Result<(), Failure> {
        pin(1)?;
        for request in incoming {
            responses.send((request.amount, request.payload[..16].to_vec()))?;
        }
        Ok(())
    });
    let meter = Meter::default();
    let of_client = meter.clone();
    let client = thread::spawn(move || -> Result<(), Failure> {
        pin(0)?;
        let (mut tally, mut open) = (Tally::new(&of_client), 0);
        loop {
            while open < outstanding && tally.goes_on() {
                // Its clock is not read: that would be a part of what it costs.
                let _ = tally.begin();
                requests.send(Request {
                    _app: 7,
                    _user: "alice-000001".to_owned(),
                    amount: 42,
                    payload: vec![7; 64],
                })?;
                open += 1;
            }
            if open == 0 {
                return Ok(());
            }
            answers.recv()?;
            open -= 1;
            tally.end(None);
        }
    });
    let (rate, cpu) = runtime()?.block_on(meter.run(time));
    client.join().map_err(|_| "the client's thread panicked")??;
    server.join().map_err(|_| "the server's thread panicked")??;
    Ok(figure(rate, cpu, Vec::new()))
}
