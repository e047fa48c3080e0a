//! A descriptor net: a face is cut where its key points are, described as it is and mirrored.

use super::align;
use super::descriptor::Descriptor;
use crate::nets::engine::{self, Engine, EngineError};
use crate::nets::sidecar::{DescriptorModel, Unfit};
use crate::see::classify::{Encoder, crop};
use crate::vocabulary::emotion::Landmarks;
use crate::vocabulary::frame::Frame;

/// A face as the net sees it: `side` rows of as many pixels from the top, red, green, blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    pub side: u32,
    pub pixels: Vec<u8>,
}

impl Chip {
    fn mirrored(&self) -> Vec<u8> {
        let rows = self.pixels.chunks_exact(self.side as usize * 3);
        rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten()).copied().collect()
    }
}

/// A descriptor net and what its sidecar says of it; belongs to one thread.
pub struct DescriptorNet {
    engine: Box<dyn Engine>,
    model: DescriptorModel,
    encoder: Encoder,
    input: Vec<u8>,
    values: Vec<f32>,
}

impl DescriptorNet {
    /// # Errors
    /// When the sidecar does not describe the engine's model.
    pub fn new(engine: Box<dyn Engine>, model: DescriptorModel) -> Result<Self, Unfit> {
        model.check(engine.as_ref())?;
        let encoder = Encoder::new(&model.header.input, &engine.inputs()[0]);
        Ok(Self { engine, model, encoder, input: Vec::new(), values: Vec::new() })
    }

    /// The model's name and version.
    pub fn name(&self) -> String {
        format!("{} {}", self.model.header.name, self.model.header.version)
    }

    /// Which descriptors can be compared with this net's.
    pub fn space(&self) -> &str {
        &self.model.space
    }

    /// Side of a chip in pixels.
    pub fn side(&self) -> u32 {
        self.model.header.input.width
    }

    /// Numbers a descriptor.
    pub fn length(&self) -> usize {
        self.model.output.length
    }

    /// The face with these key points as the net sees it; `None` where they are no face's.
    pub fn chip(&self, frame: &Frame, points: &Landmarks) -> Option<Chip> {
        let square = align::square(points, &self.model.chip)?;
        let side = self.side();
        let mut pixels = Vec::new();
        crop::cut_square(frame, &square, (side, side), 3, &mut pixels);
        Some(Chip { side, pixels })
    }

    /// The mean of what the net says of the chip and of its mirror image, which is of the same person
    /// and has other errors.
    pub fn describe(&mut self, chip: &Chip) -> Result<Descriptor, EngineError> {
        let mut sum = vec![0.0; self.length()];
        let mirrored = chip.mirrored();
        for pixels in [&chip.pixels, &mirrored] {
            self.encoder.encode(pixels, &mut self.input);
            self.engine.run(&self.input)?;
            engine::dequantize(self.engine.output(0), &self.engine.outputs()[0], &mut self.values);
            sum.iter_mut().zip(&self.values).for_each(|(sum, value)| *sum += value / 2.0);
        }
        Descriptor::new(sum).ok_or_else(|| EngineError::Run {
            model: self.model.header.name.clone(),
            source: engine::Cause::NotFinite,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirroring_swaps_columns_not_colours() {
        let chip = Chip { side: 2, pixels: vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] };
        assert_eq!(chip.mirrored(), [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
    }
}
