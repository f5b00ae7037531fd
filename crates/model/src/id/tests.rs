use proptest::prelude::*;

use super::*;

struct Fixed(u8);

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

#[test]
fn a_generated_id_carries_its_time_and_is_version_7() {
    let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
    let id = EnvironmentId::generate(now, &Fixed(0xff));
    assert_eq!(id.to_string(), "018bcfe5-687b-7fff-bfff-ffffffffffff");
    assert_eq!(id.0.get_version_num(), 7);
    let before_1970 = EnvironmentId::generate(Timestamp::from_millisecond(-1).unwrap(), &Fixed(0));
    assert_eq!(before_1970.to_string(), "00000000-0000-7000-8000-000000000000");
}

#[test]
fn ids_of_the_provider_can_stand_in_a_path() {
    for good in ["a", "023e105f4ecef8ad9ca31a8372d0c353", &"Z".repeat(64)] {
        assert_eq!(RecordId::parse(good).map(|id| id.to_string()).as_deref(), Some(good));
        assert_eq!(ZoneId::parse(good).as_ref().map(ZoneId::as_str), Some(good));
    }
    for bad in ["", "a/b", "..", "a?b", "a b", "a\n", "é", "a-b", &"a".repeat(65)] {
        assert_eq!(RecordId::parse(bad), None, "{bad}");
        assert_eq!(ZoneId::parse(bad), None, "{bad}");
    }
}

#[test]
fn ids_are_plain_in_json() {
    assert_eq!(serde_json::to_string(&VmId(12_345)).unwrap(), "12345");
    let id = InstallationId(Uuid::from_u128(1));
    assert_eq!(serde_json::to_string(&id).unwrap(), "\"00000000-0000-0000-0000-000000000001\"");
}

proptest! {
    #[test]
    fn ids_sort_by_the_time_they_were_made(first in 0_i64..4_000_000_000_000, later in 1_i64..1_000_000, bytes: (u8, u8)) {
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        let old = IntentId::generate(at(first), &Fixed(bytes.0));
        let new = IntentId::generate(at(first + later), &Fixed(bytes.1));
        prop_assert!(old < new);
        prop_assert!(old.to_string() < new.to_string());
        prop_assert_eq!(old.to_string().parse::<IntentId>().unwrap(), old);
    }

    #[test]
    fn any_text_is_read_without_panic(text: String) {
        if let Ok(id) = text.parse::<TokenId>() {
            prop_assert_eq!(id.to_string().parse::<TokenId>().unwrap(), id);
        }
        if let Some(id) = RecordId::parse(&text) {
            prop_assert_eq!(id.as_str(), text.as_str());
        }
    }
}
