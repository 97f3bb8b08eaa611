//! Links within this process: two queues of frames, nothing is encoded.
//!
//! Knows: names that are listened on in this process, queues. Does not know: what the frames mean. What is in a queue is bounded by
//! what the two sessions may have in flight.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use rpcgen_proto::frame::LinkFrame;

use super::inbox::{Inbox, Taken, lock};
use super::link::LinkError;
use crate::carried::Carried;

type Queue = Inbox<LinkFrame<Carried>>;

/// One end of a link.
#[derive(Debug)]
pub(crate) struct ThreadLink {
    incoming: Arc<Queue>,
    arrived: VecDeque<LinkFrame<Carried>>,
    outgoing: Arc<Queue>,
    leaving: VecDeque<LinkFrame<Carried>>,
}

impl ThreadLink {
    /// Both ends of a new link.
    pub(crate) fn pair() -> (Self, Self) {
        let (up, down) = (Arc::new(Queue::new()), Arc::new(Queue::new()));
        (Self::new(Arc::clone(&down), Arc::clone(&up)), Self::new(up, down))
    }

    fn new(incoming: Arc<Queue>, outgoing: Arc<Queue>) -> Self {
        Self { incoming, arrived: VecDeque::new(), outgoing, leaving: VecDeque::new() }
    }

    pub(crate) fn poll_receive(&mut self, cx: &Context<'_>) -> Poll<Result<LinkFrame<Carried>, LinkError>> {
        if let Some(frame) = self.arrived.pop_front() {
            return Poll::Ready(Ok(frame));
        }
        match self.incoming.poll_take(cx, &mut self.arrived) {
            Taken::Some => Poll::Ready(self.arrived.pop_front().ok_or(LinkError::Closed)),
            Taken::Nothing => Poll::Pending,
            Taken::Closed => Poll::Ready(Err(LinkError::Closed)),
        }
    }

    /// How many frames were taken over and not received yet.
    pub(crate) fn unread(&self) -> usize {
        self.arrived.len()
    }

    pub(crate) fn transmit(&mut self, frame: LinkFrame<Carried>) {
        self.leaving.push_back(frame);
    }

    /// Hands over what was transmitted, as one batch.
    pub(crate) fn flush(&mut self) -> Result<(), LinkError> {
        if self.leaving.is_empty() || self.outgoing.append(&mut self.leaving) { Ok(()) } else { Err(LinkError::Closed) }
    }
}

impl Drop for ThreadLink {
    fn drop(&mut self) {
        self.incoming.close();
        self.outgoing.close();
    }
}

/// Who listens in this process, by name.
static LISTENERS: Mutex<BTreeMap<String, Arc<Inbox<ThreadLink>>>> = Mutex::new(BTreeMap::new());

/// A name that is listened on, until this is dropped.
#[derive(Debug)]
pub(crate) struct ThreadListener {
    name: String,
    links: Arc<Inbox<ThreadLink>>,
    accepted: VecDeque<ThreadLink>,
}

impl ThreadListener {
    pub(crate) fn bind(name: &str) -> io::Result<Self> {
        let mut listeners = lock(&LISTENERS);
        if listeners.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server of this process listens there"));
        }
        let links = Arc::new(Inbox::new());
        listeners.insert(name.to_owned(), Arc::clone(&links));
        Ok(Self { name: name.to_owned(), links, accepted: VecDeque::new() })
    }

    pub(crate) async fn accept(&mut self) -> io::Result<ThreadLink> {
        std::future::poll_fn(|cx| {
            if self.accepted.is_empty() && self.links.poll_take(cx, &mut self.accepted) == Taken::Nothing {
                return Poll::Pending;
            }
            Poll::Ready(self.accepted.pop_front().ok_or_else(|| io::ErrorKind::NotConnected.into()))
        })
        .await
    }
}

impl Drop for ThreadListener {
    fn drop(&mut self) {
        lock(&LISTENERS).remove(&self.name);
        drop(self.links.close_and_take());
    }
}

/// A link to whoever listens on `name` in this process.
pub(crate) fn connect(name: &str) -> io::Result<ThreadLink> {
    let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there in this process");
    let listener = lock(&LISTENERS).get(name).cloned().ok_or_else(refused)?;
    let (ours, theirs) = ThreadLink::pair();
    listener.push(theirs).map_err(|_| refused())?;
    Ok(ours)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use rpcgen_proto::frame::Close;

    use super::*;

    fn words(message: &str) -> LinkFrame<Carried> {
        LinkFrame::Close(Close { message: message.to_owned() })
    }

    fn receive(link: &mut ThreadLink) -> Poll<Option<String>> {
        link.poll_receive(&Context::from_waker(Waker::noop())).map(|frame| match frame {
            Ok(LinkFrame::Close(close)) => Some(close.message),
            _ => None,
        })
    }

    #[test]
    fn frames_arrive_in_order_and_nothing_is_lost_when_the_sender_goes() {
        let (mut near, mut far) = ThreadLink::pair();
        near.transmit(words("a"));
        near.transmit(words("b"));
        assert_eq!(receive(&mut far), Poll::Pending);
        near.flush().unwrap();
        drop(near);
        assert_eq!(receive(&mut far), Poll::Ready(Some("a".to_owned())));
        assert_eq!(receive(&mut far), Poll::Ready(Some("b".to_owned())));
        assert_eq!(receive(&mut far), Poll::Ready(None));
    }

    #[test]
    fn a_name_is_free_again_when_its_listener_is_dropped() {
        let name = "a_name_is_free_again";
        let listener = ThreadListener::bind(name).unwrap();
        assert_eq!(ThreadListener::bind(name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let mut link = connect(name).unwrap();
        drop(listener);
        assert_eq!(receive(&mut link), Poll::Ready(None));
        assert_eq!(connect(name).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        ThreadListener::bind(name).unwrap();
    }
}
