//! Both forms of `#[service]`, as a user writes them, over a real connection between threads.

use rpcgen_runtime::{AppId, Call, CallError, Server};

/// A bare trait: the types that it names come from the scope around.
mod bare {
    #[rpcgen_macros::message]
    struct Account {
        id: Uuid,
        user: String,
    }

    #[rpcgen_macros::message(error)]
    enum CreateAccountError {
        UserExists,
        QuotaReached { limit: u32 },
    }

    type AddFundsKey = String;

    #[rpcgen_macros::service]
    trait Bank {
        /// Creates a user's sub-account.
        #[action]
        async fn create_account(app_id: AppId, user: String) -> Result<Account, CreateAccountError>;

        #[action(returns(key))]
        async fn get_add_funds_key(app_id: AppId, user: String) -> AddFundsKey;

        #[broadcast(origin = get_add_funds_key, by = key)]
        async fn pending_amount(app_id: AppId, key: AddFundsKey, amount: u64);
    }
}

/// A module: what the trait needs stands beside it.
#[rpcgen_macros::service]
mod beside {
    /// What somebody has.
    struct Account {
        #[rpc(max = 8)]
        user: String,
        #[rpc(default = 1)]
        balance: u64,
    }

    enum OpenError {
        Busy,
        Quota { limit: u32 },
    }

    trait Bank {
        #[action(returns(account))]
        async fn open(app_id: AppId, user: String) -> Result<Account, OpenError>;
    }
}

/// What a bare trait and a message import is used, although others take its place in what is generated.
#[deny(warnings)]
mod importing {
    pub(crate) mod of_others {
        use std::collections::BTreeMap;
        use std::time;

        use rpcgen_macros::{message, service};
        use rpcgen_runtime::{AppId, Timestamp, Uuid};

        #[message]
        struct Order {
            id: Uuid,
            parts: BTreeMap<String, Vec<u8>>,
            took: time::Duration,
        }

        #[service]
        trait Shop {
            #[action(deadline = std::time::Duration::from_secs(3))]
            async fn order(app_id: AppId, order: Order) -> Option<Timestamp>;
        }
    }

    /// The import is for the deadline alone.
    pub(crate) mod of_values {
        use std::time::Duration;

        #[rpcgen_macros::service]
        trait Shop {
            #[action(deadline = Duration::from_secs(3))]
            async fn order(app_id: AppId);
        }
    }

    /// A type of one's own with the name of a built-in one.
    pub(crate) mod of_own {
        pub(crate) struct Timestamp;

        #[rpcgen_macros::service]
        trait Shop {
            #[action]
            async fn order(app_id: AppId, at: Timestamp);
        }
    }
}

struct Business;

impl bare::Bank for Business {
    async fn create_account(
        &self,
        _: &Call,
        _: AppId,
        user: String,
    ) -> Result<bare::Account, bare::CreateAccountError> {
        if user == "alice" {
            Ok(bare::Account { id: rpcgen_runtime::Uuid::nil(), user })
        } else {
            Err(bare::CreateAccountError::QuotaReached { limit: 1 })
        }
    }

    async fn get_add_funds_key(&self, _: &Call, _: AppId, user: String) -> String {
        user
    }
}

impl beside::Bank for Business {
    async fn open(&self, _: &Call, _: AppId, user: String) -> Result<beside::Account, beside::OpenError> {
        if user.is_empty() { Err(beside::OpenError::Busy) } else { Ok(beside::Account { user, balance: 2 }) }
    }
}

#[tokio::test]
async fn stubs_of_a_bare_trait_call_and_answer() {
    let address = "thread://macros-bare";
    let _server = Server::builder().serve(bare::server(Business)).listen(address).await.expect("the name is free");
    let bank = bare::Client::connect(address).await.expect("the server listens");
    assert_eq!(bank.create_account(AppId(7), "alice").await.expect("she has none yet").user, "alice");
    let refused = bank.create_account(AppId(7), "bob").await;
    assert!(matches!(refused, Err(CallError::Failed(bare::CreateAccountError::QuotaReached { limit: 1 }))));
    assert_eq!(bare::CreateAccountError::UserExists.to_string(), "user exists");
}

#[tokio::test]
async fn stubs_of_a_module_call_and_answer() {
    let address = "thread://macros-beside";
    let _server = Server::builder().serve(beside::server(Business)).listen(address).await.expect("the name is free");
    let bank = beside::Client::connect(address).await.expect("the server listens");
    let account = bank.open(AppId(7), "alice").await.expect("she may");
    assert_eq!(account, beside::Account { user: "alice".to_owned(), balance: 2 });
    assert!(matches!(bank.open(AppId(7), "").await, Err(CallError::Failed(beside::OpenError::Busy))));
}
