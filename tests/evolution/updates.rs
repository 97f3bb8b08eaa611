//! Ends that are updated while calls are in flight: the session goes on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rpcgen_runtime::{AppId, Call, ListenError, Server};

use super::generated::cases::fine_message_grows::{new, old};

const APP: AppId = AppId(7);
const SEGMENT_BYTES: u64 = 16 * 1_024;

/// A shop that is updated before it has answered anything.
struct Slow;

impl old::Shop for Slow {
    async fn order(&self, _call: &Call, _app_id: AppId, _item: String) -> Result<u64, old::OrderError> {
        std::future::pending().await
    }
}

/// The newer one.
pub(super) struct Quick;

impl new::Shop for Quick {
    async fn order(
        &self,
        _call: &Call,
        _app_id: AppId,
        item: String,
        count: u32,
    ) -> Result<new::OrderResponse, new::OrderError> {
        match item.as_str() {
            "hat" => Err(new::OrderError::SoldOut { left: 3, back_at: None }),
            _ => Ok(new::OrderResponse { number: u64::from(count), remark: Some("thanks".to_owned()) }),
        }
    }
}

/// Directories that are empty when the test begins.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("evolution").join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
}

async fn listen(service: impl Fn() -> rpcgen_runtime::generated::Service, log: &Path, address: &str) -> Server {
    loop {
        let builder = Server::builder().log(log).log_segment_bytes(SEGMENT_BYTES).serve(service());
        match builder.listen(address).await {
            Ok(server) => return server,
            // Its listener takes a moment to go.
            Err(ListenError::Io { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn session_goes_on_when_the_server_is_updated_and_then_the_client() {
    let (of_server, of_client) = (directory("server"), directory("client"));
    let server = listen(|| old::server(Slow), &of_server, "tcp://127.0.0.1:0").await;
    let address = server.local_address();
    let builder = old::Client::builder().log(&of_client).log_segment_bytes(SEGMENT_BYTES);
    let client = builder.connect(&address).await.unwrap();
    let id = client.runtime().id();
    let (pen, hat) = (client.order(APP, "pen").send().await.unwrap(), client.order(APP, "hat").send().await.unwrap());
    pen.guaranteed().await.unwrap();
    hat.guaranteed().await.unwrap();
    let session = server.stats();
    assert_eq!(session.session_count, 1);
    drop(server);

    // The server is updated: what it has guaranteed is answered by the newer one, to the older client.
    let server = listen(|| new::server(Quick), &of_server, &address).await;
    assert_eq!(pen.await, Ok(1), "the newer server fills in the default");
    let (answer, claim) = hat.unclaimed().await;
    let sold_out = Err(rpcgen_runtime::CallError::Failed(old::OrderError::SoldOut { left: 3 }));
    assert_eq!(answer, sold_out, "the older client skips what it does not know");
    drop(claim);
    assert_eq!(client.order(APP, "cup").await, Ok(1));
    assert_eq!(server.stats().session_count, 1);
    // Over a link cut it asks for what it has learned.
    client.runtime().cut_link();
    assert_eq!(client.order(APP, "cup").await, Ok(1));
    let _ = client.disconnect(Duration::ZERO).await;

    // The client is updated: it goes on with the log of the older one.
    let builder = new::Client::builder().log(&of_client).log_segment_bytes(SEGMENT_BYTES);
    let client = builder.connect(&address).await.unwrap();
    assert_eq!(client.runtime().id(), id);
    let [new::RecoveredCall::Order(hat)] = <[_; 1]>::try_from(client.recovered()).unwrap();
    assert_eq!(hat.recovered_request().map(|asked| (asked.item, asked.count)), Some(("hat".to_owned(), 1)));
    let sold_out = new::OrderError::SoldOut { left: 3, back_at: None };
    assert_eq!(hat.await, Err(rpcgen_runtime::CallError::Failed(sold_out)));
    let answer = client.order(APP, "pen", 2_u32).await.unwrap();
    assert_eq!((answer.number, answer.remark.as_deref()), (2, Some("thanks")));
}
