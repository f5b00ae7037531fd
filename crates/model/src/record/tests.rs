use proptest::prelude::*;

use super::*;

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn mark(installation: u128, environment: u128) -> OwnershipMark {
    OwnershipMark {
        installation: InstallationId(Uuid::from_u128(installation)),
        environment: EnvironmentId(Uuid::from_u128(environment)),
    }
}

/// Marks stand in zones for years: this form must be read for ever.
#[test]
fn the_form_of_a_mark_does_not_change() {
    let comment = mark(1, 2).comment(&name("brave-tiger.alfredos.site"));
    assert_eq!(comment, "alfred:v1:00000000000000000000000000000001:00000000000000000000000000000002:6ff379e4");
    assert_eq!(comment.len(), 84);
}

#[test]
fn a_mark_in_another_spelling_is_none() {
    let name = name("brave-tiger.alfredos.site");
    let comment = mark(0xabc, 0xdef).comment(&name);
    let hyphenated = {
        let parts: Vec<&str> = comment.split(':').collect();
        format!("alfred:v1:{}:{}:{}", Uuid::from_u128(0xabc), parts[3], parts[4])
    };
    for altered in [
        comment.to_uppercase(),
        hyphenated,
        format!(" {comment}"),
        format!("{comment} "),
        format!("{comment}:x"),
        comment.replace("v1", "v2"),
        comment[..comment.len() - 1].to_owned(),
        String::new(),
        MARK_PREFIX.to_owned(),
        "alfred:v1:::".to_owned(),
    ] {
        assert_eq!(OwnershipMark::read(&altered, &name), None, "{altered}");
    }
}

proptest! {
    #[test]
    fn a_mark_is_read_back_at_its_own_name_alone(
        installation: u128,
        environment: u128,
        label in "[a-z]{1,20}",
        other in "[a-z]{1,20}",
    ) {
        let own = name(&format!("{label}.alfredos.site"));
        let mark = mark(installation, environment);
        let comment = mark.comment(&own);
        prop_assert_eq!(OwnershipMark::read(&comment, &own), Some(mark));
        prop_assert!(comment.len() <= 100, "Cloudflare's Free plan keeps 100 characters");
        let elsewhere = name(&format!("{other}.alfredos.site"));
        prop_assert_eq!(OwnershipMark::read(&comment, &elsewhere).is_some(), own == elsewhere);
    }

    #[test]
    fn one_changed_character_makes_it_no_mark(installation: u128, environment: u128, place in 0_usize..84, to in "[0-9a-fA-F:z]") {
        let name = name("brave-tiger.alfredos.site");
        let comment = mark(installation, environment).comment(&name);
        let mut altered = comment.clone();
        altered.replace_range(place..=place, &to);
        prop_assert_eq!(OwnershipMark::read(&altered, &name).is_some(), altered == comment);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(alfred:v1:)?\\PC{0,120}") {
        prop_assert_eq!(OwnershipMark::read(&text, &name("brave-tiger.alfredos.site")), None);
    }
}

#[test]
fn an_owners_mark_is_read_back_and_no_other_form_is() {
    let owner: OwnerName = "team-a".parse().unwrap();
    let name = name("www.example.com");
    let comment = Mark::Owner(owner.clone()).comment(&name);
    assert_eq!(comment, "alfred:v1:dns:team-a:186ec20b", "it stands in users' zones");
    assert_eq!(Mark::read(&comment, &name), Some(Mark::Owner(owner.clone())));
    assert!(comment.starts_with(&Mark::owner_prefix(&owner)));
    assert_eq!(OwnershipMark::read(&comment, &name), None, "an environment's mark is another thing");
    let environments = mark(1, 2).comment(&name);
    assert_eq!(Mark::read(&environments, &name), Some(Mark::Environment(mark(1, 2))));
    for altered in [
        comment.to_uppercase(),
        format!("{comment} "),
        comment.replace("team-a", "team-b"),
        comment[..comment.len() - 1].to_owned(),
        "alfred:v1:dns:".to_owned(),
        "alfred:v1:dns::".to_owned(),
        "alfred:v1:dns:team-a".to_owned(),
    ] {
        assert_eq!(Mark::read(&altered, &name), None, "{altered}");
        assert!(!Mark::Owner(owner.clone()).is_in(&altered, &name), "{altered}");
    }
    assert!(Mark::Owner(owner).is_in(&comment, &name));
    assert!(!Mark::Owner("team".parse().unwrap()).is_in(&comment, &name), "the beginning of a name is another owner");
    assert!(!Mark::from(mark(1, 2)).is_in(&comment, &name));
    assert!(Mark::from(mark(1, 2)).is_in(&environments, &name));
    assert!(!Mark::from(mark(1, 3)).is_in(&environments, &name));
    assert_eq!(Mark::read(&comment, &"other.example.com".parse().unwrap()), None, "copied from elsewhere");
}

/// The longest mark fits into a Free zone's comment.
#[test]
fn owners_names_are_checked_and_short() {
    let longest: OwnerName = "a".repeat(OWNER_NAME_MAX).parse().unwrap();
    assert!(Mark::Owner(longest).comment(&name("a.example.com")).len() <= 100);
    for bad in ["", "-a", "a-", "A", "a b", "a:b", "ä", &"a".repeat(OWNER_NAME_MAX + 1)] {
        assert_eq!(bad.parse::<OwnerName>(), Err(BadOwnerName), "{bad}");
    }
}

#[test]
fn targets_are_compared_as_names_and_addresses_are() {
    let alias = Target::Alias(name("www.example.com"));
    assert!(alias.is("cname", "WWW.example.com."));
    assert!(!alias.is("CNAME", "www.example.org"));
    assert!(!alias.is("A", "www.example.com"));
    let address = Target::Address(Ipv4Addr::new(192, 0, 2, 1));
    assert!(address.is("A", "192.0.2.1"));
    assert!(!address.is("A", "192.0.2.01"));
    assert!(!address.is("CNAME", "192.0.2.1"));
}
