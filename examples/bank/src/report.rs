//! What a run adds up to: counters of each part, the table, the verdict.

use serde::{Deserialize, Serialize};

/// What one client node counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct NodeReport {
    pub(crate) sent: u64,
    pub(crate) accepted: u64,
    pub(crate) guaranteed: u64,
    pub(crate) answered: u64,
    /// Of those, with a business error.
    pub(crate) failed: u64,
    /// Ended without an answer of the business.
    pub(crate) unanswered: u64,
    pub(crate) frames_dropped: u64,
    /// Links that were lost and followed by another one.
    pub(crate) links_cut: u64,
    pub(crate) resent: u64,
    pub(crate) broadcasts_expected: u64,
    pub(crate) broadcasts_delivered: u64,
    pub(crate) broadcasts_relayed: u64,
    pub(crate) broadcasts_duplicated: u64,
}

/// What the bank counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ServerReport {
    /// Runs of handlers; where the bank is killed, actions that ran at least once.
    pub(crate) executed: u64,
    /// Runs of handlers beyond the first for one call key; where the bank is killed, those that were not told that they are.
    pub(crate) executed_again: u64,
    pub(crate) broadcasts_sent: u64,
    pub(crate) frames_dropped: u64,
    pub(crate) resent: u64,
    /// Of a run that kills the bank.
    #[serde(default)]
    pub(crate) kills: Option<Kills>,
}

/// What came of killing the bank.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Kills {
    pub(crate) servers_killed: u64,
    /// Actions that a bank which remembers nothing ran again, and was told that they may have run.
    pub(crate) executed_again_and_told_so: u64,
}

/// The whole run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunReport {
    pub(crate) seed: u64,
    pub(crate) drop: f64,
    pub(crate) clients: u32,
    pub(crate) transport: &'static str,
    pub(crate) actions_planned: u64,
    pub(crate) actions_sent: u64,
    pub(crate) accepted: u64,
    pub(crate) guaranteed: u64,
    pub(crate) answered: u64,
    pub(crate) failed_as_business: u64,
    pub(crate) executed_by_business: u64,
    pub(crate) frames_dropped: u64,
    pub(crate) links_cut: u64,
    pub(crate) resent: u64,
    /// What the actions were to bring about, as the nodes know it.
    pub(crate) broadcasts_expected: u64,
    pub(crate) broadcasts_sent: u64,
    pub(crate) broadcasts_delivered: u64,
    pub(crate) broadcasts_relayed: u64,
    /// A broadcast lives as long as its server: where that is killed, none is owed.
    pub(crate) broadcasts_judged: bool,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) kills: Option<Kills>,
    pub(crate) seconds: f64,
}

impl RunReport {
    /// Adds the parts up.
    pub(crate) fn new(plan: &crate::plan::Plan, server: &ServerReport, nodes: &[NodeReport], seconds: f64) -> Self {
        let sum = |field: fn(&NodeReport) -> u64| nodes.iter().map(field).sum::<u64>();
        let (expected, delivered) = (sum(|n| n.broadcasts_expected), sum(|n| n.broadcasts_delivered));
        let relayed = sum(|n| n.broadcasts_relayed);
        let broadcasts_judged = server.kills.is_none();
        let (lost_broadcasts, duplicated_broadcasts) = if broadcasts_judged {
            (expected.saturating_sub(relayed), sum(|n| n.broadcasts_duplicated))
        } else {
            (0, 0)
        };
        Self {
            seed: plan.seed,
            drop: plan.drop,
            clients: plan.clients,
            transport: if plan.cross_thread { "thread" } else { "tcp" },
            actions_planned: plan.actions,
            actions_sent: sum(|n| n.sent),
            accepted: sum(|n| n.accepted),
            guaranteed: sum(|n| n.guaranteed),
            answered: sum(|n| n.answered),
            failed_as_business: sum(|n| n.failed),
            executed_by_business: server.executed,
            frames_dropped: server.frames_dropped + sum(|n| n.frames_dropped),
            links_cut: sum(|n| n.links_cut),
            resent: server.resent + sum(|n| n.resent),
            broadcasts_expected: expected,
            broadcasts_sent: server.broadcasts_sent,
            broadcasts_delivered: delivered,
            broadcasts_relayed: relayed,
            broadcasts_judged,
            lost: plan.actions.saturating_sub(sum(|n| n.answered)) + lost_broadcasts,
            duplicated: server.executed_again + duplicated_broadcasts,
            kills: server.kills,
            seconds,
        }
    }

    /// Whether the promise held: nothing lost, nothing twice without being told so, all that was planned was sent, run and answered, and
    /// what the actions were to broadcast was heard by sessions.
    pub(crate) fn is_good(&self) -> bool {
        let actions = [self.actions_sent, self.accepted, self.guaranteed, self.answered, self.executed_by_business];
        let broadcasts = [self.broadcasts_sent, self.broadcasts_delivered, self.broadcasts_relayed];
        self.lost == 0
            && self.duplicated == 0
            && actions.iter().all(|count| *count == self.actions_planned)
            && (!self.broadcasts_judged || broadcasts.iter().all(|count| *count == self.broadcasts_expected))
    }

    /// What the run was to show and did not; it says nothing about the promise.
    pub(crate) fn missed(&self, plan: &crate::plan::Plan) -> Option<String> {
        let killed = self.kills.map_or(0, |kills| kills.servers_killed);
        (killed < u64::from(plan.kill_server)).then(|| {
            format!(
                "the bank was killed {killed} times of {}: the actions ended before; give it more --actions",
                plan.kill_server
            )
        })
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![
            ("actions planned", self.actions_planned),
            ("  sent", self.actions_sent),
            ("  accepted", self.accepted),
            ("  guaranteed", self.guaranteed),
            ("  answered", self.answered),
            ("    with a business error", self.failed_as_business),
            ("  executed by the business", self.executed_by_business),
            ("frames dropped", self.frames_dropped),
            ("links cut", self.links_cut),
            ("messages sent again", self.resent),
            ("broadcasts expected", self.broadcasts_expected),
            ("  sent", self.broadcasts_sent),
            ("  delivered to a node", self.broadcasts_delivered),
            ("  relayed to a session", self.broadcasts_relayed),
            (if self.broadcasts_judged { "lost" } else { "lost (broadcasts not judged)" }, self.lost),
            (if self.broadcasts_judged { "duplicated" } else { "duplicated (broadcasts not judged)" }, self.duplicated),
        ];
        if let Some(kills) = self.kills {
            rows.push(("servers killed", kills.servers_killed));
            rows.push(("  executed again, and told so", kills.executed_again_and_told_so));
        }
        rows.iter().map(|(name, count)| format!("{name:<36}{count:>12}\n")).collect()
    }
}
