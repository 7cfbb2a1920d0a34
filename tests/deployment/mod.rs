//! `bellini live` and `bellini deploy` on hosts that are real but for being namespaces of one machine: sshd, host keys,
//! homes and process tables of their own.
//!
//! Where the machine or the user allows no such hosts, each test says why and is skipped.

mod yard;

use crate::harness::Done;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use yard::{Yard, until};

const NAMES: [&str; 6] = ["virginia", "toronto", "waterloo", "beijing", "shanghai", "tokyo"];

/// The shipped conference, shortened.
fn conference() -> String {
    format!("{}/scenarios/conference-4.json", env!("CARGO_MANIFEST_DIR"))
}

/// Aim: one command pushes, runs, collects and removes; every destination got what was sent; what ran once in simulator
/// and lab runs as it is. The second time the binary is there already, if it was kept.
#[test]
fn one_command_runs_a_conference_on_hosts_and_leaves_nothing() {
    let Some(yard) = Yard::open("a deployment", &NAMES) else { return };
    let scenario = conference();
    let live = |out: &str, more: &[&str]| {
        let usual = ["live", &scenario, "--hosts", "hosts.json", "--set", "duration=3 s", "--out", out];
        yard.run(&[&usual[..], more].concat())
    };
    // Keys of a sealed session come from a secret of the run.
    let sealed = "conferences[0].sessions[0].sealed=true";
    live("refused", &["--set", "seal=true", "--plaintext"])
        .expect(3)
        .says(&["--plaintext", "--set seal=false"]);
    live("run", &["--record", "--keep", "--set", sealed])
        .expect(0)
        .says(&["pushed to 6 of 6 hosts", "Report: run/report.html"]);
    let summary = yard.scratch.json("run/summary.json");
    assert_eq!((&summary["mode"], &summary["status"]), (&"live".into(), &"complete".into()));
    // On by default, with keys that stayed on the hosts.
    assert!(summary["notes"].to_string().contains("Hops were sealed"), "{}", summary["notes"]);
    let home = yard.scratch.list("run/hosts/tokyo");
    assert!(home.contains(&"trust.json".to_owned()) && !home.iter().any(|name| name.ends_with("key.pem")));
    let sessions = summary["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 4);
    for destination in sessions.iter().flat_map(|session| session["destinations"].as_array().unwrap()) {
        let (sent, got) = (&destination["sent_packets"], &destination["delivered_packets"]);
        assert!(sent.as_u64().unwrap() > 300 && got == sent, "{destination}");
    }
    let unopened = |session: &Value| session["destinations"][0]["unopened_symbols"].as_u64();
    assert_eq!(sessions.iter().map(unopened).collect::<Vec<_>>(), [Some(0), None, None, None]);
    for name in ["scenario.json", "series.csv", "events.jsonl", "delays.csv", "report.html"] {
        assert!(!yard.scratch.read(&format!("run/{name}")).is_empty(), "{name}");
    }
    // Each node's log came home, and replays to the byte.
    for (name, id) in [("toronto", 1), ("tokyo", 6)] {
        let log = format!("run/hosts/{name}/logs/node-{id}-1.log");
        yard.scratch.run(&["replay", &log]).expect(0);
    }
    live("again", &["--no-report", "--set", "duration=1 s", "--plaintext"])
        .expect(0)
        .says(&["pushed to 0 of 6 hosts"]);
    yard.nothing_is_left();
}

/// Aim: a node that is killed costs its own part only: the rest of the run comes home, the records name the node, and
/// the exit code says partial.
#[test]
fn a_killed_node_leaves_partial_results_that_name_it() {
    let Some(yard) = Yard::open("a killed node", &NAMES) else { return };
    let scenario = conference();
    let arguments = ["live", &scenario, "--hosts", "hosts.json", "--set", "duration=6 s", "--out", "run"];
    let live = yard.bellini(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    yard.wait_for_nodes(&NAMES);
    // Video flows by then: it settles for a second.
    until("samples of the run", || {
        yard.scratch.join("run/series.csv").is_file()
            || yard.scratch.list("run").iter().any(|name| name.starts_with(".series"))
    });
    std::thread::sleep(Duration::from_secs(4));
    let victims = yard.nodes("beijing");
    let killed = std::process::Command::new("kill").args(["-KILL", &victims[0].to_string()]).status();
    assert!(killed.unwrap().success());
    let output = live.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    yard.nothing_is_left();
    let summary = yard.scratch.json("run/summary.json");
    assert_eq!(summary["status"], "partial");
    let notes = summary["notes"].to_string();
    assert!(notes.contains("Node beijing (beijing-host) failed"), "{notes}");
    assert!(yard.scratch.read("run/events.jsonl").contains("node_failed"));
    let report = yard.scratch.read("run/report.html");
    assert!(report.contains("Nodes failed in this run") && report.contains("Lost node beijing"));
    let destination = |session: usize, node: u64| -> Value {
        let all = summary["sessions"][session]["destinations"].as_array().unwrap().clone();
        all.into_iter().find(|destination| destination["node"] == node).unwrap()
    };
    let delivered = |session, node| destination(session, node)["delivered_packets"].as_u64().unwrap();
    let sent = |session, node| destination(session, node)["sent_packets"].as_u64().unwrap();
    // Toronto's video reached Waterloo whole, and Beijing until its end.
    assert_eq!(delivered(0, 2), sent(0, 2));
    assert!(delivered(0, 3) > 0 && delivered(0, 3) < sent(0, 3), "{}", destination(0, 3));
    assert!(!yard.scratch.read("run/hosts/beijing/settings.json").is_empty(), "its logs came home, too");
}

/// Aim: the host of a relay is cut off in the middle of a reliable transfer: the session moves to its backup and is
/// complete, the run comes home without that host, and what is still on it goes once it can be reached again.
#[test]
fn a_host_that_is_cut_off_is_left_by_a_backup() {
    let names = ["paris", "london", "lille", "dublin", "zurich"];
    let Some(yard) = Yard::open("a host cut off", &names) else { return };
    let scenario = format!("{}/scenarios/failover/kill.json", env!("CARGO_MANIFEST_DIR"));
    let sets = ["--set", "faults=[]", "--set", "duration=10 s"];
    // All hosts are as near to each other as the bridge lets them: the way through London is named.
    let way = r#"conferences[0].sessions[0].routing={"policy": "static", "flows": [{"route": "paris>london>dublin", "share": 1}]}"#;
    let more = ["--set", way, "--out", "run"];
    let arguments = [&["live", &scenario, "--hosts", "hosts.json"], &sets[..], &more].concat();
    let live = yard.bellini(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    yard.wait_for_nodes(&names);
    until("samples of the run", || {
        yard.scratch.join("run/series.csv").is_file()
            || yard.scratch.list("run").iter().any(|name| name.starts_with(".series"))
    });
    std::thread::sleep(Duration::from_secs(3));
    yard.on("london", "ip link set eth0 down");
    let output = live.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    let summary = yard.scratch.json("run/summary.json");
    assert_eq!(summary["status"], "partial");
    assert!(
        summary["notes"].to_string().contains("Node london (london-host) failed"),
        "{}",
        summary["notes"]
    );
    assert_eq!(summary["sessions"][0]["destinations"][0]["complete"], true, "{}", summary["sessions"][0]);
    let events = yard.scratch.read("run/events.jsonl");
    assert!(events.contains("\"rerouted\"") && events.contains("100.0 % by 3>4d"), "{events}");
    yard.on("london", "ip link set eth0 up");
    yard.run(&["deploy", "down", "--hosts", "hosts.json"]).expect(0);
    yard.nothing_is_left();
}

/// Aim: one scenario in simulator, lab and on hosts, each as it is, and all three beside each other on one page. The hosts
/// are joined by links that do what the scenario says.
#[test]
fn one_page_compares_simulator_lab_and_hosts() {
    let text = std::fs::read_to_string(conference()).unwrap();
    let mut ground: Value = serde_json::from_str(&text).unwrap();
    ground["nodes"].as_array_mut().unwrap().push(serde_json::json!({"id": 7, "name": "conductor"}));
    for node in 1..7 {
        let link = serde_json::json!({"between": [node, 7], "delay": "1 ms"});
        ground["links"].as_array_mut().unwrap().push(link);
    }
    let Some(yard) = Yard::emulated("a comparison of three", &ground) else { return };
    let scenario = conference();
    let set = ["--set", "duration=3 s", "--no-report"];
    let run = |mode: &[&str]| Done::of(&mut yard.bellini(&[mode, &[&scenario], &set[..]].concat()));
    run(&["sim", "--out", "sim"]).expect(0);
    // A slow machine makes the lab's run invalid, which the page then says.
    let lab = run(&["lab", "--out", "lab"]);
    assert!(matches!(lab.code, Some(0 | 4)), "{}", lab.stderr);
    run(&["live", "--hosts", "hosts.json", "--out", "live"]).expect(0);
    yard.nothing_is_left();
    let compared = yard.run(&["compare", "sim", "lab", "live", "--out", "page", "--force"]);
    assert!(matches!(compared.code, Some(0 | 4)), "{}", compared.stderr);
    let all = yard.scratch.json("page/compare.json");
    let modes: Vec<_> =
        all["comparisons"].as_array().unwrap().iter().map(|one| one["b"]["mode"].clone()).collect();
    assert_eq!(modes, ["lab", "live"]);
    let page = yard.scratch.read("page/report.html");
    for piece in
        ["Side by side", "sim, 1 run (seed 1)", "lab, 1 run (seed 1)", "live, 1 run (seed 1)", "delay-cdf-2"]
    {
        assert!(page.contains(piece), "no {piece:?}");
    }
    // The network between the hosts was the scenario's: packets took as long as the simulator says, or longer.
    let (sim, live) = (yard.scratch.json("sim/summary.json"), yard.scratch.json("live/summary.json"));
    for session in 0..4 {
        for destination in 0..3 {
            let delay = |summary: &Value| {
                summary["sessions"][session]["destinations"][destination]["delay_ms"]["p50"].as_f64().unwrap()
            };
            let (predicted, measured) = (delay(&sim), delay(&live));
            assert!(measured > 0.9 * predicted - 2.0, "{measured} ms, predicted {predicted}");
        }
    }
}

/// Aim: killed with -9 at several stages, the same command succeeds afterwards, and nothing is left.
#[test]
fn a_killed_conductor_is_no_obstacle() {
    let names = ["virginia", "toronto", "tokyo"];
    let Some(yard) = Yard::open("a killed conductor", &names) else { return };
    yard.scratch.write("pair.json", PAIR);
    let arguments = ["live", "pair.json", "--hosts", "hosts.json", "--out", "run", "--force", "--no-report"];
    for wait in [0, 150, 400, 900, 2_000] {
        let mut live = yard.bellini(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        live.kill().unwrap();
        live.wait().unwrap();
    }
    yard.run(&arguments).expect(0);
    yard.nothing_is_left();
}

const PAIR: &str = r#"{
  "bellini": 1, "name": "pair", "duration": "1 s", "settle": "500 ms", "drain": "300 ms",
  "nodes": [{"id": 1, "name": "toronto"}, {"id": 2, "name": "virginia"}, {"id": 3, "name": "tokyo"}],
  "links": [{"between": [1, 2], "delay": "10 ms"}, {"between": [2, 3], "delay": "80 ms"}],
  "conferences": [{"id": 1, "sessions": [{"id": 1, "source": 1, "destinations": [3],
    "content": {"kind": "constant", "rate": "1 Mbit/s"},
    "routing": {"policy": "static", "flows": [{"route": "toronto>virginia>tokyo", "share": 1.0}]}}]}]
}"#;

/// Aim: the steps of a deployment one by one, each of them twice, and a batch that goes on after a failure.
#[test]
fn steps_may_be_repeated_and_a_batch_goes_on() {
    let names = ["virginia", "toronto", "tokyo"];
    let Some(yard) = Yard::open("steps of a deployment", &names) else { return };
    yard.scratch.write("pair.json", PAIR);
    yard.scratch.write(
        "crash.json",
        PAIR.replace(
            "\"conferences\"",
            r#""faults": [{"at": "300 ms", "crash": 2}, {"at": "600 ms", "restart": 2}], "conferences""#,
        )
        .replace("\"name\": \"pair\"", "\"name\": \"crash\""),
    );
    let hosts = ["--hosts", "hosts.json"];
    let deploy = |step: &[&str]| yard.run(&[&["deploy"], step, &hosts[..]].concat());
    deploy(&["up"]).expect(0).says(&["pushed to 3 of 3"]);
    deploy(&["up"]).expect(0).says(&["pushed to 0 of 3"]);
    for _ in 0..2 {
        let started = deploy(&["start", "pair.json"]).expect(0).stdout;
        assert!(started.contains("toronto-host: has the binary, node-1 runs"), "{started}");
    }
    yard.wait_for_nodes(&names);
    deploy(&["collect", "--out", "home"]).expect(0).says(&["What 3 nodes wrote"]);
    assert!(yard.scratch.read("home/tokyo-host/node-3/settings.json").contains("10.77.0.12"));
    // What runs is ended before the batch's own nodes start.
    deploy(&["run", "pair.json", "crash.json", "--no-report", "--out", "batch"])
        .expect(0)
        .says(&["pair: exit code 0", "crash: exit code 0"]);
    let events = yard.scratch.read("batch/crash-live-1/events.jsonl");
    assert!(events.contains("node_crashed") && events.contains("node_restarted"), "{events}");
    let summary = yard.scratch.json("batch/crash-live-1/summary.json");
    assert_eq!(summary["status"], "complete", "a planned crash is no failure");
    for _ in 0..2 {
        deploy(&["down"]).expect(0).says(&["Nothing of Bellini is left"]);
        yard.nothing_is_left();
    }
    // Files of others are left alone.
    yard.on("tokyo", "mkdir ~/.bellini && echo mine > ~/.bellini/letter");
    deploy(&["up"]).expect(6).says(&["tokyo-host", "files that are not Bellini's"]);
    deploy(&["down"]).expect(0);
    assert_eq!(yard.on("tokyo", "cat ~/.bellini/letter"), "mine\n");
}

/// Aim: the doctor finds a taken port, a small MTU and a closed way, names the fix of each, and leaves nothing.
#[test]
fn the_doctor_finds_what_was_broken() {
    let names = ["virginia", "toronto", "tokyo"];
    let Some(yard) = Yard::open("the doctor", &names) else { return };
    let doctor = || yard.run(&["doctor", "--hosts", "hosts.json"]);
    let well = doctor().expect(0);
    for piece in [
        "ok       toronto: ports 4700 and 4701 are free",
        "toronto > tokyo: reached by UDP and TCP",
        "its clock is",
    ] {
        assert!(well.stdout.contains(piece), "no {piece:?} in\n{}", well.stdout);
    }
    yard.nothing_is_left();
    yard.on("virginia", "ip link set eth0 mtu 1400");
    yard.on("toronto", "ip route add blackhole 10.77.0.13");
    let mut squatter = yard.background("tokyo", &["probe", "0.0.0.0", "4701", "4999"]);
    let sockets = format!("/proc/{}/net/udp", squatter.id());
    until("a taken port", || std::fs::read_to_string(&sockets).is_ok_and(|text| text.contains(":125D ")));
    let ill = doctor().expect(4);
    squatter.kill().unwrap();
    squatter.wait().unwrap();
    for piece in [
        "PROBLEM  tokyo: UDP 4701: Address already in use",
        "give another \"port\" in the hosts file",
        "PROBLEM  virginia > toronto: packets of 1,500 bytes do not get through",
        "PROBLEM  toronto > tokyo: UDP 4700 do not get through",
        "open these ports to the other hosts",
    ] {
        assert!(ill.stdout.contains(piece), "no {piece:?} in\n{}", ill.stdout);
    }
    yard.nothing_is_left();
}

/// Aim: what cannot work is said before anything starts, with the exit code of whose fault it is.
#[test]
fn what_cannot_work_is_said_first() {
    let scratch = crate::harness::Scratch::new();
    scratch.write("pair.json", PAIR);
    scratch.write(
        "cut.json",
        PAIR.replace("\"conferences\"", r#""faults": [{"at": "300 ms", "cut": [[1, 2]]}], "conferences""#),
    );
    let here = r#"{"local": true}"#;
    let write = |name: &str, nodes: &str| {
        scratch.write(name, format!("{{\"bellini-hosts\": 1, \"nodes\": {{{nodes}}}}}"));
    };
    write("short.json", &format!("\"toronto\": {here}, \"virgina\": {here}, \"tokyo\": {here}"));
    write("whole.json", &format!("\"toronto\": {here}, \"virginia\": {here}, \"tokyo\": {here}"));
    let live =
        |scenario: &str, hosts: &str| scratch.run(&["live", scenario, "--hosts", hosts, "--out", "run"]);
    live("pair.json", "short.json")
        .expect(2)
        .says(&["node `virginia` has no host (is `virgina` meant for it?)"]);
    live("pair.json", "missing.json").expect(6).says(&["missing.json"]);
    live("cut.json", "whole.json").expect(3).says(&["the fault at 0.3 s cuts links", "bellini lab"]);
    assert!(!scratch.join("run").exists());
}
