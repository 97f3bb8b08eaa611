//! Which faults come, in which order, and when: a function of the seed.
//!
//! Knows: the kinds. Does not know: how they are done.

use std::collections::VecDeque;

use crate::plan::Plan;
use crate::random::Random;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The server's process is killed.
    KillServer,
    /// A client's process is killed.
    KillClient,
    /// All are.
    KillAll,
    /// All links are cut.
    CutLinks,
    /// The server is stopped; another one on the same log is refused; one with a log of its own takes over; the first goes on.
    TakeOver,
    /// The server is taken over twice. A client is stopped before the second time; it goes on when the third log is in a later life than
    /// the second one, which it knows, ever was.
    TakeOverTwice,
    /// A client is stopped; another one on the same log is refused; the first goes on.
    StopClient,
    /// A client's log is copied; the copy comes second, and is refused.
    CopyLog,
    /// The server's log is put back as it was before its last opening, and refused; then the right one is there again.
    RestoreServer,
    /// The disk is full for a while.
    FillDisk,
    /// A call of a process to its disk fails.
    DiskError,
    /// The disk loses power, and everybody with it.
    PowerLoss,
}

/// A fault comes after so many answers at most, counted from the server's being there again.
const ANSWERS_MAX: u64 = 400;
/// Of ten kills so many are of the server alone, and of a client alone; the others are of all at once.
const KILLS_OF_TEN: (u64, u64) = (5, 3);
/// For so many kills there is one of each of these.
const KILLS_PER_CUT: u64 = 3;
const KILLS_PER_OTHER: u64 = 25;

/// The faults of a run.
#[derive(Debug)]
pub(crate) struct Faults {
    left: VecDeque<Fault>,
    random: Random,
}

impl Faults {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut random = Random(plan.seed ^ 0x0f0f_f0f0_1234_5678);
        let (server, client) = (plan.kills * KILLS_OF_TEN.0 / 10, plan.kills * KILLS_OF_TEN.1 / 10);
        let others = plan.kills / KILLS_PER_OTHER;
        let counts = [
            (Fault::KillServer, server),
            (Fault::KillClient, client),
            (Fault::KillAll, plan.kills - server - client),
            (Fault::CutLinks, plan.kills / KILLS_PER_CUT),
            (Fault::TakeOver, others.div_ceil(2)),
            (Fault::TakeOverTwice, others / 2),
            (Fault::StopClient, others),
            (Fault::CopyLog, others),
            (Fault::RestoreServer, others),
            (Fault::FillDisk, others),
            (Fault::DiskError, others),
            (Fault::PowerLoss, plan.power_losses),
        ];
        let mut left: Vec<Fault> =
            counts.iter().flat_map(|(fault, count)| std::iter::repeat_n(*fault, *count as usize)).collect();
        // Fisher and Yates.
        for last in (1..left.len()).rev() {
            left.swap(last, random.below(last as u64 + 1) as usize);
        }
        Self { left: left.into(), random }
    }

    /// The next one, and after how many answers it comes. Half of them come at once: into recoveries and resumes.
    pub(crate) fn next(&mut self) -> Option<(Fault, u64)> {
        let fault = self.left.pop_front()?;
        let after = if self.random.below(2) == 0 { self.random.below(8) } else { self.random.below(ANSWERS_MAX) };
        Some((fault, after))
    }

    /// It did not come yet after all.
    pub(crate) fn put_back(&mut self, fault: Fault) {
        self.left.push_front(fault);
    }

    pub(crate) fn left(&self) -> usize {
        self.left.len()
    }

    /// A number below `bound`, as the seed has it.
    pub(crate) fn pick(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// These cannot be had here; how many they were.
    pub(crate) fn leave_out(&mut self, fault: Fault) -> u64 {
        let before = self.left.len();
        self.left.retain(|left| *left != fault);
        (before - self.left.len()) as u64
    }
}
