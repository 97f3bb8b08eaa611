//! A transfer happens once, although its server dies right before it is committed, and again right after.
#![expect(clippy::print_stdout, reason = "a command talks to its user")]

mod server;

mod ledger {
    rpcgen_runtime::include_rpc!("ledger");
}

use std::error::Error;
use std::path::Path;

use rpcgen_runtime::{AppId, ListenError, Server};

use crate::server::Ledger;

const APP: AppId = AppId(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("rpcgen-exactly-once-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let balances = run(&folder.join("ledger.db")).await?;
    println!("account 1 has {}, account 2 has {}: the money moved once", balances.0, balances.1);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Two crashes and one transfer; what the accounts have afterwards.
async fn run(path: &Path) -> Result<(u64, u64), Box<dyn Error>> {
    let first = Ledger::open(path)?;
    let server = first.listen("tcp://127.0.0.1:0").await?;
    let address = server.local_address();
    let client = ledger::Client::connect(&address).await?;
    let call = client.transfer(APP, 1, 2, 30, 7).send().await?;
    call.guaranteed().await?;

    println!("the server dies before the commit");
    drop(server);
    let second = Ledger::open(path)?;
    second.before.close(); // Handlers pass here from now on, and wait behind the commit.
    let server = listen_again(&second, &address).await?;
    while records(path)? == 0 {
        tokio::task::yield_now().await;
    }

    println!("the server dies between the commit and the answer");
    drop(server);
    let third = Ledger::open(path)?;
    third.before.close();
    third.after.close();
    let server = listen_again(&third, &address).await?;
    println!("the answer is on record: account 1 has {} left", call.await?);

    let balances = (client.balance(APP, 1).await?, client.balance(APP, 2).await?);
    server.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(balances)
}

/// How many answers are on record.
fn records(path: &Path) -> Result<u64, Box<dyn Error>> {
    let db = rpcgen_sqlite::rusqlite::Connection::open(path)?;
    Ok(db.query_row("select count(*) from rpcgen_completions", (), |row| row.get(0))?)
}

/// The listener of a server that was dropped takes a moment to go.
async fn listen_again(ledger: &Ledger, address: &str) -> Result<Server, ListenError> {
    loop {
        match ledger.listen(address).await {
            Err(ListenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::task::yield_now().await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn money_moves_once() {
        let folder = std::env::temp_dir().join(format!("rpcgen-exactly-once-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(run(&folder.join("ledger.db")).await.unwrap(), (70, 30));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
