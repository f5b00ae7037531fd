//! Names of the places where a process is killed.

/// The place without its number and ids, such as `after POST /v1/compute/instances`.
pub(crate) fn kind(place: &str) -> String {
    let words = place.split_once(' ').map_or(place, |(_, words)| words);
    let parts: Vec<String> = words
        .split('/')
        .map(|part| {
            let id = part.len() > 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            if id { "ID".to_owned() } else { part.to_owned() }
        })
        .collect();
    parts.join("/")
}
