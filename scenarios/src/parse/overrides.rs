//! `--set key=value`: changes single values of a scenario from the command line.

use super::sink::Sink;
use super::syntax;
use super::tree::{Json, Member, Span, Tree};
use crate::diagnostic::Source;

/// Name of the source that holds a flag; errors show it in place of a file name.
pub(crate) const FLAG: &str = "--set";

/// A step of a path.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Applies the flags in order.
pub(crate) fn apply(root: &mut Tree, flags: &[(String, String)], sink: &mut Sink) {
    for (path, value) in flags {
        let text = format!("{path}={value}");
        let source = sink.add_source(Source { name: FLAG.to_owned(), text });
        let Some(steps) = steps(path, source, sink) else { continue };
        let value = value_tree(path, value, source);
        put(root, &steps, value, sink);
    }
}

/// Splits `a.b[0].c` into steps with their places.
fn steps<'a>(path: &'a str, source: usize, sink: &mut Sink) -> Option<Vec<(Step<'a>, Span)>> {
    let mut steps = Vec::new();
    let mut start = 0;
    for part in path.split('.') {
        let key_end = part.find('[').unwrap_or(part.len());
        let span = |from: usize, to: usize| Span { source, start: start + from, end: start + to };
        let bad = |sink: &mut Sink, from, to| {
            sink.error("E0109", span(from, to), format!("`{path}` is not a path"), "")
                .help("paths look like duration or conferences[0].sessions[0].content.rate");
        };
        if key_end == 0 {
            bad(sink, 0, part.len());
            return None;
        }
        steps.push((Step::Key(&part[..key_end]), span(0, key_end)));
        let mut at = key_end;
        while at < part.len() {
            let close = part[at..].find(']').map(|close| at + close);
            let index = close.and_then(|close| part.get(at + 1..close)?.parse().ok());
            let (Some(close), Some(index), true) = (close, index, part[at..].starts_with('[')) else {
                bad(sink, at, part.len());
                return None;
            };
            steps.push((Step::Index(index), span(at, close + 1)));
            at = close + 1;
        }
        start += part.len() + 1;
    }
    Some(steps)
}

/// Takes the value as JSON if it is, and otherwise as a string: shells eat quotes.
fn value_tree(path: &str, value: &str, source: usize) -> Tree {
    let offset = path.len() + 1;
    let whole = Span { source, start: offset, end: offset + value.len() };
    // Spaces stand for the path, so that places count from the start of the flag.
    let padded = format!("{}{value}", " ".repeat(offset));
    let mut probe = Sink::new(Source { name: FLAG.to_owned(), text: padded.clone() });
    if let (Some(tree), 0) = (syntax::parse(&padded, 0, &mut probe), probe.count()) {
        return with_source(tree, source);
    }
    Tree { span: whole, value: Json::Text(value.to_owned()) }
}

fn with_source(mut tree: Tree, source: usize) -> Tree {
    tree.span.source = source;
    tree.value = match tree.value {
        Json::List(items) => Json::List(items.into_iter().map(|item| with_source(item, source)).collect()),
        Json::Object(members) => {
            let moved = members.into_iter().map(|mut member| {
                member.key_span.source = source;
                member.value = with_source(member.value, source);
                member
            });
            Json::Object(moved.collect())
        }
        other => other,
    };
    tree
}

fn put(root: &mut Tree, steps: &[(Step<'_>, Span)], value: Tree, sink: &mut Sink) {
    let mut here = root;
    for (i, (step, span)) in steps.iter().enumerate() {
        let last = i + 1 == steps.len();
        let kind = here.kind();
        match (step, &mut here.value) {
            (Step::Key(key), Json::Object(members)) => {
                let at = members.iter().position(|member| member.key == *key).unwrap_or_else(|| {
                    let empty = Tree { span: *span, value: Json::Object(Vec::new()) };
                    members.push(Member { key: (*key).to_owned(), key_span: *span, value: empty });
                    members.len() - 1
                });
                here = &mut members[at].value;
            }
            (Step::Index(index), Json::List(items)) => {
                let count = items.len();
                let Some(item) = items.get_mut(*index) else {
                    let message = format!("there is no entry {index}: the array has {count}");
                    sink.error("E0109", *span, message, "counted from 0");
                    return;
                };
                here = item;
            }
            (Step::Key(key), Json::List(_)) => {
                let message = format!("`{key}` is looked for in an array");
                sink.error("E0109", *span, message, "").help(format!("write [0].{key}"));
                return;
            }
            _ => {
                sink.error("E0109", *span, format!("there is nothing inside {kind}"), "");
                return;
            }
        }
        if last {
            *here = value;
            return;
        }
    }
}
