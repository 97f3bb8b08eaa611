//! A bank over real TCP, under faults: its history is written down and judged by who knows nothing of the protocol.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod bank {
    rpcgen_runtime::include_rpc!("bank");
}

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use history::bank::{Op, Ret};
use history::record::{Event, Recorder};
use history::{linear, once};
use rpcgen_runtime::{AppId, Call, CallError, CallKey, Config, FaultPlan, Server, Uuid};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::bank::{
    Account, AddFundsKey, BalanceError, ConfirmIncomingError, CreateAccountError, GetAddFundsKeyError,
    ReportIncomingError,
};

const APP: AppId = AppId(1);
const CALLERS: usize = linear::WINDOW_CALLERS_MAX;
const WINDOWS: usize = 4;
const OPS_OF_CALLER: usize = linear::WINDOW_OPS_MAX / CALLERS;
const USERS: usize = 3;

type History = Vec<Event<CallKey, Op, Ret>>;

/// A bank that writes down what it does. Its users are named by digits.
#[derive(Clone, Default)]
struct Business {
    recorder: Arc<Recorder<CallKey, Op, Ret>>,
    balances: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Business {
    /// Handlers of several calls overlap; each does its work at one moment.
    async fn run(&self, call: &Call, work: impl FnOnce(&mut BTreeMap<String, u64>) -> Ret) -> Ret {
        tokio::task::yield_now().await;
        let ret = self.recorder.run(call.key(), call.redelivered(), || work(&mut self.balances.lock().unwrap()));
        tokio::task::yield_now().await;
        ret
    }

    fn change(balances: &mut BTreeMap<String, u64>, user: &str, amount: u64) -> Ret {
        balances.get_mut(user).map_or(Ret::NoSuchUser, |balance| {
            *balance += amount;
            Ret::Balance(*balance)
        })
    }
}

impl bank::Bank for Business {
    async fn create_account(&self, call: &Call, _: AppId, user: String) -> Result<Account, CreateAccountError> {
        let name = user.clone();
        let create = move |balances: &mut BTreeMap<String, u64>| {
            if balances.contains_key(&name) {
                return Ret::Exists;
            }
            balances.insert(name, 0);
            Ret::Created
        };
        match self.run(call, create).await {
            Ret::Created => Ok(Account { id: Uuid::nil(), user, balance: 0, note: None }),
            _ => Err(CreateAccountError::UserExists),
        }
    }

    async fn get_add_funds_key(&self, _: &Call, _: AppId, user: String) -> Result<AddFundsKey, GetAddFundsKeyError> {
        Ok(user)
    }

    async fn report_incoming(&self, _: &Call, _: AppId, _: AddFundsKey, _: u64) -> Result<(), ReportIncomingError> {
        Ok(())
    }

    async fn confirm_incoming(
        &self,
        call: &Call,
        _: AppId,
        key: AddFundsKey,
        amount: u64,
    ) -> Result<u64, ConfirmIncomingError> {
        match self.run(call, move |balances| Self::change(balances, &key, amount)).await {
            Ret::Balance(balance) => Ok(balance),
            _ => Err(ConfirmIncomingError::NoSuchKey),
        }
    }

    async fn balance(&self, call: &Call, _: AppId, user: String) -> Result<u64, BalanceError> {
        match self.run(call, move |balances| Self::change(balances, &user, 0)).await {
            Ret::Balance(balance) => Ok(balance),
            _ => Err(BalanceError::NoSuchUser),
        }
    }

    async fn ping(&self, _: &Call, _: AppId) {}
}

/// One frame in ten is lost, and whatever else a network does.
fn faults(seed: u64) -> FaultPlan {
    FaultPlan {
        seed,
        drop: 0.1,
        drop_broadcast: 0.1,
        duplicate: 0.05,
        reorder: 0.05,
        delay: 0.05,
        delay_max: Duration::from_millis(5),
        corrupt: 0.02,
        cut_every: 89,
    }
}

fn config() -> Config {
    Config { flush_after: Duration::from_millis(2), round_trip_min: Duration::from_millis(2), ..Config::default() }
}

/// What the caller does in its `step`-th step: everyone comes across everyone.
fn op(caller: usize, step: usize) -> Op {
    let user = u8::try_from((caller * 5 + step * 3) % USERS).unwrap();
    match (caller + step) % 5 {
        0 if step < 3 => Op::Create(user),
        0..3 => Op::Add(user, (caller * 1_000 + step + 1) as u64),
        _ => Op::Balance(user),
    }
}

/// Makes a call through its three steps and writes it down.
async fn call(client: &bank::Client, recorder: &Recorder<CallKey, Op, Ret>, caller: usize, op: Op) {
    let id = recorder.invoked(caller, op.clone());
    let accepted = |number| {
        let runtime = client.runtime();
        let key = CallKey { client: runtime.id(), incarnation: runtime.incarnation(), number };
        recorder.note(Event::Accepted { call: id, key });
    };
    let ret = match op {
        Op::Create(user) => {
            let call = client.create_account(APP, user.to_string()).send().await.unwrap();
            accepted(call.number());
            match call.await {
                Ok(_) => Ret::Created,
                Err(CallError::Failed(CreateAccountError::UserExists)) => Ret::Exists,
                Err(error) => panic!("{error}"),
            }
        }
        Op::Add(user, amount) => {
            let call = client.confirm_incoming(APP, user.to_string(), amount).send().await.unwrap();
            accepted(call.number());
            match call.await {
                Ok(balance) => Ret::Balance(balance),
                Err(CallError::Failed(ConfirmIncomingError::NoSuchKey)) => Ret::NoSuchUser,
                Err(error) => panic!("{error}"),
            }
        }
        Op::Balance(user) => {
            let call = client.balance(APP, user.to_string()).send().await.unwrap();
            accepted(call.number());
            match call.await {
                Ok(balance) => Ret::Balance(balance),
                Err(CallError::Failed(BalanceError::NoSuchUser)) => Ret::NoSuchUser,
                Err(error) => panic!("{error}"),
            }
        }
    };
    recorder.note(Event::Returned { call: id, ret });
}

/// A run over TCP: its history, and how many frames were lost or damaged on purpose, and links cut.
async fn record() -> (History, u64) {
    let business = Business::default();
    let recorder = Arc::clone(&business.recorder);
    let builder = Server::builder().config(config()).faults(faults(1)).serve(bank::server(business));
    let server = builder.listen("tcp://127.0.0.1:0").await.unwrap();
    let barrier = Arc::new(Barrier::new(CALLERS));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (recorder, barrier, address) = (Arc::clone(&recorder), Arc::clone(&barrier), server.local_address());
        callers.spawn(async move {
            let builder = bank::Client::builder().config(config()).faults(faults(2 + caller as u64));
            let client = builder.connect(&address).await.unwrap();
            for window in 0..WINDOWS {
                for step in 0..OPS_OF_CALLER {
                    call(&client, &recorder, caller, op(caller, window * OPS_OF_CALLER + step)).await;
                }
                // All wait; one says that it is quiet; all go on.
                if barrier.wait().await.is_leader() {
                    recorder.note(Event::Quiet);
                }
                barrier.wait().await;
            }
            let faults = client.runtime().stats().faults;
            assert!(client.disconnect(Duration::from_secs(30)).await.dropped.is_empty());
            faults.dropped + faults.corrupted + faults.cuts
        });
    }
    let mut troubles = server.stats().faults.dropped;
    while let Some(caller) = callers.join_next().await {
        troubles += caller.unwrap();
    }
    (recorder.history(), troubles)
}

/// The first answer that says a balance.
fn first_balance(history: &mut History) -> &mut u64 {
    let balances = history.iter_mut().filter_map(|event| match event {
        Event::Returned { ret: Ret::Balance(balance), .. } => Some(balance),
        _ => None,
    });
    balances.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_of_a_bank_under_faults_ran_once_and_its_answers_have_an_order() {
    let (history, troubles) = record().await;
    assert!(troubles > 0, "a run without faults shows nothing");
    let sums = once::check(&history).unwrap();
    let calls = CALLERS * WINDOWS * OPS_OF_CALLER;
    assert_eq!(sums, once::Sums { calls, runs: calls, redelivered: 0, answered: calls });
    linear::check_witness(&history).unwrap();
    assert_eq!(linear::check(&history), Ok(WINDOWS));

    // The same history with one thing changed is refused.
    let mut corrupted = history.clone();
    *first_balance(&mut corrupted) += 500_000;
    assert_eq!(once::check(&corrupted).unwrap_err().invariant, "answer_implies_completion");
    assert!(linear::check_witness(&corrupted).is_err());
    assert_eq!(linear::check(&corrupted).unwrap_err(), "window 0: no order explains the answers");
    let ran = history.iter().position(|event| matches!(event, Event::Ran { .. })).unwrap();
    let mut corrupted = history.clone();
    corrupted.insert(ran, history[ran].clone());
    assert_eq!(once::check(&corrupted).unwrap_err().invariant, "at_most_one_execution_per_call_key");
    let mut corrupted = history;
    let returned = corrupted.iter().rposition(|event| matches!(event, Event::Returned { .. })).unwrap();
    corrupted.remove(returned);
    assert_eq!(once::check(&corrupted).unwrap_err().invariant, "no_lost_answer");
}
