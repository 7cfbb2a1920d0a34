//! Programs in the simulator: what they are promised, and what they are told when it cannot be.

mod faults;
mod membership;

use super::*;
use bellini_core::ids::{ConferenceId, SessionId, SessionKey};
use bellini_core::io::{DrawMode, Event, PolicyReason};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::model::{Delivery, Transport};
use bellini_scenarios::policy::{FlowAssignment, PolicyError, Request, RouteChoice, Routing};
use bellini_scenarios::registry::Registry;
use std::sync::{Arc, Mutex};

const TRIANGLE: &str = r#"{"bellini": 1,
  "nodes": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}],
  "links": [
    {"between": ["a", "b"], "delay": "20 ms", "rate": "10 Mbit/s"},
    {"between": ["a", "c"], "delay": "10 ms", "rate": "10 Mbit/s"},
    {"between": ["c", "b"], "delay": "15 ms", "rate": "10 Mbit/s"}
  ]}"#;
const TALK: ConferenceId = ConferenceId(1);

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Joins conference 1 as soon as it is there.
async fn arrive(node: &Node) -> Result<Conference, Error> {
    loop {
        match node.join(TALK).await {
            Err(Error::Refused { refusal: Refusal::NotThere, .. }) => node.sleep(ms(100)).await,
            joined => return joined,
        }
    }
}

/// Runs programs at a and b until both have ended.
fn run_both<A, B>(a: impl FnOnce(Node) -> A, b: impl FnOnce(Node) -> B) -> Result<String, Error>
where
    A: Future<Output = Result<(), Error>> + Send + 'static,
    B: Future<Output = Result<(), Error>> + Send + 'static,
{
    let topology = topology(TRIANGLE)?;
    let mut simulation = Simulation::new(&topology, 3)?;
    simulation.spawn("a", a)?;
    simulation.spawn("b", b)?;
    simulation.run(at(120))?;
    assert!(simulation.has_ended(), "still going on at {}", simulation.now());
    Ok(simulation.digest())
}

/// Aim: a stream larger than every queue arrives whole and in order over every transport, its sender waits meanwhile, and
/// both ends hear of its end.
#[test]
fn streams_arrive_whole() {
    let content: Vec<u8> = (0..2_500_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    for transport in Transport::ALL {
        let (sent, wanted) = (content.clone(), content.clone());
        let a = move |node: Node| async move {
            let conference = node.create("talk").await?;
            let session = conference.publish(SessionOptions::stream("file").transport(transport)).await?;
            session.routed().await?;
            let began = node.now();
            for piece in sent.chunks(30_000) {
                session.send(piece.to_vec()).await?;
            }
            assert!(node.now() > began + ms(100), "nothing made it wait");
            session.end()?;
            session.completed().await?;
            let late = session.send("x").await;
            assert_eq!(late, Err(Error::NoSession(session.key())));
            conference.leave().await
        };
        let b = move |node: Node| async move {
            let conference = arrive(&node).await?;
            let file = conference.subscribe(conference.session_named("file").await?).await?;
            let mut got = Vec::new();
            while let Some(piece) = file.receive().await? {
                got.extend_from_slice(&piece.bytes);
            }
            assert!(got == wanted, "{} bytes of {}", got.len(), wanted.len());
            conference.leave().await
        };
        run_both(a, b).unwrap_or_else(|error| panic!("{transport:?}: {error}"));
    }
}

/// Sends everything to the first destination by a fixed way, and notes why it was asked.
struct Noting(Arc<Mutex<Vec<String>>>, Route);

impl Routing for Noting {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        slot::lock(&self.0).push(format!("{:?} {:?}", request.reason, request.destinations));
        Ok(vec![self.1.clone().into(), Route::path(request.destinations).into()])
    }
}

/// Gives all to the last route.
struct Last;

impl FlowAssignment for Last {
    fn shares(&mut self, _: &Request<'_>, routes: &[RouteChoice]) -> Result<Vec<f64>, PolicyError> {
        Ok((0..routes.len()).map(|index| f64::from(u8::from(index + 1 == routes.len()))).collect())
    }
}

/// Aim: a program's own policies decide, are asked when members come and on reload, and give way to shares set by hand and to
/// other policies; what cannot be is refused and changes nothing.
#[test]
fn policies_are_the_programs() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let unknown = conference.publish(SessionOptions::datagrams("x").routes("nonsense")).await;
        assert!(matches!(unknown, Err(Error::Registry(_))), "{unknown:?}");
        let own = Noting(noted, node.route(&["c", "b"])?);
        let options = SessionOptions::datagrams("voice").routes(Routes::own(own)).shares(Shares::own(Last));
        let session = conference.publish(options.draw(DrawMode::Stride)).await?;
        session.reload_policies().await?; // nobody is there: nothing is asked
        let early = session.set_shares(&[1.0, 1.0]).await;
        assert!(matches!(early, Err(Error::Policy(_))), "{early:?}");
        session.routed().await?;
        node.sleep(ms(1_500)).await;

        let shares = async |session: &Session| {
            let flows = session.stats().await?.flows;
            Ok::<_, Error>(flows.iter().map(|flow| (flow.share, flow.packets)).collect::<Vec<_>>())
        };
        let send = async |session: &Session, count: u32| {
            for _ in 0..count {
                session.send("x").await?;
                node.sleep(ms(5)).await;
            }
            Ok::<_, Error>(())
        };
        send(&session, 40).await?;
        assert_eq!(shares(&session).await?, [(0.0, 0), (1.0, 40)]);
        for wrong in [&[1.0][..], &[-1.0, 2.0], &[0.0, 0.0], &[f64::NAN, 1.0]] {
            let refused = session.set_shares(wrong).await;
            assert!(matches!(refused, Err(Error::Policy(_))), "{wrong:?}: {refused:?}");
        }
        session.set_shares(&[3.0, 1.0]).await?;
        send(&session, 40).await?;
        // Shares set by hand outlive a reload that gives as many routes.
        session.reload_policies().await?;
        assert_eq!(shares(&session).await?, [(0.25, 50), (0.75, 30)]);
        session.set_assignment("equal").await?;
        session.set_routes("direct").await?;
        session.reload_policies().await?;
        assert_eq!(shares(&session).await?, [(1.0, 50), (0.0, 30)]);
        let long = session.send(vec![0; 1_201]).await;
        assert!(matches!(long, Err(Error::TooLong { length: 1_201, max: 1_200, .. })), "{long:?}");
        session.stop().await?;
        conference.leave().await
    };
    let b = |node: Node| async move {
        let conference = arrive(&node).await?;
        let voice = conference.subscribe(conference.session_named("voice").await?).await?;
        let mut count = 0;
        while voice.receive().await?.is_some() {
            count += 1;
        }
        assert_eq!(count, 80);
        let stats = voice.stats().await?;
        assert_eq!((stats.packets, stats.dropped, stats.waiting), (80, 0, 0));
        // 20 ms directly, 25 ms by c: a mean between, with little more for headers on the line.
        let mean = stats.delay_mean.expect("packets came").as_millis_f64();
        assert!((20.0..25.0).contains(&mean), "{mean}");
        voice.forget().await
    };
    run_both(a, b).expect("both end");
    assert_eq!(*slot::lock(&asked), ["Joined [n2]", "Reload [n2]"]);
}

/// Aim: a member that is cut off is gone when its lease ends, and no destination any more; when it is back it takes part again
/// by itself, and receives.
#[test]
fn who_is_cut_off_comes_back() {
    let topology = topology(TRIANGLE).expect("it is right");
    let mut simulation = Simulation::new(&topology, 3).expect("it can be");
    let log = Arc::new(Mutex::new(Vec::new()));
    let (seen, received) = (Arc::clone(&log), Arc::new(Mutex::new(0)));
    let program = |node: Node| async move {
        let conference = node.create("talk").await?;
        let session = conference.publish(SessionOptions::datagrams("voice")).await?;
        loop {
            if let Some(change) = node.within(ms(100), conference.next_change()).await.transpose()?.flatten()
            {
                let names = session.stats().await?.destinations;
                let text = format!("{change:?}");
                let kind = text.split([' ', '{']).next().unwrap_or("").to_owned();
                slot::lock(&seen).push((kind, names.len()));
            }
            session.send("x").await?;
        }
    };
    simulation.spawn("a", program).expect("it is there");
    let count = Arc::clone(&received);
    let program = |node: Node| async move {
        let conference = arrive(&node).await?;
        let voice = conference.subscribe(conference.session_named("voice").await?).await?;
        while voice.receive().await?.is_some() {
            *slot::lock(&count) += 1;
        }
        Ok(())
    };
    simulation.spawn("b", program).expect("it is there");
    simulation.run(at(10)).expect("it goes on");
    let before = *slot::lock(&received);
    assert!(before > 50, "{before}");
    for (from, to) in [("a", "b"), ("b", "a"), ("c", "b"), ("b", "c")] {
        simulation.set_link(from, to, false).expect("there is such a link");
    }
    simulation.run(at(40)).expect("it goes on");
    let gone = slot::lock(&log).clone();
    assert_eq!(gone.last().map(|(kind, _)| kind.as_str()), Some("MemberGone"), "{gone:?}");
    let cut = *slot::lock(&received);
    assert!(cut < before + 3, "{cut}");
    for (from, to) in [("a", "b"), ("b", "a"), ("c", "b"), ("b", "c")] {
        simulation.set_link(from, to, true).expect("there is such a link");
    }
    simulation.run(at(60)).expect("it goes on");
    let kinds: Vec<String> = slot::lock(&log).iter().map(|(kind, _)| kind.clone()).collect();
    let expected = [
        "SessionAdded",
        "MemberJoined",
        "DestinationJoined",
        "MemberGone",
        "MemberJoined",
        "DestinationJoined",
    ];
    assert_eq!(kinds, expected);
    let back = *slot::lock(&received);
    assert!(back > cut + 50, "{back} after {cut}");
}

/// Aim: the end of a conference is heard by everybody, and whatever waits ends with it.
#[test]
fn the_end_is_heard() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let session = conference.publish(SessionOptions::datagrams("voice")).await?;
        session.routed().await?;
        conference.end().await?;
        assert!(conference.is_over());
        let late = conference.publish(SessionOptions::datagrams("more")).await;
        assert!(matches!(late, Err(Error::NoConference(TALK))), "{late:?}");
        assert!(node.conferences().await?.is_empty());
        Ok(())
    };
    let b = |node: Node| async move {
        let conference = arrive(&node).await?;
        let voice = conference.subscribe(conference.session_named("voice").await?).await?;
        let waiting = node.spawn(async move { voice.receive().await });
        let mut last = None;
        while let Some(change) = conference.next_change().await? {
            last = Some(change);
        }
        assert_eq!(last, Some(Change::ConferenceEnded { conference: TALK }));
        assert_eq!(waiting.await?, None);
        Ok(())
    };
    run_both(a, b).expect("both end");
}

/// Aim: members that publish at the same time get ids of their own, and what is impossible is said clearly.
#[test]
fn ids_and_errors() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        while conference.members().len() < 2 {
            conference.next_change().await?;
        }
        let empty =
            conference.publish(SessionOptions::datagrams("x").symbol_bytes(0)).await.expect_err("no bytes");
        assert!(empty.to_string().contains("symbols of 0 bytes: a symbol has 1 to"), "{empty}");
        let own = conference.publish(SessionOptions::datagrams("of a")).await?;
        let other = conference.subscribe(conference.session_named("of b").await?).await?;
        assert_ne!(own.key(), other.key());
        let mine = conference.subscribe(own.key().session).await;
        assert!(matches!(mine, Err(Error::Announcement { .. })), "{mine:?}");
        let nothing = conference.subscribe(SessionId(99)).await;
        assert!(matches!(nothing, Err(Error::NoSession(_))), "{nothing:?}");
        conference.leave().await?;
        assert!(matches!(conference.leave().await, Err(Error::NoConference(TALK))));
        Ok(())
    };
    let b = |node: Node| async move {
        let conference = arrive(&node).await?;
        conference.publish(SessionOptions::datagrams("of b")).await?;
        let none = node.join(ConferenceId(7)).await.expect_err("it is not there");
        assert_eq!(
            none.to_string(),
            "the listing server refused: no conference 7 is listed: it ended, or never was"
        );
        loop {
            match conference.next_change().await? {
                Some(Change::MemberGone { parting, .. }) => {
                    assert_eq!(parting, Parting::Left);
                    return Ok(());
                }
                change => assert!(change.is_some(), "it goes on"),
            }
        }
    };
    run_both(a, b).expect("both end");

    let fails = |_: Node| async { Err(Error::other("enough")) };
    let error = run_both(fails, |_| async { Ok(()) }).expect_err("a program fails");
    assert_eq!(error.to_string(), "program at a: enough");
    let hasty = |node: Node| async move {
        loop {
            node.sleep(Duration::ZERO).await;
            node.spawn(async { Ok(()) }).await?;
        }
    };
    let error = run_both(hasty, |_| async { Ok(()) }).expect_err("time does not pass");
    assert!(matches!(error, Error::Stuck { .. }), "{error}");
    let topology = topology(TRIANGLE).expect("it is right");
    let error = Simulation::new(&topology, 1).expect("it can be").node("d").expect_err("no such node");
    assert_eq!(error.to_string(), "no node is called `d`; there are: a, b, c");
}

/// Aim: a program's time is virtual: sleeps, limits and tasks beside it keep to the nanosecond, twice the same.
#[test]
fn time_is_virtual() {
    let program = |node: Node| async move {
        let began = node.now();
        let other = node.clone();
        let beside = node.spawn(async move {
            other.sleep(ms(70)).await;
            Ok(other.now())
        });
        assert_eq!(node.within(ms(50), node.sleep(ms(60))).await, None);
        assert_eq!(node.now(), began + ms(50));
        assert_eq!(node.within(ms(50), node.sleep(ms(10))).await, Some(()));
        assert_eq!(beside.await?, began + ms(70));
        // a to the listing server at a takes no time; two ways of 20 ms for b.
        node.conferences().await?;
        let took = if node.name() == "a" { ms(0) } else { ms(40) };
        assert_eq!(node.now(), began + ms(70) + took);
        Ok(())
    };
    assert_eq!(run_both(program, program).expect("both end"), run_both(program, program).expect("both end"));
}

/// Aim: a reliable session brings each datagram to who is there from the start, and to a member that comes late all from then
/// on, without a hole.
#[test]
fn late_members_hear_from_then_on() {
    let topology = topology(TRIANGLE).expect("it is right");
    let mut simulation = Simulation::new(&topology, 3).expect("it can be");
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let options = SessionOptions::datagrams("voice").delivery(Delivery::Reliable);
        let session = conference.publish(options).await?;
        session.routed().await?;
        for number in 0..200_u8 {
            session.send(vec![number]).await?;
            node.sleep(ms(10)).await;
        }
        session.end()?;
        session.completed().await?;
        session.stop().await?;
        conference.leave().await
    };
    let listen = |node: Node, after: Duration| async move {
        node.sleep(after).await;
        let conference = arrive(&node).await?;
        let voice = conference.subscribe(conference.session_named("voice").await?).await?;
        let mut got = Vec::new();
        while let Some(one) = voice.receive().await? {
            got.push(one.bytes[0]);
        }
        let first = got.first().copied().unwrap_or(255);
        assert!(got.iter().copied().eq(first..200), "{got:?}");
        assert_eq!(first > 0, !after.is_zero(), "{first}");
        Ok(())
    };
    simulation.spawn("a", a).expect("it is there");
    simulation.spawn("b", |node| listen(node, Duration::ZERO)).expect("it is there");
    simulation.spawn("c", |node| listen(node, ms(2_000))).expect("it is there");
    simulation.run(at(60)).expect("they end well");
    assert!(simulation.has_ended());
}

/// Aim: where the topology asks for failover, a program's session leaves a link that is cut within a second, by itself, and shares
/// set by hand keep their backups.
#[test]
fn sessions_leave_what_has_failed() {
    let topology =
        topology(&TRIANGLE.replacen("\"nodes\"", "\"failover\": {}, \"nodes\"", 1)).expect("it is right");
    let mut simulation = Simulation::new(&topology, 3).expect("it can be");
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let session = conference.publish(SessionOptions::datagrams("voice")).await?;
        session.routed().await?;
        session.set_shares(&[1.0]).await?;
        for number in 0..600_u32 {
            session.send(number.to_be_bytes().to_vec()).await?;
            node.sleep(ms(10)).await;
        }
        session.stop().await
    };
    let last = Arc::new(Mutex::new(Vec::new()));
    let got = Arc::clone(&last);
    let b = |node: Node| async move {
        let conference = arrive(&node).await?;
        let voice = conference.subscribe(conference.session_named("voice").await?).await?;
        while let Some(one) = voice.receive().await? {
            slot::lock(&got).push(u32::from_be_bytes(one.bytes[..].try_into().expect("four bytes")));
        }
        Ok(())
    };
    simulation.spawn("a", a).expect("it is there");
    simulation.spawn("b", b).expect("it is there");
    simulation.run(at(3)).expect("it goes on");
    let before = slot::lock(&last).len();
    assert!(before > 100, "{before}");
    for (from, to) in [("a", "b"), ("b", "a")] {
        simulation.set_link(from, to, false).expect("there is such a link");
    }
    simulation.run(at(60)).expect("it ends");
    assert!(simulation.has_ended());
    let got = slot::lock(&last);
    assert_eq!(got.last(), Some(&599));
    assert!((500..600).contains(&got.len()), "{} came: some were lost, for less than a second", got.len());
}

/// Aim: everything that a program awaits can be awaited on any executor, and handles may go to other threads.
#[test]
fn futures_are_send() {
    fn is_send<T: Send>(_: T) {}
    fn is_free<T: Send + Sync + Clone>() {}
    is_free::<(Node, Conference, Session, Subscription, Error)>();
    let _ = async |node: Node, conference: Conference, session: Session, subscription: Subscription| {
        is_send(node.create("talk"));
        is_send(node.conferences());
        is_send(node.hops());
        is_send(conference.publish(SessionOptions::stream("file")));
        is_send(conference.leave());
        is_send(conference.end());
        is_send(session.set_routes("direct"));
        is_send(session.set_assignment("equal"));
        is_send(session.stop());
        is_send(session.forget());
        is_send(subscription.leave());
        is_send(subscription.stats());
        is_send(subscription.forget());
    };
}
