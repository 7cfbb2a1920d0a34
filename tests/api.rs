//! The run-time API: `examples/conference.rs` in the simulator and as real processes on loopback, and live nodes of this
//! process.

use crate::harness::{BELLINI, Scratch, example};
use bellini::api::{Change, Error, Live, LiveOptions, Node, Parting, SessionOptions};
use bellini::{ConferenceId, Duration};
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A process that goes with the test.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// A listing server; port 0: any. Returns where it listens, too.
    fn listing(store: &Path, port: u16) -> (Self, SocketAddr) {
        let at = format!("127.0.0.1:{port}");
        let mut command = Command::new(BELLINI);
        let mut listing =
            Self::start(command.args(["listing", "--lease", "1 s", "--listen", &at, "--store"]).arg(store));
        let line = listing.line();
        let at = line.strip_prefix("listening on http://").expect("it says where").parse().unwrap();
        (listing, at)
    }

    /// The example in one of its roles.
    fn example(arguments: &[&str], listing: SocketAddr) -> Self {
        let url = format!("http://{listing}");
        Self::start(Command::new(example("conference")).args(arguments).args(["--listing", &url]))
    }

    /// Returns the next line of its output.
    #[track_caller]
    fn line(&mut self) -> String {
        self.lines.next().expect("it has not ended").expect("text")
    }

    /// Waits for its end; it must end well. Returns the rest of its output.
    #[track_caller]
    fn end(mut self) -> Vec<String> {
        let rest: Vec<String> = self.lines.by_ref().map(|line| line.expect("text")).collect();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest:?}");
        rest
    }

    /// kill -9.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The packets that a line of the example counts, by route or neighbour.
fn counts(line: &str) -> Vec<u32> {
    let words: Vec<&str> = line.split([' ', ',', ':']).collect();
    let before = |word: &str| words.windows(2).filter(move |pair| pair[1] == word).collect::<Vec<_>>();
    let found = if line.starts_with("by ") { before("packets") } else { before("from") };
    found.into_iter().map(|pair| pair[0].parse().unwrap()).collect()
}

/// Aim: in the simulator the example says exactly what it should, twice the same: 50/50, then 90/10, then all on the faster
/// way, and the member's leave is heard.
#[test]
fn the_example_runs_in_the_simulator() {
    let run = || {
        let output = Command::new(example("conference")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let said = run();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..lines.len() - 1],
        [
            "conference 1",
            "shares are 90/10 now",
            "100 packets: 50 from node 1, 50 from node 2",
            "the policy is shortest-delay now",
            "200 packets: 140 from node 1, 60 from node 2",
            "300 packets: 141 from node 1, 159 from node 2",
            "node 3 has left",
            "by 3: 141 packets",
            "by 2 3: 159 packets",
        ]
    );
    assert_eq!(said, run());
}

/// Aim: the same text as three processes and a listing server: every packet comes, over both routes, and the shares move
/// while packets flow. The listing server is killed meanwhile and started again: nobody is lost.
#[test]
fn the_example_runs_as_processes() {
    let scratch = Scratch::new();
    let (listing, at) = Process::listing(&scratch.join("listing.redb"), 0);
    let mut creator = Process::example(&["create"], at);
    assert_eq!(creator.line(), "conference 1");
    let relay = Process::example(&["relay", "1"], at);
    let mut joiner = Process::example(&["join", "1"], at);

    let first = joiner.line();
    assert!(first.starts_with("100 packets: "), "{first}");
    listing.kill();
    let (listing, again) = Process::listing(&scratch.join("listing.redb"), at.port());
    assert_eq!(again, at);

    let rest = joiner.end();
    let all: Vec<Vec<u32>> = std::iter::once(&first).chain(&rest).map(|line| counts(line)).collect();
    // Others may have come while it asked; in the end it is all of them, each once.
    let sums: Vec<u32> = all.iter().map(|counts| counts.iter().sum()).collect();
    assert!(sums.len() == 3 && sums[0] >= 100 && sums[1] >= 200 && sums[2] == 300, "{all:?}");
    assert!(all[0].len() == 2 && all[0].iter().all(|count| *count > 0), "{all:?}");
    let said = creator.end();
    let head = ["shares are 90/10 now", "the policy is shortest-delay now", "node 3 has left"];
    assert_eq!(said[..3], head, "{said:?}");
    let routes: Vec<u32> = said[3..].iter().flat_map(|line| counts(line)).collect();
    assert_eq!(routes.len(), 2, "{said:?}");
    assert_eq!(routes.iter().sum::<u32>(), 300);
    assert_eq!(relay.end(), [""; 0]);
    listing.kill();
}

/// Aim: a member that is killed is gone when its lease ends: no destination any more, and the program at the source hears it
/// and goes on.
#[test]
fn a_killed_member_is_gone() {
    let scratch = Scratch::new();
    let (_listing, at) = Process::listing(&scratch.join("listing.redb"), 0);
    let topology = bellini::api::topology(
        r#"{"bellini": 1, "nodes": [{"id": 1, "name": "tokyo"}, {"id": 3, "name": "london"}],
            "links": [{"between": ["tokyo", "london"], "delay": "1 ms"}]}"#,
    )
    .unwrap();
    let mut live = Live::start(&topology, "tokyo", &LiveOptions::new(&format!("http://{at}"))).unwrap();
    let program = move |node: Node| async move {
        let conference = node.create("talk").await?;
        let session = conference.publish(SessionOptions::datagrams("stream")).await?;
        let joiner = Process::example(&["join", &conference.id().to_string()], at);
        session.routed().await?;
        joiner.kill();
        loop {
            session.send("into the void").await?;
            let change = node.within(Duration::from_millis(20), conference.next_change()).await;
            if let Some(Change::MemberGone { node, parting, .. }) = change.transpose()?.flatten() {
                assert_eq!((node.get(), parting), (3, Parting::Expired));
                break;
            }
        }
        // The node hears it in its next turn.
        while !session.stats().await?.destinations.is_empty() {
            node.sleep(Duration::from_millis(5)).await;
        }
        conference.leave().await
    };
    live.run(program).expect("it ends well");
}

/// Aim: two live nodes of one process, their programs on other executors than ours; a stream arrives whole, and who is dropped
/// has left. What cannot be is said clearly.
#[test]
fn live_nodes_stop_cleanly() {
    let scratch = Scratch::new();
    let (_listing, at) = Process::listing(&scratch.join("listing.redb"), 0);
    let topology = bellini::api::topology(
        r#"{"bellini": 1, "nodes": [{"id": 1, "name": "ana"}, {"id": 2, "name": "ben"}],
            "links": [{"between": ["ana", "ben"], "delay": "1 ms"}]}"#,
    )
    .unwrap();
    let options = LiveOptions::new(&format!("http://{at}"));
    let ana = Live::start(&topology, "ana", &options).unwrap();
    let ben = Live::start(&topology, "ben", &options).unwrap();
    let (sender, receiver) = (ana.node(), ben.node());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let content: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 249) as u8).collect();
    let sent = content.clone();
    let sending = runtime.spawn(async move {
        let conference = sender.create("talk").await?;
        let session = conference.publish(SessionOptions::stream("file")).await?;
        session.routed().await?;
        for piece in sent.chunks(5_000) {
            session.send(piece.to_vec()).await?;
        }
        session.end()?;
        session.completed().await?;
        Ok::<_, Error>(conference)
    });
    let received = runtime.block_on(async {
        let conference = loop {
            match receiver.join(ConferenceId(1)).await {
                Ok(conference) => break conference,
                Err(_) => receiver.sleep(Duration::from_millis(20)).await,
            }
        };
        let file = conference.subscribe(conference.session_named("file").await?).await?;
        let mut got = Vec::new();
        while let Some(piece) = file.receive().await? {
            got.extend_from_slice(&piece.bytes);
        }
        Ok::<_, Error>(got)
    });
    assert!(received.expect("it comes") == content);
    let conference = runtime.block_on(sending).unwrap().expect("it was sent");
    while conference.members().len() < 2 {
        runtime.block_on(conference.next_change()).expect("it goes on");
    }
    drop(ben);
    let gone = runtime.block_on(async {
        loop {
            match conference.next_change().await? {
                Some(Change::MemberGone { node, parting, .. }) => {
                    return Ok::<_, Error>((node.get(), parting));
                }
                change => assert!(change.is_some(), "it goes on"),
            }
        }
    });
    assert_eq!(gone, Ok((2, Parting::Left)));
    drop(ana);
    let late = runtime.block_on(conference.publish(SessionOptions::datagrams("late")));
    assert!(matches!(late, Err(Error::Stopped(_) | Error::NoConference(_))), "{late:?}");

    let nobody = Live::start(&topology, "eve", &options).err().expect("no such node");
    assert_eq!(nobody.to_string(), "no node is called `eve`; there are: ana, ben");
    let nowhere = Live::start(&topology, "ana", &LiveOptions::new("http://")).err().expect("no such place");
    assert!(nowhere.to_string().contains("http://ADDRESS:PORT is right"), "{nowhere}");
    let open = LiveOptions { bind: "0.0.0.0".parse().unwrap(), ..options.clone() };
    let open = Live::start(&topology, "ana", &open).err().expect("hops outside loopback are sealed");
    assert!(matches!(open, Error::Settings(_)), "{open}");
    let closed = LiveOptions::new("http://127.0.0.1:1");
    let refused = Live::start(&topology, "ana", &closed)
        .unwrap()
        .run(|node| async move { node.create("talk").await.map(|_| ()) });
    assert!(matches!(refused, Err(Error::Listing(_))), "{refused:?}");
}
