//! The listing's store: one redb file with a snapshot and the changes after it.

use bellini_core::listing::{List, Listing, ListingLimits, NumberedChange, ReplayError};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Changes by number, as JSON.
const CHANGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("changes");
/// The list as of some change, as JSON; its key is [`FORMAT`].
const SNAPSHOT: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("snapshot");
/// The version of what is in the file.
const FORMAT: u32 = 1;
/// Changes kept before a snapshot takes their place.
const CHANGES_MAX: u64 = 4_096;

/// Why a store cannot be used.
#[derive(Debug, Error)]
#[error("{path}: {problem}", path = path.display())]
pub struct StoreError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
}

/// An open store. Another process cannot open the file meanwhile.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    database: Database,
    changes: u64,
}

impl Store {
    /// Opens a store, made if it is not there, and brings back the listing that it holds.
    ///
    /// # Errors
    /// When the file cannot be opened, is no store, or is in use.
    pub fn open(path: &Path, limits: ListingLimits) -> Result<(Self, Listing), StoreError> {
        let fault =
            |problem: &dyn Display| StoreError { path: path.to_owned(), problem: problem.to_string() };
        let database = Database::create(path).map_err(|error| fault(&error))?;
        let mut store = Self { path: path.to_owned(), database, changes: 0 };
        // A new file has its tables from here on.
        store.commit(&[], None)?;
        let listing = store.read(limits)?;
        Ok((store, listing))
    }

    /// Makes changes durable; when it returns, they outlive the process and the machine's power.
    ///
    /// # Errors
    /// When the file cannot be written. Whether the changes are in it is not known then: the server ends.
    pub fn keep(&mut self, changes: &[NumberedChange], list: &List) -> Result<(), StoreError> {
        let is_long = self.changes + changes.len() as u64 > CHANGES_MAX;
        self.commit(changes, is_long.then_some(list))
    }

    fn commit(&mut self, changes: &[NumberedChange], snapshot: Option<&List>) -> Result<(), StoreError> {
        let kept = self.try_commit(changes, snapshot).map_err(|error| self.fault(&error))?;
        self.changes = kept;
        Ok(())
    }

    fn try_commit(
        &self,
        changes: &[NumberedChange],
        snapshot: Option<&List>,
    ) -> Result<u64, Box<dyn std::error::Error>> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let mut kept = self.changes;
        {
            let mut table = transaction.open_table(CHANGES)?;
            let mut snapshots = transaction.open_table(SNAPSHOT)?;
            for change in changes {
                table.insert(change.revision, serde_json::to_vec(change)?.as_slice())?;
                kept += 1;
            }
            if let Some(list) = snapshot {
                snapshots.insert(FORMAT, serde_json::to_vec(list)?.as_slice())?;
                table.retain(|revision, _| revision > list.revision)?;
                kept = 0;
            }
        }
        transaction.commit()?;
        Ok(kept)
    }

    fn read(&mut self, limits: ListingLimits) -> Result<Listing, StoreError> {
        let (list, changes) = self.try_read().map_err(|error| self.fault(&error))?;
        self.changes = changes.len() as u64;
        let mut listing = Listing::new(limits, list);
        for change in &changes {
            listing.replay(change).map_err(|error: ReplayError| self.fault(&error))?;
        }
        Ok(listing)
    }

    fn try_read(&self) -> Result<(List, Vec<NumberedChange>), Box<dyn std::error::Error>> {
        let transaction = self.database.begin_read()?;
        let snapshots = transaction.open_table(SNAPSHOT)?;
        if let Some((format, _)) = snapshots.last()?.filter(|(format, _)| format.value() != FORMAT) {
            let found = format.value();
            return Err(
                format!("a store of format {found}, where this program writes format {FORMAT}").into()
            );
        }
        let list = match snapshots.get(FORMAT)? {
            Some(json) => serde_json::from_slice(json.value())?,
            None => List::default(),
        };
        let mut changes = Vec::new();
        for entry in transaction.open_table(CHANGES)?.iter()? {
            changes.push(serde_json::from_slice(entry?.1.value())?);
        }
        Ok((list, changes))
    }

    fn fault(&self, problem: &dyn Display) -> StoreError {
        StoreError { path: self.path.clone(), problem: problem.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::listing::ListingRequest;
    use bellini_core::time::Instant;

    /// Aim: a store that has put a snapshot in the place of its changes gives the same list again, and does not grow
    /// with what has ended.
    #[test]
    fn snapshots_take_the_place_of_changes() {
        let path = std::env::temp_dir().join(format!("bellini-store-{}.redb", std::process::id()));
        let limits = ListingLimits::default();
        let (mut store, mut listing) = Store::open(&path, limits).expect("a new file");
        for _ in 0..5 {
            for _ in 0..500 {
                let create = ListingRequest::Create { name: "x".to_owned() };
                listing.handle(Instant::ZERO, create).expect("there is room");
                let conference = listing.list().last_conference;
                listing.handle(Instant::ZERO, ListingRequest::End { conference }).expect("it is listed");
            }
            let changes: Vec<_> = std::iter::from_fn(|| listing.poll_change()).collect();
            store.keep(&changes, listing.list()).expect("it can be written");
        }
        assert_eq!((listing.list().revision, store.changes), (5_000, 0));
        drop(store);
        let (store, again) = Store::open(&path, limits).expect("the file is there");
        assert_eq!((again.list(), store.changes), (listing.list(), 0));
        drop(store);
        std::fs::remove_file(&path).expect("it was made");
    }
}
