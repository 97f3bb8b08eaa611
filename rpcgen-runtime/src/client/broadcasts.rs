//! The broadcasts that a client node handles.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rpcgen_proto::ids::MethodId;

use crate::carried::Carried;
use crate::contract::Broadcast;

type Handling = Pin<Box<dyn Future<Output = ()> + Send>>;
type Handler = Arc<dyn Fn(Carried) -> Option<Handling> + Send + Sync>;

/// Handlers by broadcast. What has none is never sent to this node.
#[derive(Clone, Default)]
pub struct BroadcastHandlers {
    handlers: BTreeMap<MethodId, Handler>,
}

impl fmt::Debug for BroadcastHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

impl BroadcastHandlers {
    /// Sets the handler of a broadcast.
    pub fn add<B, F, R>(&mut self, handler: F)
    where
        B: Broadcast,
        F: Fn(B) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let open = move |payload: Carried| -> Option<Handling> {
            match payload.open::<B>() {
                Ok(message) => Some(Box::pin(handler(message))),
                Err(error) => {
                    tracing::error!(method = B::METHOD, %error, "a broadcast could not be opened; it is dropped");
                    None
                }
            }
        };
        self.handlers.insert(MethodId(B::METHOD), Arc::new(open));
    }

    pub(super) fn methods(&self) -> Vec<MethodId> {
        self.handlers.keys().copied().collect()
    }

    /// The handling of one broadcast; `None` without a handler, or if the message makes no sense.
    pub(super) fn handle(&self, method: MethodId, payload: Carried) -> Option<Handling> {
        self.handlers.get(&method)?(payload)
    }
}
