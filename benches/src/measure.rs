//! One measurement: calls in a given time, by a given number of callers.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Calls before the clock starts.
const WARM_UP: Duration = Duration::from_millis(300);

/// Runs `callers` tasks that each call again and again, for `time`; returns calls per second.
pub(crate) async fn calls_per_second<C, F>(callers: usize, time: Duration, call: C) -> f64
where
    C: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (stop, count, call) = (Arc::clone(&stop), Arc::clone(&count), call.clone());
        tasks.push(tokio::spawn(async move {
            let mut done = 0;
            while !stop.load(Ordering::Relaxed) {
                call().await;
                done += 1;
                if done == 16 {
                    count.fetch_add(done, Ordering::Relaxed);
                    done = 0;
                }
            }
        }));
    }
    tokio::time::sleep(WARM_UP).await;
    let (began, before) = (Instant::now(), count.load(Ordering::Relaxed));
    tokio::time::sleep(time).await;
    let done = count.load(Ordering::Relaxed) - before;
    let rate = done as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        // A caller that panicked has failed the run.
        task.await.expect("a caller's task ends");
    }
    rate
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
