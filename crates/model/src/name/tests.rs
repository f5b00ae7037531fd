use proptest::prelude::*;

use super::*;

fn domain(text: &str) -> DomainName {
    text.parse().unwrap()
}

#[test]
fn slugs() {
    for good in ["a", "brave-tiger", "brave-tiger-417", "4ever", "a-b-c", "adminton", "a--b", &"a".repeat(SLUG_MAX)] {
        assert_eq!(good.parse::<Slug>().map(String::from), Ok(good.to_owned()));
    }
    for (text, reason) in [
        ("", BadSlug::Empty),
        ("Brave", BadSlug::Character('B')),
        ("a.b", BadSlug::Character('.')),
        ("a_b", BadSlug::Character('_')),
        ("tïger", BadSlug::Character('ï')),
        ("a\0", BadSlug::Character('\0')),
        ("-a", BadSlug::Hyphen),
        ("a-", BadSlug::Hyphen),
        ("xn--tger-1ra", BadSlug::Hyphen),
        ("admin", BadSlug::Reserved("admin".to_owned())),
        ("brave-ass", BadSlug::Offensive("brave-ass".to_owned())),
    ] {
        assert_eq!(text.parse::<Slug>(), Err(reason), "{text}");
    }
    assert_eq!("a".repeat(51).parse::<Slug>(), Err(BadSlug::TooLong(51)));
}

#[test]
fn word_lists_are_sorted_lower_case_and_without_repetition() {
    for list in [RESERVED, OFFENSIVE] {
        assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(list.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())));
    }
}

#[test]
fn innocent_words_that_contain_a_bad_one_are_allowed() {
    for innocent in ["assembly", "classic-bass", "scunthorpe", "cockatoo", "grape", "titan"] {
        assert!(innocent.parse::<Slug>().is_ok(), "{innocent}");
    }
}

#[test]
fn domain_names() {
    assert_eq!(domain("Brave-Tiger.AlfredOS.site.").as_str(), "brave-tiger.alfredos.site");
    assert_eq!(domain("_dmarc.example.com").as_str(), "_dmarc.example.com");
    assert_eq!("localhost".parse::<DomainName>(), Err(BadDomain::SingleLabel("localhost".to_owned())));
    let too_long_label = format!("{}.com", "a".repeat(64));
    let too_long = format!("{}com", "a.".repeat(126));
    for bad in ["", ".", "a..b", ".a.b", "a.b..", "*.a.b", "-a.b", "a-.b", "a b.c", "ä.b", &too_long_label, &too_long]
    {
        assert!(matches!(bad.parse::<DomainName>(), Err(BadDomain::Syntax(_))), "{bad}");
    }
}

#[test]
fn below_a_zone() {
    let zone = domain("alfredos.site");
    assert!(domain("a.alfredos.site").is_below(&zone));
    assert!(domain("a.b.alfredos.site").is_below(&zone));
    assert!(!zone.is_below(&zone), "the apex is not below itself");
    assert!(!domain("notalfredos.site").is_below(&zone));
    assert!(!domain("alfredos.site.evil.com").is_below(&zone));
    let slug: Slug = "brave-tiger".parse().unwrap();
    assert_eq!(zone.environment(&slug), Ok(domain("brave-tiger.alfredos.site")));
}

#[test]
fn an_error_repeats_no_more_than_80_characters() {
    let BadDomain::Syntax(shown) = "ü".repeat(10_000).parse::<DomainName>().unwrap_err() else {
        panic!("wrong reason")
    };
    assert_eq!(shown.chars().count(), 80);
}

#[test]
fn names_are_checked_when_read_from_json() {
    assert!(serde_json::from_str::<Slug>("\"brave-tiger\"").is_ok());
    assert!(serde_json::from_str::<Slug>("\"../etc\"").is_err());
    assert!(serde_json::from_str::<DomainName>("\"a b\"").is_err());
}

proptest! {
    #[test]
    fn any_text_is_refused_or_kept_as_it_is(text in "\\PC{0,70}|[a-z0-9-]{0,60}") {
        if let Ok(slug) = text.parse::<Slug>() {
            prop_assert_eq!(slug.as_str(), &text);
            prop_assert!(domain("example.com").environment(&slug).is_ok());
        }
        if let Ok(name) = text.parse::<DomainName>() {
            prop_assert_eq!(name.as_str().parse::<DomainName>(), Ok(name.clone()));
            prop_assert!(name.as_str().len() <= 253);
        }
    }
}

proptest! {
    /// What is borrowed and what is parsed is the same name.
    #[test]
    fn a_canonical_name_is_what_parsing_gives(text in "([a-zA-Z0-9_.-]{0,12}|\\PC{0,8})(\\.?example\\.com\\.?)?") {
        let parsed = text.parse::<DomainName>().ok();
        prop_assert_eq!(canonical(&text).map(String::from), parsed.map(String::from));
    }
}
