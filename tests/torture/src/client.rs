//! A client's process: takes up what its earlier lives left, sends transfers until it is told to finish, and says what it hears.
//!
//! Knows: which references are its own. Does not know: faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rpcgen_runtime::client::Call;
use rpcgen_runtime::completion::Backoff;
use rpcgen_runtime::{AppId, CallError, ConnectError, Refusal, SendError};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use crate::Failure;
use crate::ledger::actions::Transfer;
use crate::ledger::{self, RecoveredCall, TransferError};
use crate::lines::{Line, Outcome, say};
use crate::plan::{ACCOUNTS, Plan, SEGMENT_BYTES};
use crate::random::Random;

const APP: AppId = AppId(1);
/// How long the first welcome, and at the end the last guarantee, may take.
const WITHIN: Duration = Duration::from_secs(45);

pub(crate) async fn run(plan: &Plan) -> Result<(), Failure> {
    let builder = ledger::Client::builder().config(Plan::config()).log(&plan.log).log_segment_bytes(SEGMENT_BYTES);
    let client = match builder.connect_within(WITHIN).connect(&plan.address).await {
        Err(error @ (ConnectError::Rejected { .. } | ConnectError::Log(_))) => {
            say(&Line::Refused(error.to_string()));
            return Ok(());
        }
        result => result?,
    };
    say(&Line::Linked(format!("{:032x}", client.runtime().id().0)));
    let (next, finish) = (Arc::new(AtomicU64::new(plan.first_reference)), Arc::new(AtomicBool::new(false)));
    let mut workers = JoinSet::new();
    for call in client.recovered() {
        if let RecoveredCall::Transfer(call) = call {
            let number = call.number().0;
            say(&Line::Found(number));
            workers.spawn(async move { hear(number, call).await });
        }
    }
    for _ in 0..plan.open {
        let (client, next, finish) = (client.clone(), Arc::clone(&next), Arc::clone(&finish));
        workers.spawn(async move {
            while !finish.load(Ordering::Relaxed) && transfer(&client, next.fetch_add(1, Ordering::Relaxed)).await {}
        });
    }
    let (mut stdin, mut end) = (tokio::io::stdin(), Vec::new());
    tokio::select! {
        why = client.runtime().log_stopped() => stop(why),
        // Its end is the word to finish.
        read = stdin.read_to_end(&mut end) => read?,
    };
    finish.store(true, Ordering::Relaxed);
    tokio::select! {
        why = client.runtime().log_stopped() => stop(why),
        () = async { while workers.join_next().await.is_some() {} } => {}
    }
    say(&Line::Done);
    let report = client.disconnect(WITHIN).await;
    if report.dropped.is_empty() { Ok(()) } else { Err("calls were dropped".into()) }
}

/// The log has stopped; the next life goes on.
fn stop(why: String) -> ! {
    say(&Line::Stopped(why));
    std::process::exit(3)
}

/// What a reference asks for is a function of it: whoever hears an answer knows the question.
fn request(reference: u64) -> (u64, u64, u64) {
    let mut random = Random(reference);
    let from = random.below(ACCOUNTS);
    let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
    (from, to, random.below(300))
}

/// One transfer. `false`: there is no sense in another one.
async fn transfer(client: &ledger::Client, reference: u64) -> bool {
    let (from, to, amount) = request(reference);
    match client.transfer(APP, from, to, amount, reference).send().await {
        Ok(call) => {
            let number = call.number().0;
            say(&Line::Accepted { number, reference });
            hear(number, call).await;
            true
        }
        // It was not accepted: nothing of it remains.
        Err(SendError::DiskFull) => {
            Backoff::default().wait().await;
            true
        }
        // The log has stopped, which is said elsewhere. Whether it is on record shows in the next life.
        Err(_) => false,
    }
}

/// Says the answer, and only then lets the log forget it: it may be said twice, by a life that was killed and the next one, and not lost.
async fn hear(number: u64, call: Call<Transfer>) {
    let (answer, claim) = call.unclaimed().await;
    let outcome = match answer {
        Ok(left) => Outcome::Moved(left),
        Err(CallError::Failed(TransferError::TooLittle { has })) => Outcome::TooLittle(has),
        Err(CallError::Refused(Refusal::Poisoned)) => Outcome::Poisoned,
        Err(CallError::Unknown) => Outcome::Unknown,
        // No answer: the next life finds the call.
        Err(CallError::OnRecord) => return,
        Err(error) => Outcome::Other(error.to_string()),
    };
    say(&Line::Answered { number, outcome });
    claim.claim();
}
