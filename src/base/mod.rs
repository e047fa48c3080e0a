//! What every program needs: knows nothing of faces.

/// Files that are whole or absent.
pub(crate) mod atomic_file;
/// Growing pauses between tries.
pub(crate) mod backoff;
/// Work whose panic is an error of its own.
pub(crate) mod caught;
/// Chance for jitter and names.
pub(crate) mod chance;
/// Wall-clock time as text.
pub(crate) mod clock;
/// `HOST[:PORT]`.
pub(crate) mod host_port;
/// A slot that holds the newest thing.
pub mod latest;
/// Locks that outlive a panic.
pub(crate) mod mutex;
/// Threads that are named, minded and joined.
pub mod part;
/// Text from outside for logs and terminals.
pub(crate) mod printable;
/// Programs that are started here, and ended with all that they started.
pub(crate) mod process_group;
/// Text that may hold a password.
pub(crate) mod secret;
/// The one flag that ends every thread.
pub mod shutdown;
/// What MQTT allows in texts and topic names.
pub(crate) mod topic;
