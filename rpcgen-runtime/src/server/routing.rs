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

/// What became of a broadcast.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Placement<N, J> {
    /// Send it there.
    To(SessionId, N, J),
    /// It waits for a node that handles it.
    Waits,
    /// So many wait already: it is refused.
    Full(usize, J),
}

/// Whether a broadcast was logged before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// Nobody was told that it is logged: it may be refused.
    New,
    /// Its sender was told: it is kept.
    Logged,
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
    waiting: VecDeque<(Destination, J)>,
    /// How many wait of each kind: service and broadcast.
    waiting_by_kind: BTreeMap<(usize, MethodId), usize>,
    waiting_max: usize,
}

#[derive(Debug)]
struct Node<N> {
    via: N,
    client: ClientId,
    service: ServiceIndex,
    handles: Vec<MethodId>,
    is_live: bool,
}

impl<N: Clone, J> Router<N, J> {
    pub(super) fn new(origins_max: usize, waiting_max: usize) -> Self {
        Self {
            origins: Origins::new(origins_max),
            nodes: BTreeMap::new(),
            sessions: HashMap::new(),
            handlers: HashMap::new(),
            last: SessionId(0),
            waiting: VecDeque::new(),
            waiting_by_kind: BTreeMap::new(),
            waiting_max,
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
        let was_live = self.nodes.get(&session).is_some_and(|node| node.is_live);
        self.set_live(session, false);
        self.sessions.insert((service, client), session);
        self.nodes.insert(session, Node { via, client, service, handles, is_live: false });
        self.set_live(session, was_live);
    }

    /// A link of the session is up, or gone.
    pub(super) fn set_live(&mut self, session: SessionId, is_live: bool) {
        let Some(node) = self.nodes.get_mut(&session) else { return };
        node.is_live = is_live;
        for method in &node.handles {
            let live = self.handlers.entry((node.service, *method)).or_default();
            if is_live {
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

    /// The one that began to wait last.
    pub(super) fn last_waiting(&mut self) -> Option<&mut J> {
        self.waiting.back_mut().map(|(_, job)| job)
    }

    /// Finds the node for a broadcast, or keeps it until there is one.
    // spec: protocol.md 10
    pub(super) fn place(&mut self, destination: Destination, job: J, promise: Promise) -> Placement<N, J> {
        let target = self.origin_of(&destination).or_else(|| self.next_live(&destination));
        if let Some(session) = target
            && let Some(node) = self.nodes.get(&session)
        {
            return Placement::To(session, node.via.clone(), job);
        }
        if promise == Promise::New && self.waiting.len() >= self.waiting_max {
            return Placement::Full(self.waiting.len(), job);
        }
        self.push_waiting(destination, job);
        Placement::Waits
    }

    /// Keeps a broadcast that its node has no room for.
    pub(super) fn keep(&mut self, destination: Destination, job: J) {
        self.push_waiting(destination, job);
    }

    /// Takes at most `count` of the waiting broadcasts that this session handles, the oldest first.
    pub(super) fn take_waiting(&mut self, session: SessionId, count: usize) -> Vec<(Destination, J)> {
        let Some(node) = self.nodes.get(&session).filter(|node| node.is_live) else { return Vec::new() };
        let has_any = node.handles.iter().any(|method| self.waiting_by_kind.contains_key(&(node.service, *method)));
        if !has_any {
            return Vec::new(); // Others' waiting broadcasts cost nothing.
        }
        let mut taken = Vec::new();
        for (destination, job) in std::mem::take(&mut self.waiting) {
            if taken.len() < count && destination.service == node.service && node.handles.contains(&destination.method)
            {
                if let Some(count) = self.waiting_by_kind.get_mut(&(destination.service, destination.method)) {
                    *count -= 1;
                }
                taken.push((destination, job));
            } else {
                self.waiting.push_back((destination, job));
            }
        }
        self.waiting_by_kind.retain(|_, count| *count > 0);
        taken
    }

    fn push_waiting(&mut self, destination: Destination, job: J) {
        *self.waiting_by_kind.entry((destination.service, destination.method)).or_default() += 1;
        self.waiting.push_back((destination, job));
    }

    /// How many wait.
    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.len()
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
        match router.place(to(origin), 0, Promise::New) {
            Placement::To(_, via, _) => Some(via),
            _ => None,
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
        assert_eq!(router.place(destination, 0, Promise::New), Placement::Waits);
    }

    #[test]
    fn broadcasts_wait_for_a_node_up_to_a_bound() {
        let mut router = router();
        assert_eq!(router.place(to(None), 1, Promise::New), Placement::Waits);
        assert_eq!(router.place(to(None), 2, Promise::New), Placement::Waits);
        assert_eq!(router.place(to(None), 3, Promise::New), Placement::Full(2, 3));
        assert_eq!(router.place(to(None), 4, Promise::Logged), Placement::Waits);
        let session = add(&mut router, 1, "a");
        let jobs = |taken: Vec<(Destination, u32)>| taken.into_iter().map(|(_, job)| job).collect::<Vec<_>>();
        assert_eq!(jobs(router.take_waiting(session, 1)), [1]);
        assert_eq!(jobs(router.take_waiting(session, usize::MAX)), [2, 4]);
        assert_eq!(router.waiting_count(), 0);
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
        assert_eq!(router.place(destination, 5, Promise::New), Placement::To(session, "a", 5));
    }
}
