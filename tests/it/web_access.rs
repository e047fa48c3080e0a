//! Who is let in: by token, by host and by origin.

use std::fs;
use std::process::Command;

use crate::support::site::{Site, TOKEN, png, setup};

#[test]
fn without_the_token_nothing_is_told() {
    let setup = setup();
    let file = setup.folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).expect("written");
    let site = Site::of(setup.set("web.token_file", &file.display().to_string()));
    let paths = [
        "/",
        "/api/v1/state",
        "/api/v1/timeline",
        "/api/v1/events",
        "/api/v1/snapshot.jpg",
        "/api/v1/stream.mjpg",
        "/api/v1/display.png",
        "/api/v1/enabled",
        "/metrics",
        "/openapi.json",
        "/nothing",
    ];
    for path in paths {
        let answer = site.get(path);
        assert!(answer.is_problem(401), "{path}: {}", answer.text());
        assert!(answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
    }
    assert!(site.send("PUT", "/api/v1/enabled", &[], br#"{"enabled":false}"#).is_problem(401));
    assert!(site.classify("image/png", &png()).is_problem(401));
    for path in ["/healthz", "/login", "/assets/style.css"] {
        assert_eq!(site.get(path).status, 200, "{path}");
    }
    let with = |name: &str, value: &str| site.send("GET", "/api/v1/state", &[(name, value)], b"").status;
    assert_eq!(with("Authorization", &format!("Bearer {TOKEN}")), 200);
    assert_eq!(with("Authorization", &format!("Bearer {TOKEN}x")), 401);

    let page = site.send("GET", "/", &[("Accept", "text/html,*/*")], b"");
    assert_eq!((page.status, page.header("location")), (303, Some("/login")));
    let login = |token: &str| {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        site.send("POST", "/login", &form, format!("token={token}").as_bytes())
    };
    let wrong = login("open-sesame-open-sesame");
    assert!(
        wrong.status == 401 && wrong.header("set-cookie").is_none() && wrong.text().contains("not the token")
    );
    let right = login(TOKEN);
    let cookie = right.header("set-cookie").expect("a cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(TOKEN),
        "{cookie}"
    );
    let session = cookie.split(';').next().expect("a session");
    assert_eq!(with("Cookie", session), 200);
    assert_eq!(site.send("GET", "/", &[("Cookie", session)], b"").status, 200);
    let out = site.send("POST", "/logout", &[("Cookie", session)], b"");
    assert!(out.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
}

#[test]
fn what_is_not_safe_does_not_start() {
    let folder = tempfile::tempdir().expect("folder");
    let short = folder.path().join("short");
    fs::write(&short, "secret\n").expect("written");
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("web.listen", "0.0.0.0:0")], "set web.token_file"),
        (&[("web.token_file", short.to_str().expect("text"))], "a token has at least 16 characters"),
        (&[("web.token_file", "/nowhere")], "web.token_file: unable to read /nowhere"),
    ];
    for (settings, message) in cases {
        for command in ["run", "check"] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_emotiond"));
            program.args([command, "--set", "mqtt.url="]);
            for (key, value) in settings {
                program.args(["--set", &format!("{key}={value}")]);
            }
            let output = program.output().expect("emotiond starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(78) && said.contains(message), "{command}: {said}");
        }
    }
}

#[test]
fn other_sites_pages_and_names_are_kept_out() {
    let site = Site::of(setup().set("web.cors_origins", r#"["https://house.example"]"#));
    let own = format!("http://{}", site.address);
    let state = |headers: &[(&str, &str)]| site.send("GET", "/api/v1/state", headers, b"");
    let turn =
        |headers: &[(&str, &str)]| site.send("PUT", "/api/v1/enabled", headers, br#"{"enabled":true}"#);
    assert!(state(&[("Host", "evil.example")]).is_problem(421));
    assert!(state(&[("Host", "localhost"), ("Host", "evil.example")]).is_problem(400));
    assert_eq!(state(&[("Host", "localhost:8080")]).status, 200);
    assert!(state(&[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]).is_problem(403));
    assert!(turn(&[("Origin", "https://evil.example")]).is_problem(403));
    assert!(turn(&[("Origin", "null")]).is_problem(403));
    assert!(turn(&[("Sec-Fetch-Site", "same-site")]).is_problem(403));
    assert_eq!(turn(&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")]).status, 200);
    let link =
        site.send("GET", "/", &[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")], b"");
    assert_eq!(link.status, 200, "a link may lead to the page");

    let allowed = "access-control-allow-origin";
    assert_eq!(state(&[("Origin", "https://evil.example")]).header(allowed), None);
    let known = state(&[("Origin", "https://house.example"), ("Sec-Fetch-Site", "cross-site")]);
    assert_eq!((known.status, known.header(allowed)), (200, Some("https://house.example")));
    assert!(known.header("access-control-allow-credentials").is_none());

    let policy = link.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")]
    {
        assert_eq!(link.header(name), Some(value));
    }
    assert!(!link.text().contains("style=") && !link.text().contains("<script>"), "what the policy forbids");
}
