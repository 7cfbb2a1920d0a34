//! Puts the keys of `defaults` under the nodes, links and sessions that do not give them.

use super::tree::{Json, Member, Tree};
use crate::schema::traffic::POPULATION;

/// Keys that name one thing; a default for them would make all things the same.
const OWN: [&str; 6] = ["id", "name", "from", "to", "between", "source"];

/// Merges `defaults` into the tree. A default keeps its place, so that errors point at it.
pub(crate) fn merge(root: &mut Tree) {
    let defaults = root.get("defaults").cloned();
    let part = |name: &str| defaults.as_ref().and_then(|defaults| defaults.get(name)).cloned();
    if let Some(node) = part("node") {
        each(root, "nodes", &mut |tree| fill(tree, &node, &|_, _| true));
    }
    if let Some(link) = part("link") {
        each(root, "links", &mut |tree| fill(tree, &link, &fits_link));
    }
    if let Some(session) = part("session") {
        each(root, "conferences", &mut |conference| {
            each(conference, "sessions", &mut |tree| fill_session(tree, &session));
        });
        let known = |_: &Tree, key: &str| POPULATION.key(key).is_some() && key != "destinations";
        each(root, "populations", &mut |tree| fill(tree, &session, &known));
    }
}

/// `source` names a session's node; the source of a link's figures may well be a default.
fn fill_session(session: &mut Tree, defaults: &Tree) {
    fill(session, defaults, &|_, _| true);
    if session.get("source").is_none()
        && let (Some(member), Json::Object(members)) = (defaults.member("source"), &mut session.value)
    {
        members.push(member.clone());
    }
}

/// A bottleneck stands in place of rate and queue, so that the default of one does not meet the other.
fn fits_link(link: &Tree, key: &str) -> bool {
    match key {
        "rate" | "queue" => link.get("bottleneck").is_none(),
        "bottleneck" => link.get("rate").is_none() && link.get("queue").is_none(),
        _ => true,
    }
}

fn each(tree: &mut Tree, key: &str, change: &mut dyn FnMut(&mut Tree)) {
    let Json::Object(members) = &mut tree.value else { return };
    let Some(member) = members.iter_mut().find(|member| member.key == key) else { return };
    if let Json::List(items) = &mut member.value.value {
        items.iter_mut().for_each(change);
    }
}

fn fill(tree: &mut Tree, defaults: &Tree, fits: &dyn Fn(&Tree, &str) -> bool) {
    if !matches!(tree.value, Json::Object(_)) {
        return;
    }
    let missing: Vec<Member> = defaults
        .members()
        .iter()
        .filter(|member| !OWN.contains(&member.key.as_str()))
        .filter(|member| tree.get(&member.key).is_none() && fits(tree, &member.key))
        .cloned()
        .collect();
    if let Json::Object(members) = &mut tree.value {
        members.extend(missing);
    }
}
