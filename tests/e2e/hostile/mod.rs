//! Peers that do what no peer of ours does, over real sockets: each is told what it did, loses its link, and nobody else notices.
//!
//! Knows: a server, a client that behaves (the victim), strangers. Does not know: the protocol's inside; the simulator does.

mod exhaustion;
mod handshake;
mod session;
mod stranger;

use rpcgen_runtime::Server;

use self::stranger::Stranger;
use crate::desk;
use crate::support::{Business, connect, is_alive, serve};

/// A server, and a client of it that nothing may happen to.
struct Scene {
    server: Server,
    business: Business,
    victim: desk::Client,
}

impl Scene {
    async fn begin() -> Self {
        let (server, business) = serve("tcp://127.0.0.1:0").await;
        let victim = connect(&server.local_address()).await;
        assert!(is_alive(&victim).await);
        Self { server, business, victim }
    }

    /// A connection that has said nothing.
    async fn stranger(&self) -> Stranger {
        Stranger::connect(&self.server).await
    }

    /// A stranger with a session.
    async fn greeted(&self) -> Stranger {
        let mut stranger = self.stranger().await;
        stranger.greet().await;
        stranger
    }

    /// The stranger is told what it did and loses its link; the victim goes on over the link that it always had.
    #[track_caller]
    fn ends(&self, stranger: Stranger, words: &'static str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let last_words = stranger.last_words().await;
            assert!(last_words.contains(words), "{place}: `{last_words}` does not say `{words}`");
            self.victim_goes_on().await;
        }
    }

    async fn victim_goes_on(&self) {
        assert!(is_alive(&self.victim).await, "the victim is answered");
        assert_eq!(self.victim.runtime().stats().session.links, 1, "over the link that it always had");
    }
}
