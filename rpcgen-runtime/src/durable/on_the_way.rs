//! Records of one session that are on their way to the disk.
//!
//! Knows: which are, whether its task will be woken. Does not know: what they say.

use std::sync::Arc;

use rpcgen_log::Sequence;
use rpcgen_proto::record::Mark;
use rpcgen_store::Marks;

use super::{DiskLog, Sleeper};

/// The records of one session that are not durable yet.
pub(crate) struct OnTheWay {
    log: Arc<DiskLog>,
    marks: Marks,
    /// How far the log was when the task last signed up to be woken.
    signed_up_at: Option<Sequence>,
    has_appended: bool,
    /// Records since the last commit for which no commit is made at once.
    unhurried: Unhurried,
}

/// Records that go with the next commit: there is likely to be one, since who gets an answer has the next call.
#[derive(Clone, Copy, Debug, Default)]
struct Unhurried {
    count: usize,
    /// How many of them were there when the batch before this one was over.
    of_past_batches: usize,
}

/// So many records are worth a commit of their own, as soon as others have had their turn. Fewer go with the next one, or after the time
/// of the log: whoever sent them has half of a pool, two at least, to go on with.
const WORTH_A_COMMIT: usize = 2;

impl OnTheWay {
    pub(crate) fn new(log: Arc<DiskLog>) -> Self {
        Self { log, marks: Marks::default(), signed_up_at: None, has_appended: false, unhurried: Unhurried::default() }
    }

    pub(crate) fn log(&self) -> &Arc<DiskLog> {
        &self.log
    }

    /// A record that the session waits for was appended.
    pub(crate) fn push(&mut self, mark: Mark, sequence: Sequence) {
        self.marks.push(mark, sequence);
        self.has_appended = true;
    }

    /// The same for one that nobody waits for who cannot wait for the next commit.
    pub(crate) fn push_unhurried(&mut self, mark: Mark, sequence: Sequence) {
        self.marks.push(mark, sequence);
        self.unhurried.count += 1;
    }

    /// A record that only its driver waits for was appended.
    pub(crate) fn note_appended(&mut self) {
        self.has_appended = true;
    }

    /// The batch is over: what was appended in it is one commit.
    pub(crate) fn commit_soon(&mut self) {
        if self.has_appended || self.unhurried.of_past_batches >= WORTH_A_COMMIT {
            return self.commit_now();
        }
        self.unhurried.of_past_batches = self.unhurried.count;
    }

    /// There is nothing to do: what waited for others to have their turn is committed.
    pub(crate) fn rest(&mut self) {
        if self.unhurried.count >= WORTH_A_COMMIT {
            self.commit_now();
        }
    }

    /// Nothing more comes with which anything might go.
    pub(crate) fn hurry(&mut self) {
        if self.has_appended || self.unhurried.count > 0 {
            self.commit_now();
        }
    }

    fn commit_now(&mut self) {
        (self.has_appended, self.unhurried) = (false, Unhurried::default());
        self.log.commit_soon();
    }

    /// How far the log is now. If anything is on its way, `sleeper` is woken when there is news. After the inbox was looked into: whoever
    /// is woken from then on is not missed.
    pub(crate) fn look(&mut self, is_more_on_the_way: bool, sleeper: impl FnOnce() -> Arc<dyn Sleeper>) -> News {
        let mut below = self.log.durable();
        if (is_more_on_the_way || !self.marks.is_empty()) && self.signed_up_at != Some(below) {
            below = self.log.sign_up(sleeper());
            self.signed_up_at = Some(below);
        }
        News { mark: self.marks.durable(below), below }
    }
}

/// How far the log is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    /// The newest record of the session that has become durable.
    pub(crate) mark: Option<Mark>,
    /// All records of the log before it are durable.
    pub(crate) below: Sequence,
}
