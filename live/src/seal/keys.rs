//! Node keys on disk: making them, pinning them, showing and revoking them (`bellini keys`).
//!
//! A directory of keys holds for each node `node-N.key.pem` (the private key, which only its node needs) and
//! `node-N.cert.pem`, and one [`trust.json`](TRUST_FILE), which every node needs. Files are replaced as a whole, so that
//! who reads them meanwhile reads the old or the new.

use super::SealSettings;
use super::trust::{KeyHash, Moment, Pin, Trust};
use bellini_core::ids::NodeId;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519, PublicKeyData};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// The name of the file that says who is trusted.
pub const TRUST_FILE: &str = "trust.json";
/// Life of a key unless another is asked for: 30 days.
pub const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Longest life of a key: a year and a month.
pub const LIFETIME_MAX: Duration = Duration::from_secs(397 * 86_400);
/// Held while the directory changes.
const LOCK_FILE: &str = ".lock";
/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why keys cannot be made or read.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A file or directory cannot be had.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {problem}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// There is no directory of keys.
    #[error("{}: no directory of keys (no {TRUST_FILE} there); make one with `bellini keys init`", .0.display())]
    NoKeys(PathBuf),
    /// There is a directory of keys already.
    #[error("{}: a directory of keys already; add keys with `bellini keys issue`", .0.display())]
    Exists(PathBuf),
    /// A life that is too short or too long.
    #[error("a key lives from 1 second to {} days, not {} seconds", LIFETIME_MAX.as_secs() / 86_400, .0.as_secs())]
    Lifetime(Duration),
    /// Nothing is known of a node.
    #[error("node {0} has no key here; `bellini keys show` lists those that have")]
    NoNode(NodeId),
    /// The key could not be made.
    #[error("making a key: {0}")]
    Making(String),
}

/// What was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// For each node what its settings need as `seal`.
    pub nodes: BTreeMap<NodeId, SealSettings>,
    /// When these keys are over.
    pub expires: Moment,
}

/// Makes a directory of keys, which only its owner may look into.
///
/// # Errors
/// When there is one already, or it cannot be made.
pub fn init(dir: &Path) -> Result<(), KeyError> {
    let at = |cause| KeyError::File { path: dir.to_owned(), cause };
    if !dir.exists() {
        DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(at)?;
    }
    let _lock = lock(dir)?;
    if dir.join(TRUST_FILE).exists() {
        return Err(KeyError::Exists(dir.to_owned()));
    }
    write(&dir.join(TRUST_FILE), Trust::default().text().as_bytes(), 0o644)
}

/// Makes a key for each of `nodes` in `dir`, which is made unless it is there, and pins them for `lifetime` from now.
///
/// Earlier keys of these nodes count until they are over; their files are replaced. Whole networks are issued at once:
/// `trust.json` is written once, after all keys.
///
/// # Errors
/// When a file cannot be read or written, or the lifetime is beyond [`LIFETIME_MAX`].
pub fn issue_all(dir: &Path, nodes: &[NodeId], lifetime: Duration) -> Result<Issued, KeyError> {
    if lifetime.as_secs() == 0 || lifetime > LIFETIME_MAX {
        return Err(KeyError::Lifetime(lifetime));
    }
    if !dir.join(TRUST_FILE).exists() {
        init(dir)?;
    }
    let _lock = lock(dir)?;
    let now = Moment::now();
    let expires = now.after(lifetime);
    let mut trust = read_trust(&dir.join(TRUST_FILE))?;
    let mut issued = BTreeMap::new();
    for node in nodes {
        let made = make(*node, now, expires).map_err(|error| KeyError::Making(error.to_string()))?;
        let place = settings(dir, *node);
        write(&place.key, made.key.as_bytes(), 0o600)?;
        write(&place.certificate, made.certificate.as_bytes(), 0o644)?;
        trust.pin(*node, Pin { sha256: made.hash, expires, revoked: false }, now);
        issued.insert(*node, place);
    }
    write(&dir.join(TRUST_FILE), trust.text().as_bytes(), 0o644)?;
    Ok(Issued { nodes: issued, expires })
}

/// Takes back all keys of a node: nodes that read the new trust file let it in no more.
///
/// # Errors
/// When a file cannot be read or written, or the node has no key.
pub fn revoke(dir: &Path, node: NodeId) -> Result<usize, KeyError> {
    let path = dir.join(TRUST_FILE);
    if !path.exists() {
        return Err(KeyError::NoKeys(dir.to_owned()));
    }
    let _lock = lock(dir)?;
    let mut trust = read_trust(&path)?;
    if !trust.nodes().contains_key(&node) {
        return Err(KeyError::NoNode(node));
    }
    let revoked = trust.revoke(node);
    write(&path, trust.text().as_bytes(), 0o644)?;
    Ok(revoked)
}

/// Returns who is trusted in a directory of keys.
///
/// # Errors
/// When there is none, or its trust file cannot be read.
pub fn show(dir: &Path) -> Result<Trust, KeyError> {
    let path = dir.join(TRUST_FILE);
    if !path.exists() {
        return Err(KeyError::NoKeys(dir.to_owned()));
    }
    read_trust(&path)
}

/// Returns where the files of a node are in a directory of keys.
#[must_use]
pub fn settings(dir: &Path, node: NodeId) -> SealSettings {
    SealSettings {
        key: dir.join(format!("node-{node}.key.pem")),
        certificate: dir.join(format!("node-{node}.cert.pem")),
        trust: dir.join(TRUST_FILE),
        limits: super::SealLimits::default(),
    }
}

struct Made {
    key: String,
    certificate: String,
    hash: KeyHash,
}

fn make(node: NodeId, now: Moment, expires: Moment) -> Result<Made, rcgen::Error> {
    let pair = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = CertificateParams::new(vec![format!("node-{node}")])?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, format!("bellini node {node}"));
    params.distinguished_name = name;
    // An hour back: the other machine's calendar may be behind. What counts is the pin; this is for people's tools.
    params.not_before = Moment::from_unix(now.unix() - 3_600).date();
    params.not_after = expires.date();
    let certificate = params.self_signed(&pair)?;
    let hash = KeyHash::of(&pair.subject_public_key_info());
    Ok(Made { key: pair.serialize_pem(), certificate: certificate.pem(), hash })
}

pub(super) fn read_trust(path: &Path) -> Result<Trust, KeyError> {
    let text = String::from_utf8(read(path)?).map_err(|_| "it is no text".to_owned());
    let trust = text.and_then(|text| Trust::parse(&text));
    trust.map_err(|problem| KeyError::Content { path: path.to_owned(), problem })
}

/// Reads a private key's file, which nobody else may be able to read.
pub(super) fn read_private(path: &Path) -> Result<Vec<u8>, KeyError> {
    let at = |cause| KeyError::File { path: path.to_owned(), cause };
    let mode = fs::metadata(path).map_err(at)?.permissions().mode();
    if mode & 0o077 != 0 {
        let problem = format!(
            "others may read this private key (mode {:o}): chmod 600 it, or issue a new one",
            mode & 0o777
        );
        return Err(KeyError::Content { path: path.to_owned(), problem });
    }
    read(path)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    let at = |cause| KeyError::File { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)).map_err(at)?;
    Ok(bytes)
}

/// Holds the directory until the file is dropped.
fn lock(dir: &Path) -> Result<File, KeyError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    file.and_then(|file| file.lock().map(|()| file)).map_err(|cause| KeyError::File { path, cause })
}

/// Replaces a file as a whole.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let written = (|| {
        // What a process of the same id left behind when it was killed.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map_err(|cause| KeyError::File { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scratch;
    use super::*;

    fn id(id: u32) -> NodeId {
        NodeId::new(id).expect("a legal id")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it was written").permissions().mode() & 0o777
    }

    /// Aim: private keys are for their owner alone, every node has a key of its own, and each is pinned.
    #[test]
    fn issued_keys_are_private_and_pinned() {
        let scratch = Scratch::new("issue");
        let issued = issue_all(scratch.path(), &[id(1), id(2)], LIFETIME).expect("a directory of our own");
        let trust = show(scratch.path()).expect("it was made");
        let mut hashes = Vec::new();
        for node in [id(1), id(2)] {
            let place = &issued.nodes[&node];
            assert_eq!((mode(&place.key), mode(&place.trust)), (0o600, 0o644));
            let [pin] = trust.nodes()[&node][..] else { panic!("one key") };
            assert!(!pin.revoked && pin.expires == issued.expires);
            hashes.push(pin.sha256);
        }
        assert_ne!(hashes[0], hashes[1]);
        let names = fs::read_dir(scratch.path()).expect("it is there").flatten();
        assert!(names.into_iter().all(|file| !file.file_name().to_string_lossy().ends_with(".new")));
    }

    /// Aim: what cannot work is refused with a reason, and changes nothing.
    #[test]
    fn what_cannot_work_is_refused() {
        let scratch = Scratch::new("refused");
        let dir = scratch.path().join("keys");
        assert!(matches!(show(&dir), Err(KeyError::NoKeys(_))));
        init(&dir).expect("there is none yet");
        assert_eq!(mode(&dir), 0o700);
        assert!(matches!(init(&dir), Err(KeyError::Exists(_))));
        for lifetime in [Duration::ZERO, LIFETIME_MAX + Duration::from_secs(1)] {
            assert!(matches!(issue_all(&dir, &[id(1)], lifetime), Err(KeyError::Lifetime(_))));
        }
        assert!(matches!(revoke(&dir, id(1)), Err(KeyError::NoNode(_))));
        let place = &issue_all(&dir, &[id(1)], LIFETIME).expect("it is there").nodes[&id(1)];
        assert_eq!(revoke(&dir, id(1)).expect("it has a key"), 1);
        assert!(show(&dir).expect("it is there").nodes()[&id(1)][0].revoked);
        fs::set_permissions(&place.key, fs::Permissions::from_mode(0o640)).expect("it is ours");
        let told = read_private(&place.key).expect_err("others may read it").to_string();
        assert!(told.contains("mode 640"), "{told}");
    }
}
