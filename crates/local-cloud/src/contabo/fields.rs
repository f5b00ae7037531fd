//! Reads a JSON body or a query, and gathers what is wrong with it.
//!
//! The platform validates all fields and answers with all complaints at once, as an array of sentences.

use serde_json::{Map, Value};

use super::reply::Refusal;

/// The fields of a JSON body. Unknown fields are ignored, as the platform does.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    complaints: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, complaints: Vec::new() }
    }

    /// The field, unless it is absent or null.
    fn present(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        let object = self.present(name)?.as_object();
        if object.is_none() {
            self.complain(format!("{name} must be an object"));
        }
        object
    }

    pub(crate) fn array(&mut self, name: &str) -> Option<&'a Vec<Value>> {
        let array = self.present(name)?.as_array();
        if array.is_none() {
            self.complain(format!("{name} must be an array"));
        }
        array
    }

    /// A string of `min` to `max` characters.
    pub(crate) fn text(&mut self, name: &str, min: usize, max: usize) -> Option<&'a str> {
        let Some(text) = self.present(name)?.as_str() else {
            self.complain(format!("{name} must be a string"));
            return None;
        };
        let length = text.chars().count();
        if length < min {
            self.complain(format!("{name} must be longer than or equal to {min} characters"));
        }
        if length > max {
            self.complain(format!("{name} must be shorter than or equal to {max} characters"));
        }
        Some(text)
    }

    pub(crate) fn integer(&mut self, name: &str) -> Option<i64> {
        let integer = self.present(name)?.as_i64();
        if integer.is_none() {
            self.complain(format!("{name} must be an integer number"));
        }
        integer
    }

    pub(crate) fn integers(&mut self, name: &str) -> Vec<i64> {
        let Some(array) = self.array(name) else {
            return Vec::new();
        };
        let integers: Option<Vec<i64>> = array.iter().map(Value::as_i64).collect();
        integers.unwrap_or_else(|| {
            self.complain(format!("each value in {name} must be an integer number"));
            Vec::new()
        })
    }

    pub(crate) fn uuid(&mut self, name: &str) -> Option<&'a str> {
        let text = self.text(name, 0, 255)?;
        if uuid::Uuid::try_parse(text).is_err() {
            self.complain(format!("{name} must be a UUID"));
        }
        Some(text)
    }

    pub(crate) fn one_of(&mut self, name: &str, words: &[&str]) -> Option<&'a str> {
        let text = self.text(name, 0, usize::MAX)?;
        if !words.contains(&text) {
            self.complain(format!("{name} must be one of the following values: {}", words.join(", ")));
        }
        Some(text)
    }

    pub(crate) fn require(&mut self, name: &str) {
        if self.present(name).is_none() {
            self.complain(format!("{name} should not be empty"));
        }
    }

    pub(crate) fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }

    pub(crate) fn finish(self) -> Result<(), Refusal> {
        if self.complaints.is_empty() { Ok(()) } else { Err(Refusal::invalid(self.complaints)) }
    }
}

/// The parameters of a query, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The values of a comma separated parameter.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&str>> {
        self.get(name).map(|text| text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect())
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.get(name).map(|text| integer(name, text)).transpose()
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Refusal::invalid(vec![format!("{name} must be a boolean value")])),
        }
    }
}

/// An id or number in a path or query.
pub(crate) fn integer(name: &str, text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| Refusal::invalid(vec![format!("{name} must be an integer number")]))
}
