//! Links cut, healed and made worse, nodes taken off and put back, on the wall clock.

use crate::common::{DATA, lab, ping};
use bellini_core::time::Duration as Span;
use bellini_live::lab::tun::ipv4;
use bellini_live::lab::wan::Wan;
use bellini_scenarios::conduct::Degrade;
use std::time::Duration;

#[test]
fn cutting_healing_and_degrading_take_effect() {
    let properties = r#""delay": "2 ms", "rate": "50 Mbit/s""#;
    let Some(mut lab) = lab("cutting_healing_and_degrading_take_effect", properties) else { return };
    let (near, far) = (lab.socket(0, DATA), lab.socket(1, DATA));
    far.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
    let link = lab.link(0, 1);
    assert!(ping(&near, &far).is_some());
    lab.emulator.cut(link).expect("it runs");
    assert_eq!(ping(&near, &far), None, "nothing passes a cut link");
    assert_eq!(lab.emulator.link_figures(link).unwrap().dropped_other.get("down"), Some(&1));
    lab.emulator.heal(link).expect("it runs");
    assert!(ping(&near, &far).is_some());
    let degrade = Degrade { extra_delay: Some(Span::from_millis(50)), ..Degrade::default() };
    lab.emulator.degrade(link, degrade).expect("it runs");
    let slow = ping(&near, &far).expect("slower, but it passes");
    assert!(slow >= Duration::from_millis(54), "{slow:?}");
    lab.emulator.heal(link).expect("it runs");
    let fastest = (0..5).filter_map(|_| ping(&near, &far)).min().expect("it passes");
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    lab.stop();
}

#[test]
fn what_is_on_a_link_that_is_cut_is_lost() {
    // The delay is long enough for the cut to come while packets are under way.
    let properties = r#""delay": "1 s", "rate": "50 Mbit/s""#;
    let Some(mut lab) = lab("what_is_on_a_link_that_is_cut_is_lost", properties) else { return };
    let (near, far) = (lab.socket(0, DATA), lab.socket(1, DATA));
    let link = lab.link(0, 1);
    for _ in 0..10 {
        near.send_to(&[1; 100], (ipv4(1), DATA)).expect("the kernel takes it");
    }
    std::thread::sleep(Duration::from_millis(100));
    lab.emulator.cut(link).expect("it runs");
    assert_eq!(lab.emulator.link_figures(link).unwrap().dropped_other.get("cut"), Some(&10));
    assert!(far.recv(&mut [0; 100]).is_err());
    assert_eq!(lab.stop().delivered_packets, 0);
}

#[test]
fn a_node_that_is_down_neither_hears_nor_speaks() {
    let properties = r#""delay": "2 ms", "rate": "50 Mbit/s""#;
    let Some(mut lab) = lab("a_node_that_is_down_neither_hears_nor_speaks", properties) else { return };
    let (near, far) = (lab.socket(0, DATA), lab.socket(1, DATA));
    far.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
    near.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
    lab.emulator.node_down(1).expect("it runs");
    assert_eq!(ping(&near, &far), None, "it does not hear");
    let link = lab.link(0, 1);
    assert_eq!(lab.emulator.link_figures(link).unwrap().dropped_other.get("crash"), Some(&1));
    far.send_to(&[1], (ipv4(0), DATA)).expect("its kernel takes it");
    assert!(near.recv(&mut [0; 10]).is_err(), "it does not speak");
    lab.emulator.node_up(1).expect("it runs");
    assert!(ping(&near, &far).is_some());
    assert!(lab.emulator.node_up(3).is_err(), "there are three nodes");
    assert_eq!(lab.stop().silenced_packets, 1);
}
