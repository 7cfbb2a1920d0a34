//! Two members and a relay: the run-time API in one file, in the simulator or as processes.
//!
//! The creator publishes a stream over two routes, moves their shares from 50/50 to 90/10 and lets another policy decide,
//! all while packets flow. The joiner knows the conference by its id alone; it receives, says by which neighbour packets
//! came, and leaves, which the creator hears. The relay only takes part, so that others know where it is.
//!
//! ```sh
//! cargo run --example conference                                            # in the simulator
//!
//! bellini listing --listen 127.0.0.1:7400 --store listing.redb              # as processes: the listing server,
//! cargo run --example conference -- create --listing http://127.0.0.1:7400  # which says the conference's id,
//! cargo run --example conference -- relay 1 --listing http://127.0.0.1:7400
//! cargo run --example conference -- join 1 --listing http://127.0.0.1:7400
//! ```

use bellini::api::{Change, Conference, Error, Live, LiveOptions, Node, Session, SessionOptions, Simulation};
use bellini::core::io::{DrawMode, HopKind};
use bellini::scenarios::model::Transport;
use bellini::{ConferenceId, Duration, Instant};
use std::process::ExitCode;

const TOPOLOGY: &str = r#"{
  "bellini": 1,
  "nodes": [{"id": 1, "name": "tokyo"}, {"id": 2, "name": "oregon"}, {"id": 3, "name": "london"}],
  "links": [
    {"between": ["tokyo", "london"], "delay": "120 ms", "rate": "10 Mbit/s"},
    {"between": ["tokyo", "oregon"], "delay": "50 ms", "rate": "10 Mbit/s"},
    {"between": ["oregon", "london"], "delay": "65 ms", "rate": "10 Mbit/s"}
  ]
}"#;

/// Packets of each of three parts, and their distance.
const PART: u32 = 100;
const EVERY: Duration = Duration::from_millis(10);

/// At tokyo: creates the conference, publishes, changes its mind twice, and ends when the joiner has left.
async fn creator(node: Node) -> Result<(), Error> {
    let conference = node.create("talk").await?;
    println!("conference {}", conference.id());
    while conference.members().len() < 3 {
        if conference.next_change().await?.is_none() {
            return Err(Error::other("the conference ended before all were there"));
        }
    }

    let routes = vec![(node.route(&["london"])?, 0.5), (node.route(&["oregon", "london"])?, 0.5)];
    let options = SessionOptions::datagrams("stream")
        .routes(routes)
        .draw(DrawMode::Stride)
        .transport(Transport::UdpUnpaced);
    let session = conference.publish(options).await?;
    session.routed().await?;

    let (sender, clock) = (session.clone(), node.clone());
    let sending = node.spawn(async move {
        for number in 0..3 * PART {
            sender.send(format!("packet {number}")).await?;
            clock.sleep(EVERY).await;
        }
        Ok(())
    });
    has_sent(&node, &session, PART).await?;
    session.set_shares(&[0.9, 0.1]).await?;
    println!("shares are 90/10 now");
    has_sent(&node, &session, 2 * PART).await?;
    session.set_routes("shortest-delay").await?;
    session.reload_policies().await?;
    println!("the policy is shortest-delay now");
    sending.await?;

    while let Some(change) = conference.next_change().await? {
        if let Change::MemberGone { node: gone, .. } = change {
            println!("node {gone} has left");
            break;
        }
    }
    for flow in session.stats().await?.flows {
        let way: Vec<String> = nodes_of(&flow.route).iter().map(u32::to_string).collect();
        println!("by {}: {} packets", way.join(" "), flow.packets);
    }
    conference.end().await
}

/// Waits until a session has sent so many packets.
async fn has_sent(node: &Node, session: &Session, packets: u32) -> Result<(), Error> {
    while session.stats().await?.packets < packets.into() {
        node.sleep(EVERY).await;
    }
    Ok(())
}

/// At london: joins by the conference's id, receives, and leaves.
async fn joiner(node: Node, id: ConferenceId) -> Result<(), Error> {
    let conference = node.join(id).await?;
    let stream = conference.session_named("stream").await?;
    let stream = conference.subscribe(stream).await?;
    let mut received = 0;
    while received < 3 * PART {
        let patience = node.within(Duration::from_secs(10), stream.receive());
        let Some(Some(_)) = patience.await.transpose()? else { break };
        received += 1;
        if received % PART == 0 {
            println!("{received} packets: {}", by_neighbour(&node).await?);
        }
    }
    conference.leave().await
}

/// At oregon: takes part until it is over.
async fn relay(node: Node, id: ConferenceId) -> Result<(), Error> {
    let conference: Conference = node.join(id).await?;
    while conference.next_change().await?.is_some() {}
    Ok(())
}

/// Says by which neighbours packets came.
async fn by_neighbour(node: &Node) -> Result<String, Error> {
    let hops = node.hops().await?;
    let hops = hops.iter().filter(|hop| hop.kind == HopKind::Datagram);
    let counts: Vec<String> =
        hops.map(|hop| format!("{} from node {}", hop.stats.received_packets, hop.peer)).collect();
    Ok(counts.join(", "))
}

fn nodes_of(route: &bellini::Route) -> Vec<u32> {
    let mut nodes = Vec::new();
    route.for_each_edge(bellini::NodeId::try_from(1).expect("a legal id"), &mut |_, to| nodes.push(to.get()));
    nodes
}

/// Runs all three in virtual time.
fn simulate() -> Result<(), Error> {
    let topology = bellini::api::topology(TOPOLOGY)?;
    let mut simulation = Simulation::new(&topology, 1)?;
    let later = Duration::from_secs(1);
    simulation.spawn("tokyo", creator)?;
    simulation.spawn("oregon", |node| async move {
        node.sleep(later).await;
        relay(node, ConferenceId(1)).await
    })?;
    simulation.spawn("london", |node| async move {
        node.sleep(later).await;
        joiner(node, ConferenceId(1)).await
    })?;
    simulation.run(Instant::ZERO + Duration::from_secs(60))?;
    if !simulation.has_ended() {
        return Err(Error::other("a minute was not enough"));
    }
    println!("ended at {}, digest {}", simulation.now(), simulation.digest());
    Ok(())
}

fn run(arguments: &[&str]) -> Result<(), Error> {
    let topology = bellini::api::topology(TOPOLOGY)?;
    let start = |name: &str, listing: &str| Live::start(&topology, name, &LiveOptions::new(listing));
    let id = |text: &str| {
        text.parse().map(ConferenceId).map_err(|_| Error::other("a conference's id is a number"))
    };
    match arguments {
        [] => simulate(),
        ["create", "--listing", listing] => start("tokyo", listing)?.run(creator),
        ["relay", number, "--listing", listing] => {
            let id = id(number)?;
            start("oregon", listing)?.run(|node| relay(node, id))
        }
        ["join", number, "--listing", listing] => {
            let id = id(number)?;
            start("london", listing)?.run(|node| joiner(node, id))
        }
        _ => Err(Error::other("usage: conference [create|relay ID|join ID --listing URL]")),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conference: {error}");
            ExitCode::FAILURE
        }
    }
}
