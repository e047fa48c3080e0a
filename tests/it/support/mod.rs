//! What the test programs share.
#![allow(dead_code, reason = "each test program uses its part of it")]

pub mod cameras;
pub mod made;
pub mod mosquitto;
pub mod program;
pub mod running;
pub mod sh1106_model;
pub mod site;
pub mod ssd1306_model;
pub mod stand_in;
pub mod subscriber;
