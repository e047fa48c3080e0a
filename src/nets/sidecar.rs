//! A model's sidecar: `NAME.json` beside `NAME.tflite` says what the net expects and answers.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::nets::engine::{DType, Engine, Quantization, TensorInfo};
use crate::vocabulary::emotion::Emotion;

/// What is wrong with a sidecar, or between it and its model.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SidecarError {
    #[error("unable to read {} beside the model: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("unable to understand {}: {source}", path.display())]
    Parse { path: PathBuf, source: serde_json::Error },
    #[error("{} does not fit {}: {reason}", path.display(), model.display())]
    Mismatch { path: PathBuf, model: PathBuf, reason: String },
}

/// What a sidecar says that its model is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// Names the files that do not fit each other.
pub fn mismatch(model: &Path, unfit: Unfit) -> SidecarError {
    SidecarError::Mismatch { path: path_of(model), model: model.to_owned(), reason: unfit.0 }
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Tells a face's emotion.
    Emotion,
    /// Finds faces.
    FaceDetector,
    /// Describes a face, so that two can be compared.
    Descriptor,
}

/// What goes in: `real = (pixel - mean) / std`, quantised with scale and zero point where the type
/// is no float.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Input {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// 1: grey, 3: red, green, blue.
    pub channels: u32,
    /// `float32`, `int8` or `uint8`.
    pub dtype: String,
    /// Real value of one step, of quantised types.
    pub scale: Option<f32>,
    /// The integer that stands for 0, of quantised types.
    pub zero_point: Option<i32>,
    /// In grey levels, 0 to 255.
    pub mean: f32,
    /// In grey levels.
    pub std: f32,
}

/// What an emotion net's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Values {
    /// Softmax makes probabilities of them.
    Logits,
    /// 0 to 1, with the sum 1.
    Probabilities,
}

/// An emotion net's answer: (1, labels).
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Output {
    /// `float32`, `int8` or `uint8`.
    pub dtype: String,
    /// Real value of one step, of quantised types.
    pub scale: Option<f32>,
    /// The integer that stands for 0, of quantised types.
    pub zero_point: Option<i32>,
    /// Before or after softmax.
    pub values: Values,
}

/// How a face is turned before it is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Align {
    /// Not at all.
    None,
    /// The crop is turned so that the line between the eyes is level.
    Eyes,
}

/// How a detector's box becomes the square that the net was trained on: side = the box's longer
/// side × `scale`; centre = the box's centre + (`shift_x`, `shift_y`) × that side, turned with it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Crop {
    /// In sides of the box.
    pub scale: f32,
    /// To the right, in sides of the square.
    pub shift_x: f32,
    /// Downwards, in sides of the square.
    pub shift_y: f32,
    /// How the square is turned.
    pub align: Align,
}

/// What every sidecar says of its model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Header {
    /// What the model does.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// Its version, as its maker counts.
    pub version: String,
    /// An SPDX expression.
    pub licence: String,
    /// Of the `.tflite` file, lower-case hex.
    pub sha256: String,
    /// What goes in.
    pub input: Input,
}

/// The sidecar of an emotion model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EmotionModel {
    /// What every sidecar says.
    #[serde(flatten)]
    pub header: Header,
    /// What comes out.
    pub output: Output,
    /// In the order of the net's outputs.
    #[serde(deserialize_with = "labels")]
    pub labels: Vec<Emotion>,
    /// How faces are cut out.
    pub crop: Crop,
    /// Logits are divided by it before softmax (Guo et al. 2017, arXiv:1706.04599).
    pub temperature: f32,
}

/// A feature map of a detector: a cell every `stride` pixels of the input, `per_cell` anchors each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct AnchorLayer {
    /// In pixels of the input.
    pub stride: u32,
    /// Anchors of each cell.
    pub per_cell: usize,
}

/// How BlazeFace answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AnchorHeads {
    /// In the order of the net's answers.
    pub anchors: Vec<AnchorLayer>,
    /// Which output holds boxes and key points, and which the scores.
    pub boxes_output: usize,
    /// (1, anchors, 1).
    pub scores_output: usize,
}

/// The name of an output; its numbers are the file's own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct NamedOutput {
    /// As the file has it.
    pub name: String,
}

/// How the toolkit's detectors answer: see `search::cells`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CellHeads {
    /// Of the feature maps, in pixels of the input.
    pub strides: Vec<u32>,
    /// Length of the points' unit, in strides.
    pub point_unit: f32,
    /// `boxes`, `points` and `scores`, in the file's order.
    pub outputs: Vec<NamedOutput>,
}

/// How a detector answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Heads {
    /// As BlazeFace does.
    Anchors(AnchorHeads),
    /// As the toolkit's detectors do.
    Cells(CellHeads),
}

/// From a detector's box to the square that crops are measured by (`Detection::core`).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Core {
    /// Side, in units of the box's longer side.
    pub scale: f32,
    /// How far its centre lies below the box's, in units of its side; along the face's own axis.
    pub shift_y: f32,
}

/// The sidecar of a face detector.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DetectorModel {
    /// What every sidecar says.
    #[serde(flatten)]
    pub header: Header,
    /// How its answers become faces.
    #[serde(flatten)]
    pub heads: Heads,
    /// Candidates that overlap more are one face: intersection over union.
    pub iou: f32,
    /// Where its boxes are not the core themselves.
    pub core: Option<Core>,
}

/// Where a descriptor net saw the key points of the faces that it was trained on, in units of the chip's
/// side from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct ChipPoints {
    /// The person's own right: on the left in the picture. x, y.
    pub right_eye: [f32; 2],
    /// x, y.
    pub left_eye: [f32; 2],
    /// Its middle. x, y.
    pub mouth: [f32; 2],
}

/// A descriptor's numbers; float32, or quantised as the file itself says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DescriptorOutput {
    /// `float32`, `int8` or `uint8`.
    pub dtype: String,
    /// Real value of one step, of quantised types.
    pub scale: Option<f32>,
    /// The integer that stands for 0, of quantised types.
    pub zero_point: Option<i32>,
    /// How many numbers.
    pub length: usize,
}

/// The sidecar of a net that describes a face.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DescriptorModel {
    /// What every sidecar says.
    #[serde(flatten)]
    pub header: Header,
    /// What comes out.
    pub output: DescriptorOutput,
    /// Descriptors of models that name the same space can be compared.
    pub space: String,
    /// How faces are turned and cut out.
    pub chip: ChipPoints,
}

fn labels<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Emotion>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let labels: Vec<Emotion> =
        names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect::<Result<_, _>>()?;
    match labels.iter().enumerate().find(|(i, label)| labels[..*i].contains(label)) {
        None => Ok(labels),
        Some((_, label)) => Err(serde::de::Error::custom(format!("label {label:?} stands twice"))),
    }
}

/// Where the sidecar of a model is.
pub fn path_of(model: &Path) -> PathBuf {
    model.with_extension("json")
}

/// Reads the sidecar beside `model` and compares its hash with the file's.
///
/// # Errors
/// When it cannot be read or understood, or is of another kind or another file.
pub fn read<T: serde::de::DeserializeOwned + AsRef<Header>>(
    model: &Path,
    kind: Kind,
) -> Result<T, SidecarError> {
    let path = path_of(model);
    let text =
        std::fs::read_to_string(&path).map_err(|source| SidecarError::Read { path: path.clone(), source })?;
    let unfit = |reason| mismatch(model, unfit(reason));
    // The kind first: a sidecar of another kind lacks fields, which would say less.
    let header: Header =
        serde_json::from_str(&text).map_err(|source| SidecarError::Parse { path: path.clone(), source })?;
    if header.kind != kind {
        return Err(unfit(format!("it describes a model of kind {:?} instead of {kind:?}", header.kind)));
    }
    let file =
        std::fs::read(model).map_err(|source| SidecarError::Read { path: model.to_owned(), source })?;
    let hash: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    if hash != header.sha256 {
        return Err(unfit(format!("sha256 is {hash}, the sidecar says {}", header.sha256)));
    }
    serde_json::from_str(&text).map_err(|source| SidecarError::Parse { path, source })
}

impl AsRef<Header> for EmotionModel {
    fn as_ref(&self) -> &Header {
        &self.header
    }
}

fn unfit(reason: String) -> Unfit {
    Unfit(reason)
}

impl AsRef<Header> for DetectorModel {
    fn as_ref(&self) -> &Header {
        &self.header
    }
}

impl AsRef<Header> for DescriptorModel {
    fn as_ref(&self) -> &Header {
        &self.header
    }
}

impl DescriptorModel {
    /// Compares with the model's own tensors.
    ///
    /// # Errors
    /// With what does not fit.
    pub fn check(&self, engine: &dyn Engine) -> Result<(), Unfit> {
        let input = &self.header.input;
        input.check(engine)?;
        if input.channels != 3 || input.width != input.height {
            return Err(unfit(format!(
                "a descriptor's input is a square of 3 channels, not {}x{} of {}",
                input.width, input.height, input.channels
            )));
        }
        let [tensor] = engine.outputs() else {
            return Err(unfit(format!("it has {} outputs instead of one", engine.outputs().len())));
        };
        let Self { output, chip, .. } = self;
        if tensor.elements() != output.length {
            return Err(unfit(format!(
                "the output has {} values, the sidecar says {}",
                tensor.elements(),
                output.length
            )));
        }
        let points = [chip.right_eye, chip.left_eye, chip.mouth];
        if !points.as_flattened().iter().all(|value| value.is_finite()) || points[0] == points[1] {
            return Err(unfit(format!("the chip's key points {points:?} are no face's")));
        }
        check_numbers("output", tensor, &output.dtype, output.scale, output.zero_point)
    }
}

impl DetectorModel {
    /// Compares with the model's own input; the outputs need anchors or cells.
    ///
    /// # Errors
    /// With what does not fit.
    pub fn check(&self, engine: &dyn Engine) -> Result<(), Unfit> {
        let input = &self.header.input;
        input.check(engine)?;
        let wanted = match self.heads {
            Heads::Anchors(_) => "float32",
            Heads::Cells(_) => "int8",
        };
        if input.dtype != wanted || input.channels != 3 {
            return Err(unfit(format!(
                "the input of such a detector is {wanted} of 3 channels, not {} of {}",
                input.dtype, input.channels
            )));
        }
        match &self.heads {
            Heads::Anchors(heads) if heads.anchors.iter().any(|layer| layer.stride == 0) => {
                Err(unfit("an anchor layer has stride 0".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl Input {
    /// Compares with the model's own input.
    ///
    /// # Errors
    /// With what does not fit.
    pub fn check(&self, engine: &dyn Engine) -> Result<(), Unfit> {
        let tensor = &engine.inputs()[0];
        let shape = [1, self.height as i32, self.width as i32, self.channels as i32];
        if tensor.shape != shape {
            return Err(unfit(format!("the input has shape {:?}, the sidecar says {shape:?}", tensor.shape)));
        }
        if !(self.channels == 1 || self.channels == 3) {
            return Err(unfit(format!("the input has {} channels instead of 1 or 3", self.channels)));
        }
        if !(self.std.is_normal() && self.mean.is_finite()) {
            return Err(unfit(format!("mean {} and std {} cannot be used", self.mean, self.std)));
        }
        check_numbers("input", tensor, &self.dtype, self.scale, self.zero_point)
    }
}

impl EmotionModel {
    /// Compares with the model's own tensors.
    ///
    /// # Errors
    /// With what does not fit.
    pub fn check(&self, engine: &dyn Engine) -> Result<(), Unfit> {
        self.header.input.check(engine)?;
        let [tensor] = engine.outputs() else {
            return Err(unfit(format!("it has {} outputs instead of one", engine.outputs().len())));
        };
        if tensor.elements() != self.labels.len() {
            return Err(unfit(format!(
                "the output has {} values, the sidecar {} labels",
                tensor.elements(),
                self.labels.len()
            )));
        }
        if !(self.temperature.is_normal() && self.temperature > 0.0) {
            return Err(unfit(format!("temperature {} is not above 0", self.temperature)));
        }
        if !(self.crop.scale.is_normal() && self.crop.scale > 0.0) {
            return Err(unfit(format!("crop.scale {} is not above 0", self.crop.scale)));
        }
        check_numbers("output", tensor, &self.output.dtype, self.output.scale, self.output.zero_point)
    }
}

fn check_numbers(
    what: &str,
    tensor: &TensorInfo,
    dtype: &str,
    scale: Option<f32>,
    zero_point: Option<i32>,
) -> Result<(), Unfit> {
    if tensor.dtype.name() != dtype {
        return Err(unfit(format!("the {what} is {}, the sidecar says {dtype}", tensor.dtype.name())));
    }
    if tensor.dtype == DType::Float32 {
        return Ok(());
    }
    let said = scale.zip(zero_point).map(|(scale, zero_point)| Quantization { scale, zero_point });
    let same = |a: Quantization, b: Quantization| {
        a.zero_point == b.zero_point && (a.scale - b.scale).abs() <= a.scale.abs() * 1e-5
    };
    match (tensor.quantization, said) {
        (Some(own), Some(said)) if same(own, said) => Ok(()),
        (own, said) => Err(unfit(format!(
            "the {what} is quantised with {}, the sidecar says {}",
            words(own),
            words(said)
        ))),
    }
}

fn words(quantization: Option<Quantization>) -> String {
    match quantization {
        Some(q) => format!("scale {} and zero point {}", q.scale, q.zero_point),
        None => "no scale and zero point".to_owned(),
    }
}
