//! One measurement: calls in a given time, by callers of one of two kinds. The same text measures ours, the limits and the peers.
//!
//! Knows: time, the processor time of this process. Does not know: what a call is.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};

/// Calls before the clock starts.
const WARM_UP: Duration = Duration::from_millis(300);

/// One call of so many has its latency taken: reading the clock for each would be a cost of its own.
const SAMPLED_ONE_IN: u64 = 8;

/// Callers count together, so that they seldom meet; the first calls one by one, so that those of a slow side are counted at all.
const COUNTED_AT_ONCE: u64 = 16;
const COUNTED_SINGLY: u64 = 1_000;

/// What came of one measurement.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Calls answered per second.
    pub(crate) calls_per_second: f64,
    /// The median latency of a call, in microseconds; `0`: not taken.
    pub(crate) p50_us: f64,
    /// The latency that one call in a hundred exceeds, in microseconds; `0`: not taken.
    pub(crate) p99_us: f64,
    /// Processor time of this process for each call, user and system, in microseconds. `0` where it cannot be read.
    pub(crate) cpu_us_per_call: f64,
}

/// Runs `callers` tasks that each call again and again, for `time`. A call gets the number of its caller.
pub(crate) async fn in_tasks<C, F>(callers: usize, time: Duration, call: C) -> Figure
where
    C: Fn(usize) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let meter = Meter::default();
    let mut tasks = Vec::new();
    for caller in 0..callers {
        let (meter, call) = (meter.clone(), call.clone());
        tasks.push(tokio::spawn(async move {
            let mut tally = Tally::new(&meter);
            while tally.goes_on() {
                let began = tally.begin();
                call(caller).await;
                tally.end(began);
            }
            tally.finish()
        }));
    }
    let (rate, cpu) = meter.run(time).await;
    let mut latencies = Vec::new();
    for task in tasks {
        // A caller that panicked has failed the run.
        latencies.append(&mut task.await.expect("a caller's task ends"));
    }
    figure(rate, cpu, latencies)
}

/// Keeps `outstanding` calls going from one task, for `time`. The call gets the number of the place that it takes.
pub(crate) async fn in_one_task<C, F>(outstanding: usize, time: Duration, call: C) -> Figure
where
    C: Fn(usize) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let meter = Meter::default();
    let of_task = meter.clone();
    let task = tokio::spawn(async move {
        let mut tally = Tally::new(&of_task);
        let mut calls = FuturesUnordered::new();
        let numbered = |place: usize, began: Option<Instant>| {
            let call = call(place);
            async move {
                call.await;
                (place, began)
            }
        };
        for place in 0..outstanding {
            calls.push(numbered(place, tally.begin()));
        }
        while let Some((place, began)) = calls.next().await {
            tally.end(began);
            if tally.goes_on() {
                calls.push(numbered(place, tally.begin()));
            }
        }
        tally.finish()
    });
    let (rate, cpu) = meter.run(time).await;
    figure(rate, cpu, task.await.expect("the callers' task ends"))
}

/// What the callers and the clock share.
#[derive(Clone, Default)]
pub(crate) struct Meter {
    stop: Arc<AtomicBool>,
    is_warm: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
}

impl Meter {
    /// Lets the callers run. Returns calls per second, and processor microseconds per call.
    pub(crate) async fn run(&self, time: Duration) -> (f64, f64) {
        tokio::time::sleep(WARM_UP).await;
        self.is_warm.store(true, Ordering::Relaxed);
        let (began, before, cpu_before) = (Instant::now(), self.count.load(Ordering::Relaxed), cpu_us());
        tokio::time::sleep(time).await;
        let done = (self.count.load(Ordering::Relaxed) - before) as f64;
        let (elapsed, cpu) = (began.elapsed().as_secs_f64(), cpu_us() - cpu_before);
        self.stop.store(true, Ordering::Relaxed);
        (done / elapsed, cpu / done)
    }
}

/// One task's share of the count, and its latencies.
pub(crate) struct Tally {
    meter: Meter,
    calls: u64,
    uncounted: u64,
    latencies_us: Vec<f32>,
}

impl Tally {
    /// Of a task that has made no call yet.
    #[must_use]
    pub(crate) fn new(meter: &Meter) -> Self {
        Self { meter: meter.clone(), calls: 0, uncounted: 0, latencies_us: Vec::new() }
    }

    /// Whether another call is to be made.
    #[must_use]
    pub(crate) fn goes_on(&self) -> bool {
        !self.meter.stop.load(Ordering::Relaxed)
    }

    /// A call begins: the time, if it is one of those that are looked at.
    pub(crate) fn begin(&mut self) -> Option<Instant> {
        self.calls += 1;
        (self.calls.is_multiple_of(SAMPLED_ONE_IN) && self.meter.is_warm.load(Ordering::Relaxed)).then(Instant::now)
    }

    /// A call has ended.
    pub(crate) fn end(&mut self, began: Option<Instant>) {
        self.uncounted += 1;
        if self.uncounted == COUNTED_AT_ONCE || self.calls < COUNTED_SINGLY {
            self.meter.count.fetch_add(self.uncounted, Ordering::Relaxed);
            self.uncounted = 0;
        }
        if let Some(began) = began {
            self.latencies_us.push(began.elapsed().as_secs_f32() * 1e6);
        }
    }

    /// The latencies that were taken, in microseconds.
    #[must_use]
    pub(crate) fn finish(self) -> Vec<f32> {
        self.latencies_us
    }
}

/// Puts together what was measured.
#[must_use]
pub(crate) fn figure(calls_per_second: f64, cpu_us_per_call: f64, mut latencies_us: Vec<f32>) -> Figure {
    latencies_us.sort_by(f32::total_cmp);
    let quantile = |share: f64| {
        let index = (latencies_us.len() as f64 * share) as usize;
        latencies_us.get(index.min(latencies_us.len().saturating_sub(1))).map_or(0.0, |us| f64::from(*us))
    };
    Figure { calls_per_second, p50_us: quantile(0.5), p99_us: quantile(0.99), cpu_us_per_call }
}

/// Processor time of this process so far, user and system, in microseconds.
#[must_use]
pub(crate) fn cpu_us() -> f64 {
    // Fields 14 and 15 of proc(5)'s `stat`, counted after the command's name; Linux counts a hundred ticks a second.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: f64 = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks * 10_000.0
}

/// The middle one.
#[must_use]
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
