//! What the runtime does not tell of a model: tensor names, quantisation and custom operators, read
//! from the `.tflite` file itself. A bounds-checked walk over the few tables that are needed; field
//! numbers are those of TensorFlow's `schema.fbs` (version 3).

use super::error::{Cause, FormatError};
use super::tensor::{DType, Quantization, TensorInfo};

/// What a model file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    pub inputs: Vec<TensorInfo>,
    pub outputs: Vec<TensorInfo>,
    /// Number of nodes in the graph.
    pub nodes: usize,
    /// Names of custom operators, such as `edgetpu-custom-op`.
    pub custom_operators: Vec<String>,
}

impl ModelInfo {
    /// Whether `edgetpu_compiler` made it: this operator stands for what it compiled.
    pub fn is_for_edgetpu(&self) -> bool {
        self.custom_operators.iter().any(|name| name == "edgetpu-custom-op")
    }
}

/// Reads the first subgraph's inputs and outputs and the operator list.
pub fn model_info(file: &[u8]) -> Result<ModelInfo, FormatError> {
    if file.get(4..8) != Some(b"TFL3") {
        return Err(FormatError::NotTflite);
    }
    read_model(file).ok_or(FormatError::Damaged)
}

fn read_model(file: &[u8]) -> Option<ModelInfo> {
    let model = Table::root(file)?;
    let subgraph = model.vector(2)?.table(0)?;
    let tensors = subgraph.vector(0)?;
    let describe = |field| -> Option<Vec<TensorInfo>> {
        let indices = subgraph.vector(field)?;
        (0..indices.len).map(|i| tensor(tensors.table(usize::try_from(indices.i32(i)?).ok()?)?)).collect()
    };
    let codes = model.vector(1)?;
    let custom_operators = (0..codes.len)
        .map(|i| Some(codes.table(i)?.string(1)))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let nodes = subgraph.vector(3).map_or(0, |operators| operators.len);
    Some(ModelInfo { inputs: describe(1)?, outputs: describe(2)?, nodes, custom_operators })
}

fn tensor(table: Table<'_>) -> Option<TensorInfo> {
    let shape = match table.vector(7).or_else(|| table.vector(0)) {
        Some(shape) => (0..shape.len).map(|i| shape.i32(i)).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    let dtype = match table.field(1).map_or(Some(0), |at| table.file.get(at).copied())? {
        0 => DType::Float32,
        3 => DType::UInt8,
        9 => DType::Int8,
        code => DType::Other(code.cast_signed()),
    };
    let quantization = table.table(4).and_then(|parameters| {
        let scales = parameters.vector(2).filter(|scales| scales.len == 1)?;
        let zero_points = parameters.vector(3).filter(|points| points.len == 1)?;
        Some(Quantization {
            scale: f32::from_le_bytes(read(parameters.file, scales.start)?),
            zero_point: i32::try_from(i64::from_le_bytes(read(parameters.file, zero_points.start)?)).ok()?,
        })
    });
    Some(TensorInfo { name: table.string(3).unwrap_or_default(), dtype, shape, quantization })
}

fn read<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The position that the unsigned offset at `at` points to.
fn follow(file: &[u8], at: usize) -> Option<usize> {
    at.checked_add(u32::from_le_bytes(read(file, at)?) as usize)
}

#[derive(Clone, Copy)]
struct Table<'a> {
    file: &'a [u8],
    start: usize,
}

impl<'a> Table<'a> {
    fn root(file: &'a [u8]) -> Option<Self> {
        Some(Self { file, start: follow(file, 0)? })
    }

    /// Position of a field's value; `None` when it is absent.
    fn field(self, number: usize) -> Option<usize> {
        let back = i32::from_le_bytes(read(self.file, self.start)?);
        let vtable = usize::try_from(i64::try_from(self.start).ok()? - i64::from(back)).ok()?;
        let size = usize::from(u16::from_le_bytes(read(self.file, vtable)?));
        let entry = 4 + 2 * number;
        if entry + 2 > size {
            return None;
        }
        match u16::from_le_bytes(read(self.file, vtable + entry)?) {
            0 => None,
            offset => Some(self.start + usize::from(offset)),
        }
    }

    fn table(self, number: usize) -> Option<Self> {
        Some(Self { file: self.file, start: follow(self.file, self.field(number)?)? })
    }

    fn vector(self, number: usize) -> Option<Vector<'a>> {
        let at = follow(self.file, self.field(number)?)?;
        let len = u32::from_le_bytes(read(self.file, at)?) as usize;
        // Every element takes at least a byte: a greater length is damage, not a reason to allocate.
        (len <= self.file.len()).then_some(Vector { file: self.file, start: at + 4, len })
    }

    fn string(self, number: usize) -> Option<String> {
        let bytes = self.vector(number)?;
        let text = self.file.get(bytes.start..bytes.start.checked_add(bytes.len)?)?;
        String::from_utf8(text.to_vec()).ok()
    }
}

struct Vector<'a> {
    file: &'a [u8],
    start: usize,
    len: usize,
}

impl<'a> Vector<'a> {
    fn i32(&self, index: usize) -> Option<i32> {
        Some(i32::from_le_bytes(read(self.file, self.start + 4 * index)?))
    }

    fn table(&self, index: usize) -> Option<Table<'a>> {
        let at = (index < self.len).then_some(self.start + 4 * index)?;
        Some(Table { file: self.file, start: follow(self.file, at)? })
    }
}

/// One input, and every dimension and type known.
pub(super) fn check_shapes(info: &ModelInfo) -> Result<(), Cause> {
    if info.inputs.len() != 1 || info.outputs.is_empty() {
        return Err(Cause::Arity { inputs: info.inputs.len(), outputs: info.outputs.len() });
    }
    for tensor in info.inputs.iter().chain(&info.outputs) {
        if tensor.elements() == 0 {
            return Err(Cause::OpenShape { tensor: tensor.name.clone(), shape: tensor.shape.clone() });
        }
        if let DType::Other(_) = tensor.dtype {
            return Err(Cause::Type { tensor: tensor.name.clone(), dtype: tensor.dtype.name() });
        }
    }
    Ok(())
}

/// `input` has the size of the model's only input.
pub(super) fn check_length(info: &ModelInfo, input: &[u8]) -> Result<(), Cause> {
    let (found, expected) = (input.len(), info.inputs[0].bytes());
    if found == expected { Ok(()) } else { Err(Cause::Length { found, expected }) }
}
