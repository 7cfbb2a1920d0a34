//! The listing's store: one redb file with a snapshot and the changes after it.

use bellini_core::listing::{List, Listing, ListingLimits, NumberedChange, ReplayError};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::fmt::Display;
use std::fs::{self, File};
use std::io;
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
        let fault = |error: &dyn Display| StoreError { path: path.to_owned(), problem: error.to_string() };
        if !path.try_exists().map_err(|error| fault(&error))? {
            make(path)?;
        }
        let mut store = Self::open_file(path)?;
        let listing = store.read(limits)?;
        Ok((store, listing))
    }

    /// Opens a file, made if it is not there, and gives it the tables that it may not have yet.
    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let fault = |error: &dyn Display| StoreError { path: path.to_owned(), problem: error.to_string() };
        let database = Database::create(path).map_err(|error| fault(&error))?;
        let mut store = Self { path: path.to_owned(), database, changes: 0 };
        store.commit(&[], None)?;
        Ok(store)
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

/// Makes a new store. It gets its name only when it is whole, so that a kill leaves a store or none; a file under the
/// other name may be left, which nobody reads.
fn make(path: &Path) -> Result<(), StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = path.with_file_name(name);
    // Left by an earlier process of the same number.
    let _ = fs::remove_file(&new);
    let made = Store::open_file(&new).map(drop).map_err(|error| error.problem);
    let made = made.and_then(|()| name_it(&new, path).map_err(|error| error.to_string()));
    let _ = fs::remove_file(&new);
    made.map_err(|problem| StoreError { path: path.to_owned(), problem })
}

/// Gives a file its name for good, unless another process was first with that name.
fn name_it(new: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // A file system without links.
        Err(_) => fs::rename(new, path)?,
        Ok(()) => (),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::listing::ListingRequest;
    use bellini_core::time::Instant;

    /// Aim: a new store is alone in its directory; what a killed creation left is in nobody's way, and who made a store
    /// meanwhile keeps it.
    #[test]
    fn a_new_store_gets_its_name_when_it_is_whole() {
        let folder = std::env::temp_dir().join(format!("bellini-new-store-{}", std::process::id()));
        fs::create_dir(&folder).expect("a new directory");
        let path = folder.join("listing.redb");
        fs::write(folder.join(format!("listing.redb.new-{}", std::process::id())), b"half of one")
            .expect("room");
        let (store, _) = Store::open(&path, ListingLimits::default()).expect("a new file");
        drop(store);
        let names: Vec<_> =
            fs::read_dir(&folder).expect("it is there").flatten().map(|it| it.file_name()).collect();
        assert_eq!(names, ["listing.redb"]);
        let before = fs::read(&path).expect("it is there");
        make(&path).expect("the one that is there stays");
        assert_eq!(fs::read(&path).expect("it is there"), before);
        fs::remove_dir_all(&folder).expect("it was made");
    }

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
