//! The way between the clients and the server: an address that stays, and can be cut.
//!
//! Knows: where the server is now. Does not know: what is carried.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::Failure;

/// Where connections lead, and which of them are cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Way {
    to: Option<SocketAddr>,
    /// Connections of an earlier number are cut.
    generation: u64,
}

/// A proxy. It goes with the process.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    way: Arc<watch::Sender<Way>>,
    address: SocketAddr,
}

impl Proxy {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Self { way: Arc::new(watch::Sender::new(Way::default())), address: listener.local_addr()? };
        let way = Arc::clone(&proxy.way);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, way.subscribe()));
            }
        });
        Ok(proxy)
    }

    /// As a client takes it.
    pub(crate) fn address(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// New connections lead there; all others are cut. `None`: they wait.
    pub(crate) fn lead(&self, to: Option<SocketAddr>) {
        self.way.send_modify(|way| *way = Way { to, generation: way.generation + 1 });
    }

    /// All connections are cut. New ones lead where they did.
    pub(crate) fn cut(&self) {
        self.way.send_modify(|way| way.generation += 1);
    }
}

/// One connection, until an end closes it or it is cut. A client that comes while there is no server waits for one.
async fn carry(mut client: TcpStream, mut way: watch::Receiver<Way>) {
    let Ok(Way { to: Some(to), generation }) = way.wait_for(|way| way.to.is_some()).await.map(|way| way.clone()) else {
        return;
    };
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        // However it ends, both ends are closed.
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = way.wait_for(|way| way.generation != generation) => {}
    }
}
