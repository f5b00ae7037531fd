//! The decision at one name.

use super::{SeenRecord, Step};
use crate::dns::file::WantedRecord;
use crate::record::Mark;

/// Whether a record of this type decides where its name leads; others, such as TXT, do no harm beside ours.
pub(super) fn answers(kind: &str) -> bool {
    matches!(kind, "A" | "AAAA" | "CNAME" | "NS")
}

/// What is to be done for `wanted`: nothing, a step, or why nothing may be done. `right` is ours and as wanted; `others`
/// is everything else at the name that is ours or answers.
pub(super) fn decide<'a>(
    wanted: &'a WantedRecord,
    mark: &Mark,
    adopt: bool,
    right: Option<SeenRecord>,
    others: Vec<SeenRecord>,
) -> Result<Option<Step<'a>>, String> {
    let (ours, foreign): (Vec<SeenRecord>, Vec<SeenRecord>) =
        others.into_iter().partition(|record| record.mark().as_ref() == Some(mark));
    let has_ours = right.is_some() || !ours.is_empty();
    match foreign.as_slice() {
        [] => {}
        [_, _, ..] if adopt => {
            let count = foreign.len();
            return Err(format!("{count} records that are not ours are there, and only a single one can be adopted"));
        }
        [record, ..] if !adopt || has_ours => return Err(refusal(record, has_ours)),
        [record, ..] => {
            adoptable(record)?;
            return Ok(Some(Step::Adopt(wanted, foreign)));
        }
    }
    let doubles = !ours.is_empty();
    match right {
        Some(_) if !doubles => Ok(None),
        Some(record) => Ok(Some(Step::Unify(wanted, std::iter::once(record).chain(ours).collect()))),
        None => Ok(Some(match ours.first() {
            None => Step::Create(wanted),
            Some(first) if first.kind == wanted.target.kind() => Step::Update(wanted, ours),
            Some(_) => Step::Retype(wanted, ours),
        })),
    }
}

/// Why a record that is not ours is left as it is, and whether `--adopt` would help.
fn refusal(record: &SeenRecord, has_ours: bool) -> String {
    let SeenRecord { kind, content, .. } = record;
    if let Some(words) = kept_by_others(record) {
        return words;
    }
    if has_ours {
        return format!(
            "a record that is not ours stands beside it ({kind} {content}): delete one of them in the zone"
        );
    }
    let whose = match record.mark() {
        Some(Mark::Owner(owner)) => format!("belongs to the owner `{owner}`"),
        _ => "is not ours".to_owned(),
    };
    if adoptable(record).is_ok() {
        format!("{whose} ({kind} {content}): choose another name, delete it, or take it over with `--adopt`")
    } else {
        format!("{whose} ({kind} {content}): choose another name, or delete it in the zone")
    }
}

fn adoptable(record: &SeenRecord) -> Result<(), String> {
    if let Some(words) = kept_by_others(record) {
        return Err(words);
    }
    if matches!(record.kind.as_str(), "A" | "CNAME") {
        return Ok(());
    }
    Err(format!(
        "a record of type {} is there, and only A and CNAME can be adopted: delete it in the zone",
        record.kind
    ))
}

/// Records that are never adopted.
fn kept_by_others(record: &SeenRecord) -> Option<String> {
    if let Some(Mark::Environment(mark)) = record.mark() {
        return Some(format!(
            "belongs to the environment {}, and only the control plane changes it: `alfred env delete` gives the name \
             back",
            mark.environment
        ));
    }
    record.read_only.then(|| {
        format!(
            "another Cloudflare product keeps a record there ({} {}): choose another name",
            record.kind, record.content
        )
    })
}
