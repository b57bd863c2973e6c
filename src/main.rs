//! The `labctl` program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    labctl::run(std::env::args_os())
}
