//! Folders with a configuration, and `terraform` in them.

use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::Failure;
use crate::stage::{BUCKET, ControlPlane, Stage};

const RESOURCES: &str = r#"
variable "value" {
  type = string
}

resource "terraform_data" "it" {
  input = var.value
}
"#;

/// What it calls itself.
pub(crate) fn version() -> Result<String, Failure> {
    let missing = "there is no `terraform` in `PATH`; get it from https://developer.hashicorp.com/terraform/install";
    let output = Command::new("terraform").arg("version").env("CHECKPOINT_DISABLE", "1").output();
    let output = output.map_err(|error| format!("{missing} ({error})"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().next().unwrap_or("terraform").to_owned())
}

/// A folder with a configuration.
pub(crate) struct Workspace {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Workspace {
    /// One whose state is in the folder.
    pub(crate) fn local() -> Result<Self, Failure> {
        Self::new("", Vec::new())
    }

    /// One whose state is kept by a control plane.
    pub(crate) fn tfstate(up: &ControlPlane) -> Result<Self, Failure> {
        let address = up.state("bench");
        let variables = [
            ("TF_HTTP_ADDRESS", address.as_str()),
            ("TF_HTTP_LOCK_ADDRESS", &address),
            ("TF_HTTP_UNLOCK_ADDRESS", &address),
            ("TF_HTTP_USERNAME", "bench"),
            ("TF_HTTP_PASSWORD", &up.token),
        ];
        Self::new("terraform {\n  backend \"http\" {}\n}\n", own(&variables))
    }

    /// One whose state is in the cloud's R2 by Terraform's own S3 backend, with its lock file.
    pub(crate) fn bucket(stage: &Stage) -> Result<Self, Failure> {
        let block = format!(
            r#"terraform {{
  backend "s3" {{
    bucket                      = "{BUCKET}"
    key                         = "bench.tfstate"
    region                      = "auto"
    endpoints                   = {{ s3 = "{}" }}
    use_path_style              = true
    use_lockfile                = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    skip_s3_checksum            = true
  }}
}}
"#,
            stage.cloud("R2_ENDPOINT")?
        );
        let variables = [
            ("AWS_ACCESS_KEY_ID", stage.cloud("AWS_ACCESS_KEY_ID")?),
            ("AWS_SECRET_ACCESS_KEY", stage.cloud("AWS_SECRET_ACCESS_KEY")?),
            ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"),
        ];
        Self::new(&block, own(&variables))
    }

    fn new(block: &str, variables: Vec<(String, String)>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("main.tf"), format!("{block}{RESOURCES}"))?;
        std::fs::write(folder.path().join("terraform.rc"), "")?;
        let workspace = Self { folder, variables };
        workspace.run(&["init"])?;
        Ok(workspace)
    }

    /// Applies a value; how long the process took.
    pub(crate) fn apply(&self, value: usize) -> Result<Duration, Failure> {
        self.run(&["apply", "-auto-approve", &format!("-var=value={value}")])
    }

    fn run(&self, arguments: &[&str]) -> Result<Duration, Failure> {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", self.folder.path().join("terraform.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        let began = Instant::now();
        let output = command.output()?;
        let took = began.elapsed();
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`terraform {}` failed: {words}", arguments.join(" ")).into());
        }
        Ok(took)
    }
}

fn own(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
