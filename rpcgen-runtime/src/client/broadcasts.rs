//! The broadcasts that a client node hears.
//!
//! Knows: handlers by number. Does not know: how a broadcast came here; the session says when its handler runs, and that is once.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use rpcgen_proto::ids::MethodId;

use crate::carried::{Carried, OpenError};
use crate::contract::Broadcast;
use crate::run::{BoxFuture, Guarded, Panicked, guarded, poll_once};

type Run = Arc<dyn Fn(Carried) -> Result<BoxFuture<()>, OpenError> + Send + Sync>;

/// Handlers of broadcasts. What has no handler is never sent to this node.
#[derive(Clone, Default)]
pub struct BroadcastHandlers {
    by_method: BTreeMap<MethodId, Run>,
}

impl fmt::Debug for BroadcastHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.by_method.keys()).finish()
    }
}

impl BroadcastHandlers {
    /// Adds a handler, in the place of an earlier one for the same broadcast. Up to its first wait it runs on the client's own task:
    /// what computes for long belongs on a task of its own.
    pub fn add<B, F, R>(&mut self, handler: F)
    where
        B: Broadcast,
        F: Fn(B) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let run: Run = Arc::new(move |payload: Carried| -> Result<BoxFuture<()>, OpenError> {
            let message = payload.open::<B>()?;
            Ok(Box::pin(handler(message)))
        });
        self.by_method.insert(MethodId(B::METHOD), run);
    }

    pub(super) fn methods(&self) -> Vec<MethodId> {
        self.by_method.keys().copied().collect()
    }

    /// Runs the handler of a broadcast: here as long as it does not wait, then on a task of its own.
    pub(super) fn run(&self, method: MethodId, payload: Carried) {
        let Some(run) = self.by_method.get(&method) else {
            tracing::error!(broadcast = method.0, "a broadcast without a handler came; it is dropped");
            return;
        };
        let mut handler = match guarded(|| run(payload)) {
            Ok(Ok(handler)) => handler,
            Ok(Err(error)) => {
                tracing::error!(broadcast = method.0, %error, "a broadcast cannot be read; it is dropped");
                return;
            }
            Err(panicked) => return complain(method, &panicked),
        };
        match poll_once(&mut handler) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(panicked)) => complain(method, &panicked),
            Poll::Pending => {
                tokio::spawn(async move {
                    if let Err(panicked) = Guarded(handler).await {
                        complain(method, &panicked);
                    }
                });
            }
        }
    }
}

fn complain(method: MethodId, panicked: &Panicked) {
    tracing::error!(broadcast = method.0, panic = panicked.0, "the handler of a broadcast panicked");
}
