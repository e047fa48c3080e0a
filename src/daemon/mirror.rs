//! What the panel shows, or would show.

use std::sync::{Arc, Mutex};

use crate::base::mutex::lock;
use crate::config::DisplaySize;
use crate::display::View;

/// The newest view, and its picture once somebody has asked for it.
#[derive(Default)]
pub struct Shown {
    view: View,
    png: Option<(View, Vec<u8>)>,
}

/// Clones share it.
#[derive(Clone, Default)]
pub struct Mirror(Arc<Mutex<Shown>>);

impl Mirror {
    pub fn set(&self, view: View) {
        lock(&self.0).view = view;
    }

    pub fn png(&self, size: DisplaySize) -> Vec<u8> {
        let mut shown = lock(&self.0);
        let view = shown.view;
        match &shown.png {
            Some((drawn, png)) if *drawn == view => png.clone(),
            _ => shown.png.insert((view, view.png(size))).1.clone(),
        }
    }
}
