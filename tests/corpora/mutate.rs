//! The decoders against inputs that are made from the corpora by chance. Equal seeds make equal inputs, on however many threads.
//!
//! `fuzz/run` is the better fuzzer: it sees which ways an input takes. This one is for volume within the gate: it needs no other
//! compiler flags and no C++, and every run of it is the same.
#![expect(clippy::print_stdout, reason = "a program that reports")]

mod corpus;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rpcgen_proto::rng::SplitMix64;

use self::corpus::{DECODERS, Fuzz};

const USAGE: &str = "mutate [--inputs N] [--seed N] [--threads N]
  --inputs N   for all decoders together (default 50,000,000)";
/// The work is cut into so many pieces for each decoder, each with a seed of its own.
const PIECES: usize = 64;
/// No input becomes longer: what is long takes long, and finds no more.
const LENGTH_MAX: usize = 512;
/// Bytes at which lengths and integers change their form.
const BORDERS: [u8; 10] = [0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];

struct Piece {
    target: &'static str,
    function: Fuzz,
    seed: u64,
}

fn main() -> ExitCode {
    let (mut inputs, mut seed, mut threads) = (50_000_000_usize, 1_u64, 2_usize);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().and_then(|value| value.parse().ok());
        match (word.as_str(), value) {
            ("--inputs", Some(value)) => inputs = value,
            ("--seed", Some(value)) => seed = value as u64,
            ("--threads", Some(value)) => threads = value.max(1),
            _ => {
                println!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let each = inputs.div_ceil(DECODERS.len() * PIECES);
    let began = Instant::now();
    let broken: usize = DECODERS.iter().map(|(target, function)| run(target, *function, seed, each, threads)).sum();
    let (total, seconds) = (each * PIECES * DECODERS.len(), began.elapsed().as_secs_f64());
    println!(r#"{{"decoder_inputs":{total},"seconds":{seconds:.1},"broken":{broken}}}"#);
    ExitCode::from(u8::from(broken > 0))
}

/// All pieces of one decoder: how many inputs broke a promise.
fn run(target: &'static str, function: Fuzz, seed: u64, each: usize, threads: usize) -> usize {
    let (began, next, broken) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
    let seeds = corpus::inputs(target);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PIECES {
                        return;
                    }
                    let piece = Piece { target, function, seed: seed << 32 | number as u64 };
                    broken.fetch_add(piece.run(&seeds, each), Ordering::Relaxed);
                }
            });
        }
    });
    let (inputs, seconds) = (each * PIECES, began.elapsed().as_secs_f64());
    println!("{target:16} {inputs:>12} inputs in {seconds:6.1} s");
    broken.into_inner()
}

impl Piece {
    fn run(&self, seeds: &[Vec<u8>], inputs: usize) -> usize {
        let (mut random, mut broken) = (SplitMix64::new(self.seed), 0);
        let mut input = Vec::with_capacity(LENGTH_MAX);
        for _ in 0..inputs {
            input.clear();
            input.extend_from_slice(any(&mut random, seeds));
            for _ in 0..=random.below(4) {
                mutate(&mut random, &mut input, seeds);
            }
            input.truncate(LENGTH_MAX);
            if catch_unwind(AssertUnwindSafe(|| (self.function)(&input))).is_err() {
                println!("{}: a promise is broken by {}", self.target, corpus::line(&input));
                broken += 1;
            }
        }
        broken
    }
}

fn any<'a>(random: &mut SplitMix64, seeds: &'a [Vec<u8>]) -> &'a [u8] {
    &seeds[below(random, seeds.len())]
}

/// A number below `bound`; 0 for a bound of 0.
fn below(random: &mut SplitMix64, bound: usize) -> usize {
    random.below(u32::try_from(bound.max(1)).unwrap_or(u32::MAX)) as usize
}

fn mutate(random: &mut SplitMix64, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = below(random, input.len());
    let any_byte = random.below(256).to_le_bytes()[0];
    match random.below(8) {
        0 => input.truncate(at),
        1 => input.insert(at, any_byte),
        2 => {
            // The head of this one, the tail of another.
            let other = any(random, seeds);
            input.truncate(at);
            input.extend_from_slice(&other[below(random, other.len())..]);
        }
        3 => {
            // A piece of it twice.
            let end = at + below(random, input.len() - at);
            input.extend_from_within(at..end);
        }
        kind if let Some(byte) = input.get_mut(at) => match kind {
            4 => *byte ^= 1 << random.below(8),
            5 => *byte = BORDERS[below(random, BORDERS.len())],
            6 => *byte = byte.wrapping_add(1).wrapping_sub(any_byte & 2),
            _ => *byte = any_byte,
        },
        _ => input.push(any_byte),
    }
}
