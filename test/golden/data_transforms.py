"""Golden values of image transforms, made with torchvision v2's functional API on tensors.

Run: python test/golden/data_transforms.py  (writes data_transforms.json beside itself)
"""
import json
import pathlib

import torch
import torchvision
from torchvision.transforms import InterpolationMode as I
from torchvision.transforms.v2 import functional as F

SEED = 20
g = torch.Generator().manual_seed(SEED)
rgb = torch.randint(0, 256, (3, 7, 9), generator=g, dtype=torch.uint8)
grey = torch.randint(0, 256, (1, 6, 5), generator=g, dtype=torch.uint8)
rgbf = rgb.to(torch.float32) / 255


def pack(t):
    return {"dtype": str(t.dtype).replace("torch.", ""), "shape": list(t.shape), "data": [round(float(v), 7) for v in t.flatten()]}


cases = []


def case(op, image, name, args, out):
    cases.append({"op": op, "image": name, "args": args, "out": pack(out)})


images = {"rgb": rgb, "grey": grey, "rgbf": rgbf}
modes = {"bilinear": I.BILINEAR, "nearest": I.NEAREST, "bicubic": I.BICUBIC}
for name, image in images.items():
    for size in ([4, 5], [11, 13], [3, 20], [7, 9]):
        for mode in modes:
            for antialias in ((True, False) if mode != "nearest" else (False,)):
                case("resize", image, name, {"size": size, "interpolation": mode, "antialias": antialias},
                     F.resize(image, size, interpolation=modes[mode], antialias=antialias))
    case("resize", image, name, {"size": 4, "interpolation": "bilinear", "antialias": True}, F.resize(image, [4], antialias=True))
    for size in ([3, 4], [4, 3], [10, 12]):
        case("centerCrop", image, name, {"size": size}, F.center_crop(image, size))
    for angle in (30.0, -75.5, 90.0, 180.0):
        for mode in ("nearest", "bilinear"):
            case("rotate", image, name, {"angle": angle, "interpolation": mode}, F.rotate(image, angle, interpolation=modes[mode], fill=None))
    for angle in (20.0, 90.0):
        for mode in ("nearest", "bilinear"):
            fill = 0.25 if image.is_floating_point() else 90.0
            case("rotate", image, name, {"angle": angle, "interpolation": mode, "fill": fill},
                 F.rotate(image, angle, interpolation=modes[mode], fill=[fill]))
    for f in (0.0, 0.6, 1.0, 1.7):
        case("brightness", image, name, {"factor": f}, F.adjust_brightness(image, f))
        case("contrast", image, name, {"factor": f}, F.adjust_contrast(image, f))
        case("saturation", image, name, {"factor": f}, F.adjust_saturation(image, f))
    for f in (-0.5, -0.2, 0.0, 0.1, 0.37):
        case("hue", image, name, {"factor": f}, F.adjust_hue(image, f))
    case("grayscale", image, name, {"channels": 1}, F.rgb_to_grayscale(image, 1)) if image.shape[0] == 3 else None
    for mode in ("constant", "reflect", "edge"):
        case("pad", image, name, {"padding": [1, 2, 3, 4], "mode": mode}, F.pad(image, [1, 2, 3, 4], padding_mode=mode))
    case("pad", image, name, {"padding": [5, 0, 2, 6], "mode": "symmetric"}, F.pad(image, [5, 0, 2, 6], padding_mode="symmetric"))
case("normalize", rgbf, "rgbf", {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
     F.normalize(rgbf, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
case("toFloat", rgb, "rgb", {}, F.to_dtype(rgb, torch.float32, scale=True))

doc = {
    "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__},
    "seed": SEED,
    "images": {k: pack(v) for k, v in images.items()},
    "cases": cases,
}
text = json.dumps(doc, separators=(",", ":")).replace('{"op"', '\n{"op"').replace(".0,", ",").replace(".0]", "]")
pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")
print(len(cases), "cases,", len(text), "bytes")
