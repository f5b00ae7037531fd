//! The house rule that imports run one way, held against what cargo itself says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of them may use. Dependencies of tests are free: a client is tested on the local cloud.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "alfred",
        &[
            "alfred-server",
            "alfred-engine",
            "alfred-state",
            "alfred-store",
            "alfred-providers",
            "alfred-local-cloud",
            "alfred-model",
        ],
    ),
    ("alfred-server", &["alfred-engine", "alfred-state", "alfred-store", "alfred-model"]),
    ("alfred-engine", &["alfred-store", "alfred-providers", "alfred-model"]),
    ("alfred-state", &["alfred-model"]),
    ("alfred-store", &["alfred-model"]),
    ("alfred-providers", &["alfred-model"]),
    ("alfred-local-cloud", &["alfred-model"]),
    ("alfred-model", &[]),
    ("alfred-testing", &[]),
    ("xtask", &[]),
];

/// What each of our crates uses, tests left out.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let of = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap();
        let built = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        built.map(name).filter(|name| ours.contains(name)).collect()
    };
    packages.iter().map(|package| (name(package), of(package))).collect()
}

#[test]
fn imports_run_one_way() {
    let uses = uses();
    for (package, used) in &uses {
        let (_, allowed) = MAY_USE
            .iter()
            .find(|(name, _)| name == package)
            .unwrap_or_else(|| panic!("`{package}` is new: say here what it may use"));
        for one in used {
            assert!(allowed.contains(&one.as_str()), "`{package}` must not use `{one}`");
        }
    }
    assert!(uses["alfred"].contains("alfred-server"), "the list of dependencies is read: {uses:?}");
}
