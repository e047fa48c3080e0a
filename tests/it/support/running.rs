//! The real program in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::mosquitto::{Mosquitto, eventually};

/// NASA's portrait of Eileen Collins, who smiles.
pub fn portrait() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("third_party/portrait.png");
    assert!(path.is_file(), "{} is missing: run `make test`", path.display());
    path.display().to_string()
}

/// A running daemon with a folder of its own.
pub struct Daemon {
    pub child: Child,
    pub folder: TempDir,
}

/// How a daemon is started.
pub struct Setup {
    pub folder: TempDir,
    pub command: Command,
}

impl Setup {
    pub fn new(source: &str, broker: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_emotiond"));
        command.arg("run");
        let state = folder.path().join("state").display().to_string();
        let setup = Self { folder, command };
        setup
            .set("camera.source", source)
            .set("mqtt.url", broker)
            .set("device.id", "test")
            .set("device.state_dir", &state)
            .set("display.driver", "none")
            .set("web.listen", "")
    }

    pub fn on(source: &str, broker: &Mosquitto) -> Self {
        Self::new(source, &format!("mqtt://{}:{}", broker.host, Mosquitto::PORT))
    }

    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.command.args(["--set", &format!("{key}={value}")]);
        self
    }

    pub fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn start(mut self) -> Daemon {
        let log = fs::File::create(self.folder.path().join("log")).expect("log");
        let child = self.command.stderr(log).stdout(Stdio::null()).spawn().expect("emotiond starts");
        Daemon { child, folder: self.folder }
    }
}

impl Daemon {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }

    pub fn wait_for_log(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    /// Until it ends by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the daemon ends", || {
            status = self.child.try_wait().expect("child");
            status.is_some()
        });
        status.expect("ended")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.log());
        }
    }
}
