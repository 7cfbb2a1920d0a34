//! Bounds of a listing.

use crate::time::Duration;
use serde::{Deserialize, Serialize};

/// How much a listing holds, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListingLimits {
    /// How long a member stays without a heartbeat.
    pub lease: Duration,
    /// How long a conference stays without members.
    pub linger: Duration,
    /// Conferences at one time.
    pub conferences_max: usize,
    /// Members of one conference.
    pub members_max: usize,
    /// Sessions of one conference, those that have ended included: their ids are not given again.
    pub sessions_max: usize,
    /// Conferences, members, sessions and destinations of sessions, and each 256 bytes of what is said about them,
    /// all together.
    pub entries_max: usize,
    /// Bytes of a name.
    pub name_bytes_max: usize,
    /// Bytes of what is said about a session.
    pub about_bytes_max: usize,
    /// Addresses of one member.
    pub addresses_max: usize,
    /// Changes that are kept for who watches; who is further behind gets the whole list.
    pub recent_max: usize,
}

impl Default for ListingLimits {
    /// Leases of 15 s, an hour for empty conferences, 4,096 conferences of 256 members and 1,024 sessions, 65,536
    /// entries in all.
    fn default() -> Self {
        Self {
            lease: Duration::from_millis(15_000),
            linger: Duration::from_millis(3_600_000),
            conferences_max: 4_096,
            members_max: 256,
            sessions_max: 1_024,
            entries_max: 65_536,
            name_bytes_max: 128,
            about_bytes_max: 2_048,
            addresses_max: 4,
            recent_max: 1_024,
        }
    }
}
