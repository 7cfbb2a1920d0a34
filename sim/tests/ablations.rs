//! Parts of the design against their absence, on the shipped scenarios: completion times of messages.

use bellini_core::ids::SessionKey;
use bellini_core::time::Duration;
use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::policy::{ConferenceHook, DeliveryNotice};
use bellini_scenarios::registry::Registry;
use bellini_sim::{NoObserver, Simulation};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Notes when the last of a message's symbols came.
struct Completions {
    symbols: u64,
    came: BTreeMap<(SessionKey, u64), u64>,
    took_ms: Arc<Mutex<Vec<f64>>>,
}

impl ConferenceHook for Completions {
    fn delivery(&mut self, notice: &DeliveryNotice) {
        let came = self.came.entry((notice.session, notice.symbol / self.symbols)).or_default();
        *came += 1;
        let is_judged = self.symbols > 1 || notice.session.conference.0 == 1;
        let made = notice.at.saturating_sub(notice.delay);
        if *came == self.symbols && is_judged && made >= Duration::from_secs(10) {
            self.took_ms.lock().expect("one thread").push(notice.delay.as_millis_f64());
        }
    }
}

/// Returns the median and the 95th percentile of the completion times of messages of `symbols` symbols; of
/// conference 1 only when a message is one symbol. Seed 1, 40 s, of which the first 10 are left out.
fn completion(file: &str, set: &[(&str, &str)], symbols: u64) -> (f64, f64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/transports").join(file);
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let set = set.iter().copied().chain([("duration", "40 s")]).map(own).collect();
    let options = LoadOptions { set, ..LoadOptions::default() };
    let loaded = load(&path, &options).unwrap_or_else(|found| panic!("{found}"));
    let took_ms = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&took_ms);
    let registry = Registry::builtin().conference(move || {
        Box::new(Completions { symbols, came: BTreeMap::new(), took_ms: Arc::clone(&shared) })
    });
    let simulation = Simulation::new(&loaded.scenario, 1, &registry).expect("it starts");
    simulation.run(&mut NoObserver).expect("packets add up");
    let mut times = took_ms.lock().expect("one thread").clone();
    assert!(times.len() > 400, "{file}: {} messages", times.len());
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!(
        "{file} {:?}: {} messages, {:.1} {:.1} {:.1} ms",
        options.set,
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99)
    );
    (at(0.5), at(0.95))
}

/// Aim: with a queue for each conference a message waits for little more than a packet of the other, with one for all
/// behind the whole burst.
#[test]
fn a_queue_for_each_conference_keeps_messages_from_bursts() {
    let scheduler = |word| completion("ablation-queues.json", &[("defaults.node.feeder.scheduler", word)], 1);
    let (own, shared) = (scheduler("round-robin"), scheduler("fifo"));
    // 40 ms of propagation, and a packet of 1.3 kB takes 2 ms at 5 Mbit/s.
    assert!(own.1 < 50.0, "{own:?}");
    assert!(shared.1 > 200.0 && shared.1 > 3.0 * own.1, "{shared:?} against {own:?}");
}

/// Aim: a message of 20 packets is there sooner over a hop that others keep warm than over one of its own.
#[test]
fn a_multiplexed_hop_needs_no_new_start_for_each_message() {
    let transport = [("defaults.session.transport", "udp")];
    let multiplexed = completion("ablation-multiplexed.json", &transport, 20);
    let alone = completion("ablation-per-session.json", &transport, 20);
    assert!(multiplexed.0 < 0.8 * alone.0, "{multiplexed:?} against {alone:?}");
}

/// Aim: on a TCP hop a lost segment of another conference holds messages back for a round trip and more; on a datagram
/// hop nothing does, but what is lost is lost.
#[test]
fn datagram_hops_know_no_head_of_line() {
    let transport =
        |word| completion("ablation-head-of-line.json", &[("defaults.session.transport", word)], 1);
    let (stream, paced) = (transport("tcp"), transport("udp"));
    assert!(paced.1 < 80.0, "{paced:?}");
    assert!(stream.1 > paced.1 + 40.0, "{stream:?} against {paced:?}");
}
