//! What a path means: requests of HTTP as requests of the listing, and answers as JSON.

use bellini_core::ids::{ConferenceId, Incarnation, NodeId, SessionId};
use bellini_core::listing::{ListingAnswer, ListingError, ListingRequest, Member, Session};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What `GET /` says.
pub const HELP: &str = "\
Bellini conference listing server. Bodies and answers are JSON; an error is {\"error\": \"..\"} with a status of 4xx or 5xx.

GET    /conferences                        all conferences
GET    /conferences?watch=REVISION         what changed after a revision; waits up to 25 s for a change
POST   /conferences                        create one: {\"name\": \"talk\"}
GET    /conferences/C                      one conference
DELETE /conferences/C                      end it
POST   /conferences/C/members              join: {\"node\": 1, \"name\": \"x\", \"addresses\": [\"10.0.0.1:7000\"], \"incarnation\": 1}
POST   /conferences/C/members/N/lease      renew the lease (heartbeat): {\"incarnation\": 1}
DELETE /conferences/C/members/N?incarnation=1   leave
POST   /conferences/C/sessions             add a session: {\"session\": 1, \"source\": 1, \"destinations\": [2]}
PUT    /conferences/C/sessions/S/destinations/N  join a session
DELETE /conferences/C/sessions/S/destinations/N  leave it
DELETE /conferences/C/sessions/S           end it
";

/// What a request of HTTP asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The text of help.
    Help,
    /// Something of the listing.
    Listing(ListingRequest),
    /// What changes after a revision.
    Watch(u64),
}

/// A refusal: status and text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Of HTTP.
    pub(super) status: u16,
    /// For people.
    pub(super) error: String,
}

impl Refusal {
    pub(super) fn new(status: u16, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {
    #[serde(default)]
    incarnation: Incarnation,
}

/// Reads a request.
pub(super) fn read(method: &str, path: &str, query: Option<&str>, body: &[u8]) -> Result<Asked, Refusal> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let request = match (method, parts.as_slice()) {
        ("GET", []) => return Ok(Asked::Help),
        ("GET", ["conferences"]) => match value(query, "watch")? {
            Some(revision) => return Ok(Asked::Watch(number(revision, "watch")?)),
            None => ListingRequest::List,
        },
        ("POST", ["conferences"]) => ListingRequest::Create { name: json_of::<Named>(body)?.name },
        ("GET", ["conferences", c]) => ListingRequest::Show { conference: conference(c)? },
        ("DELETE", ["conferences", c]) => ListingRequest::End { conference: conference(c)? },
        ("POST", ["conferences", c, "members"]) => {
            ListingRequest::Join { conference: conference(c)?, member: json_of::<Member>(body)? }
        }
        ("POST", ["conferences", c, "members", n, "lease"]) => ListingRequest::Renew {
            conference: conference(c)?,
            node: node(n)?,
            incarnation: json_of::<Started>(body)?.incarnation,
        },
        ("DELETE", ["conferences", c, "members", n]) => ListingRequest::Leave {
            conference: conference(c)?,
            node: node(n)?,
            incarnation: Incarnation(match value(query, "incarnation")? {
                Some(text) => number(text, "incarnation")?,
                None => 0,
            }),
        },
        ("POST", ["conferences", c, "sessions"]) => {
            ListingRequest::AddSession { conference: conference(c)?, session: json_of::<Session>(body)? }
        }
        ("DELETE", ["conferences", c, "sessions", s]) => {
            ListingRequest::EndSession { conference: conference(c)?, session: session(s)? }
        }
        ("PUT", ["conferences", c, "sessions", s, "destinations", n]) => {
            ListingRequest::JoinSession { conference: conference(c)?, session: session(s)?, node: node(n)? }
        }
        ("DELETE", ["conferences", c, "sessions", s, "destinations", n]) => {
            ListingRequest::LeaveSession { conference: conference(c)?, session: session(s)?, node: node(n)? }
        }
        (_, parts) => return Err(unknown(method, parts)),
    };
    Ok(Asked::Listing(request))
}

/// Refuses what a page of another host has a browser ask: it could change what is listed without anybody's knowledge. A
/// name other than `localhost` may be made to lead here, so that only addresses count as this host.
pub(super) fn check_origin(origin: Option<&[u8]>, host: Option<&[u8]>) -> Result<(), Refusal> {
    let Some(origin) = origin else { return Ok(()) };
    let host = host.and_then(|host| std::str::from_utf8(host).ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_address = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok();
    if is_address && origin == format!("http://{host}").as_bytes() {
        return Ok(());
    }
    Err(Refusal::new(403, "requests of web pages of other hosts are refused (header `Origin`)"))
}

/// Says what a method can do at a path, or that the path is none.
fn unknown(method: &str, parts: &[&str]) -> Refusal {
    let methods = match parts {
        [] => "GET",
        ["conferences"] => "GET, POST",
        ["conferences", _] => "GET, DELETE",
        ["conferences", _, "members" | "sessions"] | ["conferences", _, "members", _, "lease"] => "POST",
        ["conferences", _, "members" | "sessions", _] => "DELETE",
        ["conferences", _, "sessions", _, "destinations", _] => "PUT, DELETE",
        _ => return Refusal::new(404, "no such path: GET / lists what there is"),
    };
    Refusal::new(
        405,
        format!("{method} is not for this path, which takes {methods}: GET / lists what there is"),
    )
}

fn value<'a>(query: Option<&'a str>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut found = None;
    for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((key, value)) if key == name && found.is_none() => found = Some(value),
            _ => return Err(Refusal::new(400, format!("`?{pair}`: only one `?{name}=..` is known here"))),
        }
    }
    Ok(found)
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Refusal::new(400, format!("{what}: `{text:.32}` is no number that fits")))
}

fn conference(text: &str) -> Result<ConferenceId, Refusal> {
    number(text, "the conference's id").map(ConferenceId)
}

fn session(text: &str) -> Result<SessionId, Refusal> {
    number(text, "the session's id").map(SessionId)
}

fn node(text: &str) -> Result<NodeId, Refusal> {
    let id = NodeId::new(number(text, "the node's id")?);
    id.ok_or_else(|| Refusal::new(400, format!("a node id is 1 to {}", NodeId::MAX)))
}

fn json_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // No body is an object without members: what can be left out is.
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, format!("the body: {error}")))
}

/// Writes an answer: its status and its JSON, without the name of the answer, which the path says.
pub(super) fn write(answered: Result<ListingAnswer, ListingError>) -> (u16, Value) {
    match answered {
        Ok(answer) => match answer {
            ListingAnswer::Conferences { revision, conferences } => {
                (200, json!({ "revision": revision, "conferences": conferences }))
            }
            ListingAnswer::Conference { revision, conference } => {
                (200, json!({ "revision": revision, "conference": conference }))
            }
            ListingAnswer::Changes { revision, changes } => {
                (200, json!({ "revision": revision, "changes": changes }))
            }
            ListingAnswer::Created { revision, conference } => {
                (201, json!({ "revision": revision, "conference": conference }))
            }
            ListingAnswer::Leased { revision, lease } => {
                (200, json!({ "revision": revision, "lease_ms": lease.as_nanos() / 1_000_000 }))
            }
            ListingAnswer::Done { revision } => (200, json!({ "revision": revision })),
        },
        Err(error) => {
            let status = match error {
                ListingError::NoConference { .. }
                | ListingError::NoMember { .. }
                | ListingError::NoSession { .. }
                | ListingError::NoDestination { .. } => 404,
                ListingError::OldIncarnation { .. } | ListingError::SessionTaken { .. } => 409,
                ListingError::OwnDestination { .. } | ListingError::BadSession => 400,
                ListingError::TooMany { .. } => 422,
            };
            (status, json!({ "error": error.to_string() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: pages of other hosts are refused, also those whose name leads here; programs, which send no origin, and pages
    /// of this host are not.
    #[test]
    fn only_pages_of_this_host_may_ask() {
        let check = |origin: Option<&str>, host: &str| {
            check_origin(origin.map(str::as_bytes), Some(host.as_bytes())).map_err(|refusal| refusal.status)
        };
        for (origin, host) in [
            (None, "127.0.0.1:7400"),
            (None, "listing.example:7400"),
            (Some("http://127.0.0.1:7400"), "127.0.0.1:7400"),
            (Some("http://localhost:7400"), "localhost:7400"),
            (Some("http://[::1]:7400"), "[::1]:7400"),
        ] {
            assert_eq!(check(origin, host), Ok(()), "{origin:?} {host}");
        }
        for (origin, host) in [
            ("http://evil.example", "127.0.0.1:7400"),
            ("http://127.0.0.1:80", "127.0.0.1:7400"),
            ("https://127.0.0.1:7400", "127.0.0.1:7400"),
            ("http://evil.example:7400", "evil.example:7400"),
            ("null", "127.0.0.1:7400"),
            ("http://", ""),
        ] {
            assert_eq!(check(Some(origin), host), Err(403), "{origin} {host}");
        }
        assert!(check_origin(Some(b"http://x"), None).is_err());
    }
}
