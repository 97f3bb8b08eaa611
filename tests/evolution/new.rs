//! The new version of every case of evolution, and nothing of the other one.

mod peer;
mod served;

#[allow(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    dead_code,
    deprecated,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "as include_rpc!"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/evolution_new.rs"));
}

fn main() {
    peer::run(generated::CASES);
}
