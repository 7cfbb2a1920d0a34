//! Who takes part in what: twice, in several conferences, and with sources that go away.

use super::*;

/// Aim: who takes part in two conferences misses nothing of one because of what happens in the other.
#[test]
fn conferences_do_not_hide_each_other() {
    let a = |node: Node| async move {
        let (first, second) = (node.create("talk").await?, node.create("other").await?);
        for conference in [&first, &second] {
            while conference.members().len() < 2 {
                conference.next_change().await?;
            }
        }
        for (conference, name) in [(&second, "x"), (&first, "y"), (&second, "z")] {
            conference.publish(SessionOptions::datagrams(name)).await?;
            node.sleep(ms(500)).await;
        }
        second.leave().await?;
        node.sleep(ms(500)).await;
        first.leave().await
    };
    let b = |node: Node| async move {
        let first = arrive(&node).await?;
        let second = node.join(ConferenceId(2)).await?;
        second.session_named("x").await?;
        first.session_named("y").await?;
        second.session_named("z").await?;
        for conference in [&second, &first] {
            while conference.members().len() > 1 {
                conference.next_change().await?;
            }
        }
        Ok(())
    };
    run_both(a, b).expect("both end");
}

/// Aim: a subscription outlives a short absence of its source, and ends when the source stays away; nobody subscribes to what is
/// left of it.
#[test]
fn a_source_that_is_gone_ends_its_sessions() {
    let topology = topology(TRIANGLE).expect("it is right");
    let mut simulation = Simulation::with(&topology, 3, Registry::builtin(), Some("c")).expect("it can be");
    let program = |node: Node| async move {
        let conference = node.create("talk").await?;
        let session = conference.publish(SessionOptions::datagrams("voice")).await?;
        loop {
            session.send("x").await?;
            node.sleep(ms(100)).await;
        }
    };
    simulation.spawn("a", program).expect("it is there");
    let (gone, received) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new((0, false))));
    let (seen, count) = (Arc::clone(&gone), Arc::clone(&received));
    let program = |node: Node| async move {
        let conference = arrive(&node).await?;
        let id = conference.session_named("voice").await?;
        let voice = conference.subscribe(id).await?;
        let watched = conference.clone();
        drop(node.spawn(async move {
            while let Some(change) = watched.next_change().await? {
                *slot::lock(&seen) += u32::from(matches!(change, Change::MemberGone { .. }));
            }
            Ok(())
        }));
        while voice.receive().await?.is_some() {
            slot::lock(&count).0 += 1;
        }
        let late = conference.subscribe(id).await;
        assert!(matches!(late, Err(Error::NoSession(_))), "{late:?}");
        slot::lock(&count).1 = true;
        Ok(())
    };
    simulation.spawn("b", program).expect("it is there");
    let cut = |simulation: &mut Simulation<'_>, is_up| {
        for (from, to) in [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")] {
            simulation.set_link(from, to, is_up).expect("there is such a link");
        }
    };
    simulation.run(at(10)).expect("it goes on");
    cut(&mut simulation, false);
    let mut seconds = 10;
    while *slot::lock(&gone) == 0 {
        seconds += 1;
        assert!(seconds < 100, "its lease does not end");
        simulation.run(at(seconds)).expect("it goes on");
    }
    let before = slot::lock(&received).0;
    cut(&mut simulation, true);
    simulation.run(at(seconds + 30)).expect("it goes on");
    let (back, has_ended) = *slot::lock(&received);
    assert!(back > before + 50 && !has_ended, "{back} after {before}");
    cut(&mut simulation, false);
    simulation.run(at(seconds + 130)).expect("it goes on");
    assert_eq!(*slot::lock(&gone), 2);
    assert!(slot::lock(&received).1, "it never ends");
}

/// Aim: who joins or subscribes twice, also at the same time, has the same conference and subscription, and the first goes on;
/// what was left is begun anew.
#[test]
fn twice_is_once() {
    let a = |node: Node| async move {
        let conference = node.create("talk").await?;
        let session = conference.publish(SessionOptions::datagrams("voice")).await?;
        while conference.members().iter().all(|member| member.name != "c") {
            session.send("x").await?;
            node.sleep(ms(20)).await;
        }
        // It has been shown the conference by then.
        node.sleep(ms(1_000)).await;
        conference.end().await
    };
    let b = |node: Node| async move {
        arrive(&node).await?.leave().await?;
        let other = node.clone();
        let beside = node.spawn(async move {
            let conference = other.join(TALK).await?;
            // A change that is waited for while the other join is under way.
            while conference.next_change().await?.is_some() {}
            Ok(())
        });
        node.sleep(ms(1)).await;
        let conference = node.join(TALK).await?;
        let id = conference.session_named("voice").await?;
        let voice = conference.subscribe(id).await?;
        voice.receive().await?.expect("it goes on");
        node.sleep(ms(200)).await;
        let again = conference.subscribe(id).await?;
        assert!(again.stats().await?.waiting > 8, "what waited was thrown away");
        again.leave().await?;
        let anew = conference.subscribe(id).await?;
        anew.receive().await?.expect("it goes on");
        conference.leave().await?;
        beside.await
    };
    let topology = topology(TRIANGLE).expect("it is right");
    let mut simulation = Simulation::new(&topology, 3).expect("it can be");
    simulation.spawn("a", a).expect("it is there");
    simulation.spawn("b", b).expect("it is there");
    simulation
        .spawn("c", |node| async move {
            node.sleep(ms(10_000)).await;
            arrive(&node).await.map(drop)
        })
        .expect("it is there");
    simulation.run(at(60)).expect("nothing fails");
    assert!(simulation.has_ended(), "somebody waits for ever: {:?}", simulation.waiting());
}
