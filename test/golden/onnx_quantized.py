"""The tiny DistilBERT of onnx_transformers.py as the hub keeps models under onnx/: float16, 8 bits and 4 bits.

Run: python test/golden/onnx_quantized.py   (writes test/golden/onnx_quantized/*.onnx)

model_fp16: float16 inside, float32 outside. model_quantized: DynamicQuantizeLinear and MatMulInteger, as by optimum's and
transformers.js's scripts. model_q4, model_q4_zeros: MatMulNBits without and with zero points. ONNX Runtime's own tools make
them; the test compares with what ONNX Runtime computes.
"""

import json
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16

here = Path(__file__).parent
source = here / "onnx_transformers" / "distilbert-torchscript.onnx"
out = here / "onnx_quantized"
out.mkdir(exist_ok=True)

onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), out / "model_fp16.onnx")
quantize_dynamic(source, out / "model_quantized.onnx", weight_type=QuantType.QUInt8)
for name, symmetric in [("model_q4", True), ("model_q4_zeros", False)]:
    quantizer = MatMulNBitsQuantizer(onnx.load(source), bits=4, block_size=16, is_symmetric=symmetric)
    quantizer.process()
    quantizer.model.save_model_to_file(str(out / f"{name}.onnx"))
versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
(out / "versions.json").write_text(json.dumps(versions) + "\n")
