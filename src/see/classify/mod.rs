//! Telling a face's emotion: crop, normalise, quantise, run the net, softmax.

pub(crate) mod crop;

use crate::nets::engine::{self, DType, Engine, EngineError, TensorInfo};
use crate::nets::sidecar::{EmotionModel, Input, Unfit, Values};
use crate::vocabulary::emotion::{Detection, Emotion, Scores};
use crate::vocabulary::frame::Frame;

use crop::Square;

/// Far below the step of an int8 logit, and of any meaning.
const TIE_BREAK: f32 = 1e-4;

/// A face cut out: `height` rows of `width` pixels from the top, `channels` bytes a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceCrop {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// 1: grey, 3: red, green, blue.
    pub channels: usize,
    /// `width * height * channels` bytes, rows from the top.
    pub pixels: Vec<u8>,
}

/// An emotion net and what its sidecar says of it.
pub struct Classifier {
    engine: Box<dyn Engine>,
    model: EmotionModel,
    encoder: Encoder,
    pixels: Vec<u8>,
    input: Vec<u8>,
    logits: Vec<f32>,
}

impl Classifier {
    /// # Errors
    /// When the sidecar does not describe the engine's model.
    pub fn new(engine: Box<dyn Engine>, model: EmotionModel) -> Result<Self, Unfit> {
        model.check(engine.as_ref())?;
        let encoder = Encoder::new(&model.header.input, &engine.inputs()[0]);
        Ok(Self { engine, model, encoder, pixels: Vec::new(), input: Vec::new(), logits: Vec::new() })
    }

    /// Probabilities of a face found in `frame`.
    ///
    /// # Errors
    /// When the net fails.
    pub fn classify(&mut self, frame: &Frame, face: &Detection) -> Result<Scores, EngineError> {
        self.cut(frame, face);
        self.run()
    }

    /// Probabilities of a face that fills `frame`, as datasets of cut-out faces have it.
    ///
    /// # Errors
    /// When the net fails.
    pub fn classify_crop(&mut self, frame: &Frame) -> Result<Scores, EngineError> {
        let (size, channels) = self.size();
        crop::fit_whole(frame, size, channels, &mut self.pixels);
        self.run()
    }

    /// The face as the net sees it.
    pub fn crop(&mut self, frame: &Frame, face: &Detection) -> FaceCrop {
        self.cut(frame, face);
        let ((width, height), channels) = self.size();
        FaceCrop { width, height, channels, pixels: self.pixels.clone() }
    }

    /// The emotions that the model knows, in the order of its outputs.
    pub fn labels(&self) -> &[Emotion] {
        &self.model.labels
    }

    /// The model's name and version.
    pub fn name(&self) -> String {
        format!("{} {}", self.model.header.name, self.model.header.version)
    }

    /// What runs the model.
    pub fn delegate(&self) -> &str {
        self.engine.delegate()
    }

    fn size(&self) -> ((u32, u32), usize) {
        let input = &self.model.header.input;
        ((input.width, input.height), input.channels as usize)
    }

    fn cut(&mut self, frame: &Frame, face: &Detection) {
        let (size, channels) = self.size();
        let square = Square::of_face(face, &self.model.crop);
        crop::cut_square(frame, &square, size, channels, &mut self.pixels);
    }

    fn run(&mut self) -> Result<Scores, EngineError> {
        self.encoder.encode(&self.pixels, &mut self.input);
        self.engine.run(&self.input)?;
        engine::dequantize(self.engine.output(0), &self.engine.outputs()[0], &mut self.logits);
        if self.model.output.values == Values::Probabilities {
            // So that the temperature means the same: softmax(ln p / 1) is p.
            self.logits.iter_mut().for_each(|value| *value = value.max(1e-6).ln());
        }
        // Int8 logits are often equal (1.3 % of FER2013's faces): the label that the model names first
        // wins, which in our models is the more frequent one.
        for (rank, value) in self.logits.iter_mut().enumerate() {
            *value -= rank as f32 * TIE_BREAK;
        }
        softmax(&mut self.logits, self.model.temperature);
        Ok(Scores::from_pairs(self.model.labels.iter().copied().zip(self.logits.iter().copied())))
    }
}

/// Pixel values as the bytes that the input tensor wants.
pub struct Encoder {
    table: [[u8; 4]; 256],
    width: usize,
}

impl Encoder {
    /// For an input that `Input::check` has found to fit `tensor`.
    pub fn new(input: &Input, tensor: &TensorInfo) -> Self {
        let quantization = tensor.quantization.unwrap_or(engine::Quantization { scale: 1.0, zero_point: 0 });
        let table = std::array::from_fn(|pixel| {
            let real = (pixel as f32 - input.mean) / input.std;
            let quantised = (real / quantization.scale).round() as i32 + quantization.zero_point;
            match tensor.dtype {
                DType::Float32 => real.to_ne_bytes(),
                DType::Int8 => [(quantised.clamp(-128, 127) as i8).cast_unsigned(), 0, 0, 0],
                DType::UInt8 | DType::Other(_) => [quantised.clamp(0, 255) as u8, 0, 0, 0],
            }
        });
        Self { table, width: tensor.dtype.size() }
    }

    /// Replaces `out` by the encoded `pixels`.
    pub fn encode(&self, pixels: &[u8], out: &mut Vec<u8>) {
        out.clear();
        for &pixel in pixels {
            out.extend_from_slice(&self.table[usize::from(pixel)][..self.width]);
        }
    }
}

/// exp(x / temperature), scaled to a sum of 1.
fn softmax(values: &mut [f32], temperature: f32) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|value| *value = ((*value - largest) / temperature).exp());
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::engine::Quantization;

    fn input(mean: f32, std: f32) -> Input {
        Input {
            width: 1,
            height: 1,
            channels: 1,
            dtype: "int8".to_owned(),
            scale: None,
            zero_point: None,
            mean,
            std,
        }
    }

    fn tensor(dtype: DType, quantization: Option<Quantization>) -> TensorInfo {
        TensorInfo { name: "input".to_owned(), dtype, shape: vec![1, 1, 1, 1], quantization }
    }

    #[test]
    fn pixels_are_normalised_then_quantised() {
        let int8 = tensor(DType::Int8, Some(Quantization { scale: 1.0 / 255.0, zero_point: -128 }));
        let mut out = Vec::new();
        Encoder::new(&input(0.0, 255.0), &int8).encode(&[0, 1, 128, 255], &mut out);
        assert_eq!(out, [-128i8, -127, 0, 127].map(i8::cast_unsigned));

        let float = tensor(DType::Float32, None);
        Encoder::new(&input(127.5, 127.5), &float).encode(&[255], &mut out);
        assert_eq!(out, 1.0f32.to_ne_bytes());
    }

    #[test]
    fn softmax_of_known_values() {
        let mut values = [2.0, 0.0, -2.0];
        softmax(&mut values, 2.0);
        // e / (e + 1 + 1/e), 1 / (…), (1/e) / (…)
        let expected = [0.665_241, 0.244_728, 0.090_031];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-5, "{values:?}");
        }
    }
}
