//! `emotiond devices`: what is attached, and why something is not usable.
