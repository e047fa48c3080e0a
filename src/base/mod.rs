//! What every program needs: knows nothing of faces.

/// Files that are whole or absent.
pub mod atomic_file;
/// Growing pauses between tries.
pub mod backoff;
/// Work whose panic is an error of its own.
pub mod caught;
/// Chance for jitter and names.
pub mod chance;
/// Wall-clock time as text.
pub mod clock;
/// `HOST[:PORT]`.
pub mod host_port;
/// A slot that holds the newest thing.
pub mod latest;
/// Locks that outlive a panic.
pub mod mutex;
/// Threads that are named, minded and joined.
pub mod part;
/// Text from outside for logs and terminals.
pub mod printable;
/// Programs that are started here, and ended with all that they started.
pub mod process_group;
/// Text that may hold a password.
pub mod secret;
/// The one flag that ends every thread.
pub mod shutdown;
/// What MQTT allows in texts and topic names.
pub mod topic;
