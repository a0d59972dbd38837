"""Networks of other programs: the papers' equations in plain torch, with their tensor names.

Each takes and returns 0..1, whatever the range inside its program.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

MEAN = torch.tensor([0.4488, 0.4371, 0.4040])


def build(network, *arguments, **options):
    """Build a network with random weights, and larger biases than torch's, so that each counts."""
    torch.manual_seed(0)
    built = network(*arguments, **options).eval()
    for name, parameter in built.named_parameters():
        if name.endswith("bias") and "mean" not in name:
            parameter.data += 0.1 * torch.randn_like(parameter)
    return built


def conv(before, after, kernel=3, bias=True):
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=bias)


def upsampler(features, scale):
    factors = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    stages = [(conv(features, features * f * f), nn.PixelShuffle(f)) for f in factors]
    return nn.Sequential(*(layer for stage in stages for layer in stage))


def mean_shift(sign, img_range):
    shift = nn.Conv2d(3, 3, 1)
    shift.weight.data = torch.eye(3).view(3, 3, 1, 1)
    shift.bias.data = sign * img_range * MEAN
    return shift


class MeanShifted(nn.Module):
    """`sub_mean` at the beginning and `add_mean` at the end, on 0..img_range."""

    def __init__(self, img_range=255.0, trained=False):
        super().__init__()
        self.img_range = img_range
        self.sub_mean, self.add_mean = mean_shift(-1, img_range), mean_shift(1, img_range)
        if trained:  # as RCAN's files have them
            for shift in (self.sub_mean, self.add_mean):
                shift.weight.data += 0.1 * torch.randn(3, 3, 1, 1)
                shift.bias.data += 0.1 * torch.randn(3)

    def forward(self, x, *which):
        return (
            self.add_mean(self.middle(self.sub_mean(x * self.img_range), *which)) / self.img_range
        )


class Block(nn.Module):
    def __init__(self, features, residual_scale=1.0, kernel=3):
        super().__init__()
        self.body = nn.Sequential(
            conv(features, features, kernel), nn.ReLU(), conv(features, features, kernel)
        )
        self.residual_scale = residual_scale

    def forward(self, x):
        return x + self.residual_scale * self.body(x)


def without_mean_shift(network):
    """Remove the mean shift, as traiNNer-redux with ``norm: false``: 0..1 inside."""
    network.img_range = 1.0
    network.sub_mean = network.add_mean = nn.Identity()
    return network


class SuperImageMixin:
    """The forward pass of super-image: 0..1 is not multiplied by the range of the mean shift."""

    def forward(self, x):
        return self.add_mean(self.middle(self.sub_mean(x)))


class EDSRPyTorch(MeanShifted):
    def __init__(self, scale, features, blocks, residual_scale=1.0, **options):
        super().__init__(**options)
        self.head = nn.Sequential(conv(3, features))
        body = [Block(features, residual_scale) for _ in range(blocks)]
        self.body = nn.Sequential(*body, conv(features, features))
        self.tail = nn.Sequential(upsampler(features, scale), conv(features, 3))

    def middle(self, x):
        x = self.head(x)
        return self.tail(x + self.body(x))


class SuperImageEDSR(EDSRPyTorch):
    """Its mean shift is in the file and never run."""

    def forward(self, x):
        return self.middle(x)


class MDSRPyTorch(MeanShifted):
    def __init__(self, scales, features, blocks):
        super().__init__()
        self.head = nn.Sequential(conv(3, features))
        self.pre_process = nn.ModuleList(
            nn.Sequential(Block(features, kernel=5), Block(features, kernel=5)) for _ in scales
        )
        self.body = nn.Sequential(
            *(Block(features) for _ in range(blocks)), conv(features, features)
        )
        self.upsample = nn.ModuleList(upsampler(features, scale) for scale in scales)
        self.tail = nn.Sequential(conv(features, 3))

    def middle(self, x, index):
        x = self.pre_process[index](self.head(x))
        return self.tail(self.upsample[index](x + self.body(x)))


class Attention(nn.Module):
    def __init__(self, features, reduction):
        super().__init__()
        self.conv_du = nn.Sequential(
            *(nn.Conv2d(features, features // reduction, 1), nn.ReLU()),
            *(nn.Conv2d(features // reduction, features, 1), nn.Sigmoid()),
        )

    def forward(self, x):
        return x * self.conv_du(F.adaptive_avg_pool2d(x, 1))


class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, *layers):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.body(x)


class RCANOfficial(MeanShifted):
    def __init__(self, scale, features, groups, blocks, reduction, **options):
        super().__init__(**options)

        def block():
            return Residual(
                *(conv(features, features), nn.ReLU(), conv(features, features)),
                Attention(features, reduction),
            )

        def group():
            return Residual(*(block() for _ in range(blocks)), conv(features, features))

        self.head = nn.Sequential(conv(3, features))
        self.body = nn.Sequential(*(group() for _ in range(groups)), conv(features, features))
        self.tail = nn.Sequential(upsampler(features, scale), conv(features, 3))

    def middle(self, x):
        x = self.head(x)
        return self.tail(x + self.body(x))


class SuperImageRCAN(SuperImageMixin, RCANOfficial):
    pass


class TorchSRVDSR(MeanShifted):
    def __init__(self, features, layers):
        super().__init__(img_range=1.0)
        widths = [3, *[features] * (layers - 1), 3]
        body = []
        for before, after in pairwise(widths):
            body += [conv(before, after), nn.ReLU()]
        self.body = nn.Sequential(*body[:-1])

    def middle(self, x):
        return x + self.body(x)

    def upscale(self, x, scale):
        return self(F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False))


class BasicSREDSR(nn.Module):
    class Block(nn.Module):
        def __init__(self, features, residual_scale):
            super().__init__()
            self.conv1, self.conv2 = conv(features, features), conv(features, features)
            self.residual_scale = residual_scale

        def forward(self, x):
            return x + self.residual_scale * self.conv2(F.relu(self.conv1(x)))

    def __init__(self, scale, features, blocks, residual_scale=1.0):
        super().__init__()
        self.conv_first = conv(3, features)
        self.body = nn.Sequential(*(self.Block(features, residual_scale) for _ in range(blocks)))
        self.conv_after_body = conv(features, features)
        self.upsample = upsampler(features, scale)
        self.conv_last = conv(features, 3)

    def forward(self, x):
        mean = MEAN.view(1, 3, 1, 1)
        x = self.conv_first((x - mean) * 255)
        x = self.upsample(x + self.conv_after_body(self.body(x)))
        return self.conv_last(x) / 255 + mean


class BasicSRRCAN(BasicSREDSR):
    class Attention(nn.Module):
        def __init__(self, features, reduction):
            super().__init__()
            self.attention = nn.Sequential(
                *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(features, features // reduction, 1)),
                *(nn.ReLU(), nn.Conv2d(features // reduction, features, 1), nn.Sigmoid()),
            )

        def forward(self, x):
            return x * self.attention(x)

    class Rcab(nn.Module):
        def __init__(self, features, reduction, residual_scale):
            super().__init__()
            self.residual_scale = residual_scale
            self.rcab = nn.Sequential(
                *(conv(features, features), nn.ReLU(), conv(features, features)),
                BasicSRRCAN.Attention(features, reduction),
            )

        def forward(self, x):
            return x + self.residual_scale * self.rcab(x)

    class Group(nn.Module):
        def __init__(self, features, blocks, reduction, residual_scale):
            super().__init__()
            rcabs = [BasicSRRCAN.Rcab(features, reduction, residual_scale) for _ in range(blocks)]
            self.residual_group = nn.Sequential(*rcabs)
            self.conv = conv(features, features)

        def forward(self, x):
            return x + self.conv(self.residual_group(x))

    def __init__(self, scale, features, groups, blocks, reduction, residual_scale=1.0):
        super().__init__(scale, features, 0)
        inside = features, blocks, reduction, residual_scale
        self.body = nn.Sequential(*(self.Group(*inside) for _ in range(groups)))


def dense_block(x, convs):
    """Five densely connected convolutions."""
    seen = [x]
    for layer in convs[:-1]:
        seen.append(F.leaky_relu(layer(torch.cat(seen, 1)), 0.2))
    return x + 0.2 * convs[-1](torch.cat(seen, 1))


def dense_widths(features, growth):
    return [(features + n * growth, growth if n < 4 else features) for n in range(5)]


def rrdb(x, dense_blocks):
    inside = x
    for convs in dense_blocks:
        inside = dense_block(inside, convs)
    return x + 0.2 * inside


class Named(nn.Module):
    """Modules under names."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


class RRDBNetForeign(nn.Module):
    """BasicSR's, Real-ESRGAN's and the newer ESRGAN's differ in names alone."""

    BASICSR = ("conv_first", "body", "rdb", "conv_body", "conv_up", "conv_hr", "conv_last")
    ESRGAN = ("conv_first", "RRDB_trunk", "RDB", "trunk_conv", "upconv", "HRconv", "conv_last")

    def __init__(self, names, features, blocks, growth, unshuffle=1, doublings=2):
        super().__init__()
        self.doublings = doublings
        self.first, self.trunk, self.dense, self.end, self.up, self.hr, self.last = names
        self.unshuffle = unshuffle
        self.add_module(self.first, conv(3 * unshuffle**2, features))
        widths = dense_widths(features, growth)

        def dense():
            return Named(**{f"conv{n + 1}": conv(*widths[n]) for n in range(5)})

        trunk = [Named(**{f"{self.dense}{n}": dense() for n in (1, 2, 3)}) for _ in range(blocks)]
        self.add_module(self.trunk, nn.Sequential(*trunk))
        ups = (f"{self.up}{number + 1}" for number in range(doublings))
        for name in (self.end, *ups, self.hr):
            self.add_module(name, conv(features, features))
        self.add_module(self.last, conv(features, 3))

    def forward(self, x):
        first = x = getattr(self, self.first)(F.pixel_unshuffle(x, self.unshuffle))
        for block in getattr(self, self.trunk):
            x = rrdb(x, [list(dense.children()) for dense in block.children()])
        x = first + getattr(self, self.end)(x)
        for number in range(self.doublings):
            x = getattr(self, f"{self.up}{number + 1}")(F.interpolate(x, scale_factor=2))
            x = F.leaky_relu(x, 0.2)
        return getattr(self, self.last)(F.leaky_relu(getattr(self, self.hr)(x), 0.2))


class OldestESRGAN(nn.Module):
    """All layers numbered; `model.1.sub` holds the trunk."""

    def __init__(self, features, blocks, growth, doublings, factor=2):
        super().__init__()
        widths = dense_widths(features, growth)

        def dense():
            return Named(**{f"conv{n + 1}": nn.Sequential(conv(*widths[n])) for n in range(5)})

        trunk = [Named(**{f"RDB{n}": dense() for n in (1, 2, 3)}) for _ in range(blocks)]
        layers = [conv(3, features), Named(sub=nn.Sequential(*trunk, conv(features, features)))]
        for _ in range(doublings):
            enlarged = nn.Upsample(scale_factor=factor)
            layers += [enlarged, conv(features, features), nn.LeakyReLU(0.2)]
        layers += [conv(features, features), nn.LeakyReLU(0.2), conv(features, 3)]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        first = x = self.model[0](x)
        *trunk, end = self.model[1].sub
        for block in trunk:
            x = rrdb(x, [[layer[0] for layer in dense.children()] for dense in block.children()])
        return self.model[2:](first + end(x))


GEOMETRY = {2: (6, 2, 2), 4: (8, 4, 2), 8: (12, 8, 2)}


class DBPNOfficial(nn.Module):
    """Dense, or recurrent with a bicubic skip if ``recurrences`` is given."""

    def __init__(self, scale, features, shallow, stages, recurrences=None):
        super().__init__()
        self.scale, self.stages, self.recurrences = scale, stages, recurrences
        geometry = GEOMETRY[scale]

        def layer(kind, convolution):
            return Named(**{kind: convolution, "act": nn.PReLU()})

        def up():
            return layer("deconv", nn.ConvTranspose2d(features, features, *geometry))

        def down():
            return layer("conv", nn.Conv2d(features, features, *geometry))

        self.feat0 = layer("conv", conv(3, shallow))
        self.feat1 = layer("conv", conv(shallow, features, 1))
        for n in range(1, stages + 1):
            block = Named(up_conv1=up(), up_conv2=down(), up_conv3=up())
            if n > 2:
                block.conv = layer("conv", conv((n - 1) * features, features, 1))
            self.add_module(f"up{n}", block)
        for n in range(1, stages):
            block = Named(down_conv1=down(), down_conv2=up(), down_conv3=down())
            if n > 1:
                block.conv = layer("conv", conv(n * features, features, 1))
            self.add_module(f"down{n}", block)
        self.output_conv = Named(conv=conv((recurrences or stages) * features, 3))

    @staticmethod
    def run(layer, x):
        first, act = layer.children()
        return act(first(x))

    def project(self, block, way, inputs):
        x = torch.cat(inputs, 1)
        if hasattr(block, "conv"):
            x = self.run(block.conv, x)
        there = self.run(getattr(block, f"{way}_conv1"), x)
        back = self.run(getattr(block, f"{way}_conv2"), there)
        return there + self.run(getattr(block, f"{way}_conv3"), back - x)

    def stages_of(self, low):
        highs, lows = [self.project(self.up1, "up", [low])], []
        for n in range(1, self.stages):
            lows = [self.project(getattr(self, f"down{n}"), "down", highs), *lows]
            highs = [self.project(getattr(self, f"up{n + 1}"), "up", lows), *highs]
        return highs, lows

    def forward(self, x):
        low = self.run(self.feat1, self.run(self.feat0, x))
        if self.recurrences is None:
            return self.output_conv.conv(torch.cat(self.stages_of(low)[0], 1))
        newest = []
        for _ in range(self.recurrences):
            highs, lows = self.stages_of(low)
            newest.append(highs[0])
            low = lows[0]
        # With antialias, torch's cubic kernel is that of Pillow, a = -0.5.
        skip = F.interpolate(x, scale_factor=self.scale, mode="bicubic", antialias=True)
        return skip + self.output_conv.conv(torch.cat(newest, 1))


class PytorchVDSR(nn.Module):
    """On an enlarged luma."""

    def __init__(self, features, layers, bias):
        super().__init__()
        self.residual_layer = nn.Sequential(
            *(Named(conv=conv(features, features, bias=bias)) for _ in range(layers - 2))
        )
        self.input = conv(1, features, bias=bias)
        self.output = conv(features, 1, bias=bias)

    def forward(self, enlarged):
        x = F.relu(self.input(enlarged))
        for layer in self.residual_layer:
            x = F.relu(layer.conv(x))
        return enlarged + self.output(x)
