//! Network coding without any knowledge of nodes, packets or sessions.
//!
//! [`gf256`]: the field that coefficients and bytes live in, and the kernels that multiply whole rows.

pub mod gf256;
