//! Which calls there are, read from the code that names them, so that a new one cannot be forgotten here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const METHODS: [&str; 5] = ["GET ", "POST ", "PUT ", "PATCH ", "DELETE "];

/// The routes that the clients count their calls under, such as `GET /v1/compute/instances`.
pub(crate) fn of_clients() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../providers/src");
    let mut files = vec![source.join("cloudflare.rs"), source.join("contabo.rs")];
    files.extend(below(&source.join("cloudflare")));
    files.extend(below(&source.join("contabo")));
    let is_route = |literal: &String| METHODS.iter().any(|method| literal.starts_with(method));
    files.iter().flat_map(|file| literals(file)).filter(is_route).collect()
}

/// The names of the local cloud's calls, such as `contabo.instances.list`, without its own controls.
pub(crate) fn of_cloud() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = ["cloudflare/route.rs", "cloudflare/bucket_route.rs", "contabo/route.rs"].map(|file| source.join(file));
    let is_name = |literal: &String| literal.starts_with("cloudflare.") || literal.starts_with("contabo.");
    let names = files.iter().flat_map(|file| literals(file)).filter(is_name);
    names.filter(|name| !name.starts_with("contabo.admin.")).collect()
}

/// Files of code in a folder, tests left out.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("`{}`: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file() && path.file_name().is_some_and(|name| name != "tests.rs")).collect()
}

/// The texts in quotes of a file, comments left out.
fn literals(file: &Path) -> Vec<String> {
    let code = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("`{}`: {error}", file.display()));
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2).map(ToOwned::to_owned)).collect()
}
