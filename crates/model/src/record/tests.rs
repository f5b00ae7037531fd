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
