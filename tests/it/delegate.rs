//! A real external delegate, built here from C, on the real classic TFLite library.
//!
//! That library needs a newer C library than this machine may have, so what uses it runs as a child under
//! the loader that was fetched with it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgefirst_tflite::{Interpreter, Library, Model};
use emotiond::nets::assets;
use emotiond::nets::engine::Engine;
use emotiond::nets::engine::classic::{Classic, External};
use tempfile::TempDir;

use crate::support::mosquitto::{Mosquitto, Watcher, eventually};
use crate::support::running::{Setup, portrait};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where `scripts/prepare.sh test` put the classic library and all that it needs.
fn classic() -> PathBuf {
    Path::new(ROOT).join("third_party/classic")
}

fn classic_library() -> PathBuf {
    classic().join("libtensorflow-lite.so.2.14.1")
}

fn emotion_model() -> PathBuf {
    assets::model(Path::new("emotion")).expect("run `make build`")
}

/// A program under the loader of the classic library.
fn under_loader(program: impl AsRef<OsStr>) -> Command {
    let loader = std::fs::read_dir(classic())
        .expect("run `scripts/prepare.sh test`")
        .map(|entry| entry.expect("entry").path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")))
        .expect("a loader");
    let mut command = Command::new(loader);
    command.arg("--library-path").arg(classic()).arg(program);
    command
}

/// Compiles `tests/data/delegate.c` with TFLite's own headers, which a crate of ours carries.
fn build_delegate(folder: &Path) -> PathBuf {
    // Only this platform's crates: others were never fetched where nothing but this was built.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", &platform])
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let sys = packages.iter().find(|package| package["name"] == "edgefirst-tflite-sys").expect("the crate");
    let headers = Path::new(sys["manifest_path"].as_str().expect("path")).parent().expect("folder");
    // C before C23 knows no enumerations of a fixed type.
    let common = "tensorflow/lite/core/c/common.h";
    let text = std::fs::read_to_string(headers.join(common)).expect("header");
    let patched = folder.join(common);
    std::fs::create_dir_all(patched.parent().expect("folder")).expect("made");
    std::fs::write(patched, text.replace("TfLiteQuantizationType : int", "TfLiteQuantizationType"))
        .expect("written");
    let library = folder.join("libpool.so");
    let built = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I"])
        .arg(folder)
        .arg("-I")
        .arg(headers)
        .arg(format!("{ROOT}/tests/data/delegate.c"))
        .arg("-o")
        .arg(&library)
        .output()
        .expect("cc runs (apt install gcc)");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

fn emotiond(command: &mut Command, settings: &[(&str, &str)]) -> Output {
    command.args(["--config", "/dev/null"]);
    for (key, value) in settings {
        command.arg("--set").arg(format!("classifier.{key}={value}"));
    }
    command.output().expect("runs")
}

/// What `devices --json` says of the runtime: on what the net runs, and what hinders.
fn devices(program: &mut Command, settings: &[(&str, &str)]) -> (String, String) {
    let output = emotiond(program.args(["devices", "--json"]), settings);
    let text = String::from_utf8_lossy(&output.stdout);
    let report: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let runtime = &report["runtime"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&runtime["delegates"][0]), text(&runtime["problem"]))
}

/// Runs only as the child of the test below.
#[test]
#[ignore = "needs the loader of the classic library"]
fn child_computes() {
    let folder = PathBuf::from(std::env::var_os("FOLDER").expect("FOLDER is set"));
    let log = folder.join("log");
    let external = External {
        library: Some(folder.join("libpool.so")),
        options: vec![("log".to_owned(), log.display().to_string())],
        threads: 2,
    };
    let mut engine = Classic::load(Some(&classic_library()), &external, &emotion_model()).expect("loads");
    assert_eq!(engine.delegate(), format!("{} (3 of 21 nodes)", folder.join("libpool.so").display()));

    let library = Library::from_path(classic_library()).expect("library");
    let model = Model::from_file(&library, emotion_model()).expect("model");
    let mut plain = Interpreter::builder(&library).expect("builder").build(&model).expect("interpreter");
    let mut random = 7_u32;
    let mut answers = Vec::new();
    for _ in 0..20 {
        let input: Vec<u8> = (0..engine.inputs()[0].bytes())
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 24) as u8
            })
            .collect();
        engine.run(&input).expect("runs");
        plain.inputs_mut().expect("inputs")[0].copy_from_bytes(&input).expect("copied");
        plain.invoke().expect("runs");
        let outputs = plain.outputs().expect("outputs");
        assert_eq!(engine.output(0), outputs[0].as_bytes().expect("bytes"), "bit for bit");
        answers.push(engine.output(0).to_vec());
    }
    assert!(answers.iter().any(|answer| *answer != answers[0]), "the output follows the input");
    let error = engine.run(&[0; 3]).expect_err("too short").to_string();
    assert!(error.contains("the input has 3 bytes"), "{error}");
    let lines = std::fs::read_to_string(log).expect("the delegate's log");
    assert_eq!(lines.lines().filter(|line| line.starts_with("pool ")).count(), 3 * 20);
}

#[test]
fn a_delegate_takes_nodes_and_computes_them() {
    let folder = TempDir::new().expect("temporary folder");
    build_delegate(folder.path());
    let output = under_loader(std::env::current_exe().expect("own path"))
        .args(["--ignored", "--exact", "delegate::child_computes"])
        .env("FOLDER", folder.path())
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn what_hinders_a_delegate_is_said_and_the_cpu_does_it() {
    let folder = TempDir::new().expect("temporary folder");
    let built = build_delegate(folder.path());
    let delegate = built.to_str().expect("UTF-8");
    let classic = classic_library().display().to_string();
    let missing = folder.path().join("absent.so").display().to_string();
    let program = || under_loader(env!("CARGO_BIN_EXE_emotiond"));
    let with = |library: &str, mode: &str| {
        let options = format!("{{ mode = \"{mode}\" }}");
        let settings = [("delegate", library), ("classic_library", &classic), ("delegate_options", &options)];
        devices(&mut program(), &settings)
    };
    assert_eq!(with(delegate, "compute"), (format!("{delegate} (3 of 21 nodes)"), String::new()));
    let cases = [
        (delegate, "refuse", "it refused the model with status 2"),
        (delegate, "idle", "it took none of the model's 21 nodes"),
        (delegate, "none", "tflite_plugin_create_delegate returned null"),
        (missing.as_str(), "compute", "absent.so: cannot open shared object file"),
        (classic.as_str(), "compute", "undefined symbol: tflite_plugin_create_delegate"),
    ];
    for (library, mode, reason) in cases {
        let (runs_on, problem) = with(library, mode);
        assert_eq!(runs_on, format!("cpu (instead of {library})"), "{mode}");
        assert!(problem.starts_with(&format!("unable to use delegate {library}: ")), "{problem}");
        assert!(problem.contains(reason) && !problem.contains('\n'), "{problem}");
    }

    // Where that is not wanted it is an error, before anything runs.
    let options = "{ mode = \"refuse\" }";
    let settings = [
        ("delegate", delegate),
        ("classic_library", &classic),
        ("delegate_options", options),
        ("fallback", "false"),
    ];
    let output = emotiond(program().arg("check"), &settings);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(78) && said.contains("it refused the model"), "{output:?}");
}

#[test]
fn a_delegate_that_fails_while_it_runs_gives_way_to_the_cpu() {
    let built = TempDir::new().expect("temporary folder");
    let delegate = build_delegate(built.path()).display().to_string();
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let mut setup = Setup::on(&format!("replay:{}", portrait()), &broker)
        .set("mqtt.stats_interval_s", "1")
        .set("classifier.delegate", &delegate)
        .set("classifier.classic_library", &classic_library().display().to_string())
        .set("classifier.delegate_options", "{ mode = \"unplugged\" }");
    let mut command = under_loader(env!("CARGO_BIN_EXE_emotiond"));
    command.args(setup.command.get_args());
    setup.command = command;
    let daemon = setup.start();
    eventually("the CPU in the figures", || {
        watcher.payloads("emotiond/test/stats").last().is_some_and(|stats| {
            let stats: serde_json::Value = serde_json::from_str(stats).expect("JSON");
            stats["delegate"] == format!("cpu (instead of {delegate})") && stats["errors"]["models"] == 0
        })
    });
    watcher.wait_for("emotiond/test/emotion", "happy");
    let log = daemon.log();
    assert!(log.contains(&format!("on {delegate} (3 of 21 nodes)")), "{log}");
    assert_eq!(log.matches(&format!("going on with cpu (instead of {delegate})")).count(), 1, "{log}");
}

#[test]
fn a_model_compiled_for_coral_runs_nowhere_else() {
    let model = format!("{ROOT}/tests/data/edgetpu.tflite");
    let output = emotiond(Command::new(env!("CARGO_BIN_EXE_emotiond")).arg("check"), &[("model", &model)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(78) && said.contains("was compiled for an Edge TPU"), "{output:?}");

    let classic = classic_library().display().to_string();
    let settings = [("model", &*model), ("delegate", "edgetpu"), ("classic_library", &classic)];
    let output = emotiond(under_loader(env!("CARGO_BIN_EXE_emotiond")).arg("check"), &settings);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    for part in ["libedgetpu.so.1: cannot open", "(apt install libedgetpu1-std); nor does the CPU do: "] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn delegates_that_this_machine_cannot_have_are_named() {
    let program = || Command::new(env!("CARGO_BIN_EXE_emotiond"));
    // Not silently on the CPU of the classic library.
    let (runs_on, problem) = devices(&mut program(), &[("delegate", "edgetpu")]);
    assert_eq!(runs_on, "cpu (instead of edgetpu)");
    assert!(problem.contains("emotion.tflite was not compiled for it (run edgetpu_compiler"), "{problem}");

    // A runtime without its accelerator beside it.
    let folder = TempDir::new().expect("temporary folder");
    let runtime = assets::runtime().expect("run `make build`");
    std::os::unix::fs::symlink(&runtime, folder.path().join("libLiteRt.so")).expect("linked");
    let broken = folder.path().join("libLiteRtWebGpuAccelerator.so");
    std::fs::write(&broken, "no library").expect("written");
    let (runs_on, problem) =
        devices(program().env("EMOTIOND_RUNTIME", folder.path()), &[("delegate", "gpu")]);
    assert_eq!(runs_on, "cpu (instead of gpu)");
    assert!(problem.contains("libLiteRtWebGpuAccelerator.so: ") && problem.contains("gpu"), "{problem}");

    let output = emotiond(program().arg("check"), &[("delegate_options", "{ device = \"usb\" }")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(78)
            && said.contains("classifier.delegate_options: delegate cpu takes none"),
        "{output:?}"
    );
}
