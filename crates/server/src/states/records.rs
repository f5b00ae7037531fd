//! The record of two stores of states that mirror each other, kept beside the other records.

use std::sync::Arc;

use alfred_model::state::mirror::MirrorRecord;
use alfred_state::BackendError;
use alfred_state::mirror::MirrorRecords;
use alfred_store::{Store, StoreError};
use async_trait::async_trait;

/// The record's name among the shared values.
const NAME: &str = "state_mirror";

struct SharedRecord(Arc<dyn Store>);

/// Keeps the record of a mirror in the store, where every replica sees it.
pub fn mirror_records(store: Arc<dyn Store>) -> Arc<dyn MirrorRecords> {
    Arc::new(SharedRecord(store))
}

fn unavailable(error: &StoreError) -> BackendError {
    BackendError::Unavailable { place: "the store of alfred's records".to_owned(), words: error.to_string() }
}

#[async_trait]
impl MirrorRecords for SharedRecord {
    async fn read(&self) -> Result<Option<(MirrorRecord, i64)>, BackendError> {
        let Some(value) = self.0.shared_value(NAME).await.map_err(|error| unavailable(&error))? else {
            return Ok(None);
        };
        let record = serde_json::from_str(&value.text).map_err(|error| BackendError::Damaged {
            place: "the store of alfred's records".to_owned(),
            words: format!("the shared value `{NAME}`: {error}"),
            revision: None,
        })?;
        Ok(Some((record, value.version)))
    }

    async fn swap(&self, expected: Option<i64>, record: &MirrorRecord) -> Result<bool, BackendError> {
        let text = serde_json::to_string(record).map_err(|error| BackendError::Refused {
            place: "the store of alfred's records".to_owned(),
            words: error.to_string(),
        })?;
        self.0.swap_shared_value(NAME, expected, &text).await.map_err(|error| unavailable(&error))
    }
}

#[cfg(test)]
mod tests {
    use alfred_store::MemoryStore;
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_record_moves_by_compare_and_set() {
        let records = mirror_records(Arc::new(MemoryStore::new()));
        assert!(records.read().await.unwrap().is_none());
        let mut record = MirrorRecord::begin("a", "b", Timestamp::UNIX_EPOCH);
        assert!(records.swap(None, &record).await.unwrap());
        assert!(!records.swap(None, &record).await.unwrap());
        let (read, version) = records.read().await.unwrap().unwrap();
        assert_eq!(read, record);
        record.epoch = 1;
        assert!(records.swap(Some(version), &record).await.unwrap());
        assert!(!records.swap(Some(version), &record).await.unwrap());
        assert_eq!(records.read().await.unwrap().unwrap().0, record);
    }
}
