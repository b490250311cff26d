"""Checks that TensorBoard reads event files written by Gradus.

Run: npx tsx -C gradus-source test/interop/write_tensorboard.ts /tmp/run && python test/interop/read_tensorboard.py /tmp/run
"""
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
run.Reload()
tags = run.Tags()
assert tags["scalars"] == ["loss/train"], tags
assert tags["images"] == ["picture"], tags
assert tags["tensors"] == ["note"], tags
points = [(e.step, round(e.value, 6)) for e in run.Scalars("loss/train")]
# Steps 50 to 99 of the first file are hidden by the second, which resumed after step 49.
assert points == [(s, 1.0 if s < 50 else 0.5) for s in range(120)], points
image = run.Images("picture")[0]
assert (image.width, image.height) == (3, 2) and image.encoded_image_string[1:4] == b"PNG", image
assert run.Tensors("note")[0].tensor_proto.string_val[0].decode() == "**grün**"
print(f"{len(points)} points, one image, one text agree")
