//! The live picture as MJPEG (`multipart/x-mixed-replace`).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use tokio::sync::watch;

use super::api;
use super::app::{self, App};
use super::live::Viewer;
use super::problem::Problem;
use crate::base::clock;

const MEDIA_TYPE: &str = "multipart/x-mixed-replace; boundary=frame";

/// Each part ends with the next one's boundary: browsers show a part when it has ended.
const BOUNDARY: &[u8] = b"\r\n--frame\r\n";

/// The camera's pictures for as long as somebody looks. Each part has the headers `X-Sequence` (the
/// frame's number, as in `state`) and `X-Time`.
#[utoipa::path(
    get,
    path = "/api/v1/stream.mjpg",
    responses(
        (status = 200, body = Vec<u8>, content_type = "multipart/x-mixed-replace"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn stream(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let viewer = api::look(&app)?;
    let opening = stream::iter([Bytes::from_static(&BOUNDARY[2..])]);
    let pictures = stream::unfold((viewer, app.closed.clone()), next).flat_map(stream::iter);
    let body = Body::from_stream(opening.chain(pictures).map(Ok::<_, Infallible>));
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], body).into_response())
}

type Place = (Viewer, watch::Receiver<bool>);

/// The newest picture's part, once the one before is on its way.
async fn next((mut viewer, closed): Place) -> Option<([Bytes; 3], Place)> {
    let picture = tokio::select! {
        () = app::closed(closed.clone()) => None,
        picture = viewer.next() => picture,
    }?;
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Sequence: {}\r\nX-Time: {}\r\n\r\n",
        picture.jpeg.len(),
        picture.sequence,
        clock::rfc3339(clock::timestamp(picture.captured)),
    );
    Some(([head.into(), picture.jpeg.clone(), Bytes::from_static(BOUNDARY)], (viewer, closed)))
}
