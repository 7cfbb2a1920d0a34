//! Which sessions and conferences a node knows, by dense index.

use crate::ids::{ConferenceId, FlowId, HopIndex, SessionKey};
use crate::session::coded::{HopNumbers, Recode};
use crate::session::relay::RelayState;
use crate::session::sink::SinkSession;
use crate::session::source::SourceSession;
use crate::time::Instant;
use rustc_hash::FxHashMap;

/// A session at this node: any of source, sink and relay.
#[derive(Debug)]
pub struct SessionEntry {
    /// Which session.
    pub key: SessionKey,
    /// Its conference's entry.
    pub conference: u32,
    /// Whether its conference has ended: packets that still come are refused.
    pub is_over: bool,
    /// As its source.
    pub source: Option<Box<SourceSession>>,
    /// As a destination.
    pub sink: Option<Box<SinkSession>>,
    /// As a node on its routes.
    pub relay: RelayState,
    /// Overflow of its packets here, once there was any.
    pub overflow: Option<Box<OverflowState>>,
    /// Of a coded session: numbers of its packets, and what is recoded here.
    pub coded: Option<Box<CodedEntry>>,
}

/// What a node keeps of a coded session that it sends or passes on.
#[derive(Debug, Default)]
pub struct CodedEntry {
    /// Numbers of the packets that it sends.
    pub numbers: HopNumbers,
    /// As a relay.
    pub recode: Option<Box<Recode>>,
}

/// Packets of a session that a feeder here dropped, and who was told.
#[derive(Debug, Default)]
pub struct OverflowState {
    /// Packets not yet told of.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Flow of the last of them.
    pub flow: FlowId,
    /// The hop it came on.
    pub previous: Option<HopIndex>,
    /// The Pathlet that it carried on.
    pub route: Vec<u8>,
    /// When was told last.
    pub told_at: Option<Instant>,
    /// Whether a timer will tell.
    pub is_scheduled: bool,
}

/// A conference at this node.
#[derive(Debug, Default)]
pub struct ConferenceEntry {
    /// Which conference.
    pub id: ConferenceId,
    /// Entries of its sessions.
    pub sessions: Vec<u32>,
    /// Hops that its packets came from or went to: those to tell when it ends.
    pub hops: Vec<HopIndex>,
}

/// All sessions and conferences of a node.
#[derive(Debug, Default)]
pub struct SessionTable {
    index: FxHashMap<u64, u32>,
    entries: Vec<Option<SessionEntry>>,
    free: Vec<u32>,
    conference_index: FxHashMap<u32, u32>,
    conferences: Vec<Option<ConferenceEntry>>,
    free_conferences: Vec<u32>,
}

fn word(key: SessionKey) -> u64 {
    u64::from(key.conference.0) << 32 | u64::from(key.session.0)
}

impl SessionTable {
    /// Returns the index of a session's entry.
    #[inline]
    #[must_use]
    pub fn find(&self, key: SessionKey) -> Option<u32> {
        self.index.get(&word(key)).copied()
    }

    /// Whether there is an entry at `index`.
    #[must_use]
    pub fn contains(&self, index: u32) -> bool {
        self.entries.get(index as usize).is_some_and(Option::is_some)
    }

    /// Returns how many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns the entry at `index`.
    ///
    /// # Panics
    /// If there is none: indices are only kept while their entry is.
    #[inline]
    #[must_use]
    pub fn get(&self, index: u32) -> &SessionEntry {
        self.entries[index as usize].as_ref().expect("indices are kept only while the entry is")
    }

    /// Returns the entry at `index`.
    ///
    /// # Panics
    /// As [`Self::get`].
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> &mut SessionEntry {
        self.entries[index as usize].as_mut().expect("indices are kept only while the entry is")
    }

    /// Adds a session without any part; it must not be there.
    pub fn insert(&mut self, key: SessionKey) -> u32 {
        let conference = self.conference(key.conference);
        let entry = SessionEntry {
            key,
            conference,
            is_over: false,
            source: None,
            sink: None,
            relay: RelayState::default(),
            overflow: None,
            coded: None,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = Some(entry);
                index
            }
            None => {
                self.entries.push(Some(entry));
                (self.entries.len() - 1) as u32
            }
        };
        self.index.insert(word(key), index);
        let sessions = &mut self.conference_mut(conference).sessions;
        sessions.push(index);
        index
    }

    /// Removes a session; its conference goes with its last one.
    pub fn remove(&mut self, index: u32) -> SessionEntry {
        let entry = self.entries[index as usize].take().expect("indices are kept only while the entry is");
        self.index.remove(&word(entry.key));
        self.free.push(index);
        let conference = self.conference_mut(entry.conference);
        conference.sessions.retain(|session| *session != index);
        if conference.sessions.is_empty() {
            let id = conference.id;
            self.conference_index.remove(&id.0);
            self.conferences[entry.conference as usize] = None;
            self.free_conferences.push(entry.conference);
        }
        entry
    }

    /// Returns the conference's entry index, if any of its sessions is known.
    #[must_use]
    pub fn find_conference(&self, id: ConferenceId) -> Option<u32> {
        self.conference_index.get(&id.0).copied()
    }

    /// Returns the conference at `index`.
    ///
    /// # Panics
    /// If there is none.
    pub fn conference_mut(&mut self, index: u32) -> &mut ConferenceEntry {
        self.conferences[index as usize].as_mut().expect("sessions keep their conference")
    }

    /// Returns all sessions in order of their index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &SessionEntry)> {
        self.entries.iter().enumerate().filter_map(|(i, entry)| Some((i as u32, entry.as_ref()?)))
    }

    /// Returns all sessions in order of their index, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut SessionEntry> {
        self.entries.iter_mut().flatten()
    }

    /// Returns all sessions with their index, in order of it, to change them.
    pub fn iter_all_mut(&mut self) -> impl Iterator<Item = (u32, &mut SessionEntry)> {
        self.entries.iter_mut().enumerate().filter_map(|(i, entry)| Some((i as u32, entry.as_mut()?)))
    }

    fn conference(&mut self, id: ConferenceId) -> u32 {
        if let Some(index) = self.find_conference(id) {
            return index;
        }
        let entry = ConferenceEntry { id, ..ConferenceEntry::default() };
        let index = match self.free_conferences.pop() {
            Some(index) => {
                self.conferences[index as usize] = Some(entry);
                index
            }
            None => {
                self.conferences.push(Some(entry));
                (self.conferences.len() - 1) as u32
            }
        };
        self.conference_index.insert(id.0, index);
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn churn_reuses_entries() {
        let mut table = SessionTable::default();
        for round in 0..1_000 {
            let a = table.insert(SessionKey::new(round, 1));
            let b = table.insert(SessionKey::new(round, 2));
            assert_eq!(table.find(SessionKey::new(round, 2)), Some(b));
            assert_eq!(table.get(a).conference, table.get(b).conference);
            table.remove(a);
            assert!(table.find_conference(ConferenceId(round)).is_some());
            table.remove(b);
            assert!(table.find_conference(ConferenceId(round)).is_none());
        }
        assert!(table.is_empty());
        assert_eq!((table.entries.len(), table.conferences.len()), (2, 1));
    }
}
