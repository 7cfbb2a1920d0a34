//! Labs that cannot be, and users who may have none.

use super::Bench;
use crate::harness::{BELLINI, Done};
use std::process::Command;

/// Aim: what cannot be done is refused before anything is started or written, and says what would be right.
#[test]
fn what_cannot_be_is_refused_beforehand() {
    let Some(bench) = Bench::open("bad input") else { return };
    bench.lab(&["nowhere.json"]).expect(3).silent().says(&["cannot read nowhere.json"]);
    let arguments = ["short.json", "--out", "run", "--tcp-congestion", "snail"];
    let words = ["TCP congestion control \"snail\" cannot be used here", "available: ", "reno"];
    bench.lab(&arguments).expect(6).silent().says(&words);
    assert!(!bench.scratch.join("run").exists());
    bench.lab(&["short.json", "--out", "short.json/run"]).expect(6).silent().says(&["short.json/run"]);
    bench.nothing_is_left();
}

/// Aim: the kernel's shaper cannot delay where it has no `netem`; a scenario that wants it hears what is impossible.
#[test]
fn the_kernels_shaper_refuses_what_it_cannot_do() {
    let Some(bench) = Bench::open("the kernel's shaper") else { return };
    let arguments =
        ["short.json", "--out", "run", "--network", "kernel", "--set", "duration=10 ms", "--no-report"];
    let done = bench.lab(&arguments);
    match done.code {
        Some(0 | 4) => eprintln!("the kernel's shaper refuses nothing here"),
        _ => drop(done.says(&["delay"])),
    }
    bench.nothing_is_left();
}

/// Aim: a user without rights has a lab where `/dev/net/tun` is open to all, as most systems have it, and a clear
/// message where it is not.
#[test]
fn an_ordinary_user_has_a_lab_or_hears_why_not() {
    let Some(bench) = Bench::open("an ordinary user's lab") else { return };
    bench.scratch.write("as-nobody.sh", AS_NOBODY);
    let as_nobody = |mode: &str| {
        let mut command = bench.scratch.command("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "as-nobody.sh", mode, BELLINI]);
        Done::of(&mut command)
    };
    if Command::new("unshare").arg("--version").output().is_err() {
        return eprintln!("an ordinary user's lab: skipped (there is no unshare)");
    }
    let closed = as_nobody("600");
    if !closed.stdout.contains("lab: ") {
        return eprintln!("an ordinary user's lab: skipped ({})", closed.stderr.trim());
    }
    let closed = closed.says(&["/dev/net/tun cannot be opened by this user"]);
    assert!(closed.stdout.trim_end().ends_with("lab: 6\nshort.json"), "{closed:?}");
    let open = as_nobody("666");
    if open.stdout.contains("lab: 6") {
        return eprintln!("an ordinary user's lab: skipped ({})", open.stderr.trim());
    }
    let rest = open.stdout.split_once("lab: ").map(|(_, rest)| rest.trim_end());
    // Its working directory is gone, its records are there.
    assert!(matches!(rest, Some("0\nrun\nshort.json" | "4\nrun\nshort.json")), "{open:?}");
    assert!(open.stdout.contains("\"mode\": \"lab\""), "{open:?}");
}

/// In a mount namespace: a device of the wanted mode and a directory of its own for the user 65534, and a short lab.
const AS_NOBODY: &str = r#"
prepare() {
    mount -t tmpfs none /dev/net && mknod -m "$1" /dev/net/tun c 10 200 &&
    touch /dev/net/bellini && mount --bind "$2" /dev/net/bellini &&
    mkdir -m 777 /dev/net/place && cp short.json /dev/net/place && cd /dev/net/place &&
    setpriv --reuid 65534 --regid 65534 --clear-groups true
}
prepare "$@" || exit 1
TMPDIR=/dev/net/place setpriv --reuid 65534 --regid 65534 --clear-groups /dev/net/bellini \
    lab short.json --out run --no-report --json --set 'duration=300 ms' --set 'settle=300 ms'
echo "lab: $?"
ls
"#;
