//! Hosts for tests: an sshd in network, mount and process namespaces of its own each, with a host key, a home and a
//! `/run` that nobody else sees. They are joined by a bridge in one more namespace, from which they are conducted; or by
//! the lab's emulated links, one of whose nodes is then where they are conducted from.

use crate::harness::{BELLINI, Done, Scratch};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What is needed, beside root.
const TOOLS: [&str; 8] = ["ip", "unshare", "nsenter", "setpriv", "ssh", "ssh-keygen", "tar", "setsid"];
const SSHD: &str = "/usr/sbin/sshd";
/// What an sshd's process does before it is one: a home and a `/run` of its own, with the user's key.
const BEGIN: &str = "home=~root && mount -t tmpfs -o mode=700 tmpfs \"$home\" && mount -t tmpfs -o mode=755 tmpfs /run && \
                     mkdir -p /run/sshd \"$home/.ssh\" && cp \"$1\" \"$home/.ssh/authorized_keys\" && exec \"$0\" -D -f \"$2\"";
/// First three numbers of all addresses; the bridge has 1, hosts have 11, 12, ..
const NETWORK: &str = "10.77.0";

/// Hosts, and the turn to use the machine.
pub(super) struct Yard {
    pub(super) scratch: Scratch,
    /// What joins the hosts; its namespace is where they are conducted from.
    hub: Machine,
    hosts: Vec<Host>,
    /// The lab whose emulated links join them, if one does.
    lab: Option<Machine>,
    _turn: MutexGuard<'static, ()>,
}

struct Host {
    name: String,
    address: String,
    machine: Machine,
}

/// A process, mostly in namespaces; ends with the test's thread, and everything in it with it.
struct Machine(Child);

impl Machine {
    fn start(program: &[&str]) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).args(program).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("setpriv is there"))
    }

    /// Waits until its process is in another network than this one.
    fn entered(self) -> Self {
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        until("a namespace", || self.network() != own);
        self
    }

    /// Returns a command in the machine's network, and with `files` before its files and processes.
    fn inside(&self, files: bool) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.0.id().to_string(), "-n"]);
        if files {
            command.arg("-m");
        }
        command.arg("--").stdin(Stdio::null());
        command
    }

    fn ip(&self, line: &str) {
        let done = Done::of(self.inside(false).arg("ip").args(line.split(' ')));
        assert_eq!(done.code, Some(0), "ip {line}: {}", done.stderr);
    }

    fn network(&self) -> PathBuf {
        fs::read_link(format!("/proc/{}/ns/net", self.0.id())).expect("it runs")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Why there can be no hosts here, if so.
fn refusal() -> Option<String> {
    let has = |tool: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|path| path.join(tool).is_file())
    };
    if !is_root() {
        return Some("it needs root".to_owned());
    }
    if let Some(missing) = TOOLS.iter().find(|tool| !has(tool)) {
        return Some(format!("there is no {missing}"));
    }
    if !Path::new(SSHD).is_file() {
        return Some("there is no sshd (openssh-server)".to_owned());
    }
    let trial = Done::of(Command::new("unshare").args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-c",
        "mount -t tmpfs tmpfs /run && ip link add br0 type bridge",
    ]));
    (trial.code != Some(0)).then(|| format!("no namespaces: {}", trial.stderr.trim()))
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    user.and_then(|line| line.split_whitespace().nth(1)) == Some("0")
}

/// Takes the turn to use the machine, and makes what every yard has: `bellini` without what only debuggers need, since it
/// is sent to each host, and the user's key.
fn begin(test: &str) -> Option<(Scratch, MutexGuard<'static, ()>)> {
    static TURN: Mutex<()> = Mutex::new(());
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(reason) = REFUSAL.get_or_init(refusal) {
        eprintln!("{test}: skipped ({reason})");
        return None;
    }
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("tmp")).unwrap();
    let program = scratch.join("bellini");
    let stripped = Command::new("strip").arg("-o").arg(&program).arg(BELLINI).status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(BELLINI, &program).unwrap();
    }
    key(&scratch, "user");
    Some((scratch, turn))
}

fn key(scratch: &Scratch, name: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(scratch.join(name));
    assert!(command.status().expect("ssh-keygen is there").success());
}

impl Yard {
    /// Starts a host of each name, on a bridge, and waits until all can be reached; `None` where there can be none, with
    /// the reason printed. The last one is reached by way of the first.
    pub(super) fn open(test: &str, names: &[&str]) -> Option<Self> {
        let (scratch, turn) = begin(test)?;
        let hub = Machine::start(&["unshare", "--net", "sleep", "900"]).entered();
        hub.ip("link add br0 type bridge");
        hub.ip(&format!("addr add {NETWORK}.1/24 dev br0"));
        hub.ip("link set br0 up");
        hub.ip("link set lo up");
        let mut yard = Self { scratch, hub, hosts: Vec::new(), lab: None, _turn: turn };
        for (number, name) in (11..).zip(names) {
            let machine = yard.sshd(name, &[]);
            let pid = machine.0.id();
            yard.hub.ip(&format!("link add v{number} type veth peer name eth0 netns {pid}"));
            yard.hub.ip(&format!("link set v{number} master br0 up"));
            machine.ip(&format!("addr add {NETWORK}.{number}/24 dev eth0"));
            machine.ip("link set eth0 up");
            machine.ip("link set lo up");
            yard.hosts.push(Host {
                name: (*name).to_owned(),
                address: format!("{NETWORK}.{number}"),
                machine,
            });
        }
        yard.until_reached();
        Some(yard)
    }

    /// The same on the emulated links of a scenario, whose nodes are the hosts; the last node is no host but where they
    /// are conducted from.
    pub(super) fn emulated(test: &str, scenario: &Value) -> Option<Self> {
        let (scratch, turn) = begin(test)?;
        scratch.write("ground.json", scenario.to_string());
        fs::create_dir(scratch.join("ground")).unwrap();
        let mut lab = scratch.command("setpriv");
        lab.args(["--pdeathsig", "KILL", "--", BELLINI, "lab", "ground.json", "--idle"]);
        lab.env("TMPDIR", scratch.join("ground")).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut lab = lab.spawn().unwrap();
        let said = BufReader::new(lab.stdout.take().unwrap());
        let nodes = scenario["nodes"].as_array().unwrap();
        let consoles: Vec<String> = said.lines().take(nodes.len()).map(Result::unwrap).collect();
        let lab = Machine(lab);
        if consoles.len() < nodes.len() {
            eprintln!("{test}: skipped (there can be no lab)");
            return None;
        }
        // Each node's first line says what its process and its address are.
        let ready = |console: &String| -> (String, String) {
            let socket = UnixStream::connect(console.split_once('=').unwrap().1).unwrap();
            let mut line = String::new();
            BufReader::new(socket).read_line(&mut line).unwrap();
            let ready: Value = serde_json::from_str(&line).unwrap();
            let at: SocketAddr = ready["ready"]["addresses"]["data"].as_str().unwrap().parse().unwrap();
            (ready["ready"]["pid"].to_string(), at.ip().to_string())
        };
        let places: Vec<_> = consoles.iter().map(ready).collect();
        let (last, hosts) = places.split_last().unwrap();
        let hub = Machine::start(&["nsenter", "-t", &last.0, "-n", "sleep", "900"]).entered();
        let mut yard = Self { scratch, hub, hosts: Vec::new(), lab: Some(lab), _turn: turn };
        for (node, (pid, address)) in nodes.iter().zip(hosts) {
            let name = node["name"].as_str().unwrap().to_owned();
            let machine = yard.sshd(&name, &["nsenter", "-t", pid, "-n"]);
            yard.hosts.push(Host { name, address: address.clone(), machine });
        }
        yard.until_reached();
        Some(yard)
    }

    /// Writes a user's files, and waits until each host lets that user in.
    fn until_reached(&self) {
        self.write_files();
        let reach = |name: &str| {
            let mut command = self.hub.inside(false);
            command.args(["ssh", "-o", "BatchMode=yes", "-F"]).arg(self.scratch.join("ssh_config"));
            Done::of(command.args([&format!("{name}-host"), "true"])).code == Some(0)
        };
        for host in &self.hosts {
            until(&format!("sshd of {}", host.name), || reach(&host.name));
        }
    }

    /// Starts an sshd in namespaces of its own: a network, too, unless `inside` says how one is entered.
    fn sshd(&self, name: &str, inside: &[&str]) -> Machine {
        key(&self.scratch, &format!("{name}.key"));
        let key = self.scratch.join(&format!("{name}.key"));
        let config = format!(
            "Port 2222\nHostKey {}\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\n\
             PidFile none\nAuthorizedKeysFile .ssh/authorized_keys\nStrictModes no\nMaxSessions 30\n",
            key.display()
        );
        self.scratch.write(&format!("{name}.sshd"), config);
        let (public, config) = (self.scratch.join("user.pub"), self.scratch.join(&format!("{name}.sshd")));
        let network: &[&str] = if inside.is_empty() { &["--net"] } else { &[] };
        let own = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", BEGIN, SSHD];
        let files = [public.to_str().unwrap(), config.to_str().unwrap()];
        Machine::start(&[inside, &["unshare"], network, &own, &files].concat()).entered()
    }

    /// Writes the files that a user of these hosts would have.
    fn write_files(&self) {
        let (mut config, mut known, mut nodes) = (String::new(), String::new(), serde_json::Map::new());
        let place = |name: &str| self.scratch.join(name).display().to_string();
        for (number, Host { name, address, .. }) in (1..).zip(&self.hosts) {
            config += &format!("Host {name}-host\n  HostName {address}\n");
            if number == self.hosts.len() && self.lab.is_none() {
                config += &format!("  ProxyJump {}-host\n", self.hosts[0].name);
            }
            let public = self.scratch.read(&format!("{name}.key.pub"));
            known += &format!("[{address}]:2222 {public}");
            // The lab's own nodes have the usual ports.
            let host = match &self.lab {
                Some(_) => serde_json::json!({"ssh": format!("{name}-host"), "port": 4800}),
                None => serde_json::json!({"ssh": format!("{name}-host")}),
            };
            nodes.insert(name.clone(), host);
        }
        config += &format!(
            "Host *\n  Port 2222\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
             StrictHostKeyChecking yes\n",
            place("user"),
            place("known_hosts")
        );
        self.scratch.write("ssh_config", config);
        self.scratch.write("known_hosts", known);
        let hosts = serde_json::json!({"bellini-hosts": 1, "ssh_config": "ssh_config", "nodes": nodes});
        self.scratch.write("hosts.json", hosts.to_string());
    }

    /// Returns `bellini`, to be run where the hosts can be reached.
    pub(super) fn bellini(&self, arguments: &[&str]) -> Command {
        let mut command = self.hub.inside(false);
        command.arg(self.scratch.join("bellini")).args(arguments).current_dir(self.scratch.path());
        command.env("TMPDIR", self.scratch.join("tmp")).env_remove("SSH_AUTH_SOCK").process_group(0);
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(&mut self.bellini(arguments))
    }

    fn host(&self, name: &str) -> &Machine {
        &self.hosts.iter().find(|host| host.name == name).expect("a host of this name").machine
    }

    /// Runs a line of shell on a host, before its files and processes.
    pub(super) fn on(&self, name: &str, line: &str) -> String {
        let done = Done::of(self.host(name).inside(true).args(["sh", "-c", line]));
        assert_eq!(done.code, Some(0), "{line}: {}", done.stderr);
        done.stdout
    }

    /// Starts `bellini` on a host, with its input left open.
    pub(super) fn background(&self, name: &str, arguments: &[&str]) -> Child {
        let mut command = self.host(name).inside(true);
        command.arg(self.scratch.join("bellini")).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    /// Returns the process ids of nodes that run on a host, as this machine numbers them.
    pub(super) fn nodes(&self, name: &str) -> Vec<u32> {
        let network = self.host(name).network();
        let processes = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let is_node = String::from_utf8_lossy(&line).contains("\0node\0--settings");
            (is_node && fs::read_link(entry.path().join("ns/net")).ok()? == network).then_some(pid)
        });
        processes.collect()
    }

    /// Waits until each of these hosts runs a node.
    pub(super) fn wait_for_nodes(&self, names: &[&str]) {
        until("node processes", || names.iter().all(|name| self.nodes(name).len() == 1));
    }

    /// Looks for anything that was left: on hosts, and on this side.
    pub(super) fn nothing_is_left(&self) {
        for Host { name, .. } in &self.hosts {
            assert_eq!(self.nodes(name), Vec::<u32>::new(), "processes on {name}");
            assert_eq!(self.on(name, "ls -A /root").trim(), ".ssh", "files on {name}");
            let processes = self.on(name, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
            assert!(!processes.contains(".bellini"), "{name}: {processes}");
        }
        assert_eq!(self.scratch.list("tmp"), Vec::<String>::new());
    }
}

/// Waits until something holds, for half a minute at most.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
