//! Doing what a rule asks for: an HTTP request, a command. Each ends within its time.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;
use tokio::time::timeout;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::base::process_group::{Group, PRIVATE};

/// Between the signal that asks a command to end and the one that ends it.
const GRACE: Duration = Duration::from_secs(1);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error("unable to read token file {}: {source}", path.display())]
    Token { path: PathBuf, source: io::Error },
    #[error("unable to post to {place}: {source}")]
    Post { place: String, source: Box<ureq::Error> },
    #[error("{place} answered {status}")]
    Refused { place: String, status: ureq::http::StatusCode },
    #[error("unable to run {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("{program} failed: {status}")]
    Failed { program: String, status: ExitStatus },
    #[error("{program} took longer than {} s (limit_s) and was killed", limit.as_secs_f64())]
    TooLong { program: String, limit: Duration },
}

/// Makes requests; one for all.
pub fn agent() -> Agent {
    // The system's authorities, so that a house's own is known once the system knows it.
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
    Agent::config_builder()
        .tls_config(tls.build())
        .user_agent(concat!("emotiond/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // A redirected POST would be repeated as GET, without its body.
        .max_redirects(0)
        // Between two firings a server has long closed the connection.
        .max_idle_connections(0)
        .build()
        .into()
}

/// Posts JSON to `url`; anything but 2xx is an error. Blocks for at most `limit`.
pub fn post(
    agent: &Agent,
    url: &str,
    token_file: Option<&Path>,
    body: &[u8],
    limit: Duration,
) -> Result<(), ActionError> {
    let mut request = agent.post(url).content_type("application/json");
    if let Some(path) = token_file {
        request = request.header("Authorization", format!("Bearer {}", token(path)?));
    }
    let response = request
        .config()
        .timeout_global(Some(limit))
        .build()
        .send(body)
        .map_err(|source| ActionError::Post { place: place(url), source: Box::new(source) })?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(ActionError::Refused { place: place(url), status }) }
}

/// Read each time, so that a changed one needs no reload.
pub fn token(path: &Path) -> Result<String, ActionError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ActionError::Token { path: path.to_owned(), source })?;
    Ok(text.trim().to_owned())
}

/// Scheme, host and port: the path of a webhook is often its secret and not for the log.
fn place(url: &str) -> String {
    let end = url.find("://").and_then(|start| Some(start + 3 + url[start + 3..].find(['/', '?', '#'])?));
    url[..end.unwrap_or(url.len())].to_owned()
}

/// Runs a program with `input` on its standard input; what it writes goes to the log. After `limit`
/// it is ended together with what it has started. Dropped before, the same happens at once.
pub async fn command(words: &[String], input: &[u8], limit: Duration) -> Result<(), ActionError> {
    let program = words.first().cloned().unwrap_or_default();
    let failed = |source| ActionError::Start { program: program.clone(), source };
    let mut command = Command::new(&program);
    command.args(words.get(1..).unwrap_or_default()).stdin(file(input).map_err(failed)?).process_group(0);
    let log = || io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    command.stdout(log().map_err(failed)?).stderr(log().map_err(failed)?);
    PRIVATE.into_iter().for_each(|name| {
        command.env_remove(name);
    });
    let mut child = command.spawn().map_err(failed)?;
    // Declared after the child, so dropped before it: the group's number is not free again yet.
    let group = Group::of(child.id());
    let Ok(ended) = timeout(limit, child.wait()).await else {
        group.signal(Signal::TERM);
        tokio::time::sleep(GRACE).await;
        drop(group);
        let _ = child.wait().await;
        return Err(ActionError::TooLong { program, limit });
    };
    group.forget();
    let status = ended.map_err(failed)?;
    if status.success() { Ok(()) } else { Err(ActionError::Failed { program, status }) }
}

/// In memory instead of a pipe, so that a program that does not read makes nobody wait.
fn file(content: &[u8]) -> io::Result<Stdio> {
    let memory = rustix::fs::memfd_create("facts", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(memory);
    file.write_all(content)?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_of_a_url_is_logged() {
        assert_eq!(place("https://house:8123/api/webhook/secret?x=1"), "https://house:8123");
        assert_eq!(place("http://house"), "http://house");
    }
}
