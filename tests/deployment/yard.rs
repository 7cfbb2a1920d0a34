//! Hosts for tests: an sshd in network, mount and process namespaces of its own each, with a host key, a home and a
//! `/run` that nobody else sees, all joined by a bridge in one more namespace, from which they are conducted.

use crate::harness::{BELLINI, Done, Scratch};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What is needed, beside root.
const TOOLS: [&str; 8] = ["ip", "unshare", "nsenter", "setpriv", "ssh", "ssh-keygen", "tar", "setsid"];
const SSHD: &str = "/usr/sbin/sshd";
/// First three numbers of all addresses; the bridge has 1, hosts have 11, 12, ..
const NETWORK: &str = "10.77.0";

/// Hosts, and the turn to use the machine.
pub(super) struct Yard {
    pub(super) scratch: Scratch,
    hub: Machine,
    hosts: Vec<(String, Machine)>,
    _turn: MutexGuard<'static, ()>,
}

/// A process in namespaces; ends with the test's thread, and everything in it with it.
struct Machine(Child);

impl Machine {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "unshare"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("setpriv and unshare are there"))
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

impl Yard {
    /// Starts a host of each name and waits until all can be reached; `None` where there can be none, with the reason
    /// printed. The last one is reached by way of the first.
    pub(super) fn open(test: &str, names: &[&str]) -> Option<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = REFUSAL.get_or_init(refusal) {
            eprintln!("{test}: skipped ({reason})");
            return None;
        }
        let scratch = Scratch::new();
        fs::create_dir(scratch.join("tmp")).unwrap();
        let hub = Machine::start(&["--net", "sleep", "900"]);
        until("the hub's namespace", || fs::read_link("/proc/self/ns/net").unwrap() != hub.network());
        hub.ip("link add br0 type bridge");
        hub.ip(&format!("addr add {NETWORK}.1/24 dev br0"));
        hub.ip("link set br0 up");
        hub.ip("link set lo up");
        let mut yard = Self { scratch, hub, hosts: Vec::new(), _turn: turn };
        yard.key("user");
        for name in names {
            yard.add(name);
        }
        yard.write_files(names);
        let reach = |name: &str| {
            let mut command = yard.hub.inside(false);
            command.args(["ssh", "-o", "BatchMode=yes", "-F"]).arg(yard.scratch.join("ssh_config"));
            Done::of(command.args([&format!("{name}-host"), "true"])).code == Some(0)
        };
        for name in names {
            until(&format!("{name}'s sshd"), || reach(name));
        }
        Some(yard)
    }

    fn key(&self, name: &str) {
        let path = self.scratch.join(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(path)
            .status();
        assert!(made.expect("ssh-keygen is there").success());
    }

    fn add(&mut self, name: &str) {
        let number = self.hosts.len() + 11;
        self.key(&format!("{name}.key"));
        let key = self.scratch.join(&format!("{name}.key"));
        let config = format!(
            "Port 2222\nHostKey {}\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\n\
             PidFile none\nAuthorizedKeysFile .ssh/authorized_keys\nStrictModes no\nMaxSessions 30\n",
            key.display()
        );
        self.scratch.write(&format!("{name}.sshd"), config);
        let begin = "mount -t tmpfs -o mode=700 tmpfs /root && mount -t tmpfs -o mode=755 tmpfs /run && \
                     mkdir -p /run/sshd /root/.ssh && cp \"$1\" /root/.ssh/authorized_keys && exec \"$0\" -D -f \"$2\"";
        let (public, config) = (self.scratch.join("user.pub"), self.scratch.join(&format!("{name}.sshd")));
        let machine = Machine::start(&[
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            begin,
            SSHD,
            public.to_str().unwrap(),
            config.to_str().unwrap(),
        ]);
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        until("a host's namespace", || machine.network() != own);
        let pid = machine.0.id();
        self.hub.ip(&format!("link add v{number} type veth peer name eth0 netns {pid}"));
        self.hub.ip(&format!("link set v{number} master br0 up"));
        machine.ip(&format!("addr add {NETWORK}.{number}/24 dev eth0"));
        machine.ip("link set eth0 up");
        machine.ip("link set lo up");
        self.hosts.push((name.to_owned(), machine));
    }

    /// Writes the files that a user of these hosts would have.
    fn write_files(&self, names: &[&str]) {
        let (mut config, mut known, mut nodes) = (String::new(), String::new(), serde_json::Map::new());
        let place = |name: &str| self.scratch.join(name).display().to_string();
        for (number, name) in (11..).zip(names) {
            config += &format!("Host {name}-host\n  HostName {NETWORK}.{number}\n");
            if number > 11 && number - 10 == names.len() {
                config += &format!("  ProxyJump {}-host\n", names[0]);
            }
            let public = self.scratch.read(&format!("{name}.key.pub"));
            known += &format!("[{NETWORK}.{number}]:2222 {public}");
            nodes.insert((*name).to_owned(), serde_json::json!({"ssh": format!("{name}-host")}));
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
        command.arg(BELLINI).args(arguments).current_dir(self.scratch.path());
        command.env("TMPDIR", self.scratch.join("tmp")).env_remove("SSH_AUTH_SOCK").process_group(0);
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(&mut self.bellini(arguments))
    }

    fn host(&self, name: &str) -> &Machine {
        &self.hosts.iter().find(|(known, _)| known == name).expect("a host of this name").1
    }

    /// Runs a line of shell on a host, before its files and processes.
    pub(super) fn on(&self, name: &str, line: &str) -> String {
        let done = Done::of(self.host(name).inside(true).args(["sh", "-c", line]));
        assert_eq!(done.code, Some(0), "{line}: {}", done.stderr);
        done.stdout
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
        for (name, _) in &self.hosts {
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
