//! Whole processes with an emulated network: what is left of one that was killed, and what an ordinary user may.
//!
//! It has no harness of the standard kind: the process that makes the network must have one thread only, as the
//! `bellini` command has when it starts. Started with `--lab` it makes a small network, says so and waits.

use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_live::lab::emulator::{Emulator, EmulatorSettings};
use bellini_live::lab::netns::{Namespace, Privilege};
use bellini_live::lab::pace::Clock;
use bellini_live::lab::tun::{Tun, TunSpec, ipv4};
use bellini_scenarios::parse::{LoadOptions, parse_str};
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SCENARIO: &str = r#"{"bellini": 1, "duration": "5 s", "nodes": [{"id": 1}, {"id": 2}],
    "links": [{"between": [1, 2], "delay": "5 ms", "rate": "10 Mbit/s"}],
    "conferences": [{"id": 1, "sessions": [{"id": 1, "source": 1, "destinations": [2],
    "content": {"kind": "constant", "rate": "1 Mbit/s"}, "routing": "direct"}]}]}"#;

/// In a mount namespace of its own: `/dev/net` made anew by a first step, then the lab as another user.
fn as_nobody(first: &str, own: &Path) -> Command {
    let script = format!(
        "mount -t tmpfs none /dev/net && cp \"$0\" /dev/net/lab && {first} && \
         exec setpriv --reuid 65534 --regid 65534 --clear-groups /dev/net/lab --lab"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]).arg(own);
    command
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--lab") {
        if let Err(error) = be_a_lab() {
            println!("no lab: {error}");
        }
        return Ok(());
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return Ok(());
    }
    let own = std::env::current_exe()?;
    let mut as_it_is = Command::new(&own);
    as_it_is.arg("--lab");
    nothing_is_left_of_a_killed_lab("a killed lab leaves nothing", as_it_is)?;
    let open = as_nobody("mknod -m 666 /dev/net/tun c 10 200", &own);
    nothing_is_left_of_a_killed_lab("an ordinary user's killed lab leaves nothing", open)?;
    let closed = as_nobody("mknod -m 600 /dev/net/tun c 10 200", &own);
    says("an ordinary user hears what he may not", closed, "/dev/net/tun cannot be opened by this user")?;
    says("an ordinary user hears what is missing", as_nobody("true", &own), "/dev/net/tun does not exist")
}

/// Two nodes and a link; a process in each namespace, and a packet there and back.
fn be_a_lab() -> Result<(), Box<dyn Error>> {
    let privilege = Privilege::obtain()?;
    Tun::check()?;
    let scenario =
        parse_str("lab.json", SCENARIO, &LoadOptions::default()).map_err(|all| all.to_string())?.scenario;
    let namespaces = [Namespace::new("n1")?, Namespace::new("n2")?];
    let tuns = [Tun::open(&namespaces[0], TunSpec::new(0))?, Tun::open(&namespaces[1], TunSpec::new(1))?];
    let settings = EmulatorSettings::new(Clock::starting_now(), Instant::ZERO, 7_001);
    let _emulator = Emulator::start(&scenario, Seed(1), settings, tuns.into())?;
    // As nodes do, they end when their input ends.
    let mut children: Vec<Child> = Vec::new();
    for namespace in &namespaces {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        children.push(namespace.spawn(command)?);
    }
    let near = namespaces[0].run(|| UdpSocket::bind((ipv4(0), 7_000)))??;
    let far = namespaces[1].run(|| UdpSocket::bind((ipv4(1), 7_000)))??;
    far.set_read_timeout(Some(Duration::from_secs(5)))?;
    near.send_to(b"hello", (ipv4(1), 7_000))?;
    let mut buffer = [0; 10];
    far.recv(&mut buffer)?;
    let inside = |child: &Child| fs::read_link(format!("/proc/{}/ns/net", child.id()));
    let (a, b) = (inside(&children[0])?, inside(&children[1])?);
    println!("ready {privilege:?} {} {} {} {}", children[0].id(), children[1].id(), a.display(), b.display());
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

fn nothing_is_left_of_a_killed_lab(name: &str, mut command: Command) -> Result<(), Box<dyn Error>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut lab = match command.spawn() {
        Ok(lab) => lab,
        Err(error) => {
            println!("{name}: skipped ({error})");
            return Ok(());
        }
    };
    let mut line = String::new();
    BufReader::new(lab.stdout.take().ok_or("it has an output")?).read_line(&mut line)?;
    let said = line.trim().to_owned();
    // unshare, sh and setpriv replaced themselves by the lab: it is the process that was started.
    lab.kill()?;
    lab.wait()?;
    let mut problem = String::new();
    lab.stderr.take().ok_or("it has an error output")?.read_to_string(&mut problem)?;
    let Some(facts) = said.strip_prefix("ready ") else {
        println!("{name}: skipped ({said} {})", problem.trim());
        return Ok(());
    };
    let facts: Vec<&str> = facts.split(' ').collect();
    let [_, first, second, namespaces @ ..] = facts.as_slice() else { return Err(said.into()) };
    for _ in 0..100 {
        let is_gone = |child: &str| !fs::exists(format!("/proc/{child}")).unwrap_or(true);
        if is_gone(first) && is_gone(second) && !any_process_in(namespaces) {
            println!("{name}: ok ({said})");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{name}: processes or namespaces are left ({said})").into())
}

/// Whether a thread of any process is in one of these network namespaces.
fn any_process_in(namespaces: &[&str]) -> bool {
    let entries = |path: String| fs::read_dir(path).into_iter().flatten().flatten();
    entries("/proc".to_owned())
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        .flat_map(|process| entries(format!("{}/task", process.path().display())))
        .filter_map(|thread| fs::read_link(thread.path().join("ns/net")).ok())
        .any(|inside| namespaces.contains(&inside.to_string_lossy().as_ref()))
}

fn says(name: &str, mut command: Command, expected: &str) -> Result<(), Box<dyn Error>> {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => {
            println!("{name}: skipped ({error})");
            return Ok(());
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if said.contains(expected) {
        println!("{name}: ok ({})", said.trim());
    } else if said.is_empty() {
        println!("{name}: skipped ({})", String::from_utf8_lossy(&output.stderr).trim());
    } else {
        return Err(format!("{name}: it said {said}").into());
    }
    Ok(())
}
