"""Writes edgetpu.tflite: a graph of a single node, which looks to the daemon as what Coral's compiler makes.

    python3 edgetpu.py edgetpu.tflite        (needs ai-edge-litert 2.3.0 and flatbuffers)
"""

import sys

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def tensor(name, shape):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, schema.TensorType.INT8, 0
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = [1.0], [0]
    return made


code = schema.OperatorCodeT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
code.customCode, code.version = "edgetpu-custom-op", 1
node = schema.OperatorT()
node.opcodeIndex, node.inputs, node.outputs = 0, [0], [1]
graph = schema.SubGraphT()
graph.tensors = [tensor("faces", [1, 48, 48, 1]), tensor("logits", [1, 8])]
graph.inputs, graph.outputs, graph.operators, graph.name = [0], [1], [node], "main"
model = schema.ModelT()
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
model.description = "compiled for an Edge TPU, by name only"
builder = flatbuffers.Builder(0)
builder.Finish(model.Pack(builder), b"TFL3")
with open(sys.argv[1], "wb") as file:
    file.write(builder.Output())
