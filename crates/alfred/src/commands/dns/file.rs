//! Reading a file of wanted records, and telling all that is wrong with it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use alfred_model::dns::file::{FILE_MAX, FileProblems, Format, Reading, WantedRecord, parse};
use alfred_model::name::DomainName;

use super::super::Context;
use crate::cli::FileArguments;
use crate::error::{Failure, one_line};

/// The bytes of the file that the arguments name. Read before anything is asked of anybody.
pub(super) fn bytes(arguments: &FileArguments) -> Result<Vec<u8>, Failure> {
    let path = arguments.file.as_path();
    let cannot = |error: &std::io::Error| Failure::usage(format!("cannot read `{}`: {error}", path.display()));
    let mut bytes = Vec::new();
    if is_stdin(path) {
        std::io::stdin().lock().take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    } else {
        let file = File::open(path).map_err(|error| cannot(&error))?;
        file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAX {
        let words = format!("`{}` is larger than {} MiB", path.display(), FILE_MAX / 1024 / 1024);
        return Err(Failure::usage(words).hint("divide it, with an owner of its own for each part"));
    }
    Ok(bytes)
}

/// The records that the file wants; or everything that is wrong with it, which is told line by line.
pub(super) fn wanted(
    context: &Context,
    arguments: &FileArguments,
    bytes: &[u8],
    zone: &DomainName,
) -> Result<Vec<WantedRecord>, Failure> {
    let path = arguments.file.as_path();
    let format = arguments.format.map_or_else(|| Format::of(path), Format::from);
    let reading = Reading { format, zone, ttl: arguments.ttl, allow_empty: arguments.allow_empty };
    parse(bytes, &reading).map_err(|problems| tell(context, path, &problems))
}

fn tell(context: &Context, path: &Path, problems: &FileProblems) -> Failure {
    let name = if is_stdin(path) { "standard input".to_owned() } else { one_line(&path.display().to_string()) };
    for problem in &problems.first {
        context.printer.must_see(format_args!("{name}:{}: {}", problem.line, problem.reason));
    }
    if problems.more > 0 {
        context.printer.must_see(format_args!("and {} more", problems.more));
    }
    let count = problems.first.len() + problems.more;
    let lines = if count == 1 { "1 problem" } else { &format!("{count} problems") };
    Failure::usage(format!("`{name}` has {lines}: nothing was changed"))
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}
