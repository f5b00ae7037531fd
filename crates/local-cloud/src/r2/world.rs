//! Everything R2 holds, and the decisions on it. One lock is around all of this: of two writes that race, the second
//! sees the first.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    bucket::{Bucket, BucketName},
    checksum::{self, Checksums},
    conditions::Conditions,
    content::{Content, Contents},
    lifecycle, limits, lock,
    object::{Object, Part, Upload},
    options::{Location, Options, StorageClass},
    refusal::Refusal,
    write_rate::WriteRate,
};

/// All state.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) buckets: BTreeMap<BucketName, Bucket>,
    /// Where each name was put when it was first used: a hint counts once.
    /// <https://developers.cloudflare.com/r2/reference/data-location/>
    locations: BTreeMap<BucketName, Location>,
    writes: WriteRate,
    pub(crate) contents: Arc<Contents>,
    /// The second in which lifecycle rules were last looked at.
    tidied: i64,
}

/// All buckets with their objects, without the contents of these.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    buckets: Vec<Bucket>,
    locations: Vec<(BucketName, Location)>,
}

impl World {
    pub(crate) fn new(options: Options, contents: Arc<Contents>) -> Self {
        Self {
            options,
            buckets: BTreeMap::new(),
            locations: BTreeMap::new(),
            writes: WriteRate::default(),
            contents,
            tidied: i64::MIN,
        }
    }

    pub(crate) fn state(&self) -> State {
        State {
            buckets: self.buckets.values().cloned().collect(),
            locations: self.locations.iter().map(|(name, location)| (name.clone(), *location)).collect(),
        }
    }

    /// Puts a state in place of what is there.
    pub(crate) fn restore(&mut self, mut state: State) -> Result<(), (std::path::PathBuf, std::io::Error)> {
        self.contents.find(state.contents())?;
        self.buckets = state.buckets.into_iter().map(|bucket| (bucket.name.clone(), bucket)).collect();
        self.locations = state.locations.into_iter().collect();
        Ok(())
    }

    /// Does what lifecycle rules ask for by now; whether anything changed.
    pub(crate) fn tidy(&mut self, now: Timestamp) -> bool {
        if self.tidied == now.as_second() {
            return false;
        }
        self.tidied = now.as_second();
        let mut changed = false;
        for bucket in self.buckets.values_mut() {
            let due = lifecycle::due(bucket, now);
            changed |= due != lifecycle::DueNow::default();
            for key in due.deletions {
                let gone = bucket.objects.remove(&key);
                self.contents.forsake(gone.iter().flat_map(|object| object.contents.iter().cloned()));
            }
            for id in due.aborts {
                let gone = bucket.uploads.remove(&id);
                self.contents.forsake(gone.iter().flat_map(contents_of_upload));
            }
            for (key, class) in due.moves {
                if let Some(object) = bucket.objects.get_mut(&key) {
                    Arc::make_mut(object).description.storage_class = class;
                }
            }
        }
        changed
    }

    pub(crate) fn bucket(&self, name: &BucketName) -> Result<&Bucket, Refusal> {
        self.buckets.get(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    pub(crate) fn bucket_mut(&mut self, name: &BucketName) -> Result<&mut Bucket, Refusal> {
        self.buckets.get_mut(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    pub(crate) fn object(&self, name: &BucketName, key: &str) -> Result<Arc<Object>, Refusal> {
        self.bucket(name)?.objects.get(key).map(Arc::clone).ok_or(Refusal::NO_SUCH_KEY)
    }

    /// Makes a bucket.
    pub(crate) fn create_bucket(
        &mut self,
        name: BucketName,
        id: String,
        hint: Option<Location>,
        class: StorageClass,
        now: Timestamp,
    ) -> Result<&Bucket, Refusal> {
        if !name.is_sound() {
            return Err(Refusal::INVALID_BUCKET_NAME);
        }
        if self.buckets.contains_key(&name) {
            return Err(Refusal::BUCKET_EXISTS);
        }
        if self.buckets.len() >= limits::BUCKETS {
            return Err(Refusal::UNAVAILABLE.saying("The local cloud holds at most 10,000 buckets."));
        }
        let location = hint.unwrap_or(self.options.location);
        let location = *self.locations.entry(name.clone()).or_insert(location);
        let bucket = Bucket::new(name.clone(), id, location, class, now);
        Ok(self.buckets.entry(name).or_insert(bucket))
    }

    /// Removes a bucket that holds nothing.
    pub(crate) fn delete_bucket(&mut self, name: &BucketName) -> Result<(), Refusal> {
        let bucket = self.bucket(name)?;
        if !bucket.objects.is_empty() || !bucket.uploads.is_empty() {
            return Err(Refusal::BUCKET_NOT_EMPTY);
        }
        self.buckets.remove(name);
        Ok(())
    }

    /// Whether `length` more bytes may be kept.
    pub(crate) fn make_room(&self, length: u64) -> Result<(), Refusal> {
        if self.contents.total().saturating_add(length) <= self.options.capacity_bytes {
            Ok(())
        } else {
            let text = format!("The local cloud holds at most {} bytes.", self.options.capacity_bytes);
            Err(Refusal::UNAVAILABLE.saying(text))
        }
    }

    /// Whether an object may be written: conditions first, since a refused write counts for nothing, then locks, then
    /// the rate.
    fn admit(&mut self, name: &BucketName, key: &str, conditions: &Conditions, now: Timestamp) -> Result<(), Refusal> {
        let bucket = self.bucket(name)?;
        let current = bucket.objects.get(key).map(Arc::as_ref);
        if !conditions.allow_write(current) {
            return Err(Refusal::PRECONDITION_FAILED);
        }
        if current.is_some_and(|current| lock::holds(&bucket.lock, key, current, now)) {
            return Err(Refusal::LOCKED);
        }
        self.writes.take(name, key, self.options.write_interval_ms, now)
    }

    /// Writes an object whole, in one step.
    pub(crate) fn put(
        &mut self,
        name: &BucketName,
        key: String,
        object: Object,
        conditions: &Conditions,
        now: Timestamp,
    ) -> Result<Arc<Object>, Refusal> {
        if let Err(refusal) = self.admit(name, &key, conditions, now) {
            self.contents.forsake(object.contents);
            return Err(refusal);
        }
        let object = Arc::new(object);
        let before = self.bucket_mut(name)?.objects.insert(key, Arc::clone(&object));
        self.contents.forsake(before.iter().flat_map(|object| object.contents.iter().cloned()));
        Ok(object)
    }

    /// Deletes an object, if it is there and no lock holds it.
    pub(crate) fn delete(&mut self, name: &BucketName, key: &str, now: Timestamp) -> Result<(), Refusal> {
        let bucket = self.bucket_mut(name)?;
        if let Some(object) = bucket.objects.get(key) {
            if lock::holds(&bucket.lock, key, object, now) {
                return Err(Refusal::LOCKED);
            }
            let gone = bucket.objects.remove(key);
            self.contents.forsake(gone.iter().flat_map(|object| object.contents.iter().cloned()));
        }
        Ok(())
    }

    /// Begins an upload in parts.
    pub(crate) fn begin_upload(
        &mut self,
        name: &BucketName,
        id: String,
        upload: Upload,
        conditions: &Conditions,
    ) -> Result<(), Refusal> {
        let bucket = self.bucket_mut(name)?;
        if !conditions.allow_write(bucket.objects.get(&upload.key).map(Arc::as_ref)) {
            return Err(Refusal::PRECONDITION_FAILED);
        }
        if bucket.uploads.len() >= limits::UPLOADS {
            return Err(Refusal::UNAVAILABLE.saying("The bucket has too many open uploads: complete or abort some."));
        }
        bucket.uploads.insert(id, upload);
        Ok(())
    }

    /// An open upload of a key.
    pub(crate) fn upload(&self, name: &BucketName, key: &str, id: &str) -> Result<&Upload, Refusal> {
        let upload = self.bucket(name)?.uploads.get(id).filter(|upload| upload.key == key);
        upload.ok_or(Refusal::NO_SUCH_UPLOAD)
    }

    /// Puts a part in its place; one that was there before goes.
    pub(crate) fn put_part(
        &mut self,
        name: &BucketName,
        key: &str,
        id: &str,
        number: i32,
        part: Part,
    ) -> Result<(), Refusal> {
        if let Err(refusal) = self.upload(name, key, id) {
            self.contents.forsake(part.contents);
            return Err(refusal);
        }
        let upload = self.bucket_mut(name)?.uploads.get_mut(id).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        let before = upload.parts.insert(number, part);
        self.contents.forsake(before.into_iter().flat_map(|part| part.contents));
        Ok(())
    }

    /// Ends an upload without an object.
    pub(crate) fn abort_upload(&mut self, name: &BucketName, key: &str, id: &str) -> Result<(), Refusal> {
        self.upload(name, key, id)?;
        let gone = self.bucket_mut(name)?.uploads.remove(id);
        self.contents.forsake(gone.iter().flat_map(contents_of_upload));
        Ok(())
    }

    /// Makes an object of an upload's parts, named by number and ETag.
    pub(crate) fn complete_upload(
        &mut self,
        name: &BucketName,
        key: &str,
        id: &str,
        wanted: &[(i32, String)],
        conditions: &Conditions,
        now: Timestamp,
    ) -> Result<Arc<Object>, Refusal> {
        let upload = self.upload(name, key, id)?;
        let object = assembled(upload, wanted, now)?;
        self.admit(name, key, conditions, now)?;
        let object = Arc::new(object);
        let contents = Arc::clone(&self.contents);
        let bucket = self.bucket_mut(name)?;
        let upload = bucket.uploads.remove(id);
        let before = bucket.objects.insert(key.to_owned(), Arc::clone(&object));
        contents.forsake(before.iter().flat_map(|object| object.contents.iter().cloned()));
        // Parts that were uploaded and not asked for are gone; those of the object are still counted by it.
        contents.forsake(upload.iter().flat_map(contents_of_upload).filter(|content| !names(&object, content)));
        Ok(object)
    }
}

/// The object that an upload's parts come to.
fn assembled(upload: &Upload, wanted: &[(i32, String)], now: Timestamp) -> Result<Object, Refusal> {
    let mut parts: Vec<&Part> = Vec::new();
    for (place, (number, etag)) in wanted.iter().enumerate() {
        if place > 0 && wanted[place - 1].0 >= *number {
            let text = "The list of parts was not in ascending order.";
            return Err(Refusal { name: "InvalidPartOrder", ..Refusal::INVALID_PART }.saying(text));
        }
        let part = upload.parts.get(number).filter(|part| part.etag == *etag);
        parts.push(part.ok_or(Refusal::INVALID_PART)?);
    }
    let Some((_, trailing)) = parts.split_last() else {
        return Err(Refusal::MALFORMED.saying("The list of parts is empty."));
    };
    if trailing.iter().any(|part| part.size() < limits::PART_BYTES) {
        return Err(Refusal::ENTITY_TOO_SMALL);
    }
    if trailing.windows(2).any(|pair| pair[0].size() != pair[1].size()) || last_is_longer(&parts) {
        return Err(Refusal::UNEQUAL_PARTS);
    }
    let checksums: Vec<&Checksums> = parts.iter().map(|part| &part.checksums).collect();
    Ok(Object {
        etag: checksum::etag_of_parts(parts.iter().map(|part| part.etag.as_str())),
        modified: now,
        description: upload.description.clone(),
        checksums: checksum::of_parts(&checksums),
        contents: parts.iter().flat_map(|part| part.contents.iter().cloned()).collect(),
    })
}

/// The last part may be shorter than the others, and not longer.
fn last_is_longer(parts: &[&Part]) -> bool {
    match parts {
        [first, .., last] => last.size() > first.size(),
        _ => false,
    }
}

fn names(object: &Object, content: &Arc<Content>) -> bool {
    object.contents.iter().any(|named| Arc::ptr_eq(named, content))
}

fn contents_of_upload(upload: &Upload) -> impl Iterator<Item = Arc<Content>> {
    upload.parts.values().flat_map(|part| part.contents.iter().cloned())
}

impl State {
    /// All contents that it names.
    fn contents(&mut self) -> Vec<&mut Arc<Content>> {
        let mut named: Vec<&mut Arc<Content>> = Vec::new();
        for bucket in &mut self.buckets {
            for object in bucket.objects.values_mut() {
                named.extend(Arc::make_mut(object).contents.iter_mut());
            }
            for part in bucket.uploads.values_mut().flat_map(|upload| upload.parts.values_mut()) {
                named.extend(part.contents.iter_mut());
            }
        }
        named
    }
}
