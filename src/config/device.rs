//! The section `[device]`.

use std::path::PathBuf;

use super::keys::{Keys, Unfit};

/// `device.state_dir` where neither the configuration nor systemd says otherwise.
pub const STATE_DIR: &str = "/var/lib/emotiond";

/// The device itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// `[a-z0-9-]{1,32}`.
    pub id: String,
    /// Where what must survive a restart is kept.
    pub state_dir: PathBuf,
}

impl Device {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        let id = keys
            .maybe("id", id)
            .example("\"living-room\"")
            .help("Name in topics, 1 to 32 of a-z, 0-9 and -. Without one: host name and four characters of the machine id.")
            .get();
        let state_dir = keys
            .file("state_dir")
            .example("\"/var/lib/emotiond\"")
            .help("Folder for what survives a restart. Without one: the folder that systemd names, else /var/lib/emotiond.")
            .get();
        Self {
            id: id.unwrap_or_else(default_id),
            state_dir: state_dir
                // systemd's StateDirectory= names the folder that it made.
                .or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from))
                .unwrap_or_else(|| PathBuf::from(STATE_DIR)),
        }
    }
}

fn id(id: String) -> Result<String, Unfit> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=32).contains(&id.len()) && id.chars().all(allowed) {
        Ok(id)
    } else {
        Err(Unfit::new(format_args!("{id:?} is no device id (1 to 32 of a-z, 0-9 and -)")))
    }
}

/// Host name and four characters of the machine id.
fn default_id() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let host: String = read("/proc/sys/kernel/hostname")
        .trim()
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(27)
        .collect();
    let host = if host.is_empty() { "emotiond" } else { &host };
    let machine = read("/etc/machine-id");
    match machine.get(..4) {
        Some(start) if start.chars().all(|c| c.is_ascii_hexdigit()) => format!("{host}-{start}"),
        _ => host.to_owned(),
    }
}
