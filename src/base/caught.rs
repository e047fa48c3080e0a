//! Work whose panic is an error of its own: what others wrote decodes files from anywhere.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic on this thread is caught here.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// The work has panicked; the log has the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this program fails on it (please report it, with the file)")]
pub struct Panicked;

/// Does `work`; a panic in it ends nothing else. What it leaves half-done must not be used again.
pub fn caught<R>(work: impl FnOnce() -> R) -> Result<R, Panicked> {
    quieten();
    let outer = CATCHING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(outer);
    result.map_err(|_| Panicked)
}

/// Panics that are caught go to the log instead of standard error.
fn quieten() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = take_hook();
        set_hook(Box::new(move |panic| if CATCHING.get() { log::debug!("{panic}") } else { default(panic) }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| [0_u8; 0][usize::from(std::process::id() == 0)]), Err(Panicked));
        assert_eq!(caught(|| 2), Ok(2));
    }
}
