use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::state::name::StateName;

const TOKEN: TokenId = TokenId(Uuid::from_u128(1));

fn pattern(text: &str) -> StatePattern {
    text.parse().unwrap()
}

fn grant(subject: &Subject, on: &str, rights: &str, by: &str) -> StateGrant {
    StateGrant {
        subject: subject.clone(),
        pattern: pattern(on),
        rights: rights.parse().unwrap(),
        by: by.parse().unwrap(),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn user(name: &str) -> Subject {
    Subject::User(name.parse().unwrap())
}

/// What `ada` with [`TOKEN`] may do.
fn ada(role: Role, states_only: bool, grants: &[StateGrant], on: &str) -> String {
    let name = "ada".parse().unwrap();
    held(&Asker { user: &name, role, token: TOKEN, states_only }, grants, &pattern(on)).to_string()
}

#[test]
fn patterns_are_read_and_written() {
    for text in ["*", "a", "team/network", "team/*", "a/b/*"] {
        assert_eq!(pattern(text).to_string(), text);
    }
    for text in ["", "/*", "a*", "a/**", "*/a", "**", "A", "a/", "a//*", "../*"] {
        assert!(text.parse::<StatePattern>().is_err(), "{text}");
    }
}

#[test]
fn a_pattern_stands_for_what_is_below_its_name() {
    let covered = |one: &str, other: &str| pattern(one).covers(&pattern(other));
    for (one, other) in [
        ("*", "*"),
        ("*", "a/*"),
        ("*", "a"),
        ("a/*", "a/b"),
        ("a/*", "a/b/c"),
        ("a/*", "a/b/*"),
        ("a/*", "a/*"),
        ("a", "a"),
    ] {
        assert!(covered(one, other), "{one} {other}");
    }
    for (one, other) in [
        ("a/*", "*"),
        ("a", "*"),
        ("a", "a/*"),
        ("a", "a/b"),
        ("a/*", "a"),
        ("a/*", "ab/c"),
        ("a/b/*", "a/*"),
        ("a", "b"),
    ] {
        assert!(!covered(one, other), "{one} {other}");
    }
}

#[test]
fn rights_are_words_and_administering_is_all_of_them() {
    for text in ["read", "read,write,lock", "force-unlock", "administer"] {
        assert_eq!(text.parse::<Rights>().unwrap().to_string(), text);
    }
    assert_eq!("write, read".parse::<Rights>().unwrap().to_string(), "read,write");
    assert_eq!("read,administer".parse::<Rights>().unwrap(), Rights::ALL);
    assert!(Right::ALL.iter().all(|right| Rights::from(Right::Administer).has(*right)));
    assert!("".parse::<Rights>().is_err() && "read,all".parse::<Rights>().is_err());
}

#[test]
fn a_member_may_do_what_was_granted_and_an_administrator_everything() {
    let grants = [
        grant(&user("ada"), "team/*", "read", "root"),
        grant(&user("ada"), "team/a", "write,lock", "root"),
        grant(&user("bob"), "*", "administer", "root"),
    ];
    assert_eq!(ada(Role::Member, false, &grants, "team/a"), "read,write,lock");
    assert_eq!(ada(Role::Member, false, &grants, "team/b"), "read");
    assert_eq!(ada(Role::Member, false, &grants, "team/*"), "read");
    assert_eq!(ada(Role::Member, false, &grants, "team"), "");
    assert_eq!(ada(Role::Administrator, false, &[], "*"), "administer");
}

#[test]
fn a_token_limited_to_states_has_its_own_rights_alone() {
    let token = Subject::Token(TOKEN);
    let of_root = [grant(&token, "team/*", "read,write,lock", "root")];
    for role in [Role::Administrator, Role::Member] {
        assert_eq!(ada(role, true, &of_root, "team/a"), "read,write,lock");
        assert_eq!(ada(role, true, &of_root, "other"), "");
        assert_eq!(ada(role, true, &[grant(&user("ada"), "*", "administer", "root")], "team/a"), "");
    }
    assert_eq!(
        ada(Role::Member, false, &of_root, "team/a"),
        "read,write,lock",
        "a token may also add to its user's rights"
    );
}

#[test]
fn what_was_handed_on_ends_with_what_it_came_from() {
    let handed_on = grant(&Subject::Token(TOKEN), "team/*", "read,write", "ada");
    assert_eq!(ada(Role::Member, true, std::slice::from_ref(&handed_on), "team/a"), "");
    let grants = [handed_on, grant(&user("ada"), "team/a", "read,lock", "root")];
    assert_eq!(ada(Role::Member, true, &grants, "team/a"), "read");
    assert_eq!(ada(Role::Administrator, true, &grants, "team/a"), "read,write");
}

fn any_pattern() -> impl Strategy<Value = StatePattern> {
    "\\*|[ab](/[ab]){0,2}(/\\*)?".prop_map(|text| text.parse().unwrap())
}

fn any_grant() -> impl Strategy<Value = StateGrant> {
    let subject = prop_oneof![
        Just(user("ada")),
        Just(user("bob")),
        Just(Subject::Token(TOKEN)),
        Just(Subject::Token(TokenId(Uuid::from_u128(2))))
    ];
    let by = prop_oneof![Just("ada"), Just("root")];
    (subject, any_pattern(), 0..=Rights::ALL.0, by).prop_map(|(subject, pattern, bits, by)| {
        let rights = Right::ALL.iter().copied().filter(|right| Rights(bits).has(*right)).collect();
        StateGrant { subject, pattern, rights, by: by.parse().unwrap(), at: Timestamp::UNIX_EPOCH }
    })
}

proptest! {
    #[test]
    fn rights_follow_from_grants_alone(
        grants in prop::collection::vec(any_grant(), 0..8),
        more in any_grant(),
        on in any_pattern(),
        name in "[ab](/[ab]){0,3}",
        is_administrator in any::<bool>(),
    ) {
        let ada: UserName = "ada".parse().unwrap();
        let role = if is_administrator { Role::Administrator } else { Role::Member };
        let asker = |states_only| Asker { user: &ada, role, token: TOKEN, states_only };
        let name: StateName = name.parse().unwrap();
        let one = StatePattern::from(name.clone());
        for states_only in [false, true] {
            let asker = asker(states_only);
            let there = held(&asker, &grants, &on);
            // What holds for all of a pattern holds for each of its states.
            prop_assert_eq!(on.covers(&one), on.matches(&name));
            if on.matches(&name) {
                prop_assert!(there.is_within(held(&asker, &grants, &one)));
            }
            // Another grant takes nothing away, and nothing comes from nothing.
            let mut with_more = grants.clone();
            with_more.push(more.clone());
            prop_assert!(there.is_within(held(&asker, &with_more, &on)));
            let own: Vec<StateGrant> = grants.iter().filter(|grant| [Subject::Token(TOKEN), user("ada")].contains(&grant.subject)).cloned().collect();
            prop_assert_eq!(there, held(&asker, &own, &on));
            if own.is_empty() && (states_only || !is_administrator) {
                prop_assert!(there.is_empty());
            }
        }
        // A token that is limited can do no more than the same token without the limit.
        prop_assert!(held(&asker(true), &grants, &on).is_within(held(&asker(false), &grants, &on)));
    }
}
