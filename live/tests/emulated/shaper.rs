//! The kernel's own shaper between namespaces.

use crate::common::{DATA, ping, scenario};
use bellini_live::lab::netns::{Namespace, Privilege};
use bellini_live::lab::shaper::{KernelWan, ShaperError};
use bellini_live::lab::tun::ipv4;
use bellini_live::lab::wan::Wan;
use bellini_scenarios::conduct::Degrade;
use bellini_scenarios::model::Loss;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const AROUND: u64 = 28;

fn start(test: &str, properties: &str) -> Option<(Vec<Namespace>, KernelWan)> {
    if let Err(error) = Privilege::obtain() {
        println!("{test} is skipped: {error}");
        return None;
    }
    let scenario = scenario(properties);
    let namespaces: Vec<Namespace> =
        scenario.nodes.iter().map(|node| Namespace::new(&node.name).expect("it may")).collect();
    match KernelWan::start(&scenario, &namespaces) {
        Ok(wan) => Some((namespaces, wan)),
        Err(ShaperError::Missing(tool)) => {
            println!("{test} is skipped: there is no {tool}");
            None
        }
        Err(ShaperError::Refused { tool, problem }) if problem.contains("kind is unknown") => {
            println!("{test} is skipped: this kernel has no token bucket ({tool}: {problem})");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn socket(namespaces: &[Namespace], node: u32) -> UdpSocket {
    let open = move || UdpSocket::bind((ipv4(node), DATA));
    let socket = namespaces[node as usize].run(open).expect("it lives").expect("the port is free");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("not zero");
    socket
}

#[test]
fn the_kernel_gives_the_links_rate_and_queue() {
    // 400 packets at once: those that fit the queue come at the rate of IP packets, the others are dropped.
    const PACKETS: u64 = 400;
    let properties = r#""delay": "0 ms", "rate": "8 Mbit/s", "queue": "300 KiB""#;
    let Some((namespaces, mut wan)) = start("the_kernel_gives_the_links_rate_and_queue", properties) else {
        return;
    };
    let (near, far) = (socket(&namespaces, 0), socket(&namespaces, 1));
    let receiver = std::thread::spawn(move || {
        let mut buffer = [0; 2_000];
        let mut times = Vec::new();
        while far.recv(&mut buffer).is_ok() {
            times.push(Instant::now());
        }
        times
    });
    for _ in 0..PACKETS {
        near.send_to(&[0; 1_472], (ipv4(1), DATA)).expect("the kernel takes it");
    }
    let times = receiver.join().expect("it does not panic");
    let figures = &wan.all_figures().expect("tc answers")[0];
    println!("{} came, {figures:?}", times.len());
    assert_eq!(figures.sent_packets, PACKETS);
    assert_eq!(figures.sent_bytes, PACKETS * (1_472 + AROUND), "IP packets, without Ethernet's header");
    assert_eq!(times.len() as u64 + figures.dropped_queue, PACKETS);
    // 204 fit; some left while the others came.
    assert!((200..350).contains(&times.len()), "{}", times.len());
    let seconds = (times[times.len() - 1] - times[1]).as_secs_f64();
    let rate = (times.len() - 2) as f64 * 1_500.0 * 8.0 / seconds;
    println!("{rate:.0} bit/s");
    assert!((0.9..1.1).contains(&(rate / 8e6)), "{rate}");
}

#[test]
fn the_kernels_links_can_be_cut_slowed_and_healed() {
    let properties = r#""delay": "0 ms", "rate": "8 Mbit/s""#;
    let Some((namespaces, mut wan)) = start("the_kernels_links_can_be_cut_slowed_and_healed", properties)
    else {
        return;
    };
    let (near, far) = (socket(&namespaces, 0), socket(&namespaces, 1));
    assert!(ping(&near, &far).is_some());
    wan.cut(0).expect("tc does it");
    assert_eq!(ping(&near, &far), None);
    assert_eq!(wan.all_figures().unwrap()[0].dropped_other.get("down"), Some(&1));
    wan.heal(0).expect("tc does it");
    assert!(ping(&near, &far).is_some());
    wan.node_down(1).expect("tc does it");
    assert_eq!(ping(&near, &far), None);
    wan.node_up(1).expect("tc does it");
    assert!(ping(&near, &far).is_some());
    // At a thousandth of its rate all but the first wait.
    wan.degrade(0, Degrade { rate_factor: Some(0.001), ..Degrade::default() }).expect("tc does it");
    let slow = (0..14).map(|_| near.send_to(&[0; 1_000], (ipv4(1), DATA))).filter(Result::is_ok).count();
    std::thread::sleep(Duration::from_millis(200));
    let figures = &wan.all_figures().unwrap()[0];
    assert!(figures.queue_bytes > 10_000, "{slow} were sent: {figures:?}");
    let loss = Degrade { extra_loss: Some(0.5), ..Degrade::default() };
    assert!(wan.degrade(0, loss).is_err(), "it has no loss");
    assert_eq!(figures.sent_packets, 5 + 14, "counted over all its queues: {figures:?}");
}

#[test]
fn what_the_kernel_cannot_play_is_named() {
    let mut scenario = scenario(r#""delay": "20 ms", "rate": "8 Mbit/s""#);
    scenario.links[1].loss = Loss::Bernoulli(0.1);
    let error = KernelWan::start(&scenario, &[]).expect_err("it has no delays").to_string();
    for part in ["n1>n2 has a delay", "n2>n1 has a delay", "n2>n1 has a loss model"] {
        assert!(error.contains(part), "{error}");
    }
}
