//! Where the seam to C is, and where it is not.

use std::path::{Path, PathBuf};

const WORD: &str = concat!("un", "safe");

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The word itself, in code: not in a comment, and not as a part of a lint's name.
fn has_the_word(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == WORD)
}

#[test]
fn only_the_seam_is_not_checked_by_the_compiler() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut files, mut seam, mut elsewhere) = (Vec::new(), 0, Vec::new());
    sources(crates, &mut files);
    for file in files {
        let in_seam = file.starts_with(crates.join("core/src/ffi"));
        for (number, line) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
            match has_the_word(line) {
                true if in_seam => seam += 1,
                true => elsewhere.push(format!("{}:{}: {line}", file.display(), number + 1)),
                false => {}
            }
        }
    }
    assert!(seam > 10, "the search finds nothing at all");
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn every_crate_root_outside_the_seam_denies_it() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for root in ["core/src/lib.rs", "napi/src/lib.rs"] {
        let text = std::fs::read_to_string(crates.join(root)).unwrap();
        assert!(text.contains(&format!("#![deny({WORD}_code)]")), "{root}");
    }
}
