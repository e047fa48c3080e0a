//! Server-sent events: the state as it changes, and what happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::MissedTickBehavior;

use super::api;
use super::app::{self, App};
use super::problem::Problem;
use crate::vocabulary::wire;

/// An unchanged state is told so often, so that both ends notice when the other has gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// A browser that lost the stream opens it again after so long.
const RETRY: Duration = Duration::from_secs(2);

/// Writes the newest state down once for all streams, until the daemon stops.
pub async fn publish(app: Arc<App>) {
    let mut tick = tokio::time::interval(app.limits.interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let closed = app::closed(app.closed.clone());
    let mut closed = std::pin::pin!(closed);
    let (mut told, mut at) = (None, Instant::now());
    loop {
        tokio::select! {
            () = &mut closed => return,
            _ = tick.tick() => {}
        }
        if app.newest.receiver_count() == 0 {
            continue;
        }
        let status = app.status();
        let mark = (status.frame, status.enabled, status.parts.clone());
        if told.as_ref() != Some(&mark) || at.elapsed() >= SIGN_OF_LIFE {
            app.newest.send_replace(json(&status));
            (told, at) = (Some(mark), Instant::now());
        }
    }
}

fn json(status: &wire::Status) -> Arc<str> {
    serde_json::to_string(status).expect("wire types serialise").into()
}

/// One stream.
struct Listener {
    first: Option<Arc<str>>,
    /// What happened while a stream that is opened again was broken.
    missed: VecDeque<Arc<wire::Event>>,
    states: watch::Receiver<Arc<str>>,
    happened: broadcast::Receiver<Arc<wire::Event>>,
    closed: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(Event::default().event("state").retry(RETRY).data(first));
        }
        if let Some(event) = self.missed.pop_front() {
            return message(&event);
        }
        loop {
            tokio::select! {
                () = app::closed(self.closed.clone()) => return None,
                happened = self.happened.recv() => match happened {
                    Ok(event) => return message(&event),
                    // Who is too slow misses some.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                changed = self.states.changed() => {
                    changed.ok()?;
                    let state = self.states.borrow_and_update().clone();
                    return Some(Event::default().event("state").data(state));
                }
            }
        }
    }
}

fn message(event: &wire::Event) -> Option<Event> {
    Event::default().event("event").id(&event.id).json_data(event).ok()
}

/// What is seen, as it changes: events named `state` with what `/api/v1/state` answers, as often as
/// the live picture changes and at least once a second, and events named `event` with what is
/// published over MQTT on `event`. Who sends the last event's id as `Last-Event-ID` gets what has
/// happened since, up to 64 events.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn events(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let place = Arc::clone(&app.listeners).try_acquire_owned().map_err(|_| api::too_many())?;
    let mut states = app.newest.subscribe();
    states.mark_unchanged();
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let (missed, happened) = app.feed.events(last);
    let listener = Listener {
        first: Some(json(&app.status())),
        missed,
        states,
        happened,
        closed: app.closed.clone(),
        _place: place,
    };
    Ok(Sse::new(stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    })))
}
