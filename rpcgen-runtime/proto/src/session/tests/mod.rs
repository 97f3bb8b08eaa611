//! Scripted scenarios of the protocol's rules, each named after the fact that it shows.

mod broadcasts;
mod calls;
mod lossy;
mod pair;
mod pools;
mod sessions;
