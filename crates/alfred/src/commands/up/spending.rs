//! What may be bought and how many VMs shall be ready, from the configuration.

use std::str::FromStr;

use alfred_model::money::Money;
use alfred_model::policy::Policy;
use alfred_model::pool::Wanted;

use super::schedule::{BadValue, Switch};
use crate::config::{Config, Key};
use crate::error::Failure;

/// More ready VMs than this is a slip of the pen.
const READY_MAX: u32 = 1_000;

/// How many VMs shall be ready, as it is written.
#[derive(Debug, PartialEq, Eq)]
enum Ready {
    Number(u32),
    Auto,
    Within(u32, u32),
}

impl FromStr for Ready {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let number = |text: &str| text.parse().ok().filter(|number| *number <= READY_MAX).ok_or(BadValue);
        match text.strip_prefix("auto") {
            None => number(text).map(Self::Number),
            Some("") => Ok(Self::Auto),
            Some(range) => {
                let (least, most) = range.strip_prefix(':').and_then(|range| range.split_once('-')).ok_or(BadValue)?;
                let (least, most) = (number(least)?, number(most)?);
                if least <= most { Ok(Self::Within(least, most)) } else { Err(BadValue) }
            }
        }
    }
}

/// The platforms' policy with what the configuration says of money and of the pool.
pub(super) fn policy(config: &Config, usual: &Policy) -> Result<Policy, Failure> {
    let mut policy = usual.clone();
    let (orders, pool) = (&mut policy.orders, &mut policy.pool);
    if let Some(Switch(on)) = config.parse(Key::Buy, "`on` or `off`")? {
        orders.allowed = on;
    }
    if let Some(limit) = config.parse(Key::VmLimit, "a number of VMs")? {
        orders.owned_max = limit;
    }
    if let Some(limit) = config.parse(Key::OrdersPerMonth, "a number of orders")? {
        orders.month_max = Some(limit);
    }
    orders.price = config.parse::<Money>(Key::VmPrice, "an amount with its currency, such as `5.50 EUR`")?;
    let expected = "a number of VMs up to 1000, `auto`, or `auto:MIN-MAX` such as `auto:1-5`";
    pool.ready = match config.parse(Key::PoolReady, expected)? {
        None => usual.pool.ready,
        Some(Ready::Number(number)) => Wanted::Fixed(number),
        Some(Ready::Auto) => Wanted::Forecast { at_least: 0, at_most: orders.owned_max },
        Some(Ready::Within(at_least, at_most)) => Wanted::Forecast { at_least, at_most },
    };
    if let Some(Switch(on)) = config.parse(Key::PoolLapse, "`on` or `off`")? {
        pool.lapse = on;
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use crate::config::Sources;

    use super::*;

    fn read(variables: &[(&str, &str)], usual: &Policy) -> Result<Policy, String> {
        let own = variables.iter().chain(&[("HOME", "/nowhere")]);
        let environment = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sources = Sources { environment, directory: "/nowhere".into(), ..Sources::default() };
        policy(&Config::load(&sources).unwrap(), usual).map_err(|failure| failure.to_string())
    }

    #[test]
    fn nothing_is_bought_on_the_platforms_unless_it_is_allowed() {
        let usual = [Policy::platform(), Policy::local()];
        assert_eq!(usual.each_ref().map(|usual| read(&[], usual).unwrap().orders.allowed), [false, true]);
        for (word, allowed) in [("on", true), ("off", false)] {
            let allowed_in = |usual| read(&[("ALFRED_BUY", word)], usual).unwrap().orders.allowed;
            assert_eq!(usual.each_ref().map(allowed_in), [allowed; 2]);
        }
    }

    #[test]
    fn where_nobody_says_anything_the_rest_is_as_usual() {
        for usual in [Policy::platform(), Policy::local()] {
            assert_eq!(read(&[], &usual).unwrap(), usual);
        }
    }

    #[test]
    fn every_value_finds_its_place() {
        let all = [
            ("ALFRED_VM_LIMIT", "7"),
            ("ALFRED_ORDERS_PER_MONTH", "3"),
            ("ALFRED_VM_PRICE", "5.50 EUR"),
            ("ALFRED_POOL_READY", "auto:1-4"),
            ("ALFRED_POOL_LAPSE", "on"),
        ];
        let policy = read(&all, &Policy::platform()).unwrap();
        assert_eq!((policy.orders.owned_max, policy.orders.month_max), (7, Some(3)));
        assert_eq!(policy.orders.price, Some("5.50 EUR".parse().unwrap()));
        assert_eq!(policy.pool.ready, Wanted::Forecast { at_least: 1, at_most: 4 });
        assert!(policy.pool.lapse);
        let ready =
            |text| read(&[("ALFRED_POOL_READY", text), ("ALFRED_VM_LIMIT", "7")], &Policy::local()).unwrap().pool.ready;
        assert_eq!([ready("0"), ready("12")], [0, 12].map(Wanted::Fixed));
        assert_eq!(ready("auto"), Wanted::Forecast { at_least: 0, at_most: 7 });
    }

    #[test]
    fn bad_values_are_named_with_what_would_be_right() {
        for (name, values, right) in [
            ("ALFRED_BUY", &["yes", "1", "ON"][..], "`on` or `off`"),
            ("ALFRED_POOL_LAPSE", &["true"], "`on` or `off`"),
            ("ALFRED_ORDERS_PER_MONTH", &["-1", "many", "1.5"], "a number of orders"),
            ("ALFRED_VM_LIMIT", &["ten"], "a number of VMs"),
            ("ALFRED_VM_PRICE", &["5.50", "5,50 EUR", "EUR 5", "-1 EUR"], "such as `5.50 EUR`"),
            (
                "ALFRED_POOL_READY",
                &["-1", "1001", "auto:", "auto:5", "auto:5-1", "auto:1-1001", "automatic", "1-5", "auto:1-2-3"],
                "`auto:MIN-MAX`",
            ),
        ] {
            for value in values {
                let words = read(&[(name, value)], &Policy::local()).unwrap_err();
                let named = words.contains(&format!("`{name}`")) && words.contains(&format!("`{value}`"));
                assert!(named && words.contains(right), "{words}");
            }
        }
    }
}
