//! `alfred dns get`.

use alfred_model::dns::file::full_name;
use alfred_model::dns::plan::SeenRecord;
use alfred_model::name::DomainName;
use alfred_providers::cloudflare::RecordFilter;
use serde_json::{Value, json};

use super::super::Context;
use super::list;
use super::zone::{PATIENCE, PER_PAGE, Patience, Zone, seen};
use crate::cli::DnsGetArguments;
use crate::error::{Exit, Failure, one_line};

/// Shows every record at a name.
pub(super) async fn run(context: &Context, arguments: &DnsGetArguments) -> Result<Exit, Failure> {
    let zone = Zone::open(context, None).await?;
    let name = name(&arguments.name, &zone.name)?;
    let records = at(context, &zone, &name).await?;
    if context.printer.json() {
        let records: Vec<Value> = records.iter().map(list::document).collect();
        context.printer.document(&json!({"zone": zone.name, "name": name, "records": records}))?;
    } else {
        let parts: Vec<String> = records.iter().map(paragraph).collect();
        if !parts.is_empty() {
            context.printer.data(parts.join("\n\n"))?;
        }
    }
    if records.is_empty() { Err(Failure::new(format!("`{name}` has no record"))) } else { Ok(Exit::Done) }
}

/// A name that is looked at: also the zone's own.
pub(super) fn name(text: &str, zone: &DomainName) -> Result<DomainName, Failure> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    if text == "@" || bare.eq_ignore_ascii_case(zone.as_str()) {
        return Ok(zone.clone());
    }
    full_name(text, zone).map_err(Failure::usage)
}

/// The zone's records of a name.
pub(super) async fn at(context: &Context, zone: &Zone, name: &DomainName) -> Result<Vec<SeenRecord>, Failure> {
    let mut patience = Patience::new(context, PATIENCE);
    loop {
        match zone.cloudflare.records(&RecordFilter::name(name.as_str()), PER_PAGE).await {
            Ok(records) => return Ok(records.into_iter().map(seen).collect()),
            Err(error) => patience.wait(error).await?,
        }
    }
}

fn paragraph(record: &SeenRecord) -> String {
    let mut lines = vec![
        format!("name     {}", record.name),
        format!("type     {}", record.kind),
        format!("content  {}", record.content),
        format!("ttl      {}", list::ttl(record)),
        format!("owner    {}", list::whose(record.mark().as_ref())),
        format!("id       {}", record.id),
    ];
    if let Some(comment) = &record.comment {
        lines.push(format!("comment  {comment}"));
    }
    if !record.tags.is_empty() {
        lines.push(format!("tags     {}", record.tags.join(", ")));
    }
    if record.read_only {
        lines.push("note     another Cloudflare product keeps it".to_owned());
    }
    lines.iter().map(|line| one_line(line)).collect::<Vec<_>>().join("\n")
}
