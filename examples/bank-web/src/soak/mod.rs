//! The whole of it under load: simulated browser sessions, dropped frames, parts that are killed and started again.
//!
//! Knows: what is done to the house, and in which order. Does not know: what a session does, how it is judged.

mod dice;
mod judge;
mod people;
mod report;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Parser};
use hyper::Method;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use self::dice::Dice;
use self::people::{Person, Tally};
pub use self::report::{Report, Wrong};
use crate::Failure;
use crate::http::ask;
use crate::launch::Part;
use crate::settings::{CommandLine, Mode, Serve, pause, share};

/// When all is calm again, everything is answered and shown within this.
const CALM_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// People that sign in at once: passwords are slow to hash.
const SIGN_INS_AT_ONCE: usize = 4;
/// A part that does not tell its counters within this has none to tell.
const COUNTERS_WITHIN: Duration = Duration::from_secs(2);

/// A folder with a file of this name was made by a soak.
const MARK: &str = "made-by-a-soak";

/// How long and how hard.
#[derive(Clone, Debug, Args)]
pub struct Plan {
    /// Browser sessions: open tabs. Two tabs belong to one person, at two front nodes.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub sessions: u32,
    /// For how many seconds people act and parts are killed.
    #[arg(long, default_value_t = 600)]
    pub seconds: u64,
    /// Which share of the frames is dropped, in each direction: 0 to 0.9.
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub drop: f64,
    /// Seconds from one kill to the next, on average; 0: nothing is killed.
    #[arg(long, default_value_t = 15.0, value_parser = pause)]
    pub kill_every: f64,
    /// Seconds between two wishes of a person, on average.
    #[arg(long, default_value_t = 4.0, value_parser = pause)]
    pub wish_every: f64,
    /// Of whom does what when. Processes and networks have a will of their own: a run is not repeated exactly.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where everything is kept; emptied first, if an earlier soak made it.
    #[arg(long, default_value = "target/bank-web-soak")]
    pub data: PathBuf,
    /// The first of twenty ports.
    #[arg(long, default_value_t = 18_080, value_parser = clap::value_parser!(u16).range(1..=65_500))]
    pub ports: u16,
}

/// The parts, each in its place; `None`: it is dead.
pub(super) struct House {
    program: PathBuf,
    serve: Serve,
    parts: Vec<Option<Part>>,
    /// Of what is killed and dropped.
    counts: Report,
}

impl House {
    async fn open(plan: &Plan) -> Result<Self, Failure> {
        make_empty(&plan.data)?;
        let (data, ports, drop) = (plan.data.display().to_string(), plan.ports.to_string(), plan.drop.to_string());
        let line = ["bank-web", "--data", &data, "--ports", &ports, "--drop", &drop, "--give-up-after", "3"];
        let serve = CommandLine::try_parse_from(line)?.serve;
        let mut house = Self {
            program: std::env::current_exe()?,
            parts: (0..=serve.fronts).map(|_| None).collect(),
            serve,
            counts: Report::default(),
        };
        for place in 0..house.parts.len() {
            house.start(place).await?;
        }
        Ok(house)
    }

    /// Place 0 is the bank's, the others are the front nodes'.
    async fn start(&mut self, place: usize) -> Result<(), Failure> {
        let node = u16::try_from(place)?;
        let mode = if place == 0 { Mode::Bank } else { Mode::Front };
        let part = Part::start(&self.program, &self.serve, mode, node).await?;
        if let Some(slot) = self.parts.get_mut(place) {
            *slot = Some(part);
        }
        Ok(())
    }

    async fn kill(&mut self, place: usize) -> Result<(), Failure> {
        self.count_frames(place).await?;
        if let Some(part) = self.parts.get_mut(place).and_then(Option::take) {
            part.kill().await?;
            if place == 0 {
                self.counts.kills_of_bank += 1;
            } else {
                self.counts.kills_of_fronts += 1;
            }
        }
        Ok(())
    }

    /// Notes what a part says of its frames, before it is ended. The bank is asked through a front node.
    async fn count_frames(&mut self, place: usize) -> Result<(), Failure> {
        let alive = |place: &usize| self.parts.get(*place).is_some_and(Option::is_some);
        let Some(node) = (place.max(1)..self.parts.len()).find(alive) else { return Ok(()) };
        let page = self.serve.page(u16::try_from(node)?);
        let told = ask(&page, Method::GET, "/faults/counters", "", None, COUNTERS_WITHIN).await;
        let whole = told.map(|answer| answer.body).unwrap_or_default();
        let told = if place == 0 { &whole["bank"] } else { &whole["front"] };
        let count = |name: &str| told[name].as_u64().unwrap_or_default();
        let (sent, dropped) = (count("frames_sent"), count("frames_dropped"));
        let counts = &mut self.counts;
        let (frames, drops) = match place {
            0 => (&mut counts.frames_of_bank, &mut counts.dropped_of_bank),
            _ => (&mut counts.frames_of_fronts, &mut counts.dropped_of_fronts),
        };
        (*frames, *drops) = (*frames + sent, *drops + dropped);
        Ok(())
    }
}

/// What an earlier soak left would be judged with this one, and goes. A folder that no soak made is not ours to empty.
fn make_empty(data: &Path) -> Result<(), Failure> {
    let (shown, mark) = (data.display(), data.join(MARK));
    let says = |error: std::io::Error| format!("{shown} cannot be used: {error}");
    match std::fs::read_dir(data) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(says(error).into()),
        Ok(mut entries) => {
            if entries.next().is_some() && !mark.exists() {
                return Err(
                    format!("{shown} holds what no soak has written; choose another --data, or empty it").into()
                );
            }
            std::fs::remove_dir_all(data).map_err(says)?;
        }
    }
    std::fs::create_dir_all(data).and_then(|()| std::fs::write(mark, "")).map_err(says)?;
    Ok(())
}

/// Runs it, and judges what came of it. A line tells now and then how far it is.
///
/// # Errors
/// A part does not start.
pub async fn run(plan: &Plan) -> Result<Report, Failure> {
    let began = Instant::now();
    println!(
        "{} sessions, {} s, {} of the frames dropped each way, a kill every {} s, seed {}",
        plan.sessions, plan.seconds, plan.drop, plan.kill_every, plan.seed
    );
    let house = Arc::new(Mutex::new(House::open(plan).await?));
    let serve = house.lock().await.serve.clone();
    let (calm, is_calm) = watch::channel(false);
    let tally = Arc::new(Tally::default());
    let persons = sign_in_all(plan, &serve).await?;
    println!("{} people are signed in after {:.1} s", persons.len(), began.elapsed().as_secs_f64());
    let persons: Vec<Arc<Person>> = persons.into_iter().map(Arc::new).collect();
    let mut living = JoinSet::new();
    for person in &persons {
        person.live(plan, &tally, &is_calm, &mut living);
    }
    disturb(plan, &house, &tally).await?;
    // From now on nobody asks and nothing dies; frames are dropped as before.
    calm.send_replace(true);
    println!("calm after {:.1} s: {} wishes were accepted", began.elapsed().as_secs_f64(), tally.accepted_count());
    let acted = began.elapsed();
    let is_settled = tokio::time::timeout(CALM_WITHIN, async {
        while !judge::is_settled(&serve, &persons).unwrap_or(false) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    let settled = is_settled.await.is_ok();
    let settled_after = began.elapsed().saturating_sub(acted);
    living.abort_all();
    let mut house = house.lock().await;
    for place in 0..house.parts.len() {
        house.count_frames(place).await?;
    }
    let tabs = persons.iter().flat_map(|person| person.tabs.iter().map(|tab| (person.name.clone(), tab.seen())));
    let judged = judge::judge(&serve, &tally, &tabs.collect::<Vec<_>>())?;
    let counts = &house.counts;
    let mut report = Report {
        sessions: plan.sessions,
        seed: plan.seed,
        seconds: began.elapsed().as_secs_f64(),
        kills_of_bank: counts.kills_of_bank,
        kills_of_fronts: counts.kills_of_fronts,
        frames_of_fronts: counts.frames_of_fronts,
        dropped_of_fronts: counts.dropped_of_fronts,
        frames_of_bank: counts.frames_of_bank,
        dropped_of_bank: counts.dropped_of_bank,
        settled,
        settled_after_s: settled_after.as_secs_f64(),
        ..judged
    };
    let objections = report.objections(plan);
    for objection in &objections {
        println!("not good: {objection}");
    }
    report.good = objections.is_empty();
    Ok(report)
}

async fn sign_in_all(plan: &Plan, serve: &Serve) -> Result<Vec<Person>, Failure> {
    let mut signing = JoinSet::new();
    let mut persons = Vec::new();
    for number in 0..plan.sessions / 2 {
        while signing.len() >= SIGN_INS_AT_ONCE {
            if let Some(person) = signing.join_next().await {
                persons.push(person??);
            }
        }
        let serve = serve.clone();
        signing.spawn(async move { Person::sign_in(&serve, number).await });
    }
    while let Some(person) = signing.join_next().await {
        persons.push(person??);
    }
    Ok(persons)
}

/// Kills one part after another, each for a moment, until the time is over.
async fn disturb(plan: &Plan, house: &Arc<Mutex<House>>, tally: &Tally) -> Result<(), Failure> {
    let mut dice = Dice::new(plan.seed);
    let end = Instant::now() + Duration::from_secs(plan.seconds);
    let mut told = Instant::now();
    while Instant::now() < end {
        let wait = if plan.kill_every > 0.0 { dice.around(plan.kill_every) } else { Duration::from_secs(5) };
        tokio::time::sleep(wait.min(end.saturating_duration_since(Instant::now()))).await;
        if plan.kill_every > 0.0 && Instant::now() < end {
            let mut house = house.lock().await;
            let mut places = vec![dice.below(house.parts.len())];
            // Sometimes two at once: one of them may be what the other relied on.
            let another = dice.below(house.parts.len());
            if dice.below(4) == 0 && !places.contains(&another) {
                places.push(another);
            }
            for place in &places {
                house.kill(*place).await?;
            }
            // Sometimes for longer than the bank waits for a node: then a neighbour does its work.
            tokio::time::sleep(dice.around(2.5)).await;
            for place in places {
                house.start(place).await?;
            }
        }
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            println!(
                "  {:>5} s to go, {} wishes accepted",
                end.saturating_duration_since(told).as_secs(),
                tally.accepted_count()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_emptied_only_if_a_soak_made_it() {
        let data = std::env::temp_dir().join(format!("bank-web-soak-{}", crate::clock::random_name()));
        make_empty(&data).unwrap();
        std::fs::write(data.join("bank.sqlite"), "old").unwrap();
        make_empty(&data).unwrap();
        assert!(!data.join("bank.sqlite").exists());
        std::fs::remove_file(data.join(MARK)).unwrap();
        make_empty(&data).unwrap();
        std::fs::remove_file(data.join(MARK)).unwrap();
        std::fs::write(data.join("mine"), "").unwrap();
        let refused = make_empty(&data).unwrap_err().to_string();
        assert!(refused.contains("holds what no soak has written") && data.join("mine").exists(), "{refused}");
        std::fs::remove_dir_all(data).unwrap();
    }
}
