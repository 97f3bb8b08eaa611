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
    pub(crate) actions_sent: u64,
    pub(crate) accepted: u64,
    pub(crate) guaranteed: u64,
    pub(crate) answered: u64,
    pub(crate) failed_as_business: u64,
    pub(crate) executed_by_business: u64,
    pub(crate) frames_dropped: u64,
    pub(crate) links_cut: u64,
    pub(crate) resent: u64,
    pub(crate) broadcasts_sent: u64,
    pub(crate) broadcasts_delivered: u64,
    pub(crate) broadcasts_relayed: u64,
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
        let (sent, answered) = (sum(|n| n.sent), sum(|n| n.answered));
        let (delivered, relayed) = (sum(|n| n.broadcasts_delivered), sum(|n| n.broadcasts_relayed));
        let lost_actions = sent - answered;
        // A broadcast lives as long as its server: where that is killed, none is owed.
        let (lost_broadcasts, duplicated_broadcasts) = if server.kills.is_some() {
            (0, 0)
        } else {
            let lost = server.broadcasts_sent.abs_diff(delivered) + delivered.abs_diff(relayed);
            (lost, sum(|n| n.broadcasts_duplicated))
        };
        Self {
            seed: plan.seed,
            drop: plan.drop,
            clients: plan.clients,
            transport: if plan.cross_thread { "thread" } else { "tcp" },
            actions_sent: sent,
            accepted: sum(|n| n.accepted),
            guaranteed: sum(|n| n.guaranteed),
            answered,
            failed_as_business: sum(|n| n.failed),
            executed_by_business: server.executed,
            frames_dropped: server.frames_dropped + sum(|n| n.frames_dropped),
            links_cut: sum(|n| n.links_cut),
            resent: server.resent + sum(|n| n.resent),
            broadcasts_sent: server.broadcasts_sent,
            broadcasts_delivered: delivered,
            broadcasts_relayed: relayed,
            lost: lost_actions + lost_broadcasts,
            duplicated: server.executed_again + duplicated_broadcasts,
            kills: server.kills,
            seconds,
        }
    }

    /// Whether the promise held: nothing lost, nothing twice without being told so, everything that was sent was run and answered.
    pub(crate) fn is_good(&self) -> bool {
        self.lost == 0
            && self.duplicated == 0
            && self.answered == self.actions_sent
            && self.accepted == self.actions_sent
            && self.guaranteed == self.actions_sent
            && self.executed_by_business == self.actions_sent
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![
            ("actions sent", self.actions_sent),
            ("  accepted", self.accepted),
            ("  guaranteed", self.guaranteed),
            ("  answered", self.answered),
            ("    with a business error", self.failed_as_business),
            ("  executed by the business", self.executed_by_business),
            ("frames dropped", self.frames_dropped),
            ("links cut", self.links_cut),
            ("messages sent again", self.resent),
            ("broadcasts sent", self.broadcasts_sent),
            ("  delivered to a node", self.broadcasts_delivered),
            ("  relayed to a session", self.broadcasts_relayed),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
        ];
        if let Some(kills) = self.kills {
            rows.push(("servers killed", kills.servers_killed));
            rows.push(("  executed again, and told so", kills.executed_again_and_told_so));
        }
        rows.iter().map(|(name, count)| format!("{name:<32}{count:>12}\n")).collect()
    }
}
