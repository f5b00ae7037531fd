//! The programs that are measured: what each is given, and how it is started.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use alfred_local_cloud::cloudflare::{DEMO_ACCOUNT_ID, DEMO_TOKEN, DEMO_ZONE, DEMO_ZONE_ID};
use alfred_model::record::RECORD_TTL_SECONDS;

use crate::Failure;
use crate::cloud::Marks;
use crate::workload::Workload;

/// A program under measurement.
#[derive(Debug)]
pub(crate) struct Tool {
    kind: Kind,
    program: PathBuf,
    version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alfred,
    OctoDns,
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.version)
    }
}

impl Tool {
    /// The binary that was built beside this one.
    pub(crate) fn alfred() -> Result<Self, Failure> {
        let here = std::env::current_exe()?;
        let folder = here.parent().and_then(Path::parent).ok_or("this program is nowhere")?;
        let program = folder.join("alfred").with_extension(std::env::consts::EXE_EXTENSION);
        if !program.is_file() {
            return Err(
                format!("there is no `{}`: run `cargo xtask bench dns`, which builds it", program.display()).into()
            );
        }
        let version = said(Command::new(&program).arg("--version"))?;
        Ok(Self { kind: Kind::Alfred, program, version })
    }

    /// octoDNS of the Python that `PEER_PYTHON` names.
    pub(crate) fn octodns() -> Result<Self, Failure> {
        let missing = "set `PEER_PYTHON` to the python of a venv with octodns and octodns-cloudflare, or run \
                       `cargo xtask bench dns`, which makes one";
        let python = PathBuf::from(std::env::var_os("PEER_PYTHON").ok_or(missing)?);
        let program = python.with_file_name("octodns-sync");
        let versions = "from importlib.metadata import version as v; \
                        print('octodns', v('octodns'), 'with octodns-cloudflare', v('octodns-cloudflare'))";
        let version =
            said(Command::new(&python).args(["-c", versions])).map_err(|error| format!("{error}: {missing}"))?;
        Ok(Self { kind: Kind::OctoDns, program, version })
    }

    /// Whether its records carry marks.
    pub(crate) fn marks(&self) -> Marks {
        match self.kind {
            Kind::Alfred => Marks::Owner,
            Kind::OctoDns => Marks::None,
        }
    }

    /// Writes what is wanted into `folder`, and answers the command that brings it about at the API below `base`.
    pub(crate) fn prepare(&self, workload: Workload, base: &str, folder: &Path) -> Result<Command, Failure> {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(folder);
        match self.kind {
            Kind::Alfred => {
                alfred_file(workload, &folder.join("records.txt"))?;
                command.args(["dns", "apply", "records.txt", "--yes", "--prune"]);
                command.env("CLOUDFLARE_API_BASE", base).env("CLOUDFLARE_API_TOKEN", DEMO_TOKEN);
                command.env("CLOUDFLARE_ZONE_ID", DEMO_ZONE_ID).env("ALFRED_DOMAIN", DEMO_ZONE);
                command.env("ALFRED_DATA_DIR", folder.join("alfred"));
            }
            Kind::OctoDns => {
                octodns_files(workload, base, folder)?;
                command.args(["--config-file", "octodns.yaml", "--doit", "--force", "--quiet"]);
            }
        }
        Ok(command)
    }
}

/// Lines `NAME ADDRESS`.
fn alfred_file(workload: Workload, path: &Path) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    for (label, address) in workload.after() {
        writeln!(file, "{label} {address}")?;
    }
    Ok(file.flush()?)
}

/// The configuration with the fewest calls that octoDNS can do with at its provider's own page size: page rules would be
/// one more, and order is not checked, which takes time.
fn octodns_files(workload: Workload, base: &str, folder: &Path) -> Result<(), Failure> {
    let config = format!(
        "manager: {{max_workers: 1}}\n\
         providers:\n  \
           source: {{class: octodns.provider.yaml.YamlProvider, directory: ., enforce_order: false}}\n  \
           target:\n    \
             class: octodns_cloudflare.CloudflareProvider\n    \
             token: {DEMO_TOKEN}\n    \
             account_id: {DEMO_ACCOUNT_ID}\n    \
             api_url: {base}\n    \
             pagerules: false\n\
         zones:\n  \
           {DEMO_ZONE}.: {{sources: [source], targets: [target]}}\n"
    );
    std::fs::write(folder.join("octodns.yaml"), config)?;
    let mut file = BufWriter::new(File::create(folder.join(format!("{DEMO_ZONE}.yaml")))?);
    for (label, address) in workload.after() {
        writeln!(file, "{label}: {{type: A, ttl: {RECORD_TTL_SECONDS}, value: {address}}}")?;
    }
    Ok(file.flush()?)
}

fn said(command: &mut Command) -> Result<String, Failure> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("`{}` failed ({})", command.get_program().display(), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
