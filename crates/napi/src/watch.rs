//! Requests that are watched: each is an event while JavaScript wants them.

use kafka_native::RequestWatch;

use crate::events::{Events, Request};

pub(crate) fn watch(events: &Events) -> RequestWatch {
    let events = events.clone();
    RequestWatch::new(move |request| {
        let figures = vec![
            request.api_key.into(),
            request.api_version.into(),
            request.size as f64,
            request.round_trip.as_secs_f64() * 1000.0,
        ];
        events.tell(Request { broker: request.broker, figures });
    })
}
