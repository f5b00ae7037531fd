//! Keeps one PostgreSQL server for all tests of a run: prints its folder and lives as long as its input is open.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for scripts")]

use std::io::Read as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match alfred_testing::postgres::Server::start() {
        Ok(server) => {
            println!("{}", server.folder().display());
            let mut nothing = Vec::new();
            // Whether it ends or fails, nobody needs the server any more.
            let _ = std::io::stdin().read_to_end(&mut nothing);
            ExitCode::SUCCESS
        }
        Err(words) => {
            eprintln!("error: {words}");
            ExitCode::FAILURE
        }
    }
}
