//! A connection to PostgreSQL beside the store's: what a test looks with.
//!
//! Knows: numbers. Does not know: which.

use rpcgen_postgres::tokio_postgres::{self, Client, NoTls};

/// Connects to the database.
///
/// # Panics
/// It cannot be had.
pub async fn look(address: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap_or_else(|error| panic!("{error}"));
    tokio::spawn(connection);
    client
}

/// The number that is asked for.
///
/// # Panics
/// It cannot be had.
pub async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
}
