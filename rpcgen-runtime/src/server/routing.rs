//! Which node a broadcast goes to.
//!
//! Knows: which client asked for what, which sessions there are and what they handle, what waits. Does not know: links, sessions'
//! insides, payloads.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rpcgen_proto::ids::{ClientId, SessionId};

/// A broadcast of a service, by the service's place and the broadcast's number.
pub(super) type BroadcastKind = (usize, u32);

/// A session as routing sees it.
#[derive(Clone, Debug)]
struct Node {
    client: ClientId,
    service: usize,
    handles: BTreeSet<u32>,
    is_live: bool,
}

/// Origins, nodes and what waits for one.
#[derive(Debug)]
pub(super) struct Routing<W> {
    origins: HashMap<(BroadcastKind, Vec<u8>), ClientId>,
    /// In the order in which they were recorded.
    origins_by_age: VecDeque<(BroadcastKind, Vec<u8>)>,
    origins_max: usize,
    nodes: BTreeMap<SessionId, Node>,
    waiting: VecDeque<(BroadcastKind, W)>,
    waiting_max: usize,
    /// Whose turn it is among the nodes that will do.
    turn: usize,
}

impl<W> Routing<W> {
    /// Remembers so many origins (the oldest is forgotten first; its broadcasts then go to any node), lets so many broadcasts wait.
    pub(super) fn new(origins_max: usize, waiting_max: usize) -> Self {
        Self {
            origins: HashMap::new(),
            origins_by_age: VecDeque::new(),
            origins_max,
            nodes: BTreeMap::new(),
            waiting: VecDeque::new(),
            waiting_max,
            turn: 0,
        }
    }

    /// The client asked for what later broadcasts of this kind with this key speak of.
    pub(super) fn record_origin(&mut self, kind: BroadcastKind, key: Vec<u8>, client: ClientId) {
        let entry = (kind, key);
        if self.origins.insert(entry.clone(), client).is_none() {
            self.origins_by_age.push_back(entry);
        }
        while self.origins_by_age.len() > self.origins_max {
            if let Some(oldest) = self.origins_by_age.pop_front() {
                self.origins.remove(&oldest);
            }
        }
    }

    /// A session is linked. Returns what waited for a node like it.
    pub(super) fn link_up(
        &mut self,
        session: SessionId,
        client: ClientId,
        service: usize,
        handles: BTreeSet<u32>,
    ) -> Vec<(BroadcastKind, W)> {
        let (taken, left): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|((of, method), _)| *of == service && handles.contains(method));
        self.waiting = left;
        self.nodes.insert(session, Node { client, service, handles, is_live: true });
        taken.into()
    }

    /// The session's link is gone. It is still its client's.
    pub(super) fn link_down(&mut self, session: SessionId) {
        if let Some(node) = self.nodes.get_mut(&session) {
            node.is_live = false;
        }
    }

    /// The session is gone.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.nodes.remove(&session);
    }

    /// The session that a broadcast goes to: that of its origin, linked or not; else any linked one that handles it. `not`: the session
    /// that just gave it back.
    pub(super) fn choose(
        &mut self,
        kind: BroadcastKind,
        key: Option<&[u8]>,
        not: Option<SessionId>,
    ) -> Option<SessionId> {
        let (service, method) = kind;
        let origin = key.and_then(|key| self.origins.get(&(kind, key.to_vec())));
        let suits =
            |id: &SessionId, node: &Node| node.service == service && node.handles.contains(&method) && Some(*id) != not;
        if let Some(client) = origin
            && let Some((session, _)) = self.nodes.iter().find(|(id, node)| node.client == *client && suits(id, node))
        {
            return Some(*session);
        }
        let count = self.nodes.iter().filter(|(id, node)| node.is_live && suits(id, node)).count();
        if count == 0 {
            return None;
        }
        self.turn = self.turn.wrapping_add(1);
        self.nodes.iter().filter(|(id, node)| node.is_live && suits(id, node)).nth(self.turn % count).map(|(id, _)| *id)
    }

    /// Nobody is there: it waits.
    ///
    /// # Errors
    /// There is no room; it is given back.
    pub(super) fn wait(&mut self, kind: BroadcastKind, waiting: W) -> Result<(), W> {
        if self.waiting.len() >= self.waiting_max {
            return Err(waiting);
        }
        self.waiting.push_back((kind, waiting));
        Ok(())
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWS: BroadcastKind = (0, 3);

    fn routing() -> Routing<&'static str> {
        let mut routing = Routing::new(2, 2);
        for (session, handles) in [(1, vec![3]), (2, vec![3]), (3, vec![])] {
            let waited =
                routing.link_up(SessionId(session), ClientId(u128::from(session)), 0, handles.into_iter().collect());
            assert!(waited.is_empty());
        }
        routing
    }

    #[test]
    fn a_broadcast_goes_to_its_origin_even_while_that_is_away() {
        let mut routing = routing();
        routing.record_origin(NEWS, vec![7], ClientId(2));
        routing.link_down(SessionId(2));
        for _ in 0..4 {
            assert_eq!(routing.choose(NEWS, Some(&[7]), None), Some(SessionId(2)));
        }
    }

    #[test]
    fn without_origin_the_nodes_that_handle_it_take_turns() {
        let mut routing = routing();
        let chosen: BTreeSet<_> = (0..4).filter_map(|_| routing.choose(NEWS, Some(&[9]), None)).collect();
        assert_eq!(chosen, BTreeSet::from([SessionId(1), SessionId(2)]));
    }

    #[test]
    fn when_the_origin_is_gone_for_good_another_takes_over() {
        let mut routing = routing();
        routing.record_origin(NEWS, vec![7], ClientId(2));
        routing.forget(SessionId(2));
        assert_eq!(routing.choose(NEWS, Some(&[7]), None), Some(SessionId(1)));
        assert_eq!(routing.choose(NEWS, Some(&[7]), Some(SessionId(1))), None);
    }

    #[test]
    fn what_nobody_handles_waits_for_a_node_that_does() {
        let mut routing = routing();
        let rare = (0, 9);
        assert_eq!(routing.choose(rare, None, None), None);
        assert_eq!(routing.wait(rare, "a"), Ok(()));
        assert_eq!(routing.wait(rare, "b"), Ok(()));
        assert_eq!(routing.wait(rare, "c"), Err("c"));
        let waited = routing.link_up(SessionId(4), ClientId(4), 0, BTreeSet::from([9]));
        assert_eq!(waited, [(rare, "a"), (rare, "b")]);
        assert_eq!(routing.waiting_count(), 0);
    }

    #[test]
    fn the_oldest_origin_is_forgotten_first() {
        let mut routing = routing();
        for key in 0..3 {
            routing.record_origin(NEWS, vec![key], ClientId(2));
        }
        routing.link_down(SessionId(2));
        assert_eq!(routing.choose(NEWS, Some(&[0]), None), Some(SessionId(1)));
        assert_eq!(routing.choose(NEWS, Some(&[2]), None), Some(SessionId(2)));
    }
}
