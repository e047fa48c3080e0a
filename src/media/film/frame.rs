//! What a film consists of.

use std::time::Duration;

/// One picture of a film.
#[derive(Clone, Debug)]
pub struct FilmFrame {
    /// Its number among all of the track's frames, from 0.
    pub index: u64,
    /// Since the film's start; never before that of the frame before.
    pub time: Duration,
    /// Red, green, blue; rows from the top.
    pub rgb: Vec<u8>,
}
