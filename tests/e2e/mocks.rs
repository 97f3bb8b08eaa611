//! What a stand-in for a server does for the tests of a caller.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_runtime::{CallError, CancelOutcome, Refusal};
use tokio::sync::mpsc;

use crate::desk;
use crate::desk::actions::{Divide, Echo, OpenTopic, Wait, WaitForCancel};
use crate::support::APP;

#[tokio::test]
async fn it_answers_what_it_was_told_and_keeps_what_it_was_asked() {
    let mock = desk::mock().await;
    mock.on(|request: Divide| match request.divisor {
        0 => Err(desk::DivideError::ByZero),
        divisor => Ok(request.dividend / divisor),
    });
    mock.on(|request: Echo| request.text.to_uppercase());
    let client = mock.client().await;
    assert_eq!(client.divide(APP, 6, 3).await, Ok(2));
    assert_eq!(client.divide(APP, 6, 0).await, Err(CallError::Failed(desk::DivideError::ByZero)));
    assert_eq!(client.echo(APP, "loud").await.unwrap(), "LOUD");
    let divisors: Vec<i64> = mock.requests::<Divide>().iter().map(|request| request.divisor).collect();
    assert_eq!(divisors, [3, 0]);
    assert_eq!(mock.requests::<Wait>(), []);
}

#[tokio::test]
async fn an_answer_may_remember_and_may_be_replaced() {
    let mock = desk::mock().await;
    let mut left = 2;
    mock.on(move |_: Divide| {
        left -= 1;
        if left < 0 { Err(desk::DivideError::ByZero) } else { Ok(left) }
    });
    let client = mock.client().await;
    assert_eq!((client.divide(APP, 1, 1).await, client.divide(APP, 1, 1).await), (Ok(1), Ok(0)));
    assert!(client.divide(APP, 1, 1).await.is_err());
    mock.on(|_: Divide| Ok(9));
    assert_eq!(client.divide(APP, 1, 1).await, Ok(9));
}

#[tokio::test]
async fn it_refuses_as_the_runtime_would() {
    let mock = desk::mock().await;
    mock.refuse::<Echo>(Refusal::Overloaded);
    mock.refuse::<Divide>(Refusal::Unknown);
    mock.on(|_: Wait| -> bool { panic!("what a handler should not do") });
    let client = mock.client().await;
    assert_eq!(client.echo(APP, "text").await, Err(CallError::Refused(Refusal::Overloaded)));
    assert_eq!(client.divide(APP, 1, 1).await, Err(CallError::Unknown));
    assert_eq!(client.wait(APP).await, Err(CallError::Refused(Refusal::HandlerPanicked)));
    assert_eq!((mock.requests::<Echo>().len(), mock.requests::<Divide>().len()), (1, 1));
    // Nobody said what to answer here; the test's output names the action.
    assert_eq!(client.open_topic(APP, "news").await, Err(CallError::Refused(Refusal::UnknownAction)));
}

#[tokio::test]
async fn the_steps_between_can_be_held() {
    let mock = desk::mock().await;
    mock.on(|_: WaitForCancel| ());
    let client = mock.client().await;
    mock.server().pause_business(true);
    let call = client.wait_for_cancel(APP).send().await.unwrap();
    call.guaranteed().await.unwrap();
    assert_eq!(mock.requests::<WaitForCancel>(), []);
    assert_eq!(call.cancel().await, CancelOutcome::Cancelled);
    assert_eq!(call.await, Err(CallError::Cancelled));
    let call = client.wait_for_cancel(APP).send().await.unwrap();
    mock.server().pause_business(false);
    assert_eq!(call.await, Ok(()));
}

#[tokio::test]
async fn a_caller_beside_the_test_is_waited_for() {
    let mock = desk::mock().await;
    mock.on(|request: Echo| request.text);
    let address = mock.address();
    let caller = tokio::spawn(async move {
        let client = desk::Client::connect(&address).await.unwrap();
        for text in ["one", "two"] {
            client.echo(APP, text).await.unwrap();
        }
        client.disconnect(Duration::from_secs(5)).await
    });
    assert_eq!(mock.requests_until::<Echo>(2).await[1].text, "two");
    assert!(caller.await.unwrap().dropped.is_empty());
}

#[tokio::test]
async fn broadcasts_find_the_node_that_asked() {
    let mock = desk::mock().await;
    mock.on(|_: OpenTopic| ());
    let (heard, mut news) = mpsc::unbounded_channel();
    let heard = Arc::new(Mutex::new(heard));
    let handlers = |name: &'static str| {
        let heard = Arc::clone(&heard);
        desk::Handlers::new().news(move |_, news| {
            heard.lock().unwrap().send((name, news.number)).unwrap();
            async {}
        })
    };
    let first = mock.client_with(handlers("first")).await;
    let second = mock.client_with(handlers("second")).await;
    first.open_topic(APP, "weather").await.unwrap();
    second.open_topic(APP, "sports").await.unwrap();
    let broadcasts: desk::Broadcasts = mock.broadcasts();
    broadcasts.news(APP, "sports", 1).await.unwrap();
    assert_eq!(news.recv().await, Some(("second", 1)));
    broadcasts.news(APP, "weather", 2).await.unwrap();
    assert_eq!(news.recv().await, Some(("first", 2)));
}
