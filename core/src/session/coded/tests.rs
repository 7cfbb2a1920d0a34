//! What sources, relays and destinations keep, each by itself.
