use super::*;
use bellini_core::content::spec::{Content, Unit};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::Command;
use std::time::Duration;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Aim: a place is written as it is read, in JSON, too.
#[test]
fn places_are_text() {
    for (text, unit) in [
        ("udp:127.0.0.1:5004", Unit::Datagrams),
        ("udp:[::1]:5004", Unit::Datagrams),
        ("tcp:10.0.0.1:80", Unit::Stream),
        ("unix:/run/app.sock", Unit::Stream),
        ("unixgram:/run/app.sock", Unit::Datagrams),
        ("file:video:1.ts", Unit::Stream),
        ("-", Unit::Stream),
    ] {
        let place: Place = text.parse().expect("a place");
        assert_eq!((place.to_string(), place.unit()), (text.to_owned(), unit));
        let edge = Edge::Source(place);
        let json = serde_json::to_string(&edge).expect("plain data");
        assert_eq!(serde_json::from_str::<Edge>(&json).expect("its own text"), edge);
    }
    for text in ["", "udp:", "udp:localhost", "tcp:1.2.3.4", "unix:", "http://x", "file"] {
        let error = text.parse::<Place>().expect_err(text).to_string();
        assert!(error.contains(&format!("{text:?}")), "{error}");
    }
}

/// Aim: an edge is opened where its session's part is, and only there; every node of the session hears of its content.
#[test]
fn plans_change_commands_of_their_sessions() {
    let text = r#"{"bellini": 1, "name": "x", "duration": "1 s",
        "nodes": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}],
        "defaults": {"link": {"delay": "1 ms"}},
        "links": [{"between": ["a", "b"]}, {"between": ["b", "c"]}],
        "conferences": [{"id": 7, "sessions": [{"id": 1, "source": "a", "destinations": ["b", "c"],
            "routing": "shortest-delay", "content": {"kind": "constant", "rate": "1 Mbit/s"}}]}]}"#;
    let loaded = bellini_scenarios::parse::parse_str("x.json", text, &Default::default());
    let scenario = loaded.unwrap_or_else(|found| panic!("{found}")).scenario;
    let read = |texts: &[&str]| {
        let texts: Vec<EdgeText> = texts.iter().map(|text| text.parse().expect("an edge")).collect();
        EdgePlan::new(&scenario, &texts)
    };
    let plan = read(&["7/1@a=udp:127.0.0.1:1", "7/1@3=file:c.bin"]).expect("it fits");
    let key = SessionKey::new(7, 1);
    let mut command = join(key, false);
    let id = |node| NodeId::new(node).expect("an id");
    assert_eq!(plan.apply(id(2), &mut command), None);
    let Command::JoinSession(spec) = &command else { panic!("{command:?}") };
    assert!(matches!(spec.content, Content::Application { unit: Unit::Datagrams, .. }), "{spec:?}");
    assert!(!spec.deliver_events);
    let mut command = join(key, false);
    let edge = plan.apply(id(3), &mut command);
    let place = Place::File("c.bin".into());
    assert_eq!(edge, Some((key, Edge::Delivery { place, tell: false })));
    let Command::JoinSession(spec) = &command else { panic!("{command:?}") };
    assert!(spec.deliver_events);
    let mut other = join(SessionKey::new(7, 2), false);
    assert_eq!(plan.apply(id(3), &mut other), None);
    assert!(matches!(read(&["7/1@a=tcp:127.0.0.1:1"]), Err(EdgePlanError::Unreliable(_))));
    assert!(read(&["7/1@b=tcp:127.0.0.1:1"]).is_ok(), "generated content can be taken as bytes");
}

fn join(key: SessionKey, deliver_events: bool) -> Command {
    use bellini_core::io::{MeasureWindow, SinkSpec};
    use bellini_core::time::Instant;
    use bellini_core::units::BitRate;
    let rate = BitRate::from_bps(1_000_000).expect("not zero");
    Command::JoinSession(Box::new(SinkSpec {
        key,
        source: NodeId::new(1).expect("an id"),
        content: Content::Constant { rate, phase: bellini_core::time::Duration::ZERO },
        symbol_bytes: 1_200,
        delivery: Default::default(),
        coding: None,
        seal: None,
        start: Instant::ZERO,
        stop: Instant::ZERO,
        measure: MeasureWindow { from: Instant::ZERO, to: Instant::ZERO },
        deliver_events,
    }))
}

/// Aim: what is not a socket is never removed to make one, a socket that was left is.
#[test]
fn files_in_the_way_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x");
    std::fs::write(&path, "precious").expect("a file");
    runtime().block_on(async {
        let place = Place::UnixDatagram(path.clone());
        assert!(source::open(&place).is_err());
        assert_eq!(std::fs::read(&path).expect("it is there"), b"precious");
        std::fs::remove_file(&path).expect("it is ours");
        let (pieces, task) = source::open(&place).expect("nothing is in the way");
        task.abort();
        drop(pieces);
        assert!(source::open(&place).is_ok(), "what an earlier run has left");
    });
}

/// Aim: what arrives before the application is there waits for it, and it sees the end.
#[test]
fn an_application_may_come_late() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x");
    runtime().block_on(async {
        let mut way = delivery::Delivery::open(&Place::Unix(path.clone())).expect("nothing is needed yet");
        assert!(way.give("early, ".into()));
        tokio::time::sleep(Duration::from_millis(150)).await;
        let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
        let reader = tokio::spawn(async move {
            use tokio::io::AsyncReadExt;
            let mut all = Vec::new();
            listener.accept().await.expect("it connects").0.read_to_end(&mut all).await.map(|_| all)
        });
        assert!(way.give("late".into()));
        assert_eq!(way.finish(Duration::from_secs(20)).await, None);
        assert_eq!(reader.await.expect("it ends").expect("it reads"), b"early, late");
        let nobody = delivery::Delivery::open(&Place::Unix(directory.path().join("y"))).expect("as before");
        assert!(nobody.finish(Duration::from_millis(50)).await.is_some(), "it says so");
    });
}
