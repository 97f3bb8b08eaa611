//! Many calls of one caller: each has the promise of any other.

use std::time::Duration;

use rpcgen_runtime::{CallError, Calls, CancelOutcome, Config, SendError, Step};

use super::address;
use crate::desk::{self, DivideError};
use crate::support::{APP, config, connect, is_alive, serve};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn calls_are_answered_with_their_index_and_each_runs_once() {
    let (server, business) = serve(&address("calls")).await;
    let client = connect(&server.local_address()).await;
    let mut calls: Calls<_> = (0..300).map(|number| client.echo(APP, number.to_string())).collect();
    assert_eq!(calls.len(), 300);
    let mut is_answered = vec![false; 300];
    while let Some((index, text)) = calls.next().await {
        assert_eq!(text.unwrap(), index.to_string());
        assert!(!std::mem::replace(&mut is_answered[index], true));
    }
    assert!(calls.is_empty() && is_answered.iter().all(|is| *is));
    assert_eq!((business.runs(), business.repeated()), (300, 0));
}

#[tokio::test]
async fn calls_can_be_pushed_while_answers_are_taken_and_their_places_are_used_again() {
    let (server, business) = serve(&address("calls-stream")).await;
    let client = connect(&server.local_address()).await;
    let (mut calls, mut numbers, mut sum) = (Calls::new(), 0..2_000_usize, 0);
    loop {
        while calls.len() < 32
            && let Some(number) = numbers.next()
        {
            assert_eq!(calls.push(client.echo(APP, number.to_string())), number);
        }
        let Some((index, text)) = calls.next().await else { break };
        assert_eq!(text.unwrap(), index.to_string());
        sum += index;
    }
    assert_eq!(sum, 1_999 * 1_000);
    assert_eq!((business.runs(), business.repeated()), (2_000, 0));
}

#[tokio::test]
async fn answers_in_order_are_in_the_order_of_the_calls_and_a_failure_is_its_own_alone() {
    let (server, _) = serve(&address("calls-order")).await;
    let client = connect(&server.local_address()).await;
    let calls: Calls<_> = [1, 0, 3].into_iter().map(|divisor| client.divide(APP, 12, divisor)).collect();
    assert_eq!(calls.in_order().await, [Ok(12), Err(CallError::Failed(DivideError::ByZero)), Ok(4)]);
}

#[tokio::test]
async fn request_beyond_its_limit_is_refused_alone() {
    let (server, business) = serve(&address("calls-limit")).await;
    let client = connect(&server.local_address()).await;
    let texts = ["a".to_owned(), "x".repeat(2_000_001), "b".to_owned()];
    let calls: Calls<_> = texts.into_iter().map(|text| client.echo(APP, text)).collect();
    let answers = calls.in_order().await;
    assert!(matches!(answers[1], Err(CallError::NotAccepted(SendError::Encode(_)))), "{:?}", answers[1]);
    assert_eq!((answers[0].as_deref(), answers[2].as_deref()), (Ok("a"), Ok("b")));
    assert_eq!(business.runs(), 2);
}

#[tokio::test]
async fn calls_that_find_the_log_full_wait_for_room() {
    let (server, business) = serve(&address("calls-full")).await;
    let small = Config { log_messages_max: 2, ..config() };
    let client = desk::Client::builder().config(small).connect(&server.local_address()).await.unwrap();
    let mut calls: Calls<_> = (0..100).map(|number| client.echo(APP, number.to_string())).collect();
    calls.accepted().await;
    assert_eq!(calls.len(), 100, "accepted is not answered");
    let answers = calls.in_order().await;
    assert!(answers.iter().enumerate().all(|(index, text)| *text == Ok(index.to_string())));
    assert_eq!((business.runs(), business.repeated()), (100, 0));
}

#[tokio::test]
async fn steps_of_all_come_one_after_the_other_and_one_of_them_can_be_cancelled() {
    let (server, business) = serve(&address("calls-steps")).await;
    let client = connect(&server.local_address()).await;
    server.pause_business(true);
    let mut calls: Calls<_> = ["first", "never", "last"].into_iter().map(|text| client.echo(APP, text)).collect();
    assert!(calls.observer(1).is_none(), "it is not accepted yet");
    calls.accepted().await;
    calls.guaranteed().await;
    let second = calls.observer(1).unwrap();
    assert_eq!((second.step(), second.action()), (Step::Guaranteed, "echo"));
    assert_eq!(client.runtime().pending_calls().await.len(), 3);
    assert_eq!(second.cancel().await, CancelOutcome::Cancelled);
    assert_eq!(calls.next().await, Some((1, Err(CallError::Cancelled))));
    assert!(calls.observer(1).is_none(), "its answer was taken");
    // The place of the cancelled one is used again, and whoever observes that one does not see the new one.
    calls.push(client.echo(APP, "next"));
    calls.accepted().await;
    assert_eq!(second.step(), Step::Answered);
    server.pause_business(false);
    let answers = calls.in_order().await;
    assert_eq!(answers, [Ok("first".to_owned()), Ok("last".to_owned()), Ok("next".to_owned())]);
    assert_eq!(business.runs(), 3);
}

#[tokio::test]
async fn accepted_calls_run_although_they_are_dropped_and_those_that_wait_for_room_are_withdrawn() {
    let (server, business) = serve(&address("calls-drop")).await;
    let small = Config { log_messages_max: 2, ..config() };
    let client = desk::Client::builder().config(small).connect(&server.local_address()).await.unwrap();
    let mut calls: Calls<_> = (0..2).map(|_| client.wait(APP)).collect();
    calls.accepted().await;
    calls.extend((0..10).map(|_| client.wait(APP)));
    calls.send();
    // The client's task has looked at them, and has no room.
    client.runtime().pending_calls().await;
    drop(calls);
    business.started(2).await;
    business.open_gate();
    business.open_gate();
    assert!(is_alive(&client).await, "those that were withdrawn are in nobody's way");
    assert_eq!((business.runs(), business.repeated()), (3, 0));
    assert!(client.disconnect(LONG).await.dropped.is_empty());
}

#[tokio::test]
async fn future_of_the_next_answer_can_be_dropped() {
    let (server, business) = serve(&address("calls-next")).await;
    let client = connect(&server.local_address()).await;
    let mut calls: Calls<_> = [client.wait(APP)].into_iter().collect();
    tokio::select! {
        biased;
        _ = calls.next() => panic!("the gate is closed"),
        () = business.started(1) => {}
    }
    business.open_gate();
    assert_eq!(calls.next().await, Some((0, Ok(false))));
    assert_eq!(calls.next().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_one_caller_survive_their_links() {
    let (server, business) = serve(&address("calls-cut")).await;
    let client = connect(&server.local_address()).await;
    let mut calls: Calls<_> = (0..1_000).map(|number| client.echo(APP, number.to_string())).collect();
    let mut answered = 0;
    while let Some((index, text)) = calls.next().await {
        assert_eq!(text.unwrap(), index.to_string());
        answered += 1;
        if answered % 200 == 0 {
            client.runtime().cut_link();
        }
    }
    assert_eq!((answered, business.runs(), business.repeated()), (1_000, 1_000, 0));
}

#[tokio::test]
async fn calls_of_two_clients_may_stand_together() {
    let ((one, of_one), (other, of_other)) = (serve(&address("calls-one")).await, serve(&address("calls-other")).await);
    let clients = [connect(&one.local_address()).await, connect(&other.local_address()).await];
    let calls: Calls<_> = (0..100).map(|number: usize| clients[number % 2].echo(APP, number.to_string())).collect();
    let answers = calls.in_order().await;
    assert!(answers.iter().enumerate().all(|(index, text)| *text == Ok(index.to_string())));
    assert_eq!((of_one.runs(), of_other.runs()), (50, 50));
}

#[tokio::test]
async fn calls_end_with_their_client() {
    let (server, business) = serve(&address("calls-end")).await;
    let client = connect(&server.local_address()).await;
    let mut calls: Calls<_> = [client.wait(APP), client.wait(APP)].into_iter().collect();
    calls.accepted().await;
    business.started(2).await;
    assert_eq!(client.disconnect(Duration::from_millis(1)).await.dropped.len(), 2);
    calls.push(client.wait(APP));
    let answers = calls.in_order().await;
    assert_eq!(answers[..2], [Err(CallError::Unknown), Err(CallError::Unknown)]);
    assert_eq!(answers[2], Err(CallError::NotAccepted(SendError::Disconnected)));
}
