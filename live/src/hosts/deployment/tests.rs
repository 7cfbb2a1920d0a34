//! Scripts as hosts run them, and names of what is brought home.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const COMMON: &str = include_str!("../scripts/common.sh");

/// Runs a script as on a host whose home is `home`, with programs in `home/fake` in front of all others, and returns
/// what it prints.
fn run(home: &Path, script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let path = format!("{}:{}", home.join("fake").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{COMMON}{script}"), "bellini"]).args(arguments);
    command.env("HOME", home).env("PATH", path).envs(environment.iter().copied());
    let output = command.output().expect("there is a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("it is in a directory")).expect("it is ours");
    std::fs::write(path, text).expect("it is ours");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Aim: what is brought home from two places of one name, or of names that are one as files, lies apart.
#[test]
fn no_two_places_have_one_name() {
    let names = ["web", "a/b", "a_b", "A_b", "web", "web-2", ".web"];
    let found = file_names(names.into_iter());
    assert_eq!(found, ["web", "a_b", "a_b-2", "A_b-3", "web-2", "web-2-2", "web-3"]);
}

/// Aim: a user's service manager is given a node only where it stays when the user is gone.
#[test]
fn a_manager_that_ends_with_the_session_gets_no_node() {
    let home = tempfile::tempdir().expect("a directory for temporary files");
    let state = home.path().join("state");
    std::fs::create_dir_all(state.join("node-1")).expect("it is ours");
    program(&state.join("bin/sum"), "#!/bin/sh\nexit 0\n");
    program(&home.path().join("fake/systemd-run"), "#!/bin/sh\nexit 0\n");
    program(&home.path().join("fake/loginctl"), "#!/bin/sh\necho Linger=$lingers\n");
    program(&home.path().join("fake/id"), "#!/bin/sh\n[ $1 = -u ] && echo $uid || echo somebody\n");
    let here = home.path().to_string_lossy().into_owned();
    for (uid, lingers, systemd, expected) in [
        ("1000", "no", here.as_str(), "setsid"),
        ("1000", "yes", here.as_str(), "systemd"),
        ("0", "no", here.as_str(), "systemd"),
        ("0", "yes", "/nowhere/at/all", "setsid"),
    ] {
        let environment = [("uid", uid), ("lingers", lingers), ("systemd", systemd)];
        let arguments = ["state", "node-1", "sum"];
        let found = run(home.path(), include_str!("../scripts/start.sh"), &arguments, &environment);
        assert_eq!(found, expected, "{environment:?}");
    }
}

/// Aim: where another host of the same home has removed the state directory, what runs here still ends; a directory
/// that is not ours is left alone, with what runs in it.
#[test]
fn a_removed_directory_hides_no_process() {
    let home = tempfile::tempdir().expect("a directory for temporary files");
    let home = std::fs::canonicalize(home.path()).map(|path| (path, home)).expect("it is there");
    let (home, _keep) = (&home.0, &home.1);
    let sleep = ["/bin/sleep", "/usr/bin/sleep"].into_iter().find(|path| Path::new(path).exists());
    let Some(sleep) = sleep.filter(|path| std::fs::canonicalize(path).is_ok_and(|it| it.ends_with("sleep")))
    else {
        eprintln!("skipped: no sleep of its own here");
        return;
    };
    let begin = |state: &str| {
        let bin = home.join(state).join("bin");
        std::fs::create_dir_all(&bin).expect("it is ours");
        std::fs::copy(sleep, bin.join("sum")).expect("it is ours");
        Command::new(bin.join("sum")).arg("60").stdin(Stdio::null()).spawn().expect("it runs")
    };
    let (mut ours, mut other) = (begin("state"), begin("other"));
    std::fs::remove_dir_all(home.join("state")).expect("it is ours");
    run(home, include_str!("../scripts/down.sh"), &["state"], &[]);
    run(home, include_str!("../scripts/down.sh"), &["other"], &[]);
    let ended = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        ours.try_wait().is_ok_and(|status| status.is_some())
    });
    let runs = other.try_wait().is_ok_and(|status| status.is_none());
    for child in [&mut ours, &mut other] {
        let _ = child.kill();
        let _ = child.wait();
    }
    assert!(ended, "it still runs");
    assert!(runs && home.join("other/bin/sum").exists(), "it is not ours");
}
