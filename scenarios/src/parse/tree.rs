//! JSON with the place of every value, owned, so that flags and defaults can be put into it.

use serde_json::{Map, Number, Value};

/// Bytes of one of the sources of a parse (0: the file; others: `--set` flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) source: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A JSON value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) span: Span,
    pub(crate) value: Json,
}

/// A JSON value.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As written; always a JSON number.
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<Member>),
}

/// A key of an object and its value.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Tree,
}

impl Tree {
    /// Returns the value of a key, if this is an object that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Tree> {
        self.member(key).map(|member| &member.value)
    }

    /// Returns a key with its value, if this is an object that has it.
    pub(crate) fn member(&self, key: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == key)
    }

    /// Returns the members of an object; none of anything else.
    pub(crate) fn members(&self) -> &[Member] {
        if let Json::Object(members) = &self.value { members } else { &[] }
    }

    /// Returns the items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Tree] {
        if let Json::List(items) = &self.value { items } else { &[] }
    }

    /// Returns the text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Json::Text(text) = &self.value { Some(text) } else { None }
    }

    /// Returns a number; JSON numbers that are too large for a double give `None`.
    pub(crate) fn number(&self) -> Option<f64> {
        let Json::Number(written) = &self.value else { return None };
        written.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// Returns a number that is written as a whole one.
    pub(crate) fn integer(&self) -> Option<u64> {
        if let Json::Number(written) = &self.value { written.parse().ok() } else { None }
    }

    /// Returns what it is, with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::List(_) => "an array",
            Json::Object(_) => "an object",
        }
    }

    /// Returns it without places. Doubles are parsed exactly, as everywhere else.
    pub(crate) fn to_value(&self) -> Value {
        match &self.value {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(written) => number_value(written),
            Json::Text(text) => Value::String(text.clone()),
            Json::List(items) => Value::Array(items.iter().map(Tree::to_value).collect()),
            Json::Object(members) => {
                let pairs = members.iter().map(|member| (member.key.clone(), member.value.to_value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// Returns the path (`nodes[2].region`) to the innermost key or value at `span`, empty when there is none.
    pub(crate) fn path_to(&self, span: Span) -> String {
        let mut path = String::new();
        let mut here = self;
        'down: loop {
            match &here.value {
                Json::Object(members) => {
                    for member in members {
                        if covers(member.key_span, span) || covers(member.value.span, span) {
                            if !path.is_empty() {
                                path.push('.');
                            }
                            path.push_str(&member.key);
                            here = &member.value;
                            continue 'down;
                        }
                    }
                }
                Json::List(items) => {
                    for (i, item) in items.iter().enumerate() {
                        if covers(item.span, span) {
                            path.push_str(&format!("[{i}]"));
                            here = item;
                            continue 'down;
                        }
                    }
                }
                _ => {}
            }
            return path;
        }
    }
}

fn covers(outer: Span, inner: Span) -> bool {
    outer.source == inner.source && outer.start <= inner.start && inner.end <= outer.end
}

fn number_value(written: &str) -> Value {
    if let Ok(whole) = written.parse::<u64>() {
        return Value::from(whole);
    }
    if let Ok(whole) = written.parse::<i64>() {
        return Value::from(whole);
    }
    written.parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}
