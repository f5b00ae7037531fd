//! `alfred state init --r2`: a bucket that Terraform's own `s3` backend can use, shown to work.

use alfred_model::seam::Random as _;
use alfred_model::state::StateName;
use alfred_providers::cloudflare::{BucketName, BucketRules};
use alfred_state::backend::{Patience, S3, S3Options};
use clap::ValueEnum as _;
use secrecy::SecretString;
use serde_json::json;

use super::super::super::up::providers;
use super::super::super::up::states::seams;
use super::Context;
use crate::cli::{BucketJurisdiction, StateInitArguments};
use crate::config::{Config, Key};
use crate::error::{Exit, Failure, chain};
use crate::system::SystemRandom;

/// Versions of `alfred` itself lie below this prefix of a bucket.
const VERSIONS: &str = "blobs/";

const DAY: u32 = 24 * 60 * 60;

/// Makes the bucket if that was asked for, shows that it works, and prints the block and the environment.
pub(super) async fn run(context: &Context, arguments: &StateInitArguments, bucket: &str) -> Result<Exit, Failure> {
    let config = &context.config;
    let jurisdiction = arguments.jurisdiction.map(|jurisdiction| match jurisdiction {
        BucketJurisdiction::Eu => "eu",
        BucketJurisdiction::Us => "us",
        BucketJurisdiction::Fedramp => "fedramp",
    });
    let endpoint = endpoint(config, jurisdiction)?;
    let options = S3Options {
        endpoint: Some(endpoint.clone()),
        region: "auto".to_owned(),
        access_key_id: config
            .text(Key::AwsAccessKeyId)
            .map(SecretString::from)
            .ok_or_else(|| missing(Key::AwsAccessKeyId))?,
        secret_access_key: config
            .secret(Key::AwsSecretAccessKey)
            .cloned()
            .ok_or_else(|| missing(Key::AwsSecretAccessKey))?,
        patience: Patience::default(),
    };
    if arguments.create {
        create(context, arguments, bucket, jurisdiction).await?;
    }
    prove(bucket, &options).await?;
    context
        .printer
        .note(format_args!("`{bucket}` works: one lock is given to one only, and what is written is read back"));
    let block = block(&arguments.name, bucket, &endpoint);
    if context.printer.json() {
        let environment = json!({ "AWS_ACCESS_KEY_ID": config.text(Key::AwsAccessKeyId) });
        context.printer.document(&json!({ "backend": block, "environment": environment }))?;
        return Ok(Exit::Done);
    }
    let lines: Vec<String> = block.lines().map(|line| format!("#   {line}")).collect();
    context.printer.data(format_args!("# in a .tf file:\n{}\n# in the shell:", lines.join("\n")))?;
    let id = config.text(Key::AwsAccessKeyId).unwrap_or_default();
    context.printer.data(format_args!("export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY=..."))?;
    Ok(Exit::Done)
}

fn missing(key: Key) -> Failure {
    Failure::usage(format!("`{}` is not set", key.variable())).hint("`alfred config show` lists what is")
}

/// The address of the account's S3 API, without the bucket.
fn endpoint(config: &Config, jurisdiction: Option<&str>) -> Result<String, Failure> {
    if let Some(endpoint) = config.text(Key::R2Endpoint) {
        return Ok(endpoint.trim_end_matches('/').to_owned());
    }
    let account = config.text(Key::CloudflareAccountId).ok_or_else(|| missing(Key::R2Endpoint))?;
    let law = jurisdiction.map(|jurisdiction| format!(".{jurisdiction}")).unwrap_or_default();
    Ok(format!("https://{account}{law}.r2.cloudflarestorage.com"))
}

async fn create(
    context: &Context,
    arguments: &StateInitArguments,
    bucket: &str,
    jurisdiction: Option<&'static str>,
) -> Result<(), Failure> {
    let config = &context.config;
    let options = providers::cloudflare_options(config)?;
    let account = config.text(Key::CloudflareAccountId).ok_or_else(|| missing(Key::CloudflareAccountId))?.to_owned();
    let client = providers::cloudflare_alone(&providers::transport()?, options);
    let name = BucketName { account, name: bucket.to_owned(), jurisdiction };
    let location = arguments.location.and_then(|location| location.to_possible_value());
    let location = location.as_ref().map(clap::builder::PossibleValue::get_name);
    let made = client.create_bucket(&name, location).await.map_err(|error| Failure::new(error.to_string()))?;
    let rules = BucketRules {
        lock: arguments.lock_versions.map(|days| (VERSIONS.to_owned(), days.saturating_mul(DAY))),
        cors_origins: arguments.cors.clone(),
        public: arguments.public,
    };
    client.set_bucket_rules(&name, &rules).await.map_err(|error| Failure::new(error.to_string()))?;
    let words = if made { "made" } else { "there already" };
    context.printer.note(format_args!("the bucket `{bucket}` is {words}, and its rules are set"));
    Ok(())
}

/// On a key that nobody else has.
async fn prove(bucket: &str, options: &S3Options) -> Result<(), Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::new(chain(error));
    let store = S3::open("r2", bucket, "", options, seams()).await.map_err(|error| failed(&error))?;
    store.prove(&SystemRandom.uuid().to_string()).await.map_err(|error| failed(&error))
}

/// Each setting is needed: what R2 does not know is skipped, and the lock is a file beside the state
/// (<https://developers.cloudflare.com/terraform/advanced-topics/remote-backend/>).
fn block(name: &StateName, bucket: &str, endpoint: &str) -> String {
    format!(
        "terraform {{\n  backend \"s3\" {{\n    bucket = \"{bucket}\"\n    key    = \"{name}/terraform.tfstate\"\n    \
         region = \"auto\"\n    endpoints = {{ s3 = \"{endpoint}\" }}\n    use_path_style              = true\n    \
         use_lockfile                = true\n    skip_credentials_validation = true\n    skip_metadata_api_check     = \
         true\n    skip_region_validation      = true\n    skip_requesting_account_id  = true\n    skip_s3_checksum            = \
         true\n  }}\n}}"
    )
}
