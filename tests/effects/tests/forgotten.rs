//! A client comes back when nothing is left of its session: what its calls came to, only the database knows.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::time::Duration;

use effects::{APP, Bank, Place, World, config, ledger, worlds};
use rpcgen_runtime::{CallError, Config, RegistryConfig, Server};
use tokio::runtime::Runtime;

const ANYWHERE: &str = "tcp://127.0.0.1:0";
const JOURNAL: &str = "select count(*) from journal";

/// What is left of sessions is forgotten at once.
async fn serve(bank: &Bank, log: Option<&Path>) -> Server {
    let registry =
        RegistryConfig { records_for: Duration::ZERO, tombstones_for: Duration::ZERO, ..RegistryConfig::default() };
    let config = Config { reconnect_timeout: Duration::from_millis(100), ..config() };
    let builder = Server::builder().completions(bank.db.clone()).registry(registry).config(config);
    let builder = log.into_iter().fold(builder, rpcgen_runtime::server::ServerBuilder::log);
    builder.serve(ledger::server(bank.clone())).listen(ANYWHERE).await.unwrap()
}

/// A call has its effect while its client is away for longer than anybody remembers it. Its answer, when the client is back.
async fn answer_when_back(
    world: &World,
    has_log: bool,
    meanwhile: Option<&str>,
) -> Result<u64, CallError<ledger::TransferError>> {
    let bank = world.open().await;
    bank.gates.close(Place::Before);
    let log = world.log("server");
    let server = serve(&bank, has_log.then_some(&*log)).await;
    let address = server.local_address();
    let client_log = world.log("client");
    let client = || ledger::Client::builder().config(config()).log(&client_log);
    // Its process dies.
    let process = Runtime::new().unwrap();
    let (builder, at) = (client(), address.clone());
    process
        .spawn(async move {
            let client = builder.connect(&at).await.unwrap();
            client.transfer(APP, 1, 2, 30, 1).send().await.unwrap().guaranteed().await.unwrap();
        })
        .await
        .unwrap();
    bank.gates.seen(Place::Before, 1).await;
    process.shutdown_background();
    bank.gates.open(Place::Before);
    while server.stats().session_count > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.number(JOURNAL).await, 1);
    if let Some(sql) = meanwhile {
        world.run(sql).await;
    }
    let client = loop {
        // The directory is free soon after.
        match client().connect(&address).await {
            Ok(client) => break client,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let ledger::RecoveredCall::Transfer(call) = client.recovered().into_iter().next().unwrap() else {
        panic!("another call")
    };
    let answer = call.await;
    assert_eq!(bank.gates.count(Place::Before), 1, "it may have run: it does not run again");
    answer
}

#[tokio::test]
async fn call_of_a_forgotten_session_is_answered_from_its_record() {
    for (has_log, name) in [(true, "forgotten_on_disk"), (false, "forgotten_in_memory")] {
        for world in worlds(name) {
            assert_eq!(answer_when_back(&world, has_log, None).await, Ok(30));
            assert_eq!(world.number(JOURNAL).await, 1);
        }
    }
}

#[tokio::test]
async fn call_of_a_forgotten_session_without_a_record_is_unknown() {
    for (has_log, name) in [(true, "no_record_on_disk"), (false, "no_record_in_memory")] {
        for world in worlds(name) {
            let answer = answer_when_back(&world, has_log, Some("delete from rpcgen_completions")).await;
            assert_eq!(answer, Err(CallError::Unknown));
        }
    }
}
