//! Tests of the `bellini` command as users meet it: the real binary, in processes and directories of its own.

mod arguments;
mod compare;
mod golden;
mod harness;
mod interrupt;
mod own_policy;
mod places;
mod records;
mod refused;
mod replay;
mod report;
mod schema;
mod seeds;
mod shipped;
mod terminal;
