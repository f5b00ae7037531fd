use super::*;

#[test]
fn user_names() {
    for good in ["a", "ada", "0day", "ada.lovelace@example.com", "a_b-c", &"a".repeat(64)] {
        let name: UserName = good.parse().unwrap();
        assert_eq!(name.as_str(), good);
        assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{good}\""));
    }
    for bad in ["", "-a", ".a", "_a", "@a", "Ada", "a b", "a/b", "a\n", "a\0", "é", "../a", &"a".repeat(65)] {
        assert_eq!(bad.parse::<UserName>(), Err(BadUserName), "{bad}");
        assert!(serde_json::from_value::<UserName>(bad.into()).is_err(), "{bad}");
    }
}

#[test]
fn display_keeps_to_a_width() {
    let name: UserName = "ada".parse().unwrap();
    assert_eq!(format!("{name:<5}|"), "ada  |");
}

#[test]
fn four_fifths_of_a_quota_are_nearly_all() {
    let told = |used, limit| QuotaUse { used, limit, own: false }.is_nearly_used();
    assert!(!told(7, Some(10)) && told(8, Some(10)) && told(12, Some(10)));
    assert!(told(0, Some(0)) && !told(1_000_000, None));
}
