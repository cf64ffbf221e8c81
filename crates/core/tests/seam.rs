//! Where the seam to C is, and where it is not; and that no module leans on one that leans on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const WORD: &str = concat!("un", "safe");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap()
}

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
    let homes = ["crates/core/src/ffi", "deps/librdkafka"].map(|home| repository().join(home));
    let (mut files, mut seam, mut elsewhere) = (Vec::new(), [0; 2], Vec::new());
    ["crates", "deps"].iter().for_each(|folder| sources(&repository().join(folder), &mut files));
    for file in files {
        let home = homes.iter().position(|home| file.starts_with(home));
        for (number, line) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
            match (has_the_word(line), home) {
                (true, Some(home)) => seam[home] += 1,
                (true, None) => elsewhere.push(format!("{}:{}: {line}", file.display(), number + 1)),
                (false, _) => {}
            }
        }
    }
    assert!(seam.iter().all(|found| *found > 5), "the search finds nothing at all: {seam:?}");
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn every_crate_root_outside_the_seam_denies_it() {
    for root in ["core/src/lib.rs", "napi/src/lib.rs"] {
        let text = std::fs::read_to_string(repository().join("crates").join(root)).unwrap();
        assert!(text.contains(&format!("#![deny({WORD}_code)]")), "{root}");
    }
}

/// Words that follow `crate::` in code that is not a test's: of the core the names of its modules.
fn leans_on(text: &str) -> BTreeSet<&str> {
    let code = text.split("mod tests {").next().unwrap_or_default().lines().filter_map(|line| line.split("//").next());
    let paths = code.flat_map(|line| line.split("crate::").skip(1));
    paths.map(|path| path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()).collect()
}

#[test]
fn no_module_of_the_core_leans_on_one_that_leans_on_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
    let mut modules: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, text) in files.iter().zip(&texts) {
        let module = file.strip_prefix(&root).unwrap().iter().next().unwrap().to_str().unwrap();
        modules.entry(module.trim_end_matches(".rs")).or_default().extend(leans_on(text));
    }
    assert!(modules["ffi"].contains("error") && modules["group"].contains("ffi"), "the search finds nothing at all");
    // Those that lean on nothing that is left stand below the others; what is left in the end are circles.
    loop {
        let names: BTreeSet<_> = modules.keys().copied().collect();
        modules.retain(|name, others| others.iter().any(|other| other != name && names.contains(other)));
        if modules.len() == names.len() {
            break;
        }
    }
    assert_eq!(modules, BTreeMap::new());
}
