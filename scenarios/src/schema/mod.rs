//! The keys of scenario files, declared once: for the check, for editors (JSON Schema), for the reference.

pub(crate) mod check;
mod content;
mod json_schema;
pub(crate) mod kind;
mod link;
pub(crate) mod network;
mod reference;
pub(crate) mod scenario;
pub(crate) mod traffic;

pub use json_schema::schema;
pub use reference::key_reference;
