//! Strict reading of a policy's parameters.

use crate::parse::sink::{listed, nearest};
use crate::policy::{PolicyError, Request};
use crate::units::{parse_rate, parse_time};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;

/// The parameters of a request, of which every one must be known to the policy.
#[derive(Debug)]
pub struct Parameters<'r, 'a> {
    request: &'r Request<'a>,
}

impl<'r, 'a> Parameters<'r, 'a> {
    /// Takes the parameters of `request`.
    ///
    /// # Errors
    /// When one of them is not in `known`: a misspelt name would otherwise be a silent default.
    pub fn of(request: &'r Request<'a>, known: &[&str]) -> Result<Self, PolicyError> {
        match request.parameters.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self { request }),
            Some(name) if known.is_empty() => {
                Err(parameter(name, "this policy has no parameters".to_owned()))
            }
            Some(name) => Err(parameter(name, format!("unknown; this policy has `{}`", known.join("`, `")))),
        }
    }

    /// Returns the whole number of that name, or `None` when it is not given.
    ///
    /// # Errors
    /// When it is no whole number or lies outside `min..=max`.
    pub fn whole(&self, name: &str, min: usize, max: usize) -> Result<Option<usize>, PolicyError> {
        let Some(value) = self.request.parameters.get(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        match number.filter(|number| (min..=max).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                Err(parameter(name, format!("expected a whole number from {min} to {max}, found {value}")))
            }
        }
    }

    /// Returns the number of that name, or `None` when it is not given.
    ///
    /// # Errors
    /// When it is no number or lies outside `min..=max`.
    pub fn number(&self, name: &str, min: f64, max: f64) -> Result<Option<f64>, PolicyError> {
        let Some(value) = self.request.parameters.get(name) else { return Ok(None) };
        match value.as_f64().filter(|number| (min..=max).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(parameter(name, format!("expected a number from {min} to {max}, found {value}"))),
        }
    }

    /// Returns the nodes in the list of names or ids of that name, sorted, or `None` when it is not given.
    ///
    /// # Errors
    /// When it is no list of names and ids, when the list is empty, or the network has no such node.
    pub fn nodes(&self, name: &str) -> Result<Option<Vec<NodeId>>, PolicyError> {
        let Some(value) = self.request.parameters.get(name) else { return Ok(None) };
        let wrong =
            || parameter(name, format!("expected a list of nodes like [\"tokyo\", 7], found {value}"));
        let nodes = &self.request.view.nodes;
        let mut found = Vec::new();
        for entry in value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)? {
            let node = match (entry.as_str(), entry.as_u64()) {
                (Some(named), _) => nodes.iter().find(|node| node.name == named),
                (_, Some(id)) => nodes.iter().find(|node| u64::from(node.id.get()) == id),
                _ => return Err(wrong()),
            };
            let unknown = || {
                let known = || nodes.iter().map(|node| node.name.as_str());
                let meant = entry.as_str().and_then(|named| nearest(named, known()));
                let hint = meant.map_or_else(
                    || format!("nodes: {}", listed(known())),
                    |meant| format!("did you mean \"{meant}\"?"),
                );
                parameter(name, format!("there is no node {entry}; {hint}"))
            };
            found.push(node.ok_or_else(unknown)?.id);
        }
        found.sort_unstable();
        found.dedup();
        Ok(Some(found))
    }

    /// Returns the rate of that name (`"10 Mbit/s"`), or `None` when it is not given.
    ///
    /// # Errors
    /// When it is no rate with its unit, or is zero.
    pub fn rate(&self, name: &str) -> Result<Option<BitRate>, PolicyError> {
        let Some(value) = self.request.parameters.get(name) else { return Ok(None) };
        match value.as_str().and_then(|text| parse_rate(text).ok().flatten()) {
            Some(rate) => Ok(Some(rate)),
            None => {
                Err(parameter(name, format!("expected a rate above zero like \"10 Mbit/s\", found {value}")))
            }
        }
    }

    /// Returns the word of that name, or `None` when it is not given.
    ///
    /// # Errors
    /// When it is none of `words`.
    pub fn word<'w>(&self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, PolicyError> {
        let Some(value) = self.request.parameters.get(name) else { return Ok(None) };
        match words.iter().find(|word| value.as_str() == Some(word)) {
            Some(word) => Ok(Some(word)),
            None => {
                Err(parameter(name, format!("expected one of \"{}\", found {value}", words.join("\", \""))))
            }
        }
    }

    /// Returns the time of that name (`"1 s"`), or `None` when it is not given.
    ///
    /// # Errors
    /// When it is no time with its unit, or is zero.
    pub fn time(&self, name: &str) -> Result<Option<Duration>, PolicyError> {
        let Some(value) = self.request.parameters.get(name) else { return Ok(None) };
        let time = value.as_str().and_then(|text| parse_time(text).ok());
        match time.filter(|time| !time.is_zero()) {
            Some(time) => Ok(Some(time)),
            None => Err(parameter(name, format!("expected a time above zero like \"1 s\", found {value}"))),
        }
    }
}

fn parameter(name: &str, problem: String) -> PolicyError {
    PolicyError::Parameter { name: name.to_owned(), problem }
}
