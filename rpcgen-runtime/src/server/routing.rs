//! Which node a broadcast goes to.
//!
//! Knows: which client acted for which key, which nodes are there and what they handle, which broadcasts wait for one. Does not know:
//! sessions, what a broadcast says, how it is sent. Pure: the nodes are whatever the caller sends through.
//!
//! What it keeps is bounded: the keys by a number (the oldest goes), the waiting broadcasts by another. A broadcast that was logged
//! for a node that went away is never refused: what can come back so is bounded by what the nodes' logs held.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use rpcgen_proto::ids::{ClientId, MethodId, SessionId};

/// A service of this server, by its index.
pub(super) type ServiceIndex = usize;

/// What a broadcast is, as far as its way is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    /// Of which service.
    pub(super) service: ServiceIndex,
    /// Which one of it.
    pub(super) method: MethodId,
    /// The key of the node that it is for; `None`: any node that handles it.
    pub(super) origin: Option<Vec<u8>>,
}

/// Where a broadcast is to go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<N> {
    /// There.
    Node(SessionId, N),
    /// Nowhere yet: no node handles it.
    Nobody,
    /// Nowhere: the server has stopped.
    Stopped,
}

/// The routes of one server.
#[derive(Debug)]
pub(super) struct Router<N, J> {
    origins: Origins,
    nodes: BTreeMap<SessionId, Node<N>>,
    sessions: HashMap<(ServiceIndex, ClientId), SessionId>,
    /// Live nodes by what they handle.
    handlers: HashMap<(ServiceIndex, MethodId), BTreeSet<SessionId>>,
    /// Where the last broadcast without an origin went: the next goes to the next one.
    last: SessionId,
    /// What waits for a node, by kind, the oldest first.
    waiting: HashMap<Kind, VecDeque<J>>,
    waiting_count: usize,
    waiting_max: usize,
    is_stopped: bool,
}

/// A broadcast of a service.
type Kind = (ServiceIndex, MethodId);

#[derive(Debug)]
struct Node<N> {
    via: N,
    client: ClientId,
    service: ServiceIndex,
    handles: Vec<MethodId>,
    is_live: bool,
    /// It is full: what need not go there goes elsewhere.
    is_resting: bool,
}

impl<N: Clone, J> Router<N, J> {
    pub(super) fn new(origins_max: usize, waiting_max: usize) -> Self {
        Self {
            origins: Origins::new(origins_max),
            nodes: BTreeMap::new(),
            sessions: HashMap::new(),
            handlers: HashMap::new(),
            last: SessionId(0),
            waiting: HashMap::new(),
            waiting_count: 0,
            waiting_max,
            is_stopped: false,
        }
    }

    /// The client's action created what broadcasts of these keys will speak of.
    pub(super) fn record(&mut self, service: ServiceIndex, client: ClientId, keys: Vec<(u32, Vec<u8>)>) {
        for (method, key) in keys {
            self.origins.record(OriginKey { service, method: MethodId(method), key }, client);
        }
    }

    /// A session is there, or handles other broadcasts than before.
    pub(super) fn open(
        &mut self,
        session: SessionId,
        client: ClientId,
        service: ServiceIndex,
        handles: Vec<MethodId>,
        via: N,
    ) {
        if self.is_stopped {
            return;
        }
        let was_live = self.nodes.get(&session).is_some_and(|node| node.is_live);
        self.set_live(session, false);
        self.sessions.insert((service, client), session);
        self.nodes.insert(session, Node { via, client, service, handles, is_live: false, is_resting: false });
        self.set_live(session, was_live);
    }

    /// A link of the session is up, or gone.
    pub(super) fn set_live(&mut self, session: SessionId, is_live: bool) {
        if let Some(node) = self.nodes.get_mut(&session) {
            node.is_live = is_live;
            self.enlist(session);
        }
    }

    /// The node is full, or may have room again.
    pub(super) fn set_resting(&mut self, session: SessionId, is_resting: bool) {
        if let Some(node) = self.nodes.get_mut(&session) {
            node.is_resting = is_resting;
            self.enlist(session);
        }
    }

    /// Nodes that are live and have room take turns.
    fn enlist(&mut self, session: SessionId) {
        let Some(node) = self.nodes.get(&session) else { return };
        let takes_turns = node.is_live && !node.is_resting;
        for method in &node.handles {
            let live = self.handlers.entry((node.service, *method)).or_default();
            if takes_turns {
                live.insert(session);
            } else {
                live.remove(&session);
            }
        }
    }

    /// The node has no handler for this after all.
    pub(super) fn forget_handler(&mut self, session: SessionId, method: MethodId) {
        let Some(node) = self.nodes.get_mut(&session) else { return };
        node.handles.retain(|handled| *handled != method);
        if let Some(live) = self.handlers.get_mut(&(node.service, method)) {
            live.remove(&session);
        }
    }

    /// The session has ended, or takes no broadcasts any more.
    pub(super) fn close(&mut self, session: SessionId) {
        self.set_live(session, false);
        if let Some(node) = self.nodes.remove(&session) {
            let key = (node.service, node.client);
            if self.sessions.get(&key) == Some(&session) {
                self.sessions.remove(&key);
            }
        }
    }

    /// Finds the node for a broadcast.
    // spec: protocol.md 10
    pub(super) fn target(&mut self, destination: &Destination) -> Target<N> {
        if self.is_stopped {
            return Target::Stopped;
        }
        let session = self.origin_of(destination).or_else(|| self.next_live(destination));
        match session.and_then(|session| Some((session, self.nodes.get(&session)?))) {
            Some((session, node)) => Target::Node(session, node.via.clone()),
            None => Target::Nobody,
        }
    }

    /// Whether as many wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.waiting_count >= self.waiting_max
    }

    /// Keeps a broadcast until there is a node for it. One that was logged before is kept whatever the bound.
    pub(super) fn keep(&mut self, destination: &Destination, job: J) {
        self.waiting.entry((destination.service, destination.method)).or_default().push_back(job);
        self.waiting_count += 1;
    }

    /// Takes at most `count` of the waiting broadcasts that this session handles; of each kind the oldest first.
    pub(super) fn take_waiting(&mut self, session: SessionId, count: usize) -> Vec<J> {
        let Some(node) = self.nodes.get(&session).filter(|node| node.is_live && !node.is_resting) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        for method in &node.handles {
            let kind = (node.service, *method);
            let Some(queue) = self.waiting.get_mut(&kind) else { continue };
            let wanted = queue.len().min(count - taken.len());
            taken.extend(queue.drain(..wanted));
            if queue.is_empty() {
                self.waiting.remove(&kind);
            }
        }
        self.waiting_count -= taken.len();
        taken
    }

    /// How many wait.
    pub(super) fn waiting_count(&self) -> usize {
        self.waiting_count
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Nothing goes anywhere any more. Returns how many waited: they are lost.
    pub(super) fn stop(&mut self) -> usize {
        self.is_stopped = true;
        self.nodes.clear();
        self.sessions.clear();
        self.handlers.clear();
        self.waiting.clear();
        std::mem::take(&mut self.waiting_count)
    }

    /// The session of the client that the key names, live or parked, if it handles the broadcast.
    fn origin_of(&self, destination: &Destination) -> Option<SessionId> {
        let key = destination.origin.as_ref()?;
        let client = self.origins.find(destination.service, destination.method, key)?;
        let session = *self.sessions.get(&(destination.service, client))?;
        self.nodes.get(&session)?.handles.contains(&destination.method).then_some(session)
    }

    /// Live nodes that handle it take turns.
    fn next_live(&mut self, destination: &Destination) -> Option<SessionId> {
        let live = self.handlers.get(&(destination.service, destination.method))?;
        let after = (std::ops::Bound::Excluded(self.last), std::ops::Bound::Unbounded);
        let session = *live.range(after).next().or_else(|| live.first())?;
        self.last = session;
        Some(session)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OriginKey {
    service: ServiceIndex,
    method: MethodId,
    key: Vec<u8>,
}

/// Who acted for which key. Bounded: the oldest goes.
#[derive(Debug)]
struct Origins {
    /// With the number of the record: an older record of the same key does not take the newer one along.
    clients: HashMap<Arc<OriginKey>, (ClientId, u64)>,
    by_age: VecDeque<(Arc<OriginKey>, u64)>,
    recorded: u64,
    limit: usize,
}

impl Origins {
    fn new(limit: usize) -> Self {
        Self { clients: HashMap::new(), by_age: VecDeque::new(), recorded: 0, limit }
    }

    fn record(&mut self, key: OriginKey, client: ClientId) {
        let key = Arc::new(key);
        self.recorded += 1;
        self.clients.insert(Arc::clone(&key), (client, self.recorded));
        self.by_age.push_back((key, self.recorded));
        while self.by_age.len() > self.limit {
            let Some((oldest, number)) = self.by_age.pop_front() else { return };
            if self.clients.get(&oldest).is_some_and(|(_, newest)| *newest == number) {
                self.clients.remove(&oldest);
            }
        }
    }

    fn find(&self, service: ServiceIndex, method: MethodId, key: &[u8]) -> Option<ClientId> {
        let key = OriginKey { service, method, key: key.to_vec() };
        self.clients.get(&key).map(|(client, _)| *client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: MethodId = MethodId(3);

    fn router() -> Router<&'static str, u32> {
        Router::new(2, 2)
    }

    fn add(router: &mut Router<&'static str, u32>, number: u64, via: &'static str) -> SessionId {
        let session = SessionId(number);
        router.open(session, ClientId(number.into()), 0, vec![METHOD], via);
        router.set_live(session, true);
        session
    }

    fn to(origin: Option<&[u8]>) -> Destination {
        Destination { service: 0, method: METHOD, origin: origin.map(<[u8]>::to_vec) }
    }

    fn place(router: &mut Router<&'static str, u32>, origin: Option<&[u8]>) -> Option<&'static str> {
        match router.target(&to(origin)) {
            Target::Node(_, via) => Some(via),
            Target::Nobody | Target::Stopped => None,
        }
    }

    #[test]
    fn broadcast_goes_to_the_node_whose_action_it_speaks_of() {
        let mut router = router();
        let (a, _) = (add(&mut router, 1, "a"), add(&mut router, 2, "b"));
        router.record(0, ClientId(1), vec![(METHOD.0, b"key".to_vec())]);
        for _ in 0..3 {
            assert_eq!(place(&mut router, Some(b"key")), Some("a"));
        }
        router.set_live(a, false);
        assert_eq!(place(&mut router, Some(b"key")), Some("a"), "a parked node is still the one");
        router.close(a);
        assert_eq!(place(&mut router, Some(b"key")), Some("b"), "a node that is gone for good is not");
    }

    #[test]
    fn broadcast_without_an_origin_goes_round_the_live_nodes() {
        let mut router = router();
        add(&mut router, 1, "a");
        let b = add(&mut router, 2, "b");
        add(&mut router, 3, "c");
        router.set_live(b, false);
        let routes: Vec<_> = (0..4).map(|_| place(&mut router, None)).collect();
        assert_eq!(routes, [Some("a"), Some("c"), Some("a"), Some("c")]);
    }

    #[test]
    fn origin_that_does_not_handle_it_is_passed_over() {
        let mut router = router();
        router.open(SessionId(1), ClientId(1), 0, Vec::new(), "a");
        router.set_live(SessionId(1), true);
        router.record(0, ClientId(1), vec![(METHOD.0, b"key".to_vec())]);
        add(&mut router, 2, "b");
        assert_eq!(place(&mut router, Some(b"key")), Some("b"));
    }

    #[test]
    fn broadcast_of_another_service_is_never_sent() {
        let mut router = router();
        add(&mut router, 1, "a");
        let destination = Destination { service: 1, ..to(None) };
        assert_eq!(router.target(&destination), Target::Nobody);
    }

    #[test]
    fn waiting_broadcasts_of_a_kind_are_taken_in_their_order() {
        let mut router = router();
        router.keep(&to(None), 1);
        assert!(!router.is_full());
        router.keep(&to(None), 2);
        assert!(router.is_full());
        router.keep(&Destination { method: MethodId(9), ..to(None) }, 3);
        router.keep(&to(None), 4);
        assert!(router.take_waiting(SessionId(1), usize::MAX).is_empty(), "nobody is there");
        let session = add(&mut router, 1, "a");
        assert_eq!(router.take_waiting(session, 1), [1]);
        assert_eq!(router.take_waiting(session, usize::MAX), [2, 4]);
        assert_eq!(router.waiting_count(), 1, "what it does not handle goes on waiting");
    }

    #[test]
    fn full_node_has_no_turn_until_it_has_rested_and_is_the_origin_still() {
        let mut router = router();
        let a = add(&mut router, 1, "a");
        add(&mut router, 2, "b");
        router.record(0, ClientId(1), vec![(METHOD.0, b"key".to_vec())]);
        router.set_resting(a, true);
        router.keep(&to(None), 1);
        assert!(router.take_waiting(a, usize::MAX).is_empty());
        assert_eq!([place(&mut router, None), place(&mut router, None)], [Some("b"), Some("b")]);
        assert_eq!(place(&mut router, Some(b"key")), Some("a"));
        router.set_live(a, false);
        router.set_live(a, true);
        assert_eq!(place(&mut router, None), Some("b"), "a new link gives it no room");
        router.set_resting(a, false);
        assert_eq!(place(&mut router, None), Some("a"));
    }

    #[test]
    fn stopped_router_sends_nothing_anywhere_and_counts_what_waited() {
        let mut router = router();
        router.keep(&to(None), 1);
        assert_eq!(router.stop(), 1);
        add(&mut router, 1, "late");
        assert_eq!(router.target(&to(None)), Target::Stopped);
        assert_eq!((router.waiting_count(), router.stop()), (0, 0));
    }

    #[test]
    fn oldest_origin_is_forgotten_and_a_renewed_one_is_not() {
        let mut router = router();
        add(&mut router, 1, "a");
        add(&mut router, 2, "b");
        let record =
            |router: &mut Router<_, _>, key: &[u8]| router.record(0, ClientId(2), vec![(METHOD.0, key.to_vec())]);
        record(&mut router, b"old");
        record(&mut router, b"renewed");
        record(&mut router, b"renewed");
        assert!(router.origins.find(0, METHOD, b"old").is_none());
        assert_eq!(router.origins.find(0, METHOD, b"renewed"), Some(ClientId(2)));
        record(&mut router, b"new");
        record(&mut router, b"newest");
        assert!(router.origins.find(0, METHOD, b"renewed").is_none());
        assert!(router.origins.clients.len() <= 2);
    }

    #[test]
    fn session_that_handles_other_broadcasts_now_keeps_being_live() {
        let mut router = router();
        let session = add(&mut router, 1, "a");
        router.open(session, ClientId(1), 0, vec![MethodId(9)], "a");
        assert_eq!(place(&mut router, None), None);
        let destination = Destination { method: MethodId(9), ..to(None) };
        assert_eq!(router.target(&destination), Target::Node(session, "a"));
    }
}
