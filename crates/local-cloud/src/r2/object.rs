//! Objects, and multipart uploads that will be objects.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{checksum::Checksums, content::Content, options::StorageClass};

/// What a client says about an object besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) expires: Option<Timestamp>,
    /// `x-amz-meta-*`, without that beginning.
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) storage_class: StorageClass,
}

impl Description {
    /// Bytes of the metadata's names and values.
    pub(crate) fn metadata_bytes(&self) -> usize {
        self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// One object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Object {
    /// Without quotation marks: the MD5 of the content, or `MD5-N` of the MD5s of N parts.
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    pub(crate) description: Description,
    pub(crate) checksums: Checksums,
    /// The content, in order; one for each part.
    pub(crate) contents: Vec<Arc<Content>>,
}

impl Object {
    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        self.contents.iter().map(|content| content.length()).sum()
    }

    /// How many parts it was uploaded in; 0 when it was not.
    pub(crate) fn parts(&self) -> usize {
        if self.etag.contains('-') { self.contents.len() } else { 0 }
    }
}

/// One part of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The MD5 of the content.
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    pub(crate) checksums: Checksums,
    pub(crate) contents: Vec<Arc<Content>>,
}

impl Part {
    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        self.contents.iter().map(|content| content.length()).sum()
    }
}

/// An upload in parts that is neither completed nor aborted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) started: Timestamp,
    pub(crate) description: Description,
    pub(crate) parts: BTreeMap<i32, Part>,
}
