//! Scripted scenarios of the protocol's rules, each named after the fact that it shows.

mod pair;
mod calls;
mod lossy;
mod pools;
mod sessions;
mod broadcasts;
