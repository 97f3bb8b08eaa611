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
    /// Answers and broadcasts that say what they cannot: another call's.
    pub(crate) wrong: u64,
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
    /// Answers and broadcasts that said what they cannot.
    pub(crate) wrong: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) kills: Option<Kills>,
    pub(crate) seconds: f64,
}

/// What to do where a run was too short for its faults.
const MORE: &str = "give it more --actions";
/// Where so many frames are to be dropped on average, one at least is: none in e^20 runs.
const SURELY_DROPPED: f64 = 20.0;

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
            lost: sum(|n| n.accepted).saturating_sub(sum(|n| n.answered)) + lost_broadcasts,
            duplicated: server.executed_again + duplicated_broadcasts,
            wrong: sum(|n| n.wrong),
            kills: server.kills,
            seconds,
        }
    }

    /// Whether the promise held: nothing lost, nothing twice without being told so, no answer that is another call's, all that was
    /// planned was sent, run and answered, and what the actions were to broadcast was heard by sessions.
    pub(crate) fn is_good(&self) -> bool {
        let actions = [self.actions_sent, self.accepted, self.guaranteed, self.answered, self.executed_by_business];
        let broadcasts = [self.broadcasts_sent, self.broadcasts_delivered, self.broadcasts_relayed];
        self.lost == 0
            && self.duplicated == 0
            && self.wrong == 0
            && actions.iter().all(|count| *count == self.actions_planned)
            && (!self.broadcasts_judged || broadcasts.iter().all(|count| *count == self.broadcasts_expected))
    }

    /// In words.
    pub(crate) fn verdict(&self) -> &'static str {
        if self.is_good() {
            "delivered and answered, once"
        } else if self.lost == 0 && self.duplicated == 0 && self.wrong == 0 {
            "NOT ALL THAT WAS PLANNED WAS DONE"
        } else {
            "THE PROMISE DID NOT HOLD"
        }
    }

    /// What the run was to show and did not; it says nothing about the promise.
    pub(crate) fn missed(&self, plan: &crate::plan::Plan) -> Option<String> {
        let killed = self.kills.map_or(0, |kills| kills.servers_killed);
        if killed < u64::from(plan.kill_server) {
            let wanted = plan.kill_server;
            return Some(format!("the bank was killed {killed} times of {wanted}: the actions ended before; {MORE}"));
        }
        if self.broadcasts_expected == 0 {
            return Some(format!("no broadcast was brought about: the actions ended before there was a key; {MORE}"));
        }
        // Each node cuts its own link; a killed bank cuts all, and more than once. A cut that comes before the last one's link is back
        // is none.
        let cuts = u64::from(plan.cuts) * u64::from(plan.clients);
        if self.links_cut < cuts {
            let were_cut = self.links_cut;
            return Some(format!("links were cut {were_cut} times of {cuts}: the actions ended before; {MORE}"));
        }
        // Fewer frames than actions never are.
        (self.frames_dropped == 0 && plan.drop * self.actions_planned as f64 >= SURELY_DROPPED)
            .then(|| "no frame was dropped although that was asked for".to_owned())
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
            (if self.broadcasts_judged { "wrong" } else { "wrong (not judged)" }, self.wrong),
        ];
        if let Some(kills) = self.kills {
            rows.push(("servers killed", kills.servers_killed));
            rows.push(("  executed again, and told so", kills.executed_again_and_told_so));
        }
        rows.iter().map(|(name, count)| format!("{name:<36}{count:>12}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::plan::Plan;

    /// What it is called, and how counters look then.
    type Breach<T> = (&'static str, fn(&mut T));

    fn plan(options: &str) -> Plan {
        Plan::parse_from(std::iter::once("bank").chain(options.split_whitespace()))
    }

    /// What a node counts of 100 actions where all is well.
    fn node() -> NodeReport {
        NodeReport {
            sent: 100,
            accepted: 100,
            guaranteed: 100,
            answered: 100,
            frames_dropped: 9,
            links_cut: 5,
            broadcasts_expected: 40,
            broadcasts_delivered: 40,
            broadcasts_relayed: 40,
            ..NodeReport::default()
        }
    }

    fn bank() -> ServerReport {
        ServerReport { executed: 200, broadcasts_sent: 80, ..ServerReport::default() }
    }

    fn verdict(plan: &Plan, bank: &ServerReport, nodes: &[NodeReport]) -> (bool, Option<String>) {
        let report = RunReport::new(plan, bank, nodes, 1.0);
        (report.is_good(), report.missed(plan))
    }

    #[test]
    fn a_run_in_which_all_is_as_planned_is_good() {
        assert_eq!(verdict(&plan("--actions 200"), &bank(), &[node(), node()]), (true, None));
    }

    #[test]
    fn each_breach_of_the_promise_is_seen() {
        let plan = plan("--actions 200");
        let of_a_node: [Breach<NodeReport>; 9] = [
            ("not sent", |it| it.sent -= 1),
            ("not accepted", |it| it.accepted -= 1),
            ("not guaranteed", |it| it.guaranteed -= 1),
            ("not answered", |it| it.answered -= 1),
            ("answered twice", |it| it.answered += 1),
            ("a broadcast is lost", |it| it.broadcasts_delivered -= 1),
            ("a broadcast finds no session", |it| it.broadcasts_relayed -= 1),
            ("a broadcast comes twice", |it| it.broadcasts_duplicated += 1),
            ("another call's answer", |it| it.wrong += 1),
        ];
        for (breach, make) in of_a_node {
            let mut broken = node();
            make(&mut broken);
            assert!(!verdict(&plan, &bank(), &[node(), broken]).0, "{breach}");
        }
        let of_the_bank: [Breach<ServerReport>; 4] = [
            ("ran not", |it| it.executed -= 1),
            ("ran twice under another key", |it| it.executed += 1),
            ("ran twice", |it| it.executed_again += 1),
            ("sent no broadcast", |it| it.broadcasts_sent -= 1),
        ];
        for (breach, make) in of_the_bank {
            let mut broken = bank();
            make(&mut broken);
            assert!(!verdict(&plan, &broken, &[node(), node()]).0, "{breach}");
        }
    }

    #[test]
    fn a_run_that_shows_less_than_it_was_asked_for_says_so() {
        let nodes = [node(), node()];
        assert!(verdict(&plan("--actions 200 --cuts 6"), &bank(), &nodes).1.unwrap().contains("cut 10 times of 12"));
        let silent = NodeReport { broadcasts_expected: 0, broadcasts_delivered: 0, broadcasts_relayed: 0, ..node() };
        let quiet = ServerReport { broadcasts_sent: 0, ..bank() };
        let missed = verdict(&plan("--actions 200"), &quiet, &[silent.clone(), silent]).1;
        assert!(missed.unwrap().contains("no broadcast"));
        let unharmed = NodeReport { frames_dropped: 0, ..node() };
        let undropped = verdict(&plan("--actions 200"), &bank(), &[unharmed.clone(), unharmed.clone()]).1;
        assert!(undropped.unwrap().contains("no frame was dropped"));
        assert_eq!(verdict(&plan("--actions 200 --drop 0"), &bank(), &[unharmed.clone(), unharmed]).1, None);
        let killed = ServerReport { kills: Some(Kills { servers_killed: 2, ..Kills::default() }), ..bank() };
        let (is_good, missed) = verdict(&plan("--actions 200 --kill-server 3"), &killed, &nodes);
        assert!(is_good && missed.unwrap().contains("killed 2 times of 3"));
    }

    #[test]
    fn what_was_never_sent_is_not_called_lost() {
        let given_up = NodeReport { sent: 90, accepted: 90, guaranteed: 90, answered: 90, ..node() };
        let report = RunReport::new(&plan("--actions 200"), &bank(), &[node(), given_up], 1.0);
        assert_eq!((report.is_good(), report.lost, report.verdict()), (false, 0, "NOT ALL THAT WAS PLANNED WAS DONE"));
        let cut_off = NodeReport { answered: 98, ..node() };
        let report = RunReport::new(&plan("--actions 200"), &bank(), &[node(), cut_off], 1.0);
        assert_eq!((report.is_good(), report.lost, report.verdict()), (false, 2, "THE PROMISE DID NOT HOLD"));
    }

    #[test]
    fn where_the_bank_is_killed_broadcasts_are_counted_and_not_judged() {
        let mut silent = node();
        silent.broadcasts_delivered = 0;
        silent.broadcasts_relayed = 0;
        let killed = ServerReport { kills: Some(Kills { servers_killed: 1, ..Kills::default() }), ..bank() };
        assert!(verdict(&plan("--actions 200 --kill-server 1"), &killed, &[node(), silent]).0);
    }
}
