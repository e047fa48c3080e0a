//! The certificate: reading a pair, serving it until it is renewed, and making a self-signed one.

mod make;
mod pair;
mod served;

pub use make::{LONGEST_DAYS, make_pair};
pub use pair::{Doubt, Pair, PairError};
pub use served::Served;
