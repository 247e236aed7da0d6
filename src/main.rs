//! Arguments -> settings -> adapters -> run. Nothing else.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    driftless::cli::main()
}
