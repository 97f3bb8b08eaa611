//! Generated code of every construct, compiled with warnings denied.
//!
//! Knows: the list of constructs. Does not know: how they come here: `rpcgen-tests`, target `codegen`, writes
//! this file and all beside it.
#![deny(warnings)]

#[rustfmt::skip]
pub mod all_types;
#[rustfmt::skip]
pub mod awkward_names;
#[rustfmt::skip]
pub mod bank;
#[rustfmt::skip]
pub mod bank_control;
#[rustfmt::skip]
pub mod bank_web;
#[rustfmt::skip]
pub mod broadcasts;
#[rustfmt::skip]
pub mod chat;
#[rustfmt::skip]
pub mod collections;
#[rustfmt::skip]
pub mod constants;
#[rustfmt::skip]
pub mod defaults;
#[rustfmt::skip]
pub mod deprecated;
#[rustfmt::skip]
pub mod devices;
#[rustfmt::skip]
pub mod documented;
#[rustfmt::skip]
pub mod echo;
#[rustfmt::skip]
pub mod enums;
#[rustfmt::skip]
pub mod every_action;
#[rustfmt::skip]
pub mod files;
#[rustfmt::skip]
pub mod fixed;
#[rustfmt::skip]
pub mod front;
#[rustfmt::skip]
pub mod imports;
#[rustfmt::skip]
pub mod inventory;
#[rustfmt::skip]
pub mod limits;
#[rustfmt::skip]
pub mod money;
#[rustfmt::skip]
pub mod neighbour;
#[rustfmt::skip]
pub mod ordering;
#[rustfmt::skip]
pub mod recursion;
#[rustfmt::skip]
pub mod scheduling;
#[rustfmt::skip]
pub mod sensitive;
#[rustfmt::skip]
pub mod session;
#[rustfmt::skip]
pub mod several_services;
#[rustfmt::skip]
pub mod structs;
#[rustfmt::skip]
pub mod telemetry;
