//! Files of other languages that are made from what this crate declares.

use std::fs;
use std::path::Path;

/// Fails when the file of the repository is not what the declarations say. `UPDATE=1 cargo test --release -p kafka-native --lib`
/// writes it anew. Outside the repository there is nothing to compare.
pub(crate) fn compare(file: &str, source: &str, text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !root.join("js").is_dir() {
        return;
    }
    let text = format!("// Generated from {source} by its tests. Do not edit.\n\n{text}");
    let path = root.join(file);
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(path, text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{file} is not what {source} says. Write it anew: UPDATE=1 cargo test --release -p kafka-native --lib"
    );
}
