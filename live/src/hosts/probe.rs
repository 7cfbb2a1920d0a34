//! What `bellini doctor` runs on a host for a moment: it opens the ports that a node would have there, says what it got,
//! answers what other probes send, and sends to them when told to. Orders and answers are JSON lines.

use crate::net::{UdpOptions, UdpPort};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_millis(1_500);
/// Times that a datagram is sent before it counts as lost.
const TRIES: u32 = 3;
/// Smallest and largest datagram, in bytes of UDP payload.
const BYTES: std::ops::RangeInclusive<usize> = 16..=9_000;
/// What datagrams of probes begin with; then comes whether it is an answer, and a number.
const MARK: &[u8; 8] = b"bellini?";

/// What a probe is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Say what the clock shows.
    Time,
    /// Send a datagram that must come back.
    Udp {
        /// From the control port, else from the data port.
        control: bool,
        /// To where another probe is.
        to: SocketAddr,
        /// Its payload in bytes.
        bytes: usize,
    },
    /// Connect.
    Tcp {
        /// To where another probe is.
        to: SocketAddr,
    },
}

/// What a probe says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// What it could open; the first line.
    Ready {
        /// What stands against it, a line each.
        taken: Vec<String>,
        /// Buffers of the data port that are smaller than asked for: the setting, and bytes asked and given.
        short: Vec<(String, usize, usize)>,
    },
    /// Nanoseconds since 1970.
    Time(i64),
    /// It worked, and took so many microseconds.
    Done(u64),
    /// It did not.
    Problem(String),
}

struct Probe {
    data: Option<UdpPort>,
    control: Option<UdpPort>,
    orders: Receiver<Order>,
    number: u64,
}

/// Runs a probe at these ports until its input ends.
///
/// # Errors
/// When standard output is gone.
pub fn run(bind: IpAddr, port: u16, control_port: u16) -> io::Result<()> {
    let (mut taken, mut short) = (Vec::new(), Vec::new());
    let mut open =
        |what: &str, port: u16| match UdpPort::bind(SocketAddr::new(bind, port), UdpOptions::default()) {
            Ok(udp) => Some(udp),
            Err(error) => {
                taken.push(format!("{what} {port}: {error}"));
                None
            }
        };
    let (data, control) = (open("UDP", port), open("UDP", control_port));
    match TcpListener::bind(SocketAddr::new(bind, port)) {
        Ok(listener) => {
            // Whoever connects has seen what is to be seen.
            std::thread::spawn(move || listener.incoming().for_each(drop));
        }
        Err(error) => taken.push(format!("TCP {port}: {error}")),
    }
    if let Some(buffers) = data.as_ref().map(UdpPort::buffers) {
        for (name, granted) in [("rmem_max", buffers.receive), ("wmem_max", buffers.send)] {
            if granted.is_short() {
                short.push((name.to_owned(), granted.asked, granted.given));
            }
        }
    }
    say(&Answer::Ready { taken, short })?;
    let (speak, orders) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(order) = serde_json::from_str(&line) else { return };
            // At once, or the answer would be as late as the look at the sockets is long.
            let gone = match order {
                Order::Time => {
                    let shown = crate::node::read_ns(crate::node::ClockId::CLOCK_REALTIME);
                    say(&Answer::Time(shown)).is_err()
                }
                other => speak.send(other).is_err(),
            };
            if gone {
                return;
            }
        }
    });
    let mut probe = Probe { data, control, orders, number: 0 };
    loop {
        match probe.orders.try_recv() {
            Ok(order) => {
                let answer = probe.obey(order);
                say(&answer)?;
            }
            Err(TryRecvError::Empty) => {
                probe.turn(Duration::from_millis(10));
            }
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

fn say(answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

impl Probe {
    fn obey(&mut self, order: Order) -> Answer {
        match order {
            Order::Time => Answer::Problem("clocks are read elsewhere".to_owned()),
            Order::Tcp { to } => {
                let begun = Instant::now();
                match TcpStream::connect_timeout(&to, WITHIN) {
                    Ok(_) => Answer::Done(begun.elapsed().as_micros() as u64),
                    Err(error) => Answer::Problem(error.to_string()),
                }
            }
            Order::Udp { control, to, bytes } => self.send(control, to, bytes),
        }
    }

    /// Sends a datagram, and again if it does not come back.
    fn send(&mut self, control: bool, to: SocketAddr, bytes: usize) -> Answer {
        let bytes = bytes.clamp(*BYTES.start(), *BYTES.end());
        for _ in 0..TRIES {
            self.number += 1;
            let number = self.number;
            let port = if control { &mut self.control } else { &mut self.data };
            let Some(port) = port else { return Answer::Problem("the port is taken".to_owned()) };
            let mut payload = vec![0; bytes];
            payload[..8].copy_from_slice(MARK);
            payload[8..16].copy_from_slice(&number.to_be_bytes());
            let slot = port.peer(to);
            port.queue(slot, &[], &payload);
            let begun = Instant::now();
            if let Err(error) = port.flush() {
                return Answer::Problem(error.to_string());
            }
            while begun.elapsed() < WITHIN {
                if self.turn(WITHIN.saturating_sub(begun.elapsed())).contains(&number) {
                    return Answer::Done(begun.elapsed().as_micros() as u64);
                }
            }
        }
        Answer::Problem(format!("{TRIES} datagrams of {bytes} bytes got no answer"))
    }

    /// Waits for datagrams, at most so long, and answers those that are questions. Returns the numbers of answers.
    fn turn(&mut self, longest: Duration) -> Vec<u64> {
        let ports: Vec<&mut UdpPort> = [&mut self.data, &mut self.control].into_iter().flatten().collect();
        {
            let mut waiting: Vec<PollFd<'_>> =
                ports.iter().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN)).collect();
            let timeout =
                PollTimeout::try_from(longest.min(Duration::from_secs(1))).unwrap_or(PollTimeout::ZERO);
            if waiting.is_empty() {
                std::thread::sleep(longest);
            } else {
                // Woken early, it looks and finds nothing.
                let _ = poll(&mut waiting, timeout);
            }
        }
        let mut numbers = Vec::new();
        for port in ports {
            let mut questions = Vec::new();
            let _ = port.receive(&mut |from, bytes| {
                let Some(number) = bytes.get(8..16).and_then(|number| number.try_into().ok()) else { return };
                let number = u64::from_be_bytes(number);
                if bytes.starts_with(MARK) {
                    questions.push((from, number, bytes.len()));
                } else if bytes.starts_with(b"bellini!") {
                    numbers.push(number);
                }
            });
            // An answer is as long as its question: the way back must carry it, too.
            for (from, number, length) in questions {
                let mut answer = vec![0; length];
                answer[..8].copy_from_slice(b"bellini!");
                answer[8..16].copy_from_slice(&number.to_be_bytes());
                let slot = port.peer(from);
                port.queue(slot, &[], &answer);
                let _ = port.flush();
            }
        }
        numbers
    }
}
