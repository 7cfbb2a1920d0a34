//! The wire formats against what is kept outside the code: the document, and the fuzz corpus. The corpus is
//! replayed through the fuzz targets' own checks, so that what was found stays found.

mod documented;

use std::path::Path;

#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the file is the library of the fuzz crate, too")]
mod targets;

/// Runs `check` on every file of a target's corpus, and on every beginning of the short ones.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("each target has a corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        let bytes = std::fs::read(&path).expect("a corpus file can be read");
        println!("{}", path.display());
        check(&bytes);
        for length in 0..bytes.len().min(512) {
            check(&bytes[..length]);
        }
        count += 1;
    }
    assert!(count >= 3, "the corpus of {target} has {count} files");
}

macro_rules! replays {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target), targets::$target);
        })*

        /// A corpus that no test replays would rot.
        #[test]
        fn every_corpus_has_a_test() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
            let mut found: Vec<_> = std::fs::read_dir(folder)
                .expect("there is a corpus")
                .map(|entry| entry.expect("the folder can be listed").file_name().into_string().unwrap())
                .collect();
            found.sort();
            assert_eq!(found, [$(stringify!($target)),*]);
        }
    };
}

replays!(coding control frame hello packet pretty route_text routing stream window);
