//! The real runtime on a real model.

use std::path::Path;

use emotiond::nets::assets;
use emotiond::nets::engine::litert::{LiteRt, Runtime};
use emotiond::nets::engine::{DType, Engine, EngineError};

fn load(path: &Path) -> Result<LiteRt, EngineError> {
    let runtime = Runtime::open(&assets::runtime().expect("run `make build`")).expect("runtime");
    LiteRt::load(runtime, path)
}

fn detector() -> std::path::PathBuf {
    assets::model(Path::new("face-short-range")).expect("run `make build`")
}

#[test]
fn blazeface_runs() {
    let mut engine = load(&detector()).expect("loads");
    let shapes: Vec<_> = engine.outputs().iter().map(|tensor| (tensor.dtype, tensor.shape.clone())).collect();
    assert_eq!(engine.inputs()[0].shape, [1, 128, 128, 3]);
    assert_eq!(shapes, [(DType::Float32, vec![1, 896, 16]), (DType::Float32, vec![1, 896, 1])]);

    engine.run(&vec![0; 128 * 128 * 3 * 4]).expect("runs");
    let first = engine.output(1).to_vec();
    assert!(first.iter().any(|byte| *byte != 0));
    engine.run(&1.0f32.to_ne_bytes().repeat(128 * 128 * 3)).expect("runs");
    assert_ne!(engine.output(1), first, "the output follows the input");

    let error = engine.run(&[0; 3]).expect_err("too short").to_string();
    assert!(error.ends_with("the input has 3 bytes instead of 196608"), "{error}");
}

#[test]
fn files_that_are_no_model_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let whole = std::fs::read(detector()).expect("reads");
    let cases: [(&str, &[u8], &str); 3] = [
        ("empty", b"", "not a TFLite model"),
        ("text", b"this is no model at all", "not a TFLite model"),
        ("cut", &whole[..64], "damaged or cut short"),
    ];
    for (name, content, reason) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("writes");
        let error = load(&path).err().expect(name).to_string();
        assert!(error.contains(reason) && error.contains(name), "{error}");
    }
    // The tables come first and the weights last: cut in the weights, the runtime must notice.
    let path = folder.path().join("half");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("writes");
    assert!(load(&path).is_err());
    assert!(
        load(&folder.path().join("missing")).err().expect("missing").to_string().contains("No such file")
    );
}
