//! Requests of the listing as requests of HTTP, and JSON as answers: the other side of `routes`.

use bellini_core::listing::{ListingAnswer, ListingRequest};
use bellini_core::time::Duration;
use serde::de::{DeserializeOwned, Error};
use serde_json::{Value, json};

/// Returns method, path with query, and body of a request. [`ListingRequest::Changes`] waits for changes.
pub(super) fn write(request: &ListingRequest) -> (&'static str, String, Option<Value>) {
    match request {
        ListingRequest::List => ("GET", "/conferences".to_owned(), None),
        ListingRequest::Show { conference } => ("GET", format!("/conferences/{conference}"), None),
        ListingRequest::Changes { since } => ("GET", format!("/conferences?watch={since}"), None),
        ListingRequest::Create { name } => ("POST", "/conferences".to_owned(), Some(json!({ "name": name }))),
        ListingRequest::Join { conference, member } => {
            ("POST", format!("/conferences/{conference}/members"), Some(json!(member)))
        }
        ListingRequest::Renew { conference, node, incarnation } => (
            "POST",
            format!("/conferences/{conference}/members/{node}/lease"),
            Some(json!({ "incarnation": incarnation })),
        ),
        ListingRequest::Leave { conference, node, incarnation } => (
            "DELETE",
            format!("/conferences/{conference}/members/{node}?incarnation={}", incarnation.0),
            None,
        ),
        ListingRequest::AddSession { conference, session } => {
            ("POST", format!("/conferences/{conference}/sessions"), Some(json!(session)))
        }
        ListingRequest::JoinSession { conference, session, node } => {
            ("PUT", format!("/conferences/{conference}/sessions/{session}/destinations/{node}"), None)
        }
        ListingRequest::LeaveSession { conference, session, node } => {
            ("DELETE", format!("/conferences/{conference}/sessions/{session}/destinations/{node}"), None)
        }
        ListingRequest::EndSession { conference, session } => {
            ("DELETE", format!("/conferences/{conference}/sessions/{session}"), None)
        }
        ListingRequest::End { conference } => ("DELETE", format!("/conferences/{conference}"), None),
    }
}

/// Reads what was answered to a request.
///
/// # Errors
/// When it is no answer to it.
pub(super) fn read(request: &ListingRequest, mut value: Value) -> Result<ListingAnswer, serde_json::Error> {
    let revision = take(&mut value, "revision")?;
    Ok(match request {
        ListingRequest::List => {
            ListingAnswer::Conferences { revision, conferences: take(&mut value, "conferences")? }
        }
        // Who is too far behind gets the whole list.
        ListingRequest::Changes { .. } if value.get("conferences").is_some() => {
            ListingAnswer::Conferences { revision, conferences: take(&mut value, "conferences")? }
        }
        ListingRequest::Changes { .. } => {
            ListingAnswer::Changes { revision, changes: take(&mut value, "changes")? }
        }
        ListingRequest::Show { .. } => {
            ListingAnswer::Conference { revision, conference: Box::new(take(&mut value, "conference")?) }
        }
        ListingRequest::Create { .. } => {
            ListingAnswer::Created { revision, conference: take(&mut value, "conference")? }
        }
        ListingRequest::Join { .. } | ListingRequest::Renew { .. } => {
            let lease = Duration::from_millis(take::<u32>(&mut value, "lease_ms")?.into());
            ListingAnswer::Leased { revision, lease }
        }
        _ => ListingAnswer::Done { revision },
    })
}

fn take<T: DeserializeOwned>(value: &mut Value, name: &str) -> Result<T, serde_json::Error> {
    match value.get_mut(name) {
        Some(found) => serde_json::from_value(found.take()),
        None => Err(serde_json::Error::custom(format!("`{name}` is missing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::routes::{self, Asked};
    use super::*;
    use bellini_core::ids::{ConferenceId, Incarnation, NodeId, SessionId};
    use bellini_core::listing::{List, Listing, ListingLimits, Member, Session};
    use bellini_core::time::Instant;

    /// Aim: every request arrives as what it was, and every answer, too: both sides of the form agree.
    #[test]
    fn both_sides_agree() {
        let node = |id| NodeId::new(id).expect("a legal id");
        let (conference, session) = (ConferenceId(1), SessionId(7));
        let member = |id| Member {
            node: node(id),
            name: "\"x\"".to_owned(),
            addresses: vec!["10.0.0.1:7000".parse().expect("an address")],
            incarnation: Incarnation(3),
        };
        let added = Session {
            session,
            name: "camera".to_owned(),
            source: node(1),
            destinations: Vec::new(),
            about: "{}".to_owned(),
            ended: false,
        };
        let incarnation = Incarnation(3);
        let mut listing = Listing::new(ListingLimits::default(), List::default());
        for request in [
            ListingRequest::Create { name: "talk".to_owned() },
            ListingRequest::Join { conference, member: member(1) },
            ListingRequest::Join { conference, member: member(2) },
            ListingRequest::Renew { conference, node: node(2), incarnation },
            ListingRequest::AddSession { conference, session: added },
            ListingRequest::JoinSession { conference, session, node: node(2) },
            ListingRequest::List,
            ListingRequest::Show { conference },
            ListingRequest::Changes { since: 2 },
            ListingRequest::Changes { since: 99 },
            ListingRequest::LeaveSession { conference, session, node: node(2) },
            ListingRequest::EndSession { conference, session },
            ListingRequest::Leave { conference, node: node(2), incarnation },
            ListingRequest::End { conference },
        ] {
            let (method, path, body) = write(&request);
            let (path, query) =
                path.split_once('?').map_or((&path[..], None), |(path, query)| (path, Some(query)));
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            match routes::read(method, path, query, body.as_bytes()).expect("it is known") {
                Asked::Listing(arrived) => assert_eq!(arrived, request),
                Asked::Watch(since) => assert_eq!(ListingRequest::Changes { since }, request),
                Asked::Help => panic!("nobody asked for help: {request:?}"),
            }
            let answer = listing.handle(Instant::ZERO, request.clone()).expect("it is granted");
            let (_, json) = routes::write(Ok(answer.clone()));
            assert_eq!(read(&request, json).expect("it is an answer"), answer);
        }
        assert!(read(&ListingRequest::List, json!({ "revision": 1 })).is_err());
    }
}
