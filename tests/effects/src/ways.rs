//! Ways to PostgreSQL, and one on which connections are counted.

use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// A way to the server behind this address, and how many connections were made on it.
///
/// # Panics
/// It is none of [`PostgresServer::database`](crate::PostgresServer::database), or nobody is there.
pub async fn counted(address: &str) -> (String, watch::Receiver<u32>) {
    let (listener, way, socket) = begin_way(address).await;
    let (made, count) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            made.send_modify(|made| *made += 1);
            let mut far = UnixStream::connect(&socket).await.expect("the test's own server is there");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    (way, count)
}

/// The begin of a way to the server behind this address: where its connections come in, its address, and the socket that it leads to.
///
/// # Panics
/// It is none of [`PostgresServer::database`](crate::PostgresServer::database).
pub async fn begin_way(address: &str) -> (TcpListener, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of the test's own");
    let (folder, rest) = address
        .strip_prefix("host=")
        .expect("a socket's folder")
        .split_once(' ')
        .expect("an address of more than a folder");
    let way = format!("host=127.0.0.1 port={} {rest}", listener.local_addr().expect("it listens").port());
    (listener, way, format!("{folder}/.s.PGSQL.5432"))
}
