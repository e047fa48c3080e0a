//! What goes into a model and comes out of it.

/// Element type of a tensor; the ones that this program feeds or reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// IEEE 754 binary32.
    Float32,
    /// -128 to 127, quantised.
    Int8,
    /// 0 to 255, quantised.
    UInt8,
    /// Any other, by its number in the TFLite schema.
    Other(i8),
}

impl DType {
    /// As sidecars have it.
    pub fn name(self) -> String {
        match self {
            Self::Float32 => "float32".to_owned(),
            Self::Int8 => "int8".to_owned(),
            Self::UInt8 => "uint8".to_owned(),
            Self::Other(code) => format!("type {code} of the TFLite schema"),
        }
    }

    /// Bytes an element; 0 for types that are not used.
    pub const fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Int8 | Self::UInt8 => 1,
            Self::Other(_) => 0,
        }
    }
}

/// `real = scale * (quantised - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// Real value of one step.
    pub scale: f32,
    /// The integer that stands for 0.
    pub zero_point: i32,
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// As the file has it.
    pub name: String,
    /// Of its elements.
    pub dtype: DType,
    /// Outermost dimension first; -1 where the model leaves it open.
    pub shape: Vec<i32>,
    /// How integers stand for real values; `None` for floats.
    pub quantization: Option<Quantization>,
}

impl TensorInfo {
    /// Number of elements; 0 when a dimension is open.
    pub fn elements(&self) -> usize {
        self.shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).product()
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.elements() * self.dtype.size()
    }
}

/// An output's bytes as the floats that they stand for.
pub fn dequantize(bytes: &[u8], info: &TensorInfo, out: &mut Vec<f32>) {
    out.clear();
    let Quantization { scale, zero_point } =
        info.quantization.unwrap_or(Quantization { scale: 1.0, zero_point: 0 });
    match info.dtype {
        DType::Float32 => {
            let (floats, _) = bytes.as_chunks::<4>();
            out.extend(floats.iter().map(|chunk| f32::from_ne_bytes(*chunk)));
        }
        DType::Int8 => {
            out.extend(bytes.iter().map(|&byte| scale * (i32::from(byte.cast_signed()) - zero_point) as f32));
        }
        DType::UInt8 | DType::Other(_) => {
            out.extend(bytes.iter().map(|&byte| scale * (i32::from(byte) - zero_point) as f32));
        }
    }
}
