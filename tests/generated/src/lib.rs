//! Generated code of every construct, compiled with warnings denied. Written by `rpcgen-tests`, target `codegen`.
#![deny(warnings)]

pub mod awkward_names;
pub mod bank;
pub mod broadcasts;
pub mod collections;
pub mod constants;
pub mod defaults;
pub mod deprecated;
pub mod documented;
pub mod echo;
pub mod enums;
pub mod every_action;
pub mod fixed;
pub mod imports;
pub mod limits;
pub mod money;
pub mod recursion;
pub mod sensitive;
pub mod session;
pub mod several_services;
pub mod structs;
