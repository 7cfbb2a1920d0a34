//! The structural check: a tree against the tables, with every error noted.

use super::kind::{Kind, Object, Presence, Zero};
use super::traffic::STATIC_ROUTING;
use crate::parse::sink::{Sink, listed, nearest};
use crate::parse::tree::{Json, Span, Tree};
use crate::units::{Quantity, QuantityError};

/// Whether required keys must be there: not in `defaults`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completeness {
    Whole,
    Part,
}

/// Notes everything in `tree` that is not of `kind`.
pub(crate) fn check(tree: &Tree, kind: &Kind, name: &str, sink: &mut Sink) {
    match kind {
        Kind::Text => expect(tree, tree.text().is_some(), name, "a string", sink),
        Kind::Name => check_name(tree, name, sink),
        Kind::Bool => {
            expect(tree, matches!(tree.value, Json::Bool(_)), name, "`true` or `false`", sink);
        }
        Kind::Integer(min, max) => check_integer(tree, *min, *max, name, sink),
        Kind::Number(min, max) => check_number(tree, *min, *max, name, sink),
        Kind::Quantity { of, zero, max } => check_quantity(tree, *of, *zero, *max, name, sink),
        Kind::Signed(of) => {
            let parsed = tree.text().map(|text| crate::units::parse_signed(*of, text).map(drop));
            note_quantity(tree, *of, parsed, name, sink);
        }
        Kind::Node | Kind::Reference => {
            let fits = matches!(tree.value, Json::Text(_) | Json::Number(_));
            expect(tree, fits, name, "an id (a number) or a name (a string)", sink);
        }
        Kind::Words(words) => check_words(tree, words, name, sink),
        Kind::List(item, least) => check_list(tree, item, *least, name, sink),
        Kind::Tuple(items) => check_tuple(tree, items, name, sink),
        Kind::Map(_, value) => {
            expect(tree, matches!(tree.value, Json::Object(_)), name, "an object", sink);
            for member in tree.members() {
                check(&member.value, value, &member.key, sink);
            }
        }
        Kind::Object(object) => check_object(tree, object, &[], Completeness::Whole, sink),
        Kind::Tagged { tag, variants } => check_tagged(tree, tag, variants, name, sink),
        Kind::Open(tag) => check_open(tree, tag, name, sink),
        Kind::Choice(kinds) => check_choice(tree, kinds, name, sink),
    }
}

fn expect(tree: &Tree, fits: bool, name: &str, wanted: &str, sink: &mut Sink) {
    if !fits {
        sink.error(
            "E0203",
            tree.span,
            format!("`{name}` must be {wanted}, not {}", tree.kind()),
            format!("expected {wanted}"),
        );
    }
}

fn check_name(tree: &Tree, name: &str, sink: &mut Sink) {
    let Some(text) = tree.text() else {
        return expect(tree, false, name, "a string", sink);
    };
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(letter) || text.bytes().all(|byte| byte.is_ascii_digit()) {
        sink.error("E0206", tree.span, format!("\"{text}\" cannot be a name"), "")
            .help("names have letters, digits, `-`, `_` and `.`, and not only digits");
    } else if text.starts_with('.') || text.len() > 64 {
        sink.error("E0206", tree.span, format!("\"{text}\" cannot be a name"), "")
            .help("names have at most 64 bytes and do not start with a dot");
    }
}

fn check_integer(tree: &Tree, min: u64, max: u64, name: &str, sink: &mut Sink) {
    let Json::Number(written) = &tree.value else {
        let quoted = tree.text().is_some_and(|text| text.trim().parse::<u64>().is_ok());
        expect(tree, false, name, if quoted { "a number without quotes" } else { "a whole number" }, sink);
        return;
    };
    match written.parse::<u64>() {
        Ok(number) if (min..=max).contains(&number) => {}
        _ if written.contains(['.', 'e', 'E']) => {
            expect(tree, false, name, "a whole number, written without point or exponent", sink);
        }
        _ => {
            let code = if name == "id" { "E0308" } else { "E0206" };
            let message = format!("`{name}` must be from {min} to {max}, not {written}");
            let error = sink.error(code, tree.span, message, "out of range");
            if name == "id" && max == 0x7FFF_FFFF {
                error.help("the routing header keeps the top bit of a node id for its destination flag");
            }
        }
    }
}

fn check_number(tree: &Tree, min: f64, max: f64, name: &str, sink: &mut Sink) {
    let Json::Number(written) = &tree.value else {
        return expect(tree, false, name, "a number", sink);
    };
    if !tree.number().is_some_and(|number| (min..=max).contains(&number)) {
        let message = format!("`{name}` must be from {min} to {max}, not {written}");
        sink.error("E0206", tree.span, message, "out of range");
    }
}

fn check_quantity(tree: &Tree, of: Quantity, zero: Zero, max: u64, name: &str, sink: &mut Sink) {
    let parsed = tree.text().map(|text| of.parse(text));
    if let (Some(Ok(0)), Zero::Refused(why)) = (&parsed, zero) {
        sink.error("E0210", tree.span, format!("`{name}` must not be zero"), "zero").help(why);
    }
    if let Some(Ok(value)) = parsed
        && value > max
    {
        let message = format!("`{name}` is more than {}", of.format(max));
        sink.error("E0206", tree.span, message, "out of range");
    }
    note_quantity(tree, of, parsed.map(|parsed| parsed.map(drop)), name, sink);
}

fn note_quantity(
    tree: &Tree,
    of: Quantity,
    parsed: Option<Result<(), QuantityError>>,
    name: &str,
    sink: &mut Sink,
) {
    let (what, example, units) = (of.name(), of.example(), of.unit_names());
    let meant = |fix: &str| format!("did you mean \"{fix}\"?");
    match parsed {
        Some(Ok(())) => {}
        None => match &tree.value {
            Json::Number(written) => {
                let message = format!("`{name}` has no unit");
                let error =
                    sink.error("E0204", tree.span, message, format!("{what} is a string with a unit"));
                if let Err(QuantityError::NoUnit { fix }) = of.parse(written) {
                    error.help(meant(&fix));
                }
                error.help(format!("units are {units}"));
            }
            _ => expect(tree, false, name, &format!("{what} such as \"{example}\""), sink),
        },
        Some(Err(QuantityError::NoUnit { fix })) => {
            sink.error("E0204", tree.span, format!("`{name}` has no unit"), "a number without unit")
                .help(meant(&fix))
                .help(format!("units are {units}"));
        }
        Some(Err(QuantityError::WrongUnit { unit, fix })) => {
            let message = format!("`{unit}` is not a unit of {}", &what[2..]);
            let error = sink.error("E0205", tree.span, message, format!("expected {what}"));
            if let Some(fix) = fix {
                error.help(meant(&fix));
            }
            error.help(format!("units are {units}"));
        }
        Some(Err(QuantityError::NoNumber)) => {
            let message = format!("`{name}` must be {what} such as \"{example}\"");
            sink.error("E0205", tree.span, message, "does not start with a number");
        }
        Some(Err(error)) => {
            sink.error("E0206", tree.span, format!("`{name}` {error}"), "out of range");
        }
    }
}

fn check_words(tree: &Tree, words: &[&'static str], name: &str, sink: &mut Sink) {
    let Some(text) = tree.text() else {
        return expect(tree, false, name, &format!("one of {}", words.join(", ")), sink);
    };
    if !words.contains(&text) {
        let error = sink.error("E0208", tree.span, format!("`{name}` cannot be \"{text}\""), "");
        if let Some(meant) = nearest(text, words.iter().copied()) {
            error.help(format!("did you mean \"{meant}\"?"));
        }
        error.help(format!("one of: {}", words.join(", ")));
    }
}

fn check_list(tree: &Tree, item: &Kind, least: usize, name: &str, sink: &mut Sink) {
    let Json::List(items) = &tree.value else {
        return expect(tree, false, name, "an array", sink);
    };
    if items.len() < least {
        let message = format!("`{name}` needs at least {least} entr{}", if least == 1 { "y" } else { "ies" });
        sink.error("E0206", tree.span, message, format!("has {}", items.len()));
    }
    let singular = name.strip_suffix('s').unwrap_or(name);
    for entry in items {
        check(entry, item, singular, sink);
    }
}

fn check_tuple(tree: &Tree, kinds: &[Kind], name: &str, sink: &mut Sink) {
    let items = tree.items();
    if !matches!(tree.value, Json::List(_)) || items.len() != kinds.len() {
        return expect(tree, false, name, &format!("an array of {} entries", kinds.len()), sink);
    }
    for (item, kind) in items.iter().zip(kinds) {
        check(item, kind, name, sink);
    }
}

/// Checks an object; `also` are keys that something else looks at.
pub(crate) fn check_object(
    tree: &Tree,
    object: &Object,
    also: &[&str],
    completeness: Completeness,
    sink: &mut Sink,
) {
    if !matches!(tree.value, Json::Object(_)) {
        return expect(tree, false, object.name, "an object", sink);
    }
    for member in tree.members() {
        if also.contains(&member.key.as_str()) {
            continue;
        }
        match object.key(&member.key) {
            Some(_) if object.name == "defaults" => {
                if let Some(Kind::Object(part)) = object.key(&member.key).map(|key| &key.kind) {
                    check_object(&member.value, part, &[], Completeness::Part, sink);
                }
            }
            Some(key) => check(&member.value, &key.kind, key.name, sink),
            None => unknown_key(&member.key, member.key_span, object, also, sink),
        }
    }
    if completeness == Completeness::Whole {
        check_presence(tree, object, sink);
    }
}

fn check_presence(tree: &Tree, object: &Object, sink: &mut Sink) {
    let opening = Span { end: tree.span.start + 1, ..tree.span };
    for key in object.keys {
        if let Presence::Required(example) = key.presence
            && tree.get(key.name).is_none()
        {
            let message = format!("`{}` is missing in this {}", key.name, object.name);
            sink.error("E0202", opening, message, format!("this {} has no `{}`", object.name, key.name))
                .help(format!("add \"{}\": {example}", key.name))
                .help(key.doc);
        }
    }
    for group in object.one_of {
        let given: Vec<_> = group.iter().filter_map(|name| tree.member(name)).collect();
        match given[..] {
            [_] => {}
            [] => {
                let message = format!("this {} needs one of {}", object.name, group.join(", "));
                sink.error("E0202", opening, message, "");
            }
            [first, second, ..] => {
                let message = format!("`{}` and `{}` cannot be given together", first.key, second.key);
                sink.error("E0211", second.key_span, message, "").also(first.key_span, "given here");
            }
        }
    }
}

fn unknown_key(key: &str, span: Span, object: &Object, also: &[&str], sink: &mut Sink) {
    let known: Vec<&str> = also.iter().copied().chain(object.keys.iter().map(|known| known.name)).collect();
    let message = format!("unknown key `{key}` in this {}", object.name);
    let error = sink.error("E0201", span, message, "");
    if let Some(meant) = nearest(key, known.iter().copied()) {
        error.help(format!("did you mean \"{meant}\"?"));
    }
    error.help(format!("known keys: {}", listed(known)));
}

fn check_tagged(
    tree: &Tree,
    tag: &'static str,
    variants: &[(&'static str, &'static Object)],
    name: &str,
    sink: &mut Sink,
) {
    let names: Vec<&'static str> = variants.iter().map(|variant| variant.0).collect();
    if !matches!(tree.value, Json::Object(_)) {
        return expect(tree, false, name, "an object", sink);
    }
    let Some(chosen) = tree.get(tag) else {
        let opening = Span { end: tree.span.start + 1, ..tree.span };
        sink.error("E0202", opening, format!("`{tag}` is missing in this {name}"), "")
            .help(format!("add \"{tag}\" with one of: {}", names.join(", ")));
        return;
    };
    check_words(chosen, &names, tag, sink);
    let variant = variants.iter().find(|variant| Some(variant.0) == chosen.text());
    if let Some((_, object)) = variant {
        check_object(tree, object, &[tag], Completeness::Whole, sink);
    }
}

/// Policies: the name must be there; written-out flows have keys of their own.
fn check_open(tree: &Tree, tag: &'static str, name: &str, sink: &mut Sink) {
    if let Some(command) = tree.get("exec")
        && tree.get(tag).is_none_or(|tree| tree.text() == Some("exec"))
    {
        check(command, &Kind::List(&Kind::Text, 1), "exec", sink);
        return;
    }
    let Some(chosen) = tree.get(tag) else {
        let opening = Span { end: tree.span.start + 1, ..tree.span };
        sink.error("E0202", opening, format!("`{tag}` is missing in this {name}"), "")
            .help(format!("add \"{tag}\": \"shortest-delay\""));
        return;
    };
    check(chosen, &Kind::Text, tag, sink);
    if name == "routing" && chosen.text() == Some("static") {
        check_object(tree, &STATIC_ROUTING, &[], Completeness::Whole, sink);
    }
}

fn check_choice(tree: &Tree, kinds: &[Kind], name: &str, sink: &mut Sink) {
    let words = |kind: &&Kind| matches!((kind, tree.text()), (Kind::Words(words), Some(text)) if words.contains(&text));
    let shaped = |kind: &&Kind| match &tree.value {
        Json::Text(_) => matches!(kind, Kind::Text | Kind::Name | Kind::Quantity { .. } | Kind::Node),
        Json::Number(_) => matches!(kind, Kind::Number(..) | Kind::Integer(..) | Kind::Node),
        Json::List(_) => matches!(kind, Kind::List(..) | Kind::Tuple(_)),
        Json::Object(_) => matches!(kind, Kind::Object(_) | Kind::Open(_) | Kind::Map(..)),
        Json::Null | Json::Bool(_) => false,
    };
    // A number where a quantity is wanted lacks its unit; any other text is a misspelt word.
    let lacking = |kind: &&Kind| match tree.value {
        Json::Number(_) => matches!(kind, Kind::Quantity { .. }),
        Json::Text(_) => matches!(kind, Kind::Words(_)),
        _ => false,
    };
    let chosen = kinds.iter().find(words).or_else(|| kinds.iter().find(shaped));
    match chosen.or_else(|| kinds.iter().find(lacking)) {
        Some(kind) => check(tree, kind, name, sink),
        None => {
            let wanted: Vec<String> = kinds.iter().map(describe).collect();
            expect(tree, false, name, &wanted.join(", or "), sink);
        }
    }
}

/// Returns what values of a kind are, in few words.
pub(crate) fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Name => "name".to_owned(),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Integer(_, u64::MAX) => "whole number".to_owned(),
        Kind::Integer(min, max) => format!("whole number, {min} to {max}"),
        Kind::Number(min, max) => format!("number, {min} to {max}"),
        Kind::Quantity { of, .. } => format!("{} (`\"{}\"`)", &of.name()[2..], of.example()),
        Kind::Signed(of) => format!("{} with or without sign", &of.name()[2..]),
        Kind::Node => "node (id or name)".to_owned(),
        Kind::Reference => "id or name".to_owned(),
        Kind::Words(words) => {
            words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(" or ")
        }
        Kind::List(item, _) => format!("array of {}", describe(item)),
        Kind::Tuple(items) => {
            format!("[{}]", items.iter().map(describe).collect::<Vec<_>>().join(", "))
        }
        Kind::Map(key, value) => format!("object: {key} -> {}", describe(value)),
        Kind::Object(object) => format!("{} object", object.name),
        Kind::Tagged { tag, .. } => format!("object chosen by `{tag}`"),
        Kind::Open(_) => "policy object".to_owned(),
        Kind::Choice(kinds) => kinds.iter().map(describe).collect::<Vec<_>>().join(", or "),
    }
}
