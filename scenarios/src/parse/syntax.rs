//! From text to a tree: strict JSON, and errors that say what is not.

use super::sink::Sink;
use super::tree::{Json, Member, Span, Tree};
use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses `text`, which is source number `source`; `None` after an error.
pub(crate) fn parse(text: &str, source: usize, sink: &mut Sink) -> Option<Tree> {
    let whole = Span { source, start: 0, end: 0 };
    if text.trim().is_empty() {
        sink.error("E0102", whole, "the file is empty", "expected a JSON object")
            .help("the smallest scenario is in docs/scenarios.md");
        return None;
    }
    match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => parsed.value.map(|value| convert(&value, source, sink)),
        Err(error) => {
            report(&error, text, source, sink);
            None
        }
    }
}

fn report(error: &jsonc_parser::errors::ParseError, text: &str, source: usize, sink: &mut Sink) {
    let end = text.trim_end().len();
    let (start, stop) = (error.range().start.min(end), error.range().end.min(end));
    let span = Span { source, start, end: stop.max(start) };
    // The parser reports an unclosed bracket at the bracket; whoever cut the file off looks at its end.
    let last = Span { source, start: end.saturating_sub(1), end };
    match error.kind() {
        ParseErrorKind::CommentsNotAllowed => sink
            .error("E0104", span, "comments are not part of JSON", "a comment")
            .help("move it into \"description\""),
        ParseErrorKind::TrailingCommasNotAllowed => sink
            .error("E0105", span, "a comma after the last entry is not part of JSON", "")
            .help("remove the comma"),
        ParseErrorKind::UnterminatedObject => sink
            .error("E0106", last, "the file ends before an object is closed", "the file ends here")
            .also(span, "this `{` has no `}`"),
        ParseErrorKind::UnterminatedArray => sink
            .error("E0106", last, "the file ends before an array is closed", "the file ends here")
            .also(span, "this `[` has no `]`"),
        kind if stop >= end => {
            let error =
                sink.error("E0106", last, "the file ends in the middle of a value", "the file ends here");
            if start + 1 < end {
                error.also(Span { end: start + 1, ..span }, "this value has no end");
            }
            error.help(lower_first(&kind.to_string()))
        }
        kind => sink.error("E0103", span, format!("not JSON: {}", lower_first(&kind.to_string())), ""),
    };
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn convert(value: &Value<'_>, source: usize, sink: &mut Sink) -> Tree {
    let at = |ranged: &dyn Ranged| Span { source, start: ranged.range().start, end: ranged.range().end };
    let json = match value {
        Value::NullKeyword(_) => Json::Null,
        Value::BooleanLit(b) => Json::Bool(b.value),
        Value::NumberLit(number) => Json::Number(number.value.to_owned()),
        Value::StringLit(text) => Json::Text(text.value.clone().into_owned()),
        Value::Array(array) => {
            Json::List(array.elements.iter().map(|item| convert(item, source, sink)).collect())
        }
        Value::Object(object) => {
            let mut members: Vec<Member> = Vec::with_capacity(object.properties.len());
            for property in &object.properties {
                let key = property.name.as_str().to_owned();
                let key_span = at(&property.name);
                if let Some(first) = members.iter().find(|member| member.key == key) {
                    sink.error("E0108", key_span, format!("key \"{key}\" is given twice"), "again here")
                        .also(first.key_span, "first here");
                    continue;
                }
                members.push(Member { key, key_span, value: convert(&property.value, source, sink) });
            }
            Json::Object(members)
        }
    };
    Tree { span: at(value), value: json }
}
