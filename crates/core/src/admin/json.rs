//! Requests and answers as JSON, for other languages: the names and fields of the structs, in camel case.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::Serialize;

use super::*;

impl Admin {
    /// [`request_with`](Self::request_with) by the struct's name, such as `CreateTopics`, with its fields as JSON; answers
    /// JSON. `ListTopics` has no fields and answers names.
    ///
    /// A result is `{"Ok": ...}` or `{"Err": {kind, code, name, message, ...}}`.
    pub fn request_json(&self, request: &str, fields: &str, timeout: Duration, reply: Reply<String>) {
        macro_rules! dispatch {
            ($($name:ident,)*) => {
                match request {
                    $(stringify!($name) => self.json_of::<$name>(fields, timeout, reply),)*
                    // Not an operation of the Admin API: metadata has the names.
                    "ListTopics" => self.list_topics_with(timeout, answer_json(reply)),
                    _ => reply.send(Err(Error::config(format!("the admin has no request {request}")))),
                }
            };
        }
        requests!(dispatch)
    }

    fn json_of<R: AdminRequest + DeserializeOwned>(&self, fields: &str, timeout: Duration, reply: Reply<String>)
    where
        R::Answer: Serialize,
    {
        match serde_json::from_str::<R>(fields) {
            Ok(request) => self.request_with(request, timeout, answer_json(reply)),
            // Its words could repeat a password.
            Err(error) => reply.send(Err(Error::config(format!(
                "the request cannot be read: {:?} error at column {}",
                error.classify(),
                error.column()
            )))),
        }
    }
}

fn answer_json<T: Serialize + Send + 'static>(reply: Reply<String>) -> Reply<T> {
    Reply::new(move |answer: Result<T>| {
        reply.send(answer.and_then(|answer| {
            serde_json::to_string(&answer).map_err(|error| Error::kafka(code::FAIL, error.to_string()))
        }));
    })
}
