//! Models on LiteRT, TFLite's official runtime, through its `CompiledModel` interface.
#![expect(unsafe_code, reason = "LiteRT's C interface")]

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::base::mutex::lock;

use edgefirst_tflite::Library;
use edgefirst_tflite::litert::{
    CompiledModel, Environment, HwAccelerators, Model, Options, RankedTensorType, TensorBuffer, accelerators,
};
use libloading::os::unix::{Library as SharedObject, RTLD_GLOBAL, RTLD_NOW};

use super::error::{Cause, EngineError};
use super::flatbuffer::{self, ModelInfo, check_shapes};
use super::loaded::{Loaded, Run};
use super::quiet::quietly;

/// The runtime library. Opened once and never closed: LiteRT crashes when it is unloaded at exit,
/// which is why it and its environment are leaked.
#[derive(Clone, Copy, Debug)]
pub struct Runtime {
    library: &'static Library,
    environment: &'static Environment<'static>,
    hardware: HwAccelerators,
}

/// The runtimes opened so far, one in practice.
static OPENED: Mutex<Vec<(PathBuf, Runtime)>> = Mutex::new(Vec::new());

impl Runtime {
    /// Opens the library at `path`, or answers the one that is open already.
    ///
    /// # Errors
    /// When the library cannot be loaded.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let mut opened = lock(&OPENED);
        if let Some((_, runtime)) = opened.iter().find(|(known, _)| known == path) {
            return Ok(*runtime);
        }
        let failed = |error: edgefirst_tflite::Error| EngineError::Runtime {
            path: path.to_owned(),
            source: error.into(),
        };
        let library: &'static Library = Box::leak(Box::new(Library::from_path(path).map_err(failed)?));
        silence(library);
        let environment = Box::leak(Box::new(Environment::new(library).map_err(failed)?));
        let runtime = Self { library, environment, hardware: HwAccelerators::CPU };
        opened.push((path.to_owned(), runtime));
        Ok(runtime)
    }

    /// The same runtime with its accelerator for GPUs, the library `libLiteRtWebGpuAccelerator.so` at
    /// `accelerator`, which stays open, too.
    ///
    /// # Errors
    /// [`EngineError::Delegate`] when the accelerator cannot be loaded or finds no GPU.
    pub fn with_gpu(self, accelerator: &Path) -> Result<Self, EngineError> {
        static WITH_GPU: Mutex<Option<Runtime>> = Mutex::new(None);
        let refused = |source: Cause| EngineError::Delegate { delegate: "gpu".to_owned(), source };
        let mut opened = lock(&WITH_GPU);
        if let Some(runtime) = *opened {
            return Ok(runtime);
        }
        // A new environment looks for it by its bare name, which is then known already.
        // SAFETY: LiteRT's own library; what it does when it is loaded is what LiteRT would cause.
        let object = unsafe { SharedObject::open(Some(accelerator), RTLD_NOW | RTLD_GLOBAL) };
        std::mem::forget(object.map_err(|error| refused(Cause::Accelerator(error)))?);
        let environment = Environment::new(self.library).map_err(|error| refused(error.into()))?;
        let known = accelerators(&environment).map_err(|error| refused(error.into()))?;
        if !known.iter().any(|known| known.hardware.contains(HwAccelerators::GPU)) {
            return Err(refused(Cause::NotTaken));
        }
        let environment = Box::leak(Box::new(environment));
        let runtime = Self { environment, hardware: HwAccelerators::GPU, ..self };
        *opened = Some(runtime);
        Ok(runtime)
    }
}

/// Leaves only LiteRT's errors on standard error; it would list every accelerator that it lacks. The
/// severity is the process's, but can be set only as an option of an environment, which the crate
/// creates without options: a first environment sets it.
fn silence(library: &Library) {
    /// `LiteRtEnvOptionTag::kLiteRtEnvOptionTagMinLoggerSeverity`, `litert_environment_options.h`.
    const MIN_LOGGER_SEVERITY: u32 = 25;
    /// `LiteRtAnyType::kLiteRtAnyTypeInt`, `litert_any.h`.
    const INT: u32 = 2;
    /// `LiteRtLogSeverity`, `litert_logging.h`.
    const ERROR: i64 = 3;

    let Some(functions) = library.litert() else { return };
    // SAFETY: a plain C struct of numbers and pointers, for which zeros are valid.
    let mut option: edgefirst_tflite_sys::litert::EnvOption = unsafe { std::mem::zeroed() };
    option.tag = MIN_LOGGER_SEVERITY;
    option.value.type_ = INT;
    option.value.__bindgen_anon_1.int_value = ERROR;
    let mut environment = std::ptr::null_mut();
    // SAFETY: one option and a valid place for the handle; the handle is destroyed once, unused.
    unsafe {
        if (functions.create_environment)(1, &raw const option, &raw mut environment) == 0 {
            (functions.destroy_environment)(environment);
        }
    }
}

/// A model compiled for the CPU (XNNPACK inside) or the GPU.
pub struct LiteRt {
    loaded: Loaded,
    compiled: CompiledModel<'static>,
    inputs: Vec<TensorBuffer<'static>>,
    outputs: Vec<TensorBuffer<'static>>,
}

impl LiteRt {
    /// Loads and compiles the model at `path`. The file's content stays in memory for the life of
    /// the process, because compiled model, model and environment borrow from each other.
    ///
    /// # Errors
    /// When the file cannot be read, is no TFLite model, leaves a dimension open, has no or several
    /// inputs, or uses operators or types that the runtime does not know.
    pub fn load(runtime: Runtime, path: &Path) -> Result<Self, EngineError> {
        let unusable = |source: Cause| EngineError::Model { path: path.to_owned(), source };
        let file =
            std::fs::read(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })?;
        let info = flatbuffer::model_info(&file).map_err(|error| unusable(error.into()))?;
        check_shapes(&info).map_err(unusable)?;
        // The runtime would say so only when it is run.
        if info.is_for_edgetpu() {
            return Err(unusable(Cause::ForEdgeTpu));
        }

        let failed = |error: edgefirst_tflite::Error| unusable(error.into());
        let model: &'static Model<'static> =
            Box::leak(Box::new(Model::from_buffer(runtime.environment, file).map_err(failed)?));
        let options = Options::new(runtime.library)
            .and_then(|options| options.hardware_accelerators(runtime.hardware))
            .map_err(failed)?;
        compare(model, &info).map_err(unusable)?;
        let compiled =
            quietly(|| CompiledModel::create(runtime.environment, model, &options)).map_err(|error| {
                match runtime.hardware {
                    HwAccelerators::GPU => EngineError::Delegate {
                        delegate: "gpu".to_owned(),
                        source: Cause::Runtime {
                            source: error,
                            remedy: " (is there a GPU with a Vulkan driver?)",
                        },
                    },
                    _ => failed(error),
                }
            })?;
        let delegate = match (runtime.hardware, compiled.is_fully_accelerated()) {
            (HwAccelerators::GPU, Ok(true)) => format!("gpu ({0} of {0} nodes)", info.nodes),
            // The runtime does not tell how many.
            (HwAccelerators::GPU, _) => format!("gpu (some of {} nodes)", info.nodes),
            _ => "cpu".to_owned(),
        };
        let inputs = vec![compiled.create_input_buffer(0, 0).map_err(failed)?];
        let outputs = (0..info.outputs.len())
            .map(|index| compiled.create_output_buffer(0, index))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        Ok(Self { loaded: Loaded::new(path, delegate, info), compiled, inputs, outputs })
    }

    /// Says, too, what it does not run on.
    pub fn instead_of(mut self, delegate: &str) -> Self {
        self.loaded.delegate = format!("cpu (instead of {delegate})");
        self
    }
}

impl Run for LiteRt {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn run_once(&mut self, input: &[u8]) -> Result<(), edgefirst_tflite::Error> {
        self.inputs[0].write_bytes(input)?;
        self.compiled.run_default(&mut self.inputs, &mut self.outputs)?;
        for (buffer, result) in self.outputs.iter_mut().zip(&mut self.loaded.results) {
            buffer.read_bytes_into(result)?;
        }
        Ok(())
    }
}

/// Makes sure that the runtime sees the tensors in the order and shape in which they were read from
/// the file: a signature may list them in another.
fn compare(model: &Model<'_>, info: &ModelInfo) -> Result<(), Cause> {
    let shape = |kind: RankedTensorType| {
        let rank = (kind.layout.rank() as usize).min(kind.layout.dimensions.len());
        kind.layout.dimensions[..rank].to_vec()
    };
    let mut seen = vec![(&info.inputs[0], shape(model.input_tensor_type(0, 0)?))];
    for (index, tensor) in info.outputs.iter().enumerate() {
        seen.push((tensor, shape(model.output_tensor_type(0, index)?)));
    }
    match seen.iter().find(|(tensor, shape)| tensor.shape != *shape) {
        None => Ok(()),
        Some((tensor, shape)) => Err(Cause::OtherShape {
            tensor: tensor.name.clone(),
            file: tensor.shape.clone(),
            signature: shape.clone(),
        }),
    }
}
