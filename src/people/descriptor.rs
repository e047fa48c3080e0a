//! What a net says of a face.

/// What a net says of a face: near for photos of one person, far for those of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor(Box<[f32]>);

impl Descriptor {
    /// `None` where a value is not finite.
    pub fn new(values: impl Into<Box<[f32]>>) -> Option<Self> {
        let values = values.into();
        values.iter().all(|value| value.is_finite()).then_some(Self(values))
    }

    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Euclidean distance.
    ///
    /// # Panics
    /// When the lengths differ: a defect of the caller, who mixes two models.
    pub fn distance(&self, other: &Self) -> f32 {
        assert_eq!(self.0.len(), other.0.len(), "descriptors of two models");
        self.0.iter().zip(&other.0).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    }
}
