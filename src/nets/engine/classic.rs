//! Models on the classic TFLite library, which knows external delegates: Coral's and any other shared
//! library with `tflite_plugin_create_delegate`. LiteRT has no place for those.
#![expect(unsafe_code, reason = "the classic library's C interface")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::base::mutex::lock;

use edgefirst_tflite::{Delegate, DelegateOptions, Interpreter, Library, Model};
use edgefirst_tflite_sys::{TfLiteContext, TfLiteDelegate, TfLiteStatus, TfLiteStatus_kTfLiteError};

use super::error::{Cause, EngineError};
use super::flatbuffer::{self, check_shapes};
use super::loaded::{Loaded, Run};

/// Coral's runtime, as its package `libedgetpu1-std` installs it.
const EDGETPU_LIBRARY: &str = "libedgetpu.so.1";

/// Which external delegate is wanted, and how.
#[derive(Clone, Debug)]
pub struct External {
    /// `None`: Coral's.
    pub library: Option<PathBuf>,
    /// Keys and values that the delegate knows.
    pub options: Vec<(String, String)>,
    /// Of what it leaves to the CPU; 0: the library's default.
    pub threads: u32,
}

impl External {
    fn name(&self) -> String {
        self.library.as_ref().map_or_else(|| "edgetpu".to_owned(), |path| path.display().to_string())
    }
}

/// The libraries opened so far, one in practice. They are never closed, as LiteRT is not.
static OPENED: Mutex<Vec<(Option<PathBuf>, &Library)>> = Mutex::new(Vec::new());

/// Opens the classic library at `path`, or where the system has one.
///
/// # Errors
/// [`Cause::Library`] and [`Cause::NoLibrary`].
fn open(path: Option<&Path>) -> Result<&'static Library, Cause> {
    let mut opened = lock(&OPENED);
    if let Some((_, library)) = opened.iter().find(|(known, _)| known.as_deref() == path) {
        return Ok(library);
    }
    let library = match path {
        Some(path) => {
            Library::from_path(path).map_err(|source| Cause::Library { path: path.to_owned(), source })?
        }
        None => Library::new().map_err(Cause::NoLibrary)?,
    };
    let library: &'static Library = Box::leak(Box::new(library));
    opened.push((path.map(Path::to_owned), library));
    Ok(library)
}

/// A model of which a delegate runs a part.
pub struct Classic {
    loaded: Loaded,
    interpreter: Interpreter<'static>,
}

impl Classic {
    /// Loads the model at `path` and hands it to the delegate. `library`: the classic TFLite library;
    /// `None`: the system's. Library and model stay in memory for the life of the process.
    ///
    /// # Errors
    /// As [`LiteRt::load`](super::litert::LiteRt::load), and [`EngineError::Delegate`] when a library
    /// cannot be loaded or the delegate refuses the model or takes nothing of it.
    pub fn load(library: Option<&Path>, external: &External, path: &Path) -> Result<Self, EngineError> {
        let unusable = |source: Cause| EngineError::Model { path: path.to_owned(), source };
        let refused = |source: Cause| EngineError::Delegate { delegate: external.name(), source };
        let file =
            std::fs::read(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })?;
        let info = flatbuffer::model_info(&file).map_err(|error| unusable(error.into()))?;
        check_shapes(&info).map_err(unusable)?;
        if external.library.is_none() && !info.is_for_edgetpu() {
            return Err(refused(Cause::NotCompiled(path.to_owned())));
        }
        let library = open(library).map_err(refused)?;
        let delegate = load_delegate(external).map_err(refused)?;
        let model = Model::from_bytes(library, file).map_err(|error| unusable(error.into()))?;
        let (interpreter, seen) = build(library, &model, delegate, external.threads).map_err(refused)?;
        let delegate = format!("{} ({seen})", external.name());
        let engine = Self { loaded: Loaded::new(path, delegate, info), interpreter };
        engine.compare().map_err(unusable)?;
        // The interpreter reads the model's weights where they are.
        std::mem::forget(model);
        Ok(engine)
    }

    /// Makes sure that the library sees the tensors as they were read from the file.
    fn compare(&self) -> Result<(), Cause> {
        let inputs = self.interpreter.inputs()?;
        let outputs = self.interpreter.outputs()?;
        let read = self.loaded.info.inputs.iter().chain(&self.loaded.info.outputs);
        match inputs.iter().chain(&outputs).zip(read).find(|(own, info)| own.byte_size() != info.bytes()) {
            None => Ok(()),
            Some((own, info)) => Err(Cause::OtherSize {
                tensor: info.name.clone(),
                file: info.bytes(),
                library: own.byte_size(),
            }),
        }
    }
}

impl Run for Classic {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn run_once(&mut self, input: &[u8]) -> Result<(), edgefirst_tflite::Error> {
        for tensor in &mut self.interpreter.inputs_mut()? {
            tensor.copy_from_bytes(input)?;
        }
        self.interpreter.invoke()?;
        for (tensor, result) in self.interpreter.outputs()?.iter().zip(&mut self.loaded.results) {
            result.copy_from_slice(tensor.as_bytes()?);
        }
        Ok(())
    }
}

fn load_delegate(external: &External) -> Result<Delegate, Cause> {
    let options = external
        .options
        .iter()
        .fold(DelegateOptions::new(), |options, (key, value)| options.option(key.as_str(), value.as_str()));
    let library = external.library.as_deref().unwrap_or(Path::new(EDGETPU_LIBRARY));
    Delegate::load_with_options(library, &options).map_err(|source| {
        let remedy = match (&external.library, source.is_library_error()) {
            (None, true) => " (apt install libedgetpu1-std)",
            (None, false) => " (is the accelerator connected, and the user in group plugdev?)",
            (Some(_), _) => "",
        };
        Cause::Runtime { source, remedy }
    })
}

/// How much of a graph a delegate took.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    taken: usize,
    nodes: usize,
    /// The first that was none of success.
    refusal: Option<TfLiteStatus>,
    asked: bool,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.asked {
            write!(f, "{} of {} nodes", self.taken, self.nodes)
        } else {
            f.write_str("unknown number of nodes")
        }
    }
}

type Prepare = unsafe extern "C" fn(*mut TfLiteContext, *mut TfLiteDelegate) -> TfLiteStatus;

thread_local! {
    /// What the delegate that is being applied on this thread does to take nodes, and what it took.
    static WATCHED: Cell<(Option<Prepare>, Seen)> = const { Cell::new((None, Seen {
        taken: 0, nodes: 0, refusal: None, asked: false
    })) };
}

/// Builds the interpreter and finds out what the delegate takes, of which the C interface says nothing:
/// the delegate's function that takes nodes is replaced, meanwhile, by one that compares the graph
/// before and after. Delegates for the stable ABI have no such function; theirs is not found out.
fn build(
    library: &'static Library,
    model: &Model<'static>,
    delegate: Delegate,
    threads: u32,
) -> Result<(Interpreter<'static>, Seen), Cause> {
    let raw = delegate.as_ptr();
    // SAFETY: the delegate's plugin made this structure (`TfLiteDelegate` of core/c/common.h) and gave
    // it to us; nobody else uses it before the interpreter is built, on this thread.
    let original = unsafe { (*raw).Prepare };
    WATCHED.set((original, Seen::default()));
    if original.is_some() {
        // SAFETY: as above.
        unsafe { (*raw).Prepare = Some(prepare) };
    }
    let builder = Interpreter::builder(library)?;
    let builder = if threads == 0 { builder } else { builder.num_threads(threads.cast_signed()) };
    let built = builder.delegate(delegate).build(model);
    let (_, seen) = WATCHED.replace((None, Seen::default()));
    match (built, seen) {
        (_, Seen { refusal: Some(status), .. }) => Err(Cause::Refused(status)),
        (Err(error), _) => Err(error.into()),
        (Ok(_), Seen { asked: true, taken: 0, nodes, .. }) => Err(Cause::TookNothing(nodes)),
        (Ok(interpreter), seen) => {
            // SAFETY: the interpreter owns the delegate and is not running.
            unsafe { (*raw).Prepare = original };
            Ok((interpreter, seen))
        }
    }
}

/// In the place of the delegate's own `Prepare`; called once for each subgraph.
unsafe extern "C" fn prepare(context: *mut TfLiteContext, delegate: *mut TfLiteDelegate) -> TfLiteStatus {
    let (original, mut seen) = WATCHED.get();
    let Some(original) = original else { return TfLiteStatus_kTfLiteError };
    // SAFETY: the library calls this with a valid context and the delegate that is being applied, and
    // the delegate's own function expects the same.
    let (before, status, after) = unsafe { (nodes(context), original(context, delegate), nodes(context)) };
    seen.asked = true;
    seen.nodes += before.len();
    seen.taken += before.iter().filter(|node| !after.contains(node)).count();
    if status != 0 && seen.refusal.is_none() {
        seen.refusal = Some(status);
    }
    WATCHED.set((Some(original), seen));
    status
}

/// The nodes that the graph is run in now; those that a delegate took are replaced by others.
///
/// # Safety
/// `context` must be valid, and the graph's own: within a delegate's `Prepare`.
unsafe fn nodes(context: *mut TfLiteContext) -> Vec<i32> {
    let mut plan = std::ptr::null_mut();
    // SAFETY: the context is valid; the library keeps the list until the next call of this function.
    unsafe {
        let Some(get) = (*context).GetExecutionPlan else { return Vec::new() };
        if get(context, &raw mut plan) != 0 || plan.is_null() {
            return Vec::new();
        }
        let count = usize::try_from((*plan).size).unwrap_or(0);
        std::slice::from_raw_parts((&raw const (*plan).data).cast::<i32>(), count).to_vec()
    }
}
