//! What fails, is late or is lost: nothing waits for ever, and nothing is left behind.

use super::*;

/// A policy with a bug.
struct Panics;

impl Routing for Panics {
    fn routes(&mut self, _: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        panic!("a bug of the program's");
    }
}

/// Subscribes to the session `voice`, of which nothing but its end comes.
async fn hears_the_end(node: Node) -> Result<(), Error> {
    let conference = arrive(&node).await?;
    let voice = conference.subscribe(conference.session_named("voice").await?).await?;
    assert_eq!(voice.receive().await?, None);
    Ok(())
}

/// Aim: a program's policy that panics is an error of its session, and other policies are asked after it.
#[test]
fn a_policy_that_panics_is_an_error() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let session =
            conference.publish(SessionOptions::datagrams("voice").routes(Routes::own(Panics))).await?;
        let failed = session.routed().await.expect_err("there is no route");
        assert_eq!(failed.to_string(), "policy: it panicked: a bug of the program's");
        session.set_routes("direct").await?;
        session.reload_policies().await?;
        session.routed().await?;
        conference.end().await
    };
    run_both(a, hears_the_end).expect("both end");
}

/// Aim: what is ordered of a node that has stopped, as by a policy that was deciding, is answered.
#[test]
fn late_orders_are_answered() {
    let topology = topology(TRIANGLE).expect("it is right");
    let simulation = Simulation::new(&topology, 3).expect("it can be");
    let node = simulation.node("a").expect("it is there");
    drop(simulation);
    let (reply, answer) = slot::slot();
    node.shared.lock().push_order(agent::Order::Hops(reply));
    let mut executor = executor::Executor::new();
    let waits = executor.ready().spawn(answer);
    executor.run_ready(10);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let said = std::pin::pin!(waits).poll(&mut context);
    assert!(matches!(said, std::task::Poll::Ready(Ok(Err(Error::Stopped(_))))), "{said:?}");
}

/// Aim: a publication that cannot go on leaves nothing behind, here or at the listing server.
#[test]
fn a_failed_publication_leaves_nothing() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        while conference.sessions().is_empty() {
            conference.next_change().await?;
        }
        node.sleep(ms(200)).await;
        let sessions = conference.sessions();
        assert!(sessions.iter().all(|session| session.ended), "{sessions:?}");
        Ok(())
    };
    let b = |node: Node| async move {
        let conference = arrive(&node).await?;
        let other = conference.clone();
        let (clock, key) = (node.clone(), SessionKey { conference: TALK, session: SessionId(1) });
        // The listing server has taken the session in by then, and its word is on its way.
        let beside = node.spawn(async move {
            clock.sleep(ms(30)).await;
            other.leave().await
        });
        let failed = conference.publish(SessionOptions::datagrams("voice")).await;
        assert!(matches!(failed, Err(Error::NoConference(TALK))), "{failed:?}");
        beside.await?;
        assert!(node.shared.lock().sources.is_empty());
        let left = node.shared.order(|reply| agent::Order::Harvest(key, reply))?.await?;
        assert!(left.is_none(), "the node has it still");
        Ok(())
    };
    run_both(a, b).expect("both end");
}

/// Aim: who was left does not take part again because an answer about its lease comes late.
#[test]
fn a_late_answer_does_not_rejoin() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        conference.leave().await?;
        let gone = || Error::Refused { refusal: Refusal::NotThere, text: "no member".to_owned() };
        for to in [agent::To::Renew(TALK), agent::To::Rejoin(TALK)] {
            node.shared.answered(node.now(), to, Err(gone()));
        }
        assert!(!node.shared.lock().has_letters(), "it joins again");
        Ok(())
    };
    run_both(a, |_| async { Ok(()) }).expect("both end");
}

/// Aim: questions to the policies of a session that wait are one, and one after a change by its program is another.
#[test]
fn waiting_questions_are_one() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let session = conference.publish(SessionOptions::datagrams("voice")).await?;
        session.routed().await?;
        let destinations = vec![node.named("b")?];
        let ask = || {
            for _ in 0..100 {
                let (key, destinations) = (session.key(), destinations.clone());
                let reason = PolicyReason::Overflow;
                node.shared.event(&Event::PolicyWanted { key, destinations, reason });
            }
            node.shared.lock().jobs()
        };
        assert_eq!(ask(), 1);
        let (reply, answer) = slot::slot();
        let change = agent::PolicyChange::Shares(vec![1.0]);
        node.shared.change_policies(session.key(), change, reply)?;
        assert_eq!(ask(), 3);
        answer.await?;
        conference.end().await
    };
    run_both(a, hears_the_end).expect("both end");
}

/// Aim: a node that was out takes its subscriptions up again although its first request for them is lost, and a reliable stream
/// says that bytes are missing.
#[test]
fn who_was_out_subscribes_until_it_is_heard() {
    let topology = topology(TRIANGLE).expect("it is right");
    let mut simulation = Simulation::new(&topology, 3).expect("it can be");
    let members = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&members);
    let program = |node: Node| async move {
        let conference = node.create("talk").await?;
        let voice = conference.publish(SessionOptions::datagrams("voice")).await?;
        let file = conference.publish(SessionOptions::stream("file")).await?;
        voice.routed().await?;
        file.routed().await?;
        loop {
            *slot::lock(&seen) = conference.members().len();
            voice.send("x").await?;
            file.send("x").await?;
            node.sleep(ms(1)).await;
        }
    };
    simulation.spawn("a", program).expect("it is there");
    let received = Arc::new(Mutex::new((0, None)));
    let count = Arc::clone(&received);
    let program = |node: Node| async move {
        let conference = arrive(&node).await?;
        let voice = conference.subscribe(conference.session_named("voice").await?).await?;
        let file = conference.subscribe(conference.session_named("file").await?).await?;
        let end = Arc::clone(&count);
        drop(node.spawn(async move {
            loop {
                let one = file.receive().await;
                if !matches!(one, Ok(Some(_))) {
                    slot::lock(&end).1 = Some(one);
                    return Ok(());
                }
            }
        }));
        while voice.receive().await?.is_some() {
            slot::lock(&count).0 += 1;
        }
        Ok(())
    };
    simulation.spawn("b", program).expect("it is there");
    let cut = |simulation: &mut Simulation<'_>, is_up| {
        for (from, to) in [("a", "b"), ("b", "a"), ("c", "b"), ("b", "c")] {
            simulation.set_link(from, to, is_up).expect("there is such a link");
        }
    };
    let mut now = at(5);
    let mut run_until = |simulation: &mut Simulation<'_>, wanted: usize| {
        for _ in 0..60_000 {
            if *slot::lock(&members) == wanted {
                return now;
            }
            now += ms(1);
            simulation.run(now).expect("it goes on");
        }
        panic!("not {wanted} members");
    };
    simulation.run(at(5)).expect("it goes on");
    cut(&mut simulation, false);
    run_until(&mut simulation, 1);
    cut(&mut simulation, true);
    let heard = run_until(&mut simulation, 2);
    cut(&mut simulation, false);
    simulation.run(heard + ms(3_000)).expect("it goes on");
    cut(&mut simulation, true);
    let before = slot::lock(&received).0;
    simulation.run(heard + ms(30_000)).expect("it goes on");
    let (back, of_file) = slot::lock(&received).clone();
    assert!(back > before + 1_000, "{back} after {before}");
    assert!(matches!(of_file, Some(Err(Error::Behind(_)))), "{of_file:?}");
}

/// Notes whether its node's lock was free when it woke.
struct Watchful(Node, Mutex<Vec<bool>>);

impl std::task::Wake for Watchful {
    fn wake(self: Arc<Self>) {
        slot::lock(&self.1).push(self.0.shared.is_free());
    }
}

/// Aim: tasks are woken when the node's lock is free: an executor may poll them at once.
#[test]
fn wakers_may_lock() {
    let topology = topology(TRIANGLE).expect("it is right");
    let mut simulation = Simulation::new(&topology, 3).expect("it can be");
    let node = simulation.node("a").expect("it is there");
    let watchful = Arc::new(Watchful(node.clone(), Mutex::default()));
    let waker = std::task::Waker::from(Arc::clone(&watchful));
    let mut context = std::task::Context::from_waker(&waker);
    let mut hops = std::pin::pin!(node.hops());
    let mut sleep = std::pin::pin!(node.sleep(ms(10)));
    let mut long = std::pin::pin!(node.sleep(ms(10_000)));
    assert!(hops.as_mut().poll(&mut context).is_pending());
    assert!(sleep.as_mut().poll(&mut context).is_pending());
    assert!(long.as_mut().poll(&mut context).is_pending());
    simulation
        .spawn("b", |node| async move {
            node.sleep(ms(100)).await;
            Ok(())
        })
        .expect("it is there");
    simulation.run(at(1)).expect("it ends");
    drop(simulation);
    assert_eq!(*slot::lock(&watchful.1), [true, true, true]);
}

/// Aim: somebody who lists the highest session id keeps nobody from publishing.
#[test]
fn the_highest_id_leaves_room() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let highest = SessionId(u32::MAX);
        let session = bellini_core::listing::Session {
            session: highest,
            name: "highest".to_owned(),
            source: node.id(),
            destinations: Vec::new(),
            about: String::new(),
            ended: false,
        };
        let request = bellini_core::listing::ListingRequest::AddSession { conference: TALK, session };
        node.shared.ask(request).await?;
        conference.session_named("highest").await?;
        let own = conference.publish(SessionOptions::datagrams("voice")).await?;
        assert_eq!(own.key().session, SessionId(1));
        Ok(())
    };
    run_both(a, |_| async { Ok(()) }).expect("both end");
}
