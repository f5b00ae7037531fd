//! Amounts of money: what a VM costs a month, and sums of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// More than any VM costs; keeps sums far from the end of their type.
const HUNDREDTHS_MAX: i64 = 100_000_000;

/// An amount in hundredths of a currency, such as `5.50 EUR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    currency: Currency,
    hundredths: i64,
}

/// Three capital letters, as in ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Currency([u8; 3]);

/// Why a text is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an amount of money is a number with at most two decimals and a currency, such as `5.50 EUR`")]
pub struct BadMoney;

impl Money {
    /// As many hundredths.
    pub const fn hundredths(self) -> i64 {
        self.hundredths
    }

    /// Nothing of the same currency.
    #[must_use]
    pub const fn none_of_it(self) -> Self {
        Self { currency: self.currency, hundredths: 0 }
    }

    /// So many times as much.
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        Self { currency: self.currency, hundredths: self.hundredths.saturating_mul(count as i64) }
    }

    /// The share of it that `part` is of `whole`, rounded to the nearest hundredth; nothing of nothing.
    #[must_use]
    pub fn share(self, part: i128, whole: i128) -> Self {
        let hundredths = if whole <= 0 {
            0
        } else {
            let product = i128::from(self.hundredths).saturating_mul(part.max(0)).saturating_add(whole / 2);
            i64::try_from(product / whole).unwrap_or(i64::MAX)
        };
        Self { currency: self.currency, hundredths }
    }

    /// Both together; nothing, if they are of different currencies, which have no sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| Self { currency: self.currency, hundredths: self.hundredths.saturating_add(other.hundredths) })
    }
}

/// The sums of amounts, one for each currency, by the currency's letters.
pub fn sums(amounts: impl IntoIterator<Item = Money>) -> Vec<Money> {
    let mut sums: Vec<Money> = Vec::new();
    for amount in amounts {
        match sums.iter_mut().find_map(|sum| sum.plus(amount).map(|both| (sum, both))) {
            Some((sum, both)) => *sum = both,
            None => sums.push(amount),
        }
    }
    sums.sort_unstable();
    sums
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Currency(letters) = self.currency;
        let (whole, rest) = (self.hundredths / 100, self.hundredths % 100);
        let text = format!("{whole}.{rest:02} {}", letters.map(char::from).iter().collect::<String>());
        formatter.pad(&text)
    }
}

impl FromStr for Money {
    type Err = BadMoney;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (amount, currency) = text.trim().split_once(' ').ok_or(BadMoney)?;
        let letters: [u8; 3] = currency.trim().as_bytes().try_into().map_err(|_| BadMoney)?;
        if !letters.iter().all(u8::is_ascii_uppercase) {
            return Err(BadMoney);
        }
        let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || decimals.len() > 2 || amount.ends_with('.') || !digits(whole) || !digits(decimals) {
            return Err(BadMoney);
        }
        let hundredths = format!("{whole}{decimals:0<2}").parse().map_err(|_| BadMoney)?;
        if hundredths > HUNDREDTHS_MAX {
            return Err(BadMoney);
        }
        Ok(Self { currency: Currency(letters), hundredths })
    }
}

impl TryFrom<String> for Money {
    type Error = BadMoney;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn an_amount_reads_as_it_is_written() {
        for (text, hundredths) in
            [("5.50 EUR", 550), ("0.00 USD", 0), ("12.05 EUR", 1_205), ("1000000.00 JPY", 100_000_000)]
        {
            assert_eq!(money(text).hundredths(), hundredths);
            assert_eq!(money(text).to_string(), text);
        }
        assert_eq!([money("5 EUR"), money("5.5 EUR"), money(" 05.50 EUR")].map(Money::hundredths), [500, 550, 550]);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "5.50",
            "EUR",
            "5,50 EUR",
            "-1 EUR",
            "5.505 EUR",
            "5. EUR",
            ".5 EUR",
            "5.50 eur",
            "5.50 EURO",
            "1e3 EUR",
        ] {
            assert_eq!(text.parse::<Money>(), Err(BadMoney), "{text}");
        }
        assert_eq!("1000000.01 EUR".parse::<Money>(), Err(BadMoney));
        assert_eq!(format!("{} EUR", "9".repeat(40)).parse::<Money>(), Err(BadMoney));
    }

    #[test]
    fn currencies_are_summed_apart() {
        let all = ["1.00 USD", "5.50 EUR", "0.25 USD", "5.50 EUR"].map(money);
        assert_eq!(sums(all), ["11.00 EUR", "1.25 USD"].map(money));
        assert_eq!(sums([]), []);
        assert_eq!(money("1 EUR").plus(money("1 USD")), None);
    }

    #[test]
    fn a_share_is_rounded_and_never_more_than_the_whole() {
        let price = money("5.50 EUR");
        assert_eq!([price.share(1, 2), price.share(1, 3), price.share(0, 5)].map(Money::hundredths), [275, 183, 0]);
        assert_eq!([price.share(7, 7), price.share(1, 0), price.share(-1, 5)].map(Money::hundredths), [550, 0, 0]);
        assert_eq!(price.times(3), money("16.50 EUR"));
        assert_eq!(price.none_of_it(), money("0 EUR"));
    }
}
