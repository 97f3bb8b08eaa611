//! Servers that die between the commit of an effect and the record of its answer in their log, a thousand calls in all (trap T31).

use effects::{APP, Bank, Place, connect, serve_on_disk, worlds};

const ROUNDS: u64 = 10;
/// As many handlers run at once: no call waits for its turn.
const CALLS: u64 = 100;

#[tokio::test]
async fn what_was_committed_and_not_answered_a_thousand_times_is_answered_from_its_record_and_done_once() {
    for world in worlds("thousand") {
        let log = world.log("server");
        let serve =
            async |address: &str, bank: &Bank| serve_on_disk(address, bank.clone(), bank.db.clone(), &log).await;
        let mut bank = world.open().await;
        let mut server = serve("tcp://127.0.0.1:0", &bank).await;
        let address = server.local_address();
        let client = connect(&address).await;
        for round in 0..ROUNDS {
            bank.gates.close(Place::After);
            let mut calls = Vec::new();
            for number in 0..CALLS {
                let reference = round * CALLS + number;
                calls.push((reference, client.transfer(APP, 1, 2, reference, reference).send().await.unwrap()));
            }
            bank.gates.seen(Place::After, usize::try_from(CALLS).unwrap()).await;
            drop((server, bank));

            bank = world.open().await;
            server = serve(&address, &bank).await;
            for (reference, call) in calls {
                assert_eq!(call.await, Ok(reference));
            }
            assert_eq!(bank.gates.count(Place::Before), 0, "the records answer, and no handler runs");
        }
        let done = world.number("select count(*) from journal").await;
        let distinct = world.number("select count(distinct reference) from journal").await;
        assert_eq!((done, distinct), ((ROUNDS * CALLS).cast_signed(), (ROUNDS * CALLS).cast_signed()));
    }
}
