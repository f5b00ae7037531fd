//! Lists: order, pages and links.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::fields::Query;
use super::options::Options;
use super::reply::{Refusal, Reply};

/// What a list can be ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SortKey {
    Number(i64),
    Text(String),
}

/// Answers with the page of `elements` that the query asks for. `key` gives an element's value of a field, or `None` if
/// there is no such field to order by; `wire` gives its JSON.
pub(crate) fn page<T>(
    path: &str,
    mut elements: Vec<T>,
    query: &Query,
    options: &Options,
    key: impl Fn(&T, &str) -> Option<SortKey>,
    wire: impl Fn(&T) -> Value,
) -> Result<Reply, Refusal> {
    sort(&mut elements, query, key)?;
    let number = positive(query, "page", 1)?;
    let size = positive(query, "size", 10)?.min(u64::from(options.page_size_max.max(1)));
    let count = elements.len() as u64;
    // With the quirk, it is as if an element had been added in front after the first page was read.
    let shift = u64::from(options.duplicate_pages && number > 1 && count > 0);
    let total = count + shift;
    let pages = total.div_ceil(size);
    let start = (number - 1).saturating_mul(size).saturating_sub(shift);
    let data: Vec<Value> = elements
        .iter()
        .skip(usize::try_from(start).unwrap_or(usize::MAX))
        .take(usize::try_from(size).unwrap_or(usize::MAX))
        .map(wire)
        .collect();
    Ok(Reply::new(
        200,
        json!({
            "data": data,
            "_pagination": { "size": size, "totalElements": total, "totalPages": pages, "page": number },
            "_links": links(path, number, size, pages),
        }),
    ))
}

/// The last link of an empty list is empty on the platform, against its own specification.
fn links(path: &str, number: u64, size: u64, pages: u64) -> Value {
    let link = |page: u64| format!("{path}?page={page}&size={size}");
    let mut links = json!({
        "first": link(1),
        "self": link(number),
        "last": if pages == 0 { String::new() } else { link(pages) },
    });
    if number > 1 {
        links["previous"] = Value::from(link(number - 1));
    }
    if number < pages {
        links["next"] = Value::from(link(number + 1));
    }
    links
}

fn positive(query: &Query, name: &str, default: u64) -> Result<u64, Refusal> {
    match query.integer(name)? {
        None => Ok(default),
        Some(number) => match u64::try_from(number) {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Refusal::invalid(vec![format!("{name} must not be less than 1")])),
        },
    }
}

fn sort<T>(elements: &mut [T], query: &Query, key: impl Fn(&T, &str) -> Option<SortKey>) -> Result<(), Refusal> {
    let mut orders = Vec::new();
    for order in query.all("orderBy").flat_map(|text| text.split(',')) {
        let (field, direction) = order.split_once(':').unwrap_or((order, "ASC"));
        let descending = match direction.to_ascii_uppercase().as_str() {
            "ASC" => false,
            "DESC" => true,
            _ => {
                return Err(Refusal::new(400, format!("Invalid order direction '{direction}'")));
            }
        };
        if elements.first().is_some_and(|element| key(element, field).is_none()) {
            return Err(Refusal::new(400, format!("Invalid order field '{field}'")));
        }
        orders.push((field.to_owned(), descending));
    }
    // Nine keys are more than any object has reason for; a longer list would only cost time.
    orders.truncate(9);
    elements.sort_by(|left, right| {
        orders
            .iter()
            .map(|(field, descending)| {
                let order = key(left, field).cmp(&key(right, field));
                if *descending { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    Ok(())
}
