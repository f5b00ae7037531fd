//! Digests of contents: the MD5 that is an ETag, and the checksums that clients send along.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderMap;
use md5::{Digest as _, Md5};
use s3s::checksum::ChecksumHasher;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// Checksums by algorithm, in base64; those of several parts end in `-N`.
pub(crate) type Checksums = BTreeMap<Algorithm, String>;

/// An algorithm of `x-amz-checksum-*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64nvme, Self::Sha1, Self::Sha256];

    /// The header that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The checksum of some bytes, in base64.
    pub(crate) fn of(self, bytes: &[u8]) -> String {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(s3s::crypto::Checksum::new()),
            Self::Crc32c => hasher.crc32c = Some(s3s::crypto::Checksum::new()),
            Self::Crc64nvme => hasher.crc64nvme = Some(s3s::crypto::Checksum::new()),
            Self::Sha1 => hasher.sha1 = Some(s3s::crypto::Checksum::new()),
            Self::Sha256 => hasher.sha256 = Some(s3s::crypto::Checksum::new()),
        }
        hasher.update(bytes);
        let sums = hasher.finalize();
        sums.checksum_crc32
            .or(sums.checksum_crc32c)
            .or(sums.checksum_crc64nvme)
            .or(sums.checksum_sha1)
            .or(sums.checksum_sha256)
            .unwrap_or_default()
    }
}

/// The MD5 in hexadecimal: the ETag of what was uploaded in one piece.
pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// The ETag of what was uploaded in parts with these ETags.
pub(crate) fn etag_of_parts<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = etags.len();
    let mut hasher = Md5::new();
    for etag in etags {
        let digits = etag.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
        let digest: Vec<u8> = digits.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
        hasher.update(digest);
    }
    format!("{}-{count}", hex(&hasher.finalize()))
}

/// The checksums of what was uploaded in parts with these: a checksum of checksums, for each algorithm that all parts
/// have. CRC64NVME is only ever that of the whole and is left out.
/// <https://developers.cloudflare.com/r2/api/s3/api/>
pub(crate) fn of_parts(parts: &[&Checksums]) -> Checksums {
    let mut composite = Checksums::new();
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Crc64nvme) {
        let digests: Option<Vec<Vec<u8>>> =
            parts.iter().map(|part| STANDARD.decode(part.get(&algorithm)?).ok()).collect();
        if let Some(digests) = digests.filter(|digests| !digests.is_empty()) {
            composite.insert(algorithm, format!("{}-{}", algorithm.of(&digests.concat()), digests.len()));
        }
    }
    composite
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Compares what the headers (or trailers) say with the bytes that came, and gives the checksums to remember.
pub(crate) fn check(headers: &HeaderMap, trailers: Option<&HeaderMap>, bytes: &[u8]) -> Result<Checksums, Refusal> {
    let text = |name: &str| {
        let value = headers.get(name).or_else(|| trailers.and_then(|trailers| trailers.get(name)))?;
        Some(value.to_str().unwrap_or("?").trim().to_owned())
    };
    let mut checksums = Checksums::new();
    for algorithm in Algorithm::ALL {
        if let Some(said) = text(algorithm.header()) {
            if algorithm.of(bytes) != said {
                let name = algorithm.header();
                return Err(Refusal::BAD_DIGEST.saying(format!("`{name}` did not match what we received.")));
            }
            checksums.insert(algorithm, said);
        }
    }
    let md5 = text("content-md5");
    // Source: vectordotdev/vector#23029.
    if checksums.len() + usize::from(md5.is_some()) > 1 {
        return Err(Refusal::INVALID_REQUEST.saying("You can only specify one non-default checksum at a time."));
    }
    if md5.is_some_and(|said| said != STANDARD.encode(Md5::digest(bytes))) {
        return Err(Refusal::BAD_DIGEST.saying("The Content-MD5 you specified did not match what we received."));
    }
    Ok(checksums)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn digests_are_those_of_the_algorithms() {
        // From RFC 1321 and, for `123456789`, the catalogue of CRCs.
        assert_eq!(md5_hex(b""), "d41d8cd98f00b204e9800998ecf8427e");
        for (algorithm, base64) in
            [(Algorithm::Crc32, "y/Q5Jg=="), (Algorithm::Crc32c, "4waSgw=="), (Algorithm::Crc64nvme, "rosUhgp5mIg=")]
        {
            assert_eq!(algorithm.of(b"123456789"), base64, "{algorithm:?}");
        }
        assert_eq!(Algorithm::Sha256.of(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(Algorithm::Sha1.of(b""), "2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
    }

    #[test]
    fn the_etag_of_parts_counts_them() {
        let empty = "d41d8cd98f00b204e9800998ecf8427e";
        // md5(md5("")), as every S3 gives it.
        assert_eq!(etag_of_parts([empty].into_iter()), "59adb24ef3cdbe0297f05b395827453f-1");
    }

    #[test]
    fn what_does_not_match_is_refused() {
        let md5 = ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
        assert!(check(&headers(&[md5]), None, b"").unwrap().is_empty());
        assert_eq!(check(&headers(&[md5]), None, b"x").unwrap_err().name, "BadDigest");
        let crc = ("x-amz-checksum-crc32", "y/Q5Jg==");
        assert_eq!(check(&headers(&[]), Some(&headers(&[crc])), b"123456789").unwrap().len(), 1);
        assert_eq!(check(&headers(&[crc]), None, b"12345678").unwrap_err().name, "BadDigest");
        let both = [crc, ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")];
        assert_eq!(check(&headers(&both), None, b"123456789").unwrap_err().name, "InvalidRequest");
    }

    #[test]
    fn checksums_of_parts_need_all_of_them() {
        let one = Checksums::from([(Algorithm::Crc32, Algorithm::Crc32.of(b"one"))]);
        let two = Checksums::from([(Algorithm::Crc32, Algorithm::Crc32.of(b"two"))]);
        assert!(of_parts(&[&one, &two])[&Algorithm::Crc32].ends_with("-2"));
        assert!(of_parts(&[&one, &Checksums::new()]).is_empty());
        assert!(of_parts(&[]).is_empty());
    }
}
