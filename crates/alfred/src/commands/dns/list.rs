//! `alfred dns list`.

use alfred_model::dns::plan::SeenRecord;
use alfred_model::record::Mark;
use alfred_providers::cloudflare::{RecordFilter, RecordView};
use serde_json::{Value, json};

use super::super::Context;
use super::zone::{PATIENCE, PER_PAGE, Patience, Zone, seen};
use crate::cli::DnsListArguments;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// Prints records, by name.
pub(super) async fn run(context: &Context, arguments: &DnsListArguments) -> Result<Exit, Failure> {
    let zone = Zone::open(context, arguments.access.owner.as_ref()).await?;
    let mark = zone.mark();
    let filter = if arguments.all {
        RecordFilter::all()
    } else {
        RecordFilter::comment_startswith(Mark::owner_prefix(&zone.owner))
    };
    let wanted = |view: &RecordView<'_>| {
        if arguments.all {
            return matches!(view.kind.as_ref(), "A" | "CNAME");
        }
        let name = view.name.parse().ok();
        // The filter knows the beginning of a mark; whether it is intact is seen here.
        name.zip(view.comment()).and_then(|(name, comment)| Mark::read(comment, &name)).as_ref() == Some(&mark)
    };
    let mut patience = Patience::new(context, PATIENCE);
    let mut records = loop {
        let mut found: Vec<SeenRecord> = Vec::new();
        let listed = zone.cloudflare.each_record(&filter, PER_PAGE, |view| {
            if wanted(view) {
                found.extend(view.to_record().map(seen));
            }
        });
        match listed.await {
            Ok(_) => break found,
            Err(error) => patience.wait(error).await?,
        }
    };
    records.sort_by(|one, other| (&one.name, &one.kind, &one.content).cmp(&(&other.name, &other.kind, &other.content)));
    if context.printer.json() {
        let records: Vec<Value> = records.iter().map(document).collect();
        context.printer.document(&json!({"zone": zone.name, "records": records}))?;
    } else if records.is_empty() {
        context.printer.note(format_args!(
            "`{}` has no records of the owner `{}`: make one with `alfred dns set`",
            zone.name, zone.owner
        ));
    } else {
        let mut table = table::table(&["NAME", "TYPE", "CONTENT", "TTL", "OWNER"]);
        for record in &records {
            table.add_row([
                one_line(zone.short(&record.name)),
                record.kind.clone(),
                one_line(&record.content),
                ttl(record),
                whose(record.mark().as_ref()),
            ]);
        }
        context.printer.data(table::text(&table))?;
    }
    Ok(Exit::Done)
}

/// Time to live as people read it.
pub(super) fn ttl(record: &SeenRecord) -> String {
    match (record.proxied, record.ttl) {
        (true, _) => "proxied".to_owned(),
        (false, 1) => "auto".to_owned(),
        (false, seconds) => seconds.to_string(),
    }
}

/// Whose a record is.
pub(super) fn whose(mark: Option<&Mark>) -> String {
    match mark {
        Some(Mark::Owner(owner)) => owner.to_string(),
        Some(Mark::Environment(mark)) => format!("environment {}", mark.environment),
        None => "-".to_owned(),
    }
}

/// A record for machines.
pub(super) fn document(record: &SeenRecord) -> Value {
    let owner = match record.mark() {
        Some(Mark::Owner(owner)) => json!({"kind": "owner", "name": owner.as_str()}),
        Some(Mark::Environment(mark)) => {
            json!({"kind": "environment", "id": mark.environment, "installation": mark.installation})
        }
        None => Value::Null,
    };
    json!({
        "id": record.id,
        "name": record.name,
        "type": record.kind,
        "content": record.content,
        "ttl": record.ttl,
        "proxied": record.proxied,
        "comment": record.comment,
        "tags": record.tags,
        "read_only": record.read_only,
        "owner": owner,
    })
}
