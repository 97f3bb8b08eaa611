//! The bank's process: open until its standard input ends, its database or its log fails, or it is killed.
//!
//! Knows: which database it has. Does not know: faults.

use rpcgen_runtime::server::ServerBuilder;
use rpcgen_runtime::{AppId, Call, ListenError, Server};
use tokio::io::AsyncReadExt as _;

use crate::Failure;
use crate::bank::{Transfer, postgres, sqlite};
use crate::ledger::{self, BalanceError, TransferError};
use crate::lines::{Line, say};
use crate::plan::{Database, Plan, SEGMENT_BYTES};

#[derive(Clone)]
enum Bank {
    Sqlite(sqlite::Bank),
    Postgres(postgres::Bank),
}

impl Bank {
    async fn open(plan: &Plan) -> Result<Self, Failure> {
        let folder = plan.folder.as_deref().ok_or("a server without a folder")?;
        Ok(match plan.database {
            Database::Sqlite => Self::Sqlite(sqlite::Bank::open(folder, plan.mistake)?),
            Database::Postgres => Self::Postgres(postgres::Bank::open(&plan.address).await?),
        })
    }

    fn completions(&self, builder: ServerBuilder) -> ServerBuilder {
        match self {
            Self::Sqlite(bank) => builder.completions(bank.db.clone()),
            Self::Postgres(bank) => builder.completions(bank.db.clone()),
        }
    }

    fn owner_epoch(&self) -> u64 {
        match self {
            Self::Sqlite(bank) => bank.db.owner_epoch(),
            Self::Postgres(bank) => bank.db.owner_epoch(),
        }
    }
}

impl ledger::Ledger for Bank {
    async fn transfer(
        &self,
        call: &Call,
        _app_id: AppId,
        from: u64,
        to: u64,
        amount: u64,
        reference: u64,
    ) -> Result<u64, TransferError> {
        let transfer = Transfer { key: call.key(), from, to, amount, reference };
        match self {
            Self::Sqlite(bank) => bank.transfer(call, transfer).await,
            Self::Postgres(bank) => bank.transfer(call, transfer).await,
        }
    }

    async fn balance(&self, _call: &Call, _app_id: AppId, _account: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

pub(crate) async fn run(plan: &Plan) -> Result<(), Failure> {
    let bank = Bank::open(plan).await?;
    let builder = Server::builder().config(Plan::config()).log(&plan.log).log_segment_bytes(SEGMENT_BYTES);
    let builder = bank.completions(builder).serve(ledger::server(bank.clone()));
    let server = match builder.listen("tcp://127.0.0.1:0").await {
        Err(ListenError::Log(error)) => {
            say(&Line::Refused(error.to_string()));
            return Ok(());
        }
        result => result?,
    };
    say(&Line::Listening { address: server.local_address(), epoch: bank.owner_epoch() });
    let (mut stdin, mut end) = (tokio::io::stdin(), Vec::new());
    let why = tokio::select! {
        why = server.stopped() => why,
        read = stdin.read_to_end(&mut end) => {
            read?;
            server.shutdown(Plan::SHUTDOWN_WITHIN).await;
            return Ok(());
        }
    };
    say(&Line::Stopped(why));
    // Its next life goes on.
    std::process::exit(3)
}
