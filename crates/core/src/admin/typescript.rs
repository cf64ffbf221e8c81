//! The requests and their answers in TypeScript: `js/kafka-native/src/admin-requests.ts` is made of these structs.

use std::collections::BTreeMap;
use std::fmt::Write;

use ts_rs::{Config, TypeVisitor, TS};

use super::*;
use crate::error::ErrorData;
use crate::{ffi, generated};

/// Declarations by their names.
struct Declarations {
    config: Config,
    found: BTreeMap<String, String>,
}

impl Declarations {
    /// A type's name; the type is declared, and so is all that it is made of.
    fn name_of<T: TS + 'static>(&mut self) -> String {
        self.visit::<T>();
        T::visit_generics(self);
        tidy(&T::name(&self.config))
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        let name = T::ident(&self.config);
        // Numbers, texts and lists have no place of their own.
        if T::output_path().is_none() || self.found.contains_key(&name) {
            return;
        }
        let declaration = tidy(&format!("{}export {}", T::docs().unwrap_or_default(), T::decl(&self.config)));
        self.found.insert(name, declaration);
        T::visit_dependencies(self);
    }
}

/// One line a field and a comment, as in what people write.
fn tidy(generated: &str) -> String {
    let generated = generated.replace(", };", ",\n};").replace("Ok : ", "Ok: ").replace("Err : ", "Err: ");
    let (mut tidy, mut lines, mut indent) = (Vec::new(), generated.lines().map(str::trim_end).peekable(), "");
    while let Some(line) = lines.next() {
        if line == "};" {
            indent = "";
        }
        let mut line = match line.strip_suffix(',').filter(|_| !line.starts_with(" *")) {
            Some(field) => format!("{indent}{field};"),
            None => format!("{indent}{line}"),
        };
        if line.ends_with("/**") {
            let text = lines.next().unwrap_or_default();
            match lines.next_if_eq(&" */") {
                Some(end) => write!(line, "{}{end}", &text[2..]).unwrap(),
                None => write!(line, "\n{indent}{text}").unwrap(),
            }
        }
        if line.ends_with(" = {") {
            indent = "  ";
        }
        tidy.push(line);
    }
    tidy.join("\n")
}

#[test]
fn typescript_has_the_requests_of_this_module() {
    let mut types = Declarations { config: Config::new().with_large_int("number"), found: BTreeMap::new() };
    // `Error` has this name, too; the words are those of what crosses.
    types.name_of::<ErrorData>();
    let mut requests = format!("  ListTopics: {{ fields: {{}}; answer: {} }};\n", types.name_of::<Vec<String>>());
    macro_rules! each {
        ($($name:ident,)*) => {$(
            let (fields, answer) = (types.name_of::<$name>(), types.name_of::<<$name as ffi::Operation>::Answer>());
            writeln!(requests, "  {fields}: {{ fields: {fields}; answer: {answer} }};").unwrap();
        )*};
    }
    requests!(each);
    let requests = format!("/** Each request's fields and answer. */\nexport interface AdminRequests {{\n{requests}}}");
    let declarations = Vec::from_iter(types.found.into_values()).join("\n\n");
    let text = format!("{requests}\n\n{declarations}\n");
    generated::compare("js/kafka-native/src/admin-requests.ts", "crates/core/src/requests", &text);
}
