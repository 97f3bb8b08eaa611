//! A customer: a client with a log on disk.
//!
//! Knows: what it ordered. Does not know: which process of it did.

use std::path::Path;

use rpcgen_runtime::AppId;

use crate::Failure;
use crate::shop::stubs::{Client, RecoveredCall};

const APP: AppId = AppId(7);

/// Takes what earlier runs left, and orders once more.
pub(crate) async fn run(directory: &Path, address: &str) -> Result<(), Failure> {
    let shop = Client::builder().log(directory).connect(address).await?;
    for call in shop.recovered() {
        if let RecoveredCall::Order(call) = call {
            println!("[customer] found order {} in my log", call.number().0);
            println!("[customer] answer: order {}", call.await?);
        }
    }
    let call = shop.order(APP, "a kettle").send().await?;
    println!("[customer] accepted: order {} is on my disk", call.number().0);
    println!("[customer] answer: order {}", call.await?);
    Ok(())
}
