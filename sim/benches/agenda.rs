//! What the simulator's pending events cost: nanoseconds for a pop and a schedule, the median of several rounds.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]

use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_sim::agenda::{Agenda, Class};

const ROUNDS: usize = 9;
const OPERATIONS: u32 = 2_000_000;

/// What the entities do.
#[derive(Clone, Copy, PartialEq)]
enum Load {
    /// Each schedules its next event 0.1 to 150 ms ahead (the hold model).
    Far,
    /// Every other one is a busy link, with its next event 5 to 15 us ahead.
    Links,
    /// As `Far`, and each pop moves the event of another entity as well.
    Moves,
}

fn main() {
    println!("median ns for a pop and its schedules, {ROUNDS} rounds of {OPERATIONS}");
    for entities in [50, 1_000, 10_000] {
        let [far, links, moves] = [Load::Far, Load::Links, Load::Moves].map(|load| run(entities, load));
        println!(
            "{entities:>6} entities: 0.1-150 ms {far:5.1}, half at 10 us {links:5.1}, with moves {moves:5.1}"
        );
    }
}

fn run(entities: u32, load: Load) -> f64 {
    let mut draws = Seed(1).stream("bench");
    let drawn: Vec<u64> = (0..1 << 16).map(|_| draws.below(1 << 32)).collect();
    let ahead = |entity: u32, i: u32| {
        let link = load == Load::Links && entity.is_multiple_of(2);
        let (least, range) = if link { (5_000, 10_000) } else { (100_000, 149_900_000) };
        Duration::from_nanos(least + ((drawn[(i & 0xFFFF) as usize] * range) >> 32))
    };
    let mut agenda = Agenda::new();
    for entity in 0..entities {
        agenda.schedule(entity, Instant::ZERO + ahead(entity, entity), Class(1));
    }
    let mut figures: Vec<f64> = (0..=ROUNDS)
        .map(|_| {
            let start = std::time::Instant::now();
            for i in 0..OPERATIONS {
                let (now, class, entity) = agenda.pop().expect("every entity has an event");
                agenda.schedule(entity, now + ahead(entity, i), class);
                if load == Load::Moves {
                    let other = (entity * 7 + i) % entities;
                    agenda.schedule(other, now + ahead(other, i ^ 1), class);
                }
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(OPERATIONS)
        })
        .skip(1)
        .collect();
    figures.sort_by(f64::total_cmp);
    figures[ROUNDS / 2]
}
