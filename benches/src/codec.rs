//! The payload codec alone: the echo service's request, encoded and decoded again and again, beside bincode 2 with derived code.
//!
//! Knows: one request. Does not know: calls. A "call" of these figures is one value encoded, or decoded with what it owns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bincode::config::standard;
use rpcgen_proto::payload;
use rpcgen_runtime::AppId;

use crate::echo::actions::Echo;
use crate::measure::{Figure, cpu_us};
use crate::ours::Failure;

/// Between two looks at the clock.
const VALUES_AT_ONCE: u64 = 4_096;

/// What the request is to bincode.
#[derive(bincode::Encode, bincode::Decode)]
struct Derived {
    app_id: u64,
    user: String,
    amount: u64,
    payload: Vec<u8>,
}

fn ours() -> Echo {
    Echo { app_id: AppId(7), user: "alice-000001".to_owned(), amount: 42, payload: vec![7; 64] }
}

fn derived() -> Derived {
    Derived { app_id: 7, user: "alice-000001".to_owned(), amount: 42, payload: vec![7; 64] }
}

/// Both write to memory that they have already.
pub(crate) fn ours_encode(time: Duration) -> Result<Figure, Failure> {
    let (request, mut bytes) = (ours(), Vec::new());
    run(time, || {
        bytes.clear();
        let mut out = payload::Writer::append_to(std::mem::take(&mut bytes));
        payload::Encode::encode(black_box(&request), &mut out);
        bytes = out.finish()?;
        black_box(&bytes);
        Ok(())
    })
}

pub(crate) fn bincode_encode(time: Duration) -> Result<Figure, Failure> {
    let (request, mut bytes) = (derived(), vec![0; 256]);
    run(time, || {
        bincode::encode_into_slice(black_box(&request), &mut bytes, standard())?;
        black_box(&bytes);
        Ok(())
    })
}

pub(crate) fn ours_decode(time: Duration) -> Result<Figure, Failure> {
    let bytes = payload::to_vec(&ours())?;
    run(time, || {
        black_box(payload::from_slice::<Echo>(black_box(&bytes))?);
        Ok(())
    })
}

pub(crate) fn bincode_decode(time: Duration) -> Result<Figure, Failure> {
    let bytes = bincode::encode_to_vec(derived(), standard())?;
    run(time, || {
        black_box(bincode::decode_from_slice::<Derived, _>(black_box(&bytes), standard())?);
        Ok(())
    })
}

fn run(time: Duration, mut once: impl FnMut() -> Result<(), Failure>) -> Result<Figure, Failure> {
    let (began, cpu_before, mut count) = (Instant::now(), cpu_us(), 0_u64);
    while began.elapsed() < time {
        for _ in 0..VALUES_AT_ONCE {
            once()?;
        }
        count += VALUES_AT_ONCE;
    }
    let (elapsed, cpu) = (began.elapsed().as_secs_f64(), cpu_us() - cpu_before);
    let (count, no_latency) = (count as f64, 0.0);
    Ok(Figure {
        calls_per_second: count / elapsed,
        p50_us: no_latency,
        p99_us: no_latency,
        cpu_us_per_call: cpu / count,
    })
}
