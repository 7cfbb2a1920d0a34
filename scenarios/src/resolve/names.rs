//! Which node a text means.

use crate::parse::sink::{Sink, listed, nearest};
use crate::parse::tree::{Json, Span, Tree};
use bellini_core::ids::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// The nodes of a scenario by id and by name.
#[derive(Default)]
pub(crate) struct Names {
    ids: BTreeMap<NodeId, Span>,
    by_name: BTreeMap<String, (NodeId, Span)>,
    names: BTreeMap<NodeId, String>,
    /// What wrong nodes are called; references to them are not wrong a second time.
    broken: BTreeSet<String>,
}

impl Names {
    /// Reads ids and names of all nodes, and notes those that are given twice.
    pub(crate) fn read(root: &Tree, sink: &mut Sink) -> Self {
        let mut names = Self::default();
        for tree in root.get("nodes").map_or(&[][..], Tree::items) {
            names.read_node(tree, sink);
        }
        names
    }

    fn read_node(&mut self, tree: &Tree, sink: &mut Sink) {
        let named = tree.get("name");
        let id_tree = tree.get("id");
        let id = id_tree.and_then(Tree::integer).and_then(|id| u32::try_from(id).ok()).and_then(NodeId::new);
        let (Some(id), Some(id_tree)) = (id, id_tree) else {
            self.broken.extend(named.and_then(Tree::text).map(str::to_owned));
            if let Some(Json::Number(written) | Json::Text(written)) = id_tree.map(|tree| &tree.value) {
                self.broken.insert(written.clone());
            }
            return;
        };
        if let Some(first) = self.ids.get(&id) {
            sink.error("E0306", id_tree.span, format!("two nodes have the id {id}"), "again here")
                .also(*first, "first here");
            self.broken.extend(named.and_then(Tree::text).map(str::to_owned));
            return;
        }
        self.ids.insert(id, id_tree.span);
        let name = named.and_then(Tree::text).map_or_else(|| format!("n{id}"), str::to_owned);
        let span = named.map_or(id_tree.span, |tree| tree.span);
        if let Some((_, first)) = self.by_name.get(&name) {
            sink.error("E0307", span, format!("two nodes have the name \"{name}\""), "again here")
                .also(*first, "first here");
        } else {
            self.by_name.insert(name.clone(), (id, span));
        }
        self.names.insert(id, name);
    }

    /// Returns the name of a node.
    pub(crate) fn name(&self, id: NodeId) -> &str {
        self.names.get(&id).map_or("?", String::as_str)
    }

    /// Whether every node has an id and a name of its own, so that a name that is not here is nowhere.
    pub(crate) fn is_complete(&self) -> bool {
        self.broken.is_empty()
    }

    /// Returns all ids in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.ids.keys().copied()
    }

    /// Returns the node that an id or name means, without a word about anything.
    pub(crate) fn look_up(&self, text: &str) -> Option<NodeId> {
        if let Some((id, _)) = self.by_name.get(text) {
            return Some(*id);
        }
        text.parse().ok().and_then(NodeId::new).filter(|id| self.ids.contains_key(id))
    }

    /// Returns the node that a value means; notes one that there is not.
    pub(crate) fn find(&self, tree: &Tree, sink: &mut Sink) -> Option<NodeId> {
        match &tree.value {
            Json::Text(text) | Json::Number(text) => self.find_text(text, tree.span, sink),
            _ => None,
        }
    }

    /// Returns the node that the value at `key` means; notes one that there is not.
    pub(crate) fn find_at(&self, tree: &Tree, key: &str, sink: &mut Sink) -> Option<NodeId> {
        self.find(tree.get(key)?, sink)
    }

    /// Returns the node that a text at `span` means; notes one that there is not.
    pub(crate) fn find_text(&self, text: &str, span: Span, sink: &mut Sink) -> Option<NodeId> {
        let found = self.look_up(text);
        if found.is_none() && !self.broken.contains(text) {
            let known = || self.by_name.keys().map(String::as_str);
            let error = sink.error("E0301", span, format!("there is no node {text}"), "unknown node");
            if let Some(meant) = nearest(text, known()) {
                error.help(format!("did you mean \"{meant}\"?"));
            }
            error.help(format!("nodes: {}", listed(known())));
        }
        found
    }
}
