//! Tools for AI assistants: a Model Context Protocol server on standard input and output.
//!
//! It only reads. What the device sees is asked of the daemon's HTTP API when the assistant asks;
//! photos are classified here, in this process. Nothing is sent anywhere else.

mod device;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, Implementation, ServerCapabilities, ServerConfig};
use rmcp::schemars::JsonSchema;
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use serde::Deserialize;
use serde_json::Value;

pub use device::DeviceError;

use crate::base::mutex::lock;
use crate::config::Config;
use crate::media::photo;
use crate::pipeline::stills::{StillError, Stills};
use crate::tell::history;
use crate::vocabulary::wire;
use device::Device;

const INSTRUCTIONS: &str = "emotiond watches a camera and tells the facial expression of the people before it. \
    An expression is not what a person feels: say what was seen, and do not draw conclusions about people.";

/// Why the server ends.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("unable to set up the server: {0}")]
    SetUp(std::io::Error),
    #[error("unable to speak with the client: {0}")]
    Client(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("the question was given up: {0}")]
    GivenUp(#[from] tokio::task::JoinError),
    #[error("{} is no absolute path", .0.display())]
    Relative(PathBuf),
    #[error(transparent)]
    Photo(#[from] photo::PhotoError),
    #[error(transparent)]
    Still(#[from] StillError),
}

#[derive(Clone)]
struct Tools {
    device: Arc<Device>,
    stills: Arc<Mutex<Stills>>,
    tool_router: ToolRouter<Self>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct SummaryArgs {
    /// How many minutes back, 1 to 1440; 60 without it.
    minutes: Option<usize>,
    /// Also each minute in which a face was seen.
    #[serde(default)]
    by_minute: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct PhotoArgs {
    /// Absolute path of a JPEG, PNG, WebP, BMP, TIFF or GIF file on the machine on which emotiond runs.
    path: PathBuf,
}

#[tool_router]
impl Tools {
    /// What the camera sees now: the primary face's expression and how sure that is, every face with its
    /// box and probabilities, since when, and whether camera and other parts are well. "none" is no face,
    /// "uncertain" no clear expression.
    #[tool(annotations(
        title = "What the camera sees now",
        read_only_hint = true,
        destructive_hint = false,
        idempotent_hint = true,
        open_world_hint = false
    ))]
    async fn current_state(&self) -> CallToolResult {
        self.ask("/api/v1/state".to_owned())
            .await
            .map_or_else(|error| refused(error.to_string()), CallToolResult::structured)
    }

    /// For how many seconds each expression was seen lately (the last hour unless told otherwise), how often
    /// it changed, and the most faces at once. "none" is time without a face, "off" without a picture.
    #[tool(annotations(
        title = "Summary of the last hour",
        read_only_hint = true,
        destructive_hint = false,
        idempotent_hint = true,
        open_world_hint = false
    ))]
    async fn summary(&self, Parameters(args): Parameters<SummaryArgs>) -> CallToolResult {
        let minutes = args.minutes.unwrap_or(60);
        if !(1..=history::MINUTES).contains(&minutes) {
            return refused(format!("{minutes} minutes are not kept: ask for 1 to {}", history::MINUTES));
        }
        match self.ask(format!("/api/v1/history?minutes={minutes}")).await {
            Ok(history) => CallToolResult::structured(shortened(history, args.by_minute)),
            Err(error) => refused(error.to_string()),
        }
    }

    /// The expression of every face in a photo. The photo is read on this machine and goes nowhere.
    #[tool(annotations(
        title = "Classify a photo",
        read_only_hint = true,
        destructive_hint = false,
        idempotent_hint = true,
        open_world_hint = false
    ))]
    async fn classify_photo(&self, Parameters(PhotoArgs { path }): Parameters<PhotoArgs>) -> CallToolResult {
        let tools = self.clone();
        let answer = tokio::task::spawn_blocking(move || tools.classify(&path)).await;
        match answer {
            Ok(Ok(picture)) => CallToolResult::structured(serde_json::json!(picture)),
            Ok(Err(error)) => refused(error.to_string()),
            Err(_) => refused("the photo could not be decoded (convert it to a plain PNG or JPEG)"),
        }
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("emotiond", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }
}

impl Tools {
    async fn ask(&self, path: String) -> Result<Value, Refusal> {
        let device = Arc::clone(&self.device);
        Ok(tokio::task::spawn_blocking(move || device.get(&path)).await??)
    }

    fn classify(&self, path: &std::path::Path) -> Result<wire::Picture, Refusal> {
        if !path.is_absolute() {
            return Err(Refusal::Relative(path.to_owned()));
        }
        let frame = photo::to_frame(photo::read(path)?, Instant::now(), 0);
        let seen = lock(&self.stills).faces(&frame, None)?;
        Ok(wire::Picture::of_photo(path.display().to_string(), (frame.width, frame.height), &seen))
    }
}

/// Minutes without a face say nothing that the sums do not.
fn shortened(mut history: Value, by_minute: bool) -> Value {
    let Some(fields) = history.as_object_mut() else { return history };
    match fields.get_mut("minutes").and_then(Value::as_array_mut) {
        Some(minutes) if by_minute => minutes.retain(|minute| minute["max_faces"].as_u64() != Some(0)),
        _ => {
            fields.remove("minutes");
        }
    }
    history
}

/// The assistant is told why, so that it can tell its user.
fn refused(reason: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(reason)])
}

/// Answers on standard output what is asked on standard input, until that ends. `url` is where the daemon
/// answers; without it, as configured.
///
/// # Errors
/// When the client cannot be spoken with or `url` is none.
pub fn serve(config: &Config, url: Option<&str>) -> Result<(), McpError> {
    let tools = Tools {
        device: Arc::new(Device::new(&config.web, url)?),
        stills: Arc::new(Mutex::new(Stills::new(config.clone()))),
        tool_router: Tools::tool_router(),
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(McpError::SetUp)?;
    let result = runtime.block_on(async {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| McpError::Client(error);
        let server = tools.serve(rmcp::transport::stdio()).await.map_err(|error| failed(error.into()))?;
        server.waiting().await.map_err(|error| failed(error.into()))
    });
    // Standard input may still be read from.
    runtime.shutdown_background();
    result.map(drop)
}
