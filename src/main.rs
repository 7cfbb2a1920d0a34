//! The `bellini` command with the built-in policies.

fn main() -> std::process::ExitCode {
    bellini::cli::run(bellini::Registry::builtin())
}
