//! `emotiond mcp` with a real MCP client: the Rust SDK's, which starts the program as an assistant does.

use std::fs;
use std::process::Command;

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RunningService;
use rmcp::transport::TokioChildProcess;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};

use crate::support::mosquitto::eventually;
use crate::support::running::portrait;
use crate::support::site::{Site, setup};

type Client = RunningService<RoleClient, ()>;

/// A client and the program that it started with these arguments.
async fn client(arguments: &[&str]) -> Client {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_emotiond"));
    command.arg("mcp").args(arguments);
    ().serve(TokioChildProcess::new(command).expect("starts")).await.expect("a server")
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let arguments = arguments.as_object().expect("an object").clone();
    let request = CallToolRequestParams::new(tool).with_arguments(arguments);
    client.call_tool(request).await.expect("an answer")
}

fn answer(result: CallToolResult) -> Value {
    assert_ne!(result.is_error, Some(true), "{result:?}");
    result.structured_content.expect("structured content")
}

/// What the assistant is told instead.
fn refusal(result: CallToolResult) -> String {
    assert_eq!(result.is_error, Some(true), "{result:?}");
    result.content[0].as_text().expect("text").text.clone()
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(test);
}

#[test]
fn an_assistant_asks_what_the_device_sees_and_saw() {
    let folder = tempfile::tempdir().expect("folder");
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef\n").expect("writes");
    let token = token.display().to_string();
    let site = Site::of(setup().set("web.token_file", &token));
    let bearer = [("Authorization", "Bearer 0123456789abcdef")];
    let seconds =
        || site.send("GET", "/api/v1/history", &bearer, b"").json()["total"]["seconds"]["happy"].as_f64();
    eventually("a second of smiling", || seconds().is_some_and(|seconds| seconds >= 1.0));

    let (listen, token) = (format!("web.listen={}", site.address), format!("web.token_file={token}"));
    run(async {
        let client = client(&["--set", &listen, "--set", &token]).await;
        let tools = client.list_all_tools().await.expect("tools");
        let mut names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["classify_photo", "current_state", "summary"]);
        for tool in &tools {
            let hints = tool.annotations.as_ref().expect("annotations");
            assert_eq!(
                (hints.read_only_hint, hints.open_world_hint),
                (Some(true), Some(false)),
                "{}",
                tool.name
            );
            assert!(tool.description.as_ref().is_some_and(|text| text.len() > 40), "{}", tool.name);
        }

        let state = answer(call(&client, "current_state", json!({})).await);
        assert_eq!(
            (&state["emotion"], &state["faces"], &state["device"]),
            (&json!("happy"), &json!(1), &json!("test"))
        );

        let hour = answer(call(&client, "summary", json!({})).await);
        assert_eq!(hour["span_min"], 60);
        assert!(hour["total"]["seconds"]["happy"].as_f64().expect("seconds") >= 1.0, "{hour}");
        assert!(hour["total"]["max_faces"] == 1 && hour["minutes"].is_null(), "{hour}");
        let minutes = answer(call(&client, "summary", json!({"minutes": 5, "by_minute": true})).await);
        assert!(minutes["minutes"].as_array().is_some_and(|all| !all.is_empty()), "{minutes}");
        let refused = refusal(call(&client, "summary", json!({"minutes": 0})).await);
        assert_eq!(refused, "0 minutes are not kept: ask for 1 to 1440");
        client.cancel().await.expect("ends");
    });
}

#[test]
fn an_assistant_has_a_photo_classified_without_a_daemon() {
    let folder = tempfile::tempdir().expect("folder");
    let cut = folder.path().join("cut.png");
    fs::write(&cut, &fs::read(portrait()).expect("reads")[..9000]).expect("writes");
    let output =
        Command::new(env!("CARGO_BIN_EXE_emotiond")).args(["classify", "--json", &portrait()]).output();
    let expected: Value = serde_json::from_slice(&output.expect("emotiond starts").stdout).expect("JSON");
    run(async {
        let client = client(&["--url", "http://127.0.0.1:9"]).await;
        let picture = answer(call(&client, "classify_photo", json!({"path": portrait()})).await);
        assert_eq!(picture["faces"], expected["faces"]);
        assert_eq!(picture["faces"][0]["emotion"], "happy");
        for (path, reason) in [
            (cut.display().to_string(), "cut short"),
            ("/dev/zero".to_owned(), "no regular file"),
            ("/nowhere/x.jpg".to_owned(), "No such file"),
            ("x.jpg".to_owned(), "no absolute path"),
        ] {
            let refused = refusal(call(&client, "classify_photo", json!({"path": path})).await);
            assert!(refused.contains(reason), "{refused}");
        }
        let refused = refusal(call(&client, "current_state", json!({})).await);
        assert!(refused.starts_with("unable to ask the daemon at http://127.0.0.1:9: "), "{refused}");
        client.cancel().await.expect("ends");
    });
}

#[test]
fn a_token_that_is_missing_is_said() {
    let folder = tempfile::tempdir().expect("folder");
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef\n").expect("writes");
    let site = Site::of(setup().set("web.token_file", &token.display().to_string()));
    run(async {
        let client = client(&["--url", &format!("http://{}", site.address)]).await;
        let refused = refusal(call(&client, "current_state", json!({})).await);
        assert!(refused.contains("answered 401: the token is missing or wrong"), "{refused}");
        client.cancel().await.expect("ends");
    });
}
