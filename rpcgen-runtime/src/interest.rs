//! Who wants to hear of what: a node's interest list.
//!
//! Knows: topics and members, both the node's own. Does not know: how a member is told; that is a broadcast of the node's service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::driver::inbox::lock;

/// Topics of one member, unless told otherwise.
const TOPICS_PER_MEMBER_MAX: usize = 1_000;

/// A node's interest list: which members (its sessions, say) want to hear of which topics (users, pages). A node that hears a broadcast
/// of its server looks here for whom of those behind it to tell, and tells its neighbours, who look in theirs.
///
/// It is in memory: a session that comes back says again what it wants to hear of.
#[derive(Debug)]
pub struct Interest<Topic, Member> {
    lists: Mutex<Lists<Topic, Member>>,
    topics_per_member_max: usize,
}

#[derive(Debug)]
struct Lists<Topic, Member> {
    members: BTreeMap<Topic, BTreeSet<Member>>,
    topics: BTreeMap<Member, BTreeSet<Topic>>,
}

/// A member that watches as many topics as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a member may watch {limit} topics; let it forget some first")]
pub struct TooManyTopics {
    /// How many it may.
    pub limit: usize,
}

impl<Topic: Ord + Clone, Member: Ord + Clone> Default for Interest<Topic, Member> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Topic: Ord + Clone, Member: Ord + Clone> Interest<Topic, Member> {
    /// Nobody wants to hear of anything. A member may watch 1,000 topics.
    #[must_use]
    pub fn new() -> Self {
        Self::with_topics_per_member_max(TOPICS_PER_MEMBER_MAX)
    }

    /// The same with another limit.
    #[must_use]
    pub fn with_topics_per_member_max(limit: usize) -> Self {
        let lists = Lists { members: BTreeMap::new(), topics: BTreeMap::new() };
        Self { lists: Mutex::new(lists), topics_per_member_max: limit }
    }

    /// From now on `member` wants to hear of `topic`. Said twice, it counts once.
    ///
    /// # Errors
    /// The member watches as many topics as it may; nothing changed.
    pub fn watch(&self, member: Member, topic: Topic) -> Result<(), TooManyTopics> {
        let mut lists = lock(&self.lists);
        let topics = lists.topics.entry(member.clone()).or_default();
        if topics.len() >= self.topics_per_member_max && !topics.contains(&topic) {
            return Err(TooManyTopics { limit: self.topics_per_member_max });
        }
        topics.insert(topic.clone());
        lists.members.entry(topic).or_default().insert(member);
        Ok(())
    }

    /// `member` does not want to hear of `topic` any more.
    pub fn forget(&self, member: &Member, topic: &Topic) {
        let mut lists = lock(&self.lists);
        if let Some(topics) = lists.topics.get_mut(member) {
            topics.remove(topic);
            if topics.is_empty() {
                lists.topics.remove(member);
            }
        }
        lists.remove_member(member, topic);
    }

    /// `member` is gone.
    pub fn leave(&self, member: &Member) {
        let mut lists = lock(&self.lists);
        for topic in lists.topics.remove(member).unwrap_or_default() {
            lists.remove_member(member, &topic);
        }
    }

    /// Who wants to hear of `topic`, in their order.
    #[must_use]
    pub fn members(&self, topic: &Topic) -> Vec<Member> {
        lock(&self.lists).members.get(topic).map(|members| members.iter().cloned().collect()).unwrap_or_default()
    }

    /// How many members watch something.
    #[must_use]
    pub fn member_count(&self) -> usize {
        lock(&self.lists).topics.len()
    }
}

impl<Topic: Ord, Member: Ord> Lists<Topic, Member> {
    fn remove_member(&mut self, member: &Member, topic: &Topic) {
        if let Some(members) = self.members.get_mut(topic) {
            members.remove(member);
            if members.is_empty() {
                self.members.remove(topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_topic_are_those_that_watch_it_and_have_not_left() {
        let interest = Interest::new();
        interest.watch(1, "alice").unwrap();
        interest.watch(2, "alice").unwrap();
        interest.watch(2, "alice").unwrap();
        interest.watch(2, "bob").unwrap();
        assert_eq!(interest.members(&"alice"), [1, 2]);
        interest.forget(&1, &"alice");
        assert_eq!(interest.members(&"alice"), [2]);
        interest.leave(&2);
        assert_eq!((interest.members(&"alice"), interest.members(&"bob")), (vec![], vec![]));
    }

    #[test]
    fn nothing_is_kept_of_members_that_left() {
        let interest = Interest::new();
        for member in 0..100 {
            interest.watch(member, member % 7).unwrap();
            interest.leave(&member);
        }
        let lists = lock(&interest.lists);
        assert!(lists.members.is_empty() && lists.topics.is_empty());
    }

    #[test]
    fn member_at_its_limit_is_told_so_and_keeps_what_it_has() {
        let interest = Interest::with_topics_per_member_max(1);
        interest.watch(1, "alice").unwrap();
        interest.watch(1, "alice").unwrap();
        assert_eq!(interest.watch(1, "bob"), Err(TooManyTopics { limit: 1 }));
        assert_eq!(interest.members(&"alice"), [1]);
    }
}
