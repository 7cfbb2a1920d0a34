//! Runs the command in a directory that exists for one test.

use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The binary under test.
pub(crate) const BELLINI: &str = env!("CARGO_BIN_EXE_bellini");

/// A scenario of a few thousand packets: two flows, one relay, losses that depend on the seed.
pub(crate) const SMALL: &str = r#"{
  "bellini": 1,
  "duration": "1 s",
  "nodes": [{"id": 1, "name": "ana"}, {"id": 2}, {"id": 3, "name": "relay"}, {"id": 4}],
  "links": [
    {"between": ["ana", 2], "delay": "10 ms", "rate": "10 Mbit/s", "loss": 0.02},
    {"between": ["ana", "relay"], "delay": "5 ms"},
    {"between": ["relay", 2], "delay": "6 ms"},
    {"between": [2, 4], "delay": "3 ms"}
  ],
  "conferences": [{"id": 1, "sessions": [
    {
      "id": 1,
      "source": "ana",
      "destinations": [2],
      "content": {"kind": "constant", "rate": "2 Mbit/s"},
      "start": "100 ms",
      "stop": "900 ms",
      "routing": {"policy": "static", "flows": [
        {"route": "ana>2", "share": 0.6},
        {"route": "ana>relay>2", "share": 0.4}
      ]}
    }
  ]}]
}
"#;

/// Builds the examples, unless `cargo test` has done so, and returns the path of one.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = BUILT.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| env!("CARGO").to_owned());
        // <target>/<profile>/bellini
        let profile = Path::new(BELLINI).parent().unwrap();
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--offline", "--examples", "--manifest-path"]);
        command.arg(sources().join("Cargo.toml"));
        command.arg("--target-dir").arg(profile.parent().unwrap());
        // What cargo told this test of its package would have build scripts of dependencies run again.
        let is_of_package =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars().filter(|(name, _)| is_of_package(name)) {
            command.env_remove(name);
        }
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        assert!(command.status().unwrap().success());
        profile.join("examples")
    });
    directory.join(name)
}

/// A directory that goes when the test ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty directory.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("bellini-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Makes a directory that holds [`SMALL`] as `small.json`.
    pub(crate) fn with_small() -> Self {
        let scratch = Self::new();
        scratch.write("small.json", SMALL);
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the names in a directory, sorted.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the command, to be run here, with nothing of the tester's own settings.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.0).stdin(Stdio::null());
        command.env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
        command
    }

    /// Runs `bellini` here.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(BELLINI).args(arguments))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a process left.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Expects an exit code, and shows everything if it is another one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Expects all of these texts on stderr.
    #[track_caller]
    pub(crate) fn says(self, pieces: &[&str]) -> Self {
        for piece in pieces {
            assert!(self.stderr.contains(piece), "no {piece:?} in\n{}", self.stderr);
        }
        self
    }

    /// Expects nothing on stdout.
    #[track_caller]
    pub(crate) fn silent(self) -> Self {
        assert_eq!(self.stdout, "");
        self
    }
}

/// Returns the root of the sources.
pub(crate) fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the shipped scenarios outside `bench/`, sorted.
pub(crate) fn shipped() -> Vec<PathBuf> {
    let entries = fs::read_dir(sources().join("scenarios")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    paths.sort();
    assert!(paths.len() >= 8, "{paths:?}");
    paths
}

/// Returns `summary.json` as text without the part that differs between executions.
pub(crate) fn without_engine(summary: &str) -> String {
    let mut value: Value = serde_json::from_str(summary).unwrap();
    assert!(value.as_object_mut().unwrap().remove("engine").is_some_and(|engine| engine.is_object()));
    serde_json::to_string_pretty(&value).unwrap()
}
