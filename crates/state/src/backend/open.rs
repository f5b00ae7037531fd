//! A backend from its address.
//!
//! | address | what |
//! |---|---|
//! | `/var/lib/alfred/states`, `file:///var/lib/alfred/states` | a folder |
//! | `r2://BUCKET/PREFIX`, `s3://BUCKET/PREFIX` | a bucket |
//! | `nats://HOST:PORT/BUCKET`, also `tls://` | JetStream |
//! | `wss://HOST/PATH?bucket=BUCKET`, also `ws://` | JetStream over a WebSocket; the path is the server's |
//! | `sqlite:///var/lib/alfred/states.sqlite` | a SQLite file |
//! | `postgres://USER:PASSWORD@HOST/DATABASE` | PostgreSQL |
//!
//! An address of NATS may also have `replicas=3` (three servers keep each message) and `max_bytes=1GiB` (the bucket, and the
//! stream of the contents, hold so much each): `nats://HOST/BUCKET?replicas=3&max_bytes=1GiB`.
//!
//! And one state that Terraform's own backend `s3` keeps: `r2-object://BUCKET/KEY`, `s3-object://BUCKET/KEY`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use secrecy::SecretString;

use super::place::Place;
use super::s3::object::{self, ObjectError};
use super::{Backend, BackendError, Folder, Nats, NatsOptions, Patience, S3, S3Options, Sql};
use crate::service::Seams;

/// The bucket of NATS, where the address names none.
const NATS_BUCKET: &str = "alfred-states";

/// What an address does not say. Nothing of it need be given for a folder or a database.
#[derive(Clone)]
pub struct OpenOptions {
    /// Tell the time, and draw what tells one write from another.
    pub seams: Seams,
    /// The address of R2 or another S3: `https://ACCOUNT.r2.cloudflarestorage.com`. Needed for `r2://`.
    pub endpoint: Option<String>,
    /// The region; `auto` for `r2://` and `us-east-1` for `s3://`, where absent.
    pub region: Option<String>,
    /// Who asks R2 or S3.
    pub access_key_id: Option<SecretString>,
    /// Proves it.
    pub secret_access_key: Option<SecretString>,
    /// How long failures of R2 or S3 are put up with.
    pub patience: Patience,
    /// Who asks NATS, and how its bucket is made.
    pub nats: NatsOptions,
}

impl OpenOptions {
    /// Nothing is given.
    pub fn new(seams: Seams) -> Self {
        Self {
            seams,
            endpoint: None,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            patience: Patience::default(),
            nats: NatsOptions::default(),
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenOptions")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key)
            .field("patience", &self.patience)
            .field("nats", &self.nats)
            .finish_non_exhaustive()
    }
}

/// Opens the backend at an address, and makes what it needs there if it is missing: a folder, tables, a bucket of NATS.
/// A bucket of R2 or S3 must be there.
pub async fn open(address: &str, options: &OpenOptions) -> Result<Arc<dyn Backend>, BackendError> {
    match Address::parse(address)? {
        Address::Folder(path) => Ok(Arc::new(Folder::open(&path).await?)),
        Address::Bucket { kind, bucket, prefix } => {
            let place = Place(format!("{kind} {bucket}"));
            let s3 = s3_options(kind, options).map_err(|words| place.refused(words))?;
            Ok(Arc::new(S3::open(kind, bucket, prefix, &s3, options.seams.clone()).await?))
        }
        Address::Nats { server, bucket, replicas, max_bytes } => {
            let nats = NatsOptions {
                replicas: replicas.or(options.nats.replicas),
                max_bytes: max_bytes.or(options.nats.max_bytes),
                ..options.nats.clone()
            };
            Ok(Arc::new(Nats::open(&server, &bucket, &nats, Arc::clone(&options.seams.random)).await?))
        }
        Address::Database(address) => Ok(Arc::new(Sql::open(address).await?)),
    }
}

/// Whether an address is that of one object, which [`read_object`] reads, and no store.
pub fn is_object(address: &str) -> bool {
    object_address(address).is_some()
}

/// Reads the state that Terraform's own backend `s3` keeps in one object, if it has at most `size_max` bytes and nobody has
/// locked it.
pub async fn read_object(address: &str, size_max: u64, options: &OpenOptions) -> Result<Bytes, ObjectError> {
    let unknown = || Place("the address of an object".to_owned());
    let parts = object_address(address).and_then(|(kind, rest)| Some((kind, rest.split_once('/')?)));
    let (kind, (bucket, key)) =
        parts.ok_or_else(|| unknown().refused("it must be `r2-object://BUCKET/KEY` or `s3-object://BUCKET/KEY`"))?;
    let s3 = s3_options(kind, options).map_err(|words| Place(format!("{kind} {bucket}")).refused(words))?;
    object::read(kind, bucket, key, size_max, &s3, Arc::clone(&options.seams.random)).await
}

/// The kind of service, and what stands behind the `://`.
fn object_address(address: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = address.split_once("://")?;
    match scheme {
        "r2-object" => Some(("r2", rest)),
        "s3-object" => Some(("s3", rest)),
        _ => None,
    }
}

/// An address, taken apart. It may hold a password, so that there is no `Debug`.
enum Address<'a> {
    Folder(PathBuf),
    Bucket { kind: &'static str, bucket: &'a str, prefix: &'a str },
    Nats { server: String, bucket: String, replicas: Option<usize>, max_bytes: Option<i64> },
    Database(&'a str),
}

impl<'a> Address<'a> {
    fn parse(address: &'a str) -> Result<Self, BackendError> {
        let unknown = || Place("the address of a store of states".to_owned());
        let Some((scheme, rest)) = address.split_once("://") else {
            if address.is_empty() || address.contains('\0') {
                return Err(unknown().refused("it is empty: name a folder, or an address such as `r2://BUCKET/PREFIX`"));
            }
            return Ok(Self::Folder(address.into()));
        };
        match scheme {
            "file" if rest.starts_with('/') && !rest.contains('\0') => Ok(Self::Folder(rest.into())),
            "file" => Err(unknown().refused("`file://` must be followed by a path that begins with `/`")),
            "r2" => Ok(Self::bucket("r2", rest)),
            "s3" => Ok(Self::bucket("s3", rest)),
            "nats" | "tls" | "ws" | "wss" => Self::nats(address).ok_or_else(|| {
                unknown().refused(
                    "it must be `nats://HOST:PORT/BUCKET`, or `wss://HOST/PATH?bucket=BUCKET` for a WebSocket; `replicas` may \
                     be 1, 3 or 5, and `max_bytes` a length such as `1GiB`",
                )
            }),
            "sqlite" | "postgres" | "postgresql" => Ok(Self::Database(address)),
            // Not even the scheme is repeated: nobody knows what it was meant to be.
            _ => Err(unknown().refused(
                "it begins with none of `file://`, `r2://`, `s3://`, `nats://`, `tls://`, `ws://`, `wss://`, `sqlite://` and \
                 `postgres://`",
            )),
        }
    }

    fn bucket(kind: &'static str, rest: &'a str) -> Self {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        Self::Bucket { kind, bucket, prefix }
    }

    fn nats(address: &str) -> Option<Self> {
        let mut url = reqwest::Url::parse(address).ok().filter(reqwest::Url::has_host)?;
        let (mut bucket, mut replicas, mut max_bytes) = (None, None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "bucket" => bucket = Some(value.into_owned()),
                // Of an even number as many may fail as of one less.
                "replicas" => replicas = Some(value.parse().ok().filter(|replicas| [1, 3, 5].contains(replicas))?),
                "max_bytes" => {
                    let bytes = length(&value).and_then(|bytes| i64::try_from(bytes).ok());
                    max_bytes = Some(bytes.filter(|bytes| *bytes > 0)?);
                }
                _ => return None,
            }
        }
        url.set_query(None);
        if matches!(url.scheme(), "nats" | "tls") {
            let path = url.path().trim_matches('/').to_owned();
            if !path.is_empty() {
                bucket = Some(path);
            }
            url.set_path("");
        }
        let bucket = bucket.unwrap_or_else(|| NATS_BUCKET.to_owned());
        Some(Self::Nats { server: url.to_string(), bucket, replicas, max_bytes })
    }
}

/// Reads `1048576`, `512KiB`, `256 MiB` or `1GiB`.
pub fn length(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = match text[digits.len()..].trim_start() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn s3_options(kind: &str, options: &OpenOptions) -> Result<S3Options, String> {
    let missing = |what: &str| format!("{what} is not given");
    if kind == "r2" && options.endpoint.is_none() {
        return Err(missing("its endpoint, `https://ACCOUNT.r2.cloudflarestorage.com`,"));
    }
    let region = if kind == "r2" { "auto" } else { "us-east-1" };
    Ok(S3Options {
        endpoint: options.endpoint.clone(),
        region: options.region.clone().unwrap_or_else(|| region.to_owned()),
        access_key_id: options.access_key_id.clone().ok_or_else(|| missing("the id of its access key"))?,
        secret_access_key: options.secret_access_key.clone().ok_or_else(|| missing("the secret of its access key"))?,
        patience: options.patience,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an address was taken for.
    fn read(address: &str) -> String {
        match Address::parse(address) {
            Ok(Address::Folder(path)) => format!("folder {}", path.display()),
            Ok(Address::Bucket { kind, bucket, prefix }) => format!("{kind} {bucket} `{prefix}`"),
            Ok(Address::Nats { server, bucket, replicas, max_bytes }) => {
                let (replicas, bytes) =
                    (replicas.map(|number| format!(" x {number}")), max_bytes.map(|max| format!(" < {max}")));
                format!("nats {server} {bucket}{}{}", replicas.unwrap_or_default(), bytes.unwrap_or_default())
            }
            Ok(Address::Database(address)) => format!("database {address}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (address, expected) in [
            ("/var/lib/states", "folder /var/lib/states"),
            ("states", "folder states"),
            ("file:///var/lib/a b", "folder /var/lib/a b"),
            ("r2://bucket", "r2 bucket ``"),
            ("s3://bucket/team/states", "s3 bucket `team/states`"),
            ("nats://127.0.0.1:4222", "nats nats://127.0.0.1:4222 alfred-states"),
            ("nats://user:pass@host/team", "nats nats://user:pass@host team"),
            ("tls://connect.ngs.global/team", "nats tls://connect.ngs.global team"),
            ("nats://host?bucket=team", "nats nats://host team"),
            ("tls://connect.ngs.global/team?replicas=3", "nats tls://connect.ngs.global team x 3"),
            ("ws://host/?replicas=5&bucket=team", "nats ws://host/ team x 5"),
            ("nats://host/team?max_bytes=2GiB", "nats nats://host team < 2147483648"),
            ("nats://host/team?max_bytes=4096&replicas=1", "nats nats://host team x 1 < 4096"),
            ("wss://edge.example/region/eu?bucket=team", "nats wss://edge.example/region/eu team"),
            ("ws://127.0.0.1:8080", "nats ws://127.0.0.1:8080/ alfred-states"),
            ("sqlite:///tmp/states.sqlite", "database sqlite:///tmp/states.sqlite"),
            ("postgresql://db/states", "database postgresql://db/states"),
        ] {
            assert_eq!(read(address), expected, "{address}");
        }
        for wrong in [
            "",
            "file://states",
            "gopher://secret@host",
            "nats://",
            "nats://host?secret=1",
            "wss://host/?bucke=x",
            "nats://host/team?replicas=2",
            "nats://host/team?replicas=many",
            "nats://host/team?max_bytes=0",
            "nats://host/team?max_bytes=-1GiB",
            "nats://host/team?max_bytes=1GB",
            "nats://host/team?max_bytes=9999999999GiB",
        ] {
            let words = read(wrong);
            assert!(words.starts_with("the address of a store of states refused: "), "{wrong}: {words}");
            assert!(!words.contains("secret"), "{words}");
        }
    }

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for (text, bytes) in [("4096", 4_096), ("512KiB", 512 << 10), ("256 MiB", 256 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(length(text), Some(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1MB", "1 mib", "1.5GiB", "99999999999999999999", "18446744073709551615GiB", "ä"]
        {
            assert_eq!(length(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_missing_for_a_bucket_is_said() {
        let mut options = OpenOptions::new(crate::service::tests::Bench::new(1).seams);
        assert!(s3_options("r2", &options).unwrap_err().contains("its endpoint"));
        options.endpoint = Some("https://account.r2.cloudflarestorage.com".to_owned());
        assert_eq!(s3_options("r2", &options).unwrap_err(), "the id of its access key is not given");
        options.access_key_id = Some("id".into());
        assert_eq!(s3_options("r2", &options).unwrap_err(), "the secret of its access key is not given");
        options.secret_access_key = Some("horse".into());
        assert_eq!(s3_options("r2", &options).unwrap().region, "auto");
        assert_eq!(s3_options("s3", &options).unwrap().region, "us-east-1");
        assert!(!format!("{options:?}").contains("horse"));
    }
}
