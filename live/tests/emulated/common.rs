//! A small lab without node processes: sockets of the test itself in the namespaces.

use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_live::lab::emulator::{Emulator, EmulatorHandle, EmulatorReport, EmulatorSettings};
use bellini_live::lab::netns::{Namespace, Privilege};
use bellini_live::lab::pace::Clock;
use bellini_live::lab::tun::{Tun, TunSpec, ipv4};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, parse_str};
use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

/// Port of datagram hops, and of control hops.
pub(crate) const DATA: u16 = 7_000;
pub(crate) const CONTROL: u16 = 7_001;

/// Nodes 1, 2, 3 with indices 0, 1, 2; links between 1 and 2 only.
pub(crate) struct Lab {
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) emulator: EmulatorHandle,
    pub(crate) scenario: Scenario,
}

/// Makes a lab whose links have these properties, as JSON; says why when it may not.
pub(crate) fn lab(test: &str, properties: &str) -> Option<Lab> {
    if let Err(error) = Privilege::obtain() {
        println!("{test} is skipped: {error}");
        return None;
    }
    if let Err(error) = Tun::check() {
        println!("{test} is skipped: {error}");
        return None;
    }
    let scenario = scenario(properties);
    let namespaces: Vec<Namespace> =
        scenario.nodes.iter().map(|node| Namespace::new(&node.name).expect("it may")).collect();
    let tuns = namespaces
        .iter()
        .zip(0..)
        .map(|(namespace, node)| Tun::open(namespace, TunSpec::new(node)).expect("it may"));
    let settings = EmulatorSettings::new(Clock::starting_now(), Instant::ZERO, CONTROL);
    let emulator = Emulator::start(&scenario, Seed(7), settings, tuns.collect()).expect("it starts");
    Some(Lab { namespaces, emulator, scenario })
}

pub(crate) fn scenario(properties: &str) -> Scenario {
    let text = format!(
        r#"{{"bellini": 1, "duration": "5 s", "nodes": [{{"id": 1}}, {{"id": 2}}, {{"id": 3}}],
        "links": [{{"between": [1, 2], {properties}}}],
        "conferences": [{{"id": 1, "sessions": [{{"id": 1, "source": 1, "destinations": [2],
        "content": {{"kind": "constant", "rate": "1 Mbit/s"}}, "symbol_bytes": "1000 B", "routing": "direct"}}]}}]}}"#
    );
    match parse_str("test.json", &text, &LoadOptions::default()) {
        Ok(loaded) => loaded.scenario,
        Err(problems) => panic!("{problems}"),
    }
}

impl Lab {
    /// Returns the index of the link between two nodes, by their indices.
    pub(crate) fn link(&self, from: usize, to: usize) -> u32 {
        let id = |index: usize| self.scenario.nodes[index].id;
        let is_it = |link: &bellini_scenarios::model::Link| link.from == id(from) && link.to == id(to);
        self.scenario.links.iter().position(is_it).expect("there is one") as u32
    }

    /// Opens a socket at a node.
    pub(crate) fn socket(&self, node: u32, port: u16) -> UdpSocket {
        self.socket_at(node, ipv4(node).into(), port)
    }

    pub(crate) fn socket_at(&self, node: u32, address: IpAddr, port: u16) -> UdpSocket {
        // The kernel takes up an IPv6 address in its own time.
        let open = move || {
            let mut tries = 0..100;
            loop {
                match UdpSocket::bind((address, port)) {
                    Err(error) if error.kind() == ErrorKind::AddrNotAvailable && tries.next().is_some() => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    bound => return bound,
                }
            }
        };
        let socket = self.namespaces[node as usize].run(open).expect("it lives").expect("the port is free");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("not zero");
        socket
    }

    /// Ends the lab and checks that every packet is accounted for.
    pub(crate) fn stop(self) -> EmulatorReport {
        let report = self.emulator.stop().expect("it ran until now");
        assert_eq!(report.ledger, None, "packets add up");
        assert_eq!(report.write_errors, 0);
        report
    }
}

/// Sends one packet there and back; returns how long it took, or `None` when nothing came back.
pub(crate) fn ping(near: &UdpSocket, far: &UdpSocket) -> Option<Duration> {
    let to = far.local_addr().expect("it is bound");
    let start = std::time::Instant::now();
    near.send_to(&[0; 100], to).expect("the kernel takes it");
    let mut buffer = [0; 2_000];
    let (len, from) = far.recv_from(&mut buffer).ok()?;
    far.send_to(&buffer[..len], from).expect("the kernel takes it");
    near.recv_from(&mut buffer).ok()?;
    Some(start.elapsed())
}
