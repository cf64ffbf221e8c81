//! Of which topic an offset directory's files are. A name is not enough: a topic can be deleted and made anew, and get more partitions,
//! while nobody reads it.

use std::path::Path;

use super::file::{self, Names};
use crate::error::{Error, Result};

/// The longest content that can be right, and some more.
const LONGEST: u64 = 256;

/// A topic as it was when its offset files were last looked after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Kafka's id of the topic; a topic that is made anew has another.
    pub(crate) id: String,
    /// The partitions that it had. A file of a later one is of an older topic of the name.
    pub(crate) partitions: i32,
}

impl Identity {
    /// Reads it from `.<topic>.id`; `None` without that file. Whoever asks holds the locks of the topic's partitions.
    pub(crate) fn read(directory: &Path, topic: &str) -> Result<Option<Self>> {
        let names = Names::new(directory.to_owned(), topic)?;
        let path = names.id_file();
        let content = match file::content(&path, LONGEST) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            Err(error) => return Err(names.about_topic(file::failed("cannot read", &path, &error))),
        };
        Self::parse(&content).map(Some).ok_or_else(|| {
            let error = Error::offsets(format!(
                "{}: bad file format: it should hold a topic's id and the number of its partitions, and holds {:?}; delete it, \
                 if the offsets beside it are of the topic as it is now",
                path.display(),
                String::from_utf8_lossy(&content)
            ));
            names.about_topic(error)
        })
    }

    /// Returns when it is on disk.
    pub(crate) fn write(&self, directory: &Path, topic: &str) -> Result<()> {
        let names = Names::new(directory.to_owned(), topic)?;
        file::write_id(&names, &format!("{} {}\n", self.id, self.partitions)).map_err(|error| names.about_topic(error))
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?;
        let (id, partitions) = text.strip_suffix('\n')?.split_once(' ')?;
        let partitions = partitions.parse().ok().filter(|number: &i32| number.to_string() == partitions)?;
        (!id.is_empty() && partitions >= 0).then(|| Self { id: id.into(), partitions })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn is_read_back_as_it_was_written_last_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Identity::read(directory.path(), "t").unwrap(), None);
        fs::write(directory.path().join(".t.~abcde"), "left by a crash").unwrap();
        for (id, partitions) in [("zL1-_A", 3), ("other", 0)] {
            let identity = Identity { id: id.into(), partitions };
            identity.write(directory.path(), "t").unwrap();
            assert_eq!(Identity::read(directory.path(), "t").unwrap(), Some(identity));
            assert_eq!(file::list(directory.path()).unwrap(), [".t.id"]);
        }
    }

    #[test]
    fn is_never_guessed_at() {
        let directory = tempfile::tempdir().unwrap();
        let long = format!("{} 3\n", "i".repeat(300));
        for content in ["", "\n", "id", "id 3", "id \n", "id 03\n", "id -1\n", " 3\n", "id 3 4\n", long.as_str()] {
            fs::write(directory.path().join(".t.id"), content).unwrap();
            let error = Identity::read(directory.path(), "t").unwrap_err();
            assert!(
                error.message.contains(".t.id") && error.message.contains("bad file format"),
                "{content:?}: {error}"
            );
            assert_eq!(error.topic.as_deref(), Some("t"));
        }
    }

    #[test]
    fn has_no_file_of_another_topic() {
        let directory = tempfile::tempdir().unwrap();
        let identity = |id: &str| Identity { id: id.into(), partitions: 1 };
        for topic in ["t", ".t", "t.id", "t-0", ".t.id"] {
            identity(topic).write(directory.path(), topic).unwrap();
        }
        for topic in ["t", ".t", "t.id", "t-0", ".t.id"] {
            assert_eq!(Identity::read(directory.path(), topic).unwrap(), Some(identity(topic)));
        }
    }
}
