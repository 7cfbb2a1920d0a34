//! Tests of the whole machine on an ideal path, and against reports that make no sense.

mod hostile;
mod path;
mod pipe;
