//! The key reference in `docs/scenarios.md`, written from the tables.

use super::check::describe;
use super::kind::{Kind, Object, Presence};
use super::scenario::SCENARIO;
use super::traffic::STATIC_ROUTING;

/// Returns the reference of all keys as Markdown, one table an object, in the order of first use.
#[must_use]
pub fn key_reference() -> String {
    let mut order: Vec<&'static Object> = vec![&SCENARIO];
    let mut next = 0;
    while next < order.len() {
        for key in order[next].keys {
            collect(&key.kind, &mut order);
            if key.name == "routing" {
                note(&STATIC_ROUTING, &mut order);
            }
        }
        next += 1;
    }
    order.iter().map(|object| section(object)).collect::<Vec<_>>().join("\n")
}

fn note(object: &'static Object, order: &mut Vec<&'static Object>) {
    if !order.iter().any(|known| known.name == object.name) {
        order.push(object);
    }
}

fn collect(kind: &Kind, order: &mut Vec<&'static Object>) {
    match kind {
        Kind::Object(object) => note(object, order),
        Kind::List(item, _) | Kind::Map(_, item) => collect(item, order),
        Kind::Tuple(kinds) | Kind::Choice(kinds) => kinds.iter().for_each(|kind| collect(kind, order)),
        Kind::Tagged { variants, .. } => variants.iter().for_each(|variant| note(variant.1, order)),
        _ => {}
    }
}

fn section(object: &Object) -> String {
    let mut text = format!("### {}\n\n{}", object.name, object.doc);
    for group in object.one_of {
        let names: Vec<String> = group.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!(" Exactly one of {}.", names.join(", ")));
    }
    text.push_str("\n\n| key | value | default | meaning |\n|---|---|---|---|\n");
    for key in object.keys {
        let default = match key.presence {
            Presence::Required(_) => "**required**",
            Presence::Default(default) => default,
        };
        let value = describe(&key.kind).replace('|', "\\|");
        text.push_str(&format!("| `{}` | {value} | {default} | {} |\n", key.name, key.doc));
    }
    text
}
