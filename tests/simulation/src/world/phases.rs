//! The phases of a run: chaos; healing, and everything is answered; silence; farewell.
//!
//! Knows: what has to hold at the end of each. Does not know: how it comes about.

use std::time::Duration;

use rpcgen_proto::faults::FaultPlan;

use super::World;
use super::link::End;
use crate::checkers::{Check, no_credit_deadlock, progress, quiescent_when_idle, violated};

/// With the faults over something gets through within this time, until everything is answered.
const ANSWERED_WITHIN: Duration = Duration::from_secs(300);
/// Without a single broadcast that runs for so long, none will.
const STUCK_AFTER: Duration = Duration::from_secs(3_600);
/// After that everything has fallen silent.
const SETTLED_AFTER: Duration = Duration::from_secs(8);
/// How long it is watched.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a healthy farewell may take.
const FAREWELL_WITHIN: Duration = Duration::from_secs(30);

impl World {
    /// The whole run.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn run(&mut self) -> Check {
        self.run_until(self.now + self.options.chaos.lasts)?;
        self.heal()?;
        self.wait_for_answers()?;
        self.wait_for_the_dead()?;
        self.watch_silence()?;
        self.say_farewell()?;
        self.checkers.end()
    }

    /// Faults and troubles are over.
    fn heal(&mut self) -> Check {
        self.trace.say(self.now, || "healed".to_owned());
        self.is_healed = true;
        self.healed_at = Some(self.now);
        self.dismiss_guests();
        self.clear_weather()?;
        for link in self.links.iter_mut().flatten() {
            for end in [End::Client, End::Server] {
                let pipe = &mut link.end(end).pipe;
                pipe.faults.set_plan(FaultPlan::default());
                pipe.faults.link_down(); // What was held back is lost.
                if let Some(pacing) = &mut pipe.pacing {
                    pacing.restart();
                }
            }
        }
        if self.server.is_closing {
            self.crash_server()?;
        }
        for client in 0..self.options.clients {
            let life = self.clients[client as usize].life;
            self.connect(client, life)?; // Who is away comes back.
        }
        self.pause(false)
    }

    fn wait_for_answers(&mut self) -> Check {
        let (mut settled, mut since) = (0, self.now);
        while self.now < since + ANSWERED_WITHIN {
            self.run_until(self.now + Duration::from_millis(500))?;
            if self.clients.iter().all(|client| client.session.open_calls() == 0 && !client.is_leaving) {
                return Ok(());
            }
            // Answers may wait behind many broadcasts: as long as anything gets through.
            let now_settled = self.tally.executed + self.tally.broadcasts + self.tally.answers.values().sum::<u64>();
            if now_settled > settled {
                (settled, since) = (now_settled, self.now);
            }
        }
        let open: Vec<_> = self.clients.iter().filter(|client| client.session.open_calls() > 0).collect();
        for client in &open {
            let before = client.session.stats().pool_blocked;
            no_credit_deadlock::check(client.node, before > 0 && client.link.is_some())?;
        }
        let open: Vec<_> = open.iter().map(|client| (client.node, client.session.open_calls())).collect();
        progress::check(&open)?;
        let leaving = self.clients.iter().find(|client| client.is_leaving).map(|client| client.node);
        violated("drain_terminates", format!("node {leaving:?} is still leaving"))
    }

    /// What was given to a node that died waits until its session is given up, and then finds another node.
    fn wait_for_the_dead(&mut self) -> Check {
        // A link that was cut in silence is found dead after this.
        let dead_after = self.options.server_config.dead_after.max(self.options.client_config.dead_after);
        self.run_until(self.now + SETTLED_AFTER + dead_after * 5 / 4)?;
        let (mut run, mut since) = (self.tally.broadcasts, self.now);
        // A node with little room takes one after the other, and each may wait for a flush: as long as there is progress.
        while self.now < since + STUCK_AFTER && (self.server.is_busy() || !self.checkers.is_every_broadcast_run()) {
            self.run_until(self.now + Duration::from_secs(5))?;
            if self.tally.broadcasts > run {
                (run, since) = (self.tally.broadcasts, self.now);
            }
        }
        if self.server.is_busy() {
            return violated("progress", "with everything answered the server still waits for guarantees".to_owned());
        }
        Ok(())
    }

    /// With nothing to do nothing is sent but signs of life.
    fn watch_silence(&mut self) -> Check {
        self.run_until(self.now + SETTLED_AFTER)?;
        if self.clients.iter().any(|client| client.link.is_none()) {
            return violated("progress", "a client is not connected although everything is healed".to_owned());
        }
        let (frames, messages, links) = (self.sent_frames, self.sent_messages, self.links.len());
        self.run_until(self.now + SILENCE)?;
        // A clock may run a tenth fast.
        let beats = (SILENCE * 11 / 10).as_millis() / self.options.server_config.heartbeat_after.as_millis().max(1) + 2;
        // Each end may ask, and is answered.
        let max = 4 * u64::try_from(beats).unwrap_or(u64::MAX) * u64::from(self.options.clients);
        let links = (self.links.len() - links) as u64;
        quiescent_when_idle::check(self.sent_frames - frames, self.sent_messages - messages, links, max)
    }

    /// Everybody leaves, and nothing is left.
    fn say_farewell(&mut self) -> Check {
        self.is_closing_time = true;
        for client in 0..self.options.clients {
            self.disconnect(client, FAREWELL_WITHIN * 2)?;
        }
        self.run_until(self.now + FAREWELL_WITHIN)?;
        if let Some(client) = self.clients.iter().find(|client| !client.session.is_ended()) {
            return violated("drain_terminates", format!("node {} has nothing to do and cannot leave", client.node));
        }
        let linked = self.server.seats.iter().flatten().filter(|seat| seat.link.is_some()).count();
        if linked > 0 {
            return violated("drain_terminates", format!("{linked} sessions are live after everybody left"));
        }
        Ok(())
    }
}
