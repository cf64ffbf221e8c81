//! Compiles the files of librdkafka that `patches` mends, and has them linked in front of the vendored build.
//!
//! `rdkafka-sys` builds librdkafka and says where. The mended files are copies, compiled as its own were (the same headers,
//! the same generated `config.h`), and go into the program whole: what the vendored archive has under the same names is never
//! looked at then, because a linker takes a file from an archive only for a name that is still missing. So nothing is
//! built twice, and whoever depends on this crate gets the mends without a `[patch]` of their own.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=patches");
    // Not there where a program asked `rdkafka-sys` for the system's librdkafka.
    let Some(root) = env::var_os("DEP_RDKAFKA_ROOT").map(PathBuf::from) else {
        println!("cargo:warning=librdkafka is linked dynamically, so it lacks the mends in kafka-native-librdkafka/patches: do not ask rdkafka-sys for `dynamic-linking`");
        return;
    };
    let built = Built::find(&root);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says OUT_DIR"));

    let mut compiler = cc::Build::new();
    compiler.includes([&built.sources]).includes(&built.includes).flags_of(&built.defines);
    // As librdkafka itself is built, whatever the profile. Its warnings are not ours.
    compiler.opt_level(2).debug(true).warnings(false);
    // A patch that calls what no header names would get an int for a pointer.
    compiler.flag_if_supported("-Werror=implicit-function-declaration");
    let mended = mended_files(&built.sources);
    for (name, text) in &mended {
        let path = out.join(name);
        write(&path, text);
        compiler.file(path);
    }
    let symbols: Vec<String> = mended.keys().map(|file| symbol(file)).collect();
    let statics: String = symbols.iter().map(|name| format!("static {name}: std::ffi::c_char;")).collect();
    let pointers: String = symbols.iter().map(|name| format!("&raw const {name},")).collect();
    write(
        &out.join("mends.rs"),
        &format!("unsafe extern \"C\" {{ {statics} }}\nmacro_rules! mends {{ () => {{ [{pointers}] }} }}\n"),
    );
    // Linked by the line below, which cc cannot say: whole.
    compiler.cargo_metadata(false).compile("rdkafka_mends");
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static:+whole-archive=rdkafka_mends");
}

trait Flags {
    fn flags_of(&mut self, defines: &[(String, Option<String>)]) -> &mut Self;
}

impl Flags for cc::Build {
    fn flags_of(&mut self, defines: &[(String, Option<String>)]) -> &mut Self {
        for (name, value) in defines {
            self.define(name, value.as_deref());
        }
        self
    }
}

/// Where `rdkafka-sys` has librdkafka's sources, and what they were compiled with.
struct Built {
    sources: PathBuf,
    includes: Vec<PathBuf>,
    defines: Vec<(String, Option<String>)>,
}

impl Built {
    fn find(root: &Path) -> Built {
        // Its own configure works in a copy of the sources; CMake, as on Windows, beside them.
        if let Ok(makefile) = fs::read_to_string(root.join("Makefile.config")) {
            Built::of_configure(root, &makefile)
        } else if let Ok(cache) = fs::read_to_string(root.join("build/CMakeCache.txt")) {
            Built::of_cmake(root, &cache)
        } else {
            panic!("{} has neither Makefile.config nor build/CMakeCache.txt: rdkafka-sys builds in another way than it did; teach build.rs that", root.display())
        }
    }

    fn of_configure(root: &Path, makefile: &str) -> Built {
        let flags = makefile.lines().filter_map(|line| {
            let (name, value) = line.split_once("+=")?;
            matches!(name, "CFLAGS" | "CPPFLAGS").then_some(value)
        });
        let mut built = Built { sources: root.join("src"), includes: Vec::new(), defines: Vec::new() };
        for flag in flags.flat_map(str::split_whitespace) {
            if let Some(path) = flag.strip_prefix("-I") {
                built.includes.push(PathBuf::from(path));
            } else if let Some(define) = flag.strip_prefix("-D") {
                let (name, value) = define.split_once('=').map_or((define, None), |(name, value)| (name, Some(value)));
                built.defines.push((name.to_owned(), value.map(str::to_owned)));
            }
        }
        built
    }

    fn of_cmake(root: &Path, cache: &str) -> Built {
        // Lines are `NAME:TYPE=VALUE`.
        let cached = |wanted: &str| {
            cache.lines().find_map(|line| {
                let (name, rest) = line.split_once(':')?;
                (name == wanted).then(|| rest.split_once('=').map(|(_, value)| value)).flatten()
            })
        };
        let home = cached("CMAKE_HOME_DIRECTORY").expect("CMake caches where its sources are");
        // `dummy` is for `#include "../config.h"`.
        let mut includes = vec![root.join("build/generated/dummy")];
        for name in ["OPENSSL_INCLUDE_DIR", "ZLIB_INCLUDE_DIR", "ZSTD_INCLUDE_DIR"] {
            includes.extend(cached(name).filter(|value| !value.ends_with("-NOTFOUND")).map(PathBuf::from));
        }
        let mut defines = vec![("LIBRDKAFKA_STATICLIB".to_owned(), None)];
        // On Windows there is no config.h: CMake gives these on the command line.
        if cached("WITHOUT_WIN32_CONFIG").is_some_and(is_on) {
            defines.push(("WITHOUT_WIN32_CONFIG".to_owned(), None));
            for name in [
                "WITH_SSL",
                "WITH_ZLIB",
                "WITH_SNAPPY",
                "WITH_ZSTD",
                "WITH_SASL_SCRAM",
                "WITH_SASL_OAUTHBEARER",
                "ENABLE_DEVEL",
                "WITH_PLUGINS",
            ] {
                let value = if cached(name).is_some_and(is_on) { "1" } else { "0" };
                defines.push((name.to_owned(), Some(value.to_owned())));
            }
        }
        Built { sources: Path::new(home).join("src"), includes, defines }
    }
}

fn is_on(value: &str) -> bool {
    matches!(value.to_ascii_uppercase().as_str(), "ON" | "1" | "TRUE" | "YES" | "Y")
}

/// The mended text of each file that a patch names. Patches of a file follow one another in the order of their names.
fn mended_files(sources: &Path) -> BTreeMap<String, String> {
    let folder = Path::new("patches");
    let mut patches: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("patches: {error}"))
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| path.extension() == Some(OsStr::new("patch")))
        .collect();
    patches.sort();

    let mut files = BTreeMap::new();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in &patches {
        let patch = read(path);
        let title = path.file_stem().and_then(OsStr::to_str).expect("a patch has a name in ASCII");
        let mut file = None;
        for hunk in hunks(&patch) {
            let text = files.entry(hunk.file.to_owned()).or_insert_with(|| read(&sources.join(hunk.file)));
            hunk.apply(text, title);
            if file != Some(hunk.file) {
                names.entry(hunk.file.to_owned()).or_default().push(title.to_owned());
                file = Some(hunk.file);
            }
        }
        assert!(file.is_some(), "{title}: a patch without a change to a file in src/");
    }
    for (file, text) in &mut files {
        *text += &format!("\nconst char {}[] = \"{}\";\n", symbol(file), names[file].join(" "));
    }
    files
}

/// The symbol that a test asks for, to know that this file is the one that was linked: the names of its patches.
fn symbol(file: &str) -> String {
    format!("{}_mends", file.trim_end_matches(".c"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn read(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("\r\n", "\n")
}

/// One change of a unified diff: lines that are there, and what is to be in their place.
struct Hunk<'a> {
    file: &'a str,
    old: String,
    new: String,
}

fn hunks(patch: &str) -> Vec<Hunk<'_>> {
    let mut file = None;
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut inside = false;
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("--- a/src/") {
            (file, inside) = (Some(name), false);
        } else if line.starts_with("@@ ") {
            let file = file.expect("a hunk stands below the name of its file");
            hunks.push(Hunk { file, old: String::new(), new: String::new() });
            inside = true;
        } else if inside && !line.starts_with("+++ ") {
            let hunk = hunks.last_mut().expect("inside a hunk");
            let (mark, text) = if line.is_empty() { (" ", "") } else { line.split_at(1) };
            match mark {
                " " => [&mut hunk.old, &mut hunk.new].map(|side| *side += &format!("{text}\n")),
                "-" => [&mut hunk.old, &mut String::new()].map(|side| *side += &format!("{text}\n")),
                "+" => [&mut hunk.new, &mut String::new()].map(|side| *side += &format!("{text}\n")),
                // `diff --git`, `index`: the next file.
                _ => {
                    inside = false;
                    continue;
                }
            };
        }
    }
    hunks
}

impl Hunk<'_> {
    /// Panics unless the old lines are there exactly once: else this is another librdkafka than the one that was read, and nobody guesses what to
    /// change in it.
    fn apply(&self, text: &mut String, patch: &str) {
        let places: Vec<usize> = text
            .match_indices(&self.old)
            .map(|(place, _)| place)
            .filter(|&place| place == 0 || text.as_bytes()[place - 1] == b'\n')
            .collect();
        let [place] = places[..] else {
            panic!(
                "patches/{patch}.patch does not fit this librdkafka: src/{} has the lines below {} times. Look whether the defect is mended there (then the patch can go), or write the patch anew.\n{}",
                self.file,
                places.len(),
                self.old
            );
        };
        text.replace_range(place..place + self.old.len(), &self.new);
    }
}
