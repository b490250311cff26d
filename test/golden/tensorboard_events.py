"""Reference bytes for src/train/records/tensorboard-events.ts, made with TensorBoard's own messages and record writer.

Run: python test/golden/tensorboard_events.py   (pip install tensorboard pillow)
"""
import base64
import io
import json
import pathlib

import tensorboard.version
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c
from tensorboard.summary.writer.record_writer import RecordWriter

buffer = io.BytesIO()
Image.new("RGBA", (3, 2), (10, 200, 30, 255)).save(buffer, "png")
png = buffer.getvalue()

text = summary_pb2.Summary.Value(
    tag="note",
    metadata=summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"), data_class=2
    ),
    tensor=tensor_pb2.TensorProto(
        dtype=7,
        string_val=["**grün**".encode()],
        tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)]),
    ),
)
image = summary_pb2.Summary.Value(
    tag="picture", image=summary_pb2.Summary.Image(height=2, width=3, colorspace=4, encoded_image_string=png)
)
summary = lambda value: summary_pb2.Summary(value=[value])
events = [
    event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1700000001, step=70, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
    event_pb2.Event(wall_time=1700000002, step=1, summary=summary(summary_pb2.Summary.Value(tag="loss/train", simple_value=0.1))),
    event_pb2.Event(wall_time=1700000003, step=0, summary=summary(summary_pb2.Summary.Value(tag="zero", simple_value=0.0))),
    event_pb2.Event(wall_time=1700000004, step=2**40, summary=summary(summary_pb2.Summary.Value(tag="nan", simple_value=float("nan")))),
    event_pb2.Event(wall_time=1700000005, step=300, summary=summary(text)),
    event_pb2.Event(wall_time=1700000006, step=5, summary=summary(image)),
]
records = []
for event in events:
    out = io.BytesIO()
    out.close = lambda: None
    RecordWriter(out).write(event.SerializeToString(deterministic=True))
    records.append(base64.b64encode(out.getvalue()).decode())

path = pathlib.Path(__file__).parent / "tensorboard_events.json"
path.write_text(
    json.dumps(
        {
            "versions": {"tensorboard": tensorboard.version.VERSION},
            "png": base64.b64encode(png).decode(),
            "crc32c": {s: crc32c(s.encode()) for s in ("", "123456789", "gradus")},
            "records": records,
        },
        indent=1,
    )
    + "\n"
)
