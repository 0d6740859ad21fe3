"""The eleven architectures, from their public configurations, at full size and tiny.

build(name, tiny, seed, size) gives a Case: a torch module with seeded weights, named inputs,
output names and the layer groups whose values are kept. A tiny variant keeps every operator
pattern of its architecture at two layers and small, odd widths.
"""

from dataclasses import dataclass, field

import torch
from torch import nn

from . import seeded


@dataclass
class Case:
    model: nn.Module
    inputs: dict        # name -> tensor, in order
    outputs: list       # names
    groups: list        # (name, module, "out" | "in"): what is kept, in order of execution
    size: object        # tokens, the image's side in pixels, or its rows and columns
    note: str           # what was chosen
    rules: list = field(default_factory=list)
    params: int = 0     # of the published module, counted before constants are made


def count_params(model):
    return sum(p.numel() for p in model.parameters())


def eager(config):
    """Attention as products and a softmax of its own, the way it is published."""
    config._attn_implementation = "eager"
    return config


# ---- GPT-Neo -------------------------------------------------------------------------------

GPTN = {  # layers, width, heads, inner width, window, vocabulary, positions, tokens
    "GPTN-S": (12, 768, 12, 3072, 256, 50257, 2048, 128),
    "GPTN-1.3B": (24, 2048, 16, 8192, 256, 50257, 2048, 128),
    "GPTN-2.7B": (32, 2560, 20, 10240, 256, 50257, 2048, 128),
}
GPTN_TINY = {  # windows shorter than the sequence: the local mask differs from the causal one
    "GPTN-S": (2, 24, 3, 96, 5, 61, 17, 11),
    "GPTN-1.3B": (2, 16, 2, 44, 4, 53, 16, 9),
    "GPTN-2.7B": (2, 20, 5, 52, 6, 47, 16, 13),
}


class CausalLM(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        return self.model(input_ids=input_ids, use_cache=False, return_dict=False)[0]


def gptneo(name, tiny, seed, size, layers=None):
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    depth, width, heads, inner, window, vocab, positions, length = (GPTN_TINY if tiny else
                                                                     GPTN)[name]
    depth = layers or depth
    length = size or length
    config = GPTNeoConfig(vocab_size=vocab, max_position_embeddings=positions, hidden_size=width,
                          num_layers=depth, attention_types=[[["global", "local"], depth // 2]],
                          num_heads=heads, intermediate_size=inner, window_size=window,
                          bos_token_id=0, eos_token_id=0, tie_word_embeddings=False)
    model = GPTNeoForCausalLM(eager(config))
    # scores are not divided by sqrt(head): keep their std near 2; half gains into the residual
    qk = (2 / (width // heads) ** 0.5) ** 0.5
    rules = [(r"(q|k)_proj", qk, 0), (r"(out_proj|c_proj)\.weight", 0.5, 0), (r"wpe", 0.4, 0)]
    params = count_params(model)
    for block in model.transformer.h:  # what the forward pass slices out of it anyway
        mask = block.attn.attention.bias
        block.attn.attention.bias = mask[:, :, :length, :length].clone()
    groups = [("embed", model.transformer.drop, "out")]
    groups += [(f"h.{i}", block, "out") for i, block in enumerate(model.transformer.h)]
    groups += [("ln_f", model.transformer.ln_f, "out")]
    return Case(CausalLM(model), {"input_ids": seeded.tokens(seed, "input_ids", vocab, 1, length)},
                ["logits"], groups, length,
                f"{depth} layers, {length} tokens, output projection of its own", rules, params)


# ---- ResNet --------------------------------------------------------------------------------

def resnet(name, tiny, seed, size):
    from torchvision.models.resnet import Bottleneck, ResNet

    if tiny:  # a projection with and one without stride, and a plain block
        model = ResNet(Bottleneck, [2, 1, 1, 1], num_classes=11, width_per_group=16)
        narrow(model)
    else:
        model = ResNet(Bottleneck, [3, 4, 6, 3])
    side = size or (33 if tiny else 224)
    rules = [(r"downsample\.0", 0.7, 0), (r"conv\d\.weight", 2 ** 0.5, 0),
             (r"bn3\.weight", 0.5, -0.6), (r"downsample\.1\.weight", 1, -0.2)]
    groups = [("stem", model.maxpool, "out")]
    for i in range(1, 5):
        groups += [(f"layer{i}.{j}", block, "out")
                   for j, block in enumerate(getattr(model, f"layer{i}"))]
    groups += [("avgpool", model.avgpool, "out")]
    return Case(model, {"image": seeded.image(seed, "image", 1, 3, side, side)}, ["logits"], groups,
                side, f"{side}x{side}, version 1.5", rules,
                count_params(model))


def narrow(model, divisor=16):
    """Divides every channel count of a torchvision ResNet but the image's and the classes'."""
    def channels(c):
        return c if c == 3 else max(c // divisor, 2)

    for parent in list(model.modules()):
        for key, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                setattr(parent, key, nn.Conv2d(channels(child.in_channels),
                                               channels(child.out_channels), child.kernel_size,
                                               child.stride, child.padding, bias=False))
            elif isinstance(child, nn.BatchNorm2d):
                setattr(parent, key, nn.BatchNorm2d(channels(child.num_features)))
            elif isinstance(child, nn.Linear):
                setattr(parent, key, nn.Linear(channels(child.in_features), child.out_features))


# ---- ViT and DeepViT -----------------------------------------------------------------------

def vit(name, tiny, seed, size):
    from vit_pytorch import ViT
    from vit_pytorch.deepvit import DeepViT

    deep = name == "DeepViT"
    if tiny:
        side = size or 20
        shape = dict(image_size=side, patch_size=5 if deep else 4, num_classes=13, dim=24, depth=2,
                     heads=3, dim_head=8, mlp_dim=36)
    else:
        side = size or 224
        shape = dict(image_size=side, patch_size=16, num_classes=1000, dim=1024,
                     depth=24 if deep else 12, heads=16, dim_head=64, mlp_dim=2048)
    model = (DeepViT if deep else ViT)(**shape)
    rules = [(r"(to_out\.0|net\.4)\.weight", 0.5, 0), (r"pos_embedding|cls_token", 0.5, 0),
             (r"reattn_weights", shape["heads"] ** -0.5, 0)]
    if deep:  # rows of re-attention do not sum to one, they add up: scale with their length
        gain = 4 / ((side // shape["patch_size"]) ** 2 + 1)
        rules += [(r"reattn_norm\.1\.weight", gain, gain - 1), (r"reattn_norm\.1\.bias", gain, 0)]
    layers = model.transformer.layers
    # what enters a block is what the one before it left in the residual stream
    groups = [("embed", layers[0][0], "in")]
    for i, (_, mlp) in enumerate(layers):
        after = layers[i + 1][0] if i + 1 < len(layers) else (
            model.to_latent if deep else model.transformer.norm)
        groups += [(f"layers.{i}.attention", mlp, "in"), (f"layers.{i}", after, "in")]
    return Case(model, {"image": seeded.image(seed, "image", 1, 3, side, side)}, ["logits"], groups,
                side, f"{side}x{side}, patch {shape['patch_size']}, dim {shape['dim']}, depth "
                f"{shape['depth']}, {shape['heads']} heads of {shape['dim_head']}", rules,
                count_params(model))


# ---- Whisper -------------------------------------------------------------------------------

class CachedCrossAttention(nn.Module):
    """Whisper's cross-attention once keys and values are cached: only q and the output project."""

    def __init__(self, full):
        super().__init__()
        self.q_proj, self.out_proj = full.q_proj, full.out_proj
        self.heads, self.scaling = full.num_heads, full.scaling

    def forward(self, hidden_states, key_value_states, **_):
        keys, values = key_value_states
        batch, length, width = hidden_states.shape
        q = (self.q_proj(hidden_states) * self.scaling).view(batch, length, self.heads, -1)
        weights = torch.matmul(q.transpose(1, 2), keys.transpose(2, 3)).softmax(-1)
        y = torch.matmul(weights, values).transpose(1, 2).reshape(batch, length, width)
        return self.out_proj(y), weights


class WhisperStack(nn.Module):
    """The decoder's layers between token embedding and vocabulary projection."""

    def __init__(self, decoder, length):
        super().__init__()
        self.embed_positions, self.layers = decoder.embed_positions, decoder.layers
        self.layer_norm = decoder.layer_norm
        for layer in self.layers:
            layer.encoder_attn = CachedCrossAttention(layer.encoder_attn)
        least = torch.finfo(torch.float32).min
        mask = torch.full((length, length), least).triu(1)[None, None]
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, inputs_embeds, *cache):
        x = inputs_embeds + self.embed_positions.weight[:inputs_embeds.shape[1]]
        for i, layer in enumerate(self.layers):
            x = layer(x, attention_mask=self.mask, encoder_hidden_states=cache[2 * i:2 * i + 2])
        return self.layer_norm(x)


def whisper(name, tiny, seed, size):
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperDecoder

    if tiny:
        layers, width, heads, inner, frames, positions, length = 2, 24, 3, 52, 15, 16, 9
    else:
        layers, width, heads, inner, frames, positions, length = 24, 1024, 16, 4096, 1500, 448, 128
    length = size or length
    config = WhisperConfig(d_model=width, decoder_layers=layers, decoder_attention_heads=heads,
                           decoder_ffn_dim=inner, max_target_positions=positions, vocab_size=3,
                           pad_token_id=0, bos_token_id=1, eos_token_id=2,
                           decoder_start_token_id=1)
    model = WhisperStack(WhisperDecoder(eager(config)), length)
    inputs = {"inputs_embeds": seeded.image(seed, "inputs_embeds", 1, length, width)}
    for i in range(layers):
        for part in ("key", "value"):
            key = f"past_key_values.{i}.encoder.{part}"
            inputs[key] = seeded.image(seed, key, 1, heads, frames, width // heads)
    rules = [(r"(out_proj|fc2)\.weight", 0.5, 0), (r"embed_positions", 0.4, 0)]
    groups = [(f"layers.{i}", layer, "out") for i, layer in enumerate(model.layers)]
    return Case(model, inputs, ["last_hidden_state"], groups, length,
                f"decoder stack, {length} tokens, keys and values of {frames} frames given", rules,
                count_params(model))


# ---- Depth Anything ------------------------------------------------------------------------

class Depth(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values, return_dict=False)[0]


def depth_anything(name, tiny, seed, size):
    from transformers import (DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config)

    rows, cols = size or ((30, 42) if tiny else (280, 294))
    small = name == "DepA-S"
    if tiny:
        width, heads, depth, taps, native, patch = 16, 2, 4, [1, 2, 3, 4], 30, 6
        neck, fusion, head = ([4, 8, 8, 12] if small else [8, 8, 12, 12]), 8, 5
    elif small:
        width, heads, depth, taps, native, patch = 384, 6, 12, [9, 10, 11, 12], 518, 14
        neck, fusion, head = [48, 96, 192, 384], 64, 32
    else:
        width, heads, depth, taps, native, patch = 1024, 16, 24, [21, 22, 23, 24], 518, 14
        neck, fusion, head = [256, 512, 1024, 1024], 256, 32
    backbone = Dinov2Config(hidden_size=width, num_hidden_layers=depth, num_attention_heads=heads,
                            image_size=native, patch_size=patch, mlp_ratio=2 if tiny else 4,
                            out_indices=taps, reshape_hidden_states=False, apply_layernorm=True)
    config = DepthAnythingConfig(backbone_config=eager(backbone), reassemble_hidden_size=width,
                                 patch_size=patch, neck_hidden_sizes=neck,
                                 fusion_hidden_size=fusion, head_hidden_size=head)
    model = DepthAnythingForDepthEstimation(eager(config))
    rules = [(r"lambda1", 0.1, 0.5), (r"position_embeddings|cls_token", 0.5, 0),
             (r"head\.conv3\.bias", 1, 1), (r"residual_layer\d\.convolution2\.weight", 0.5, 0)]
    layers = model.backbone.layers if hasattr(model.backbone, "layers") else (
        model.backbone.encoder.layer)
    groups = [("embed", model.backbone.embeddings, "out")]
    groups += [(f"layer.{i}", layer, "out") for i, layer in enumerate(layers)]
    groups += [(f"reassemble.{i}", layer, "out")
               for i, layer in enumerate(model.neck.reassemble_stage.layers)]
    groups += [(f"fusion.{i}", layer, "out")
               for i, layer in enumerate(model.neck.fusion_stage.layers)]
    case = Case(Depth(model), {"pixel_values": seeded.image(seed, "pixels", 1, 3, rows, cols)},
                ["predicted_depth"], groups, (rows, cols),
                f"{rows}x{cols}, DINOv2 positions interpolated beforehand", rules,
                count_params(model))
    case.finish = lambda: fix_dinov2_positions(model.backbone.embeddings, rows, cols)
    return case


def fix_dinov2_positions(embeddings, rows, cols):
    """The bicubic resize of the position table depends on the image's size alone."""
    patches = (rows // embeddings.patch_size) * (cols // embeddings.patch_size)
    old = embeddings.position_embeddings
    table = embeddings.interpolate_pos_encoding(old.new_zeros(1, patches + 1, old.shape[-1]), rows,
                                                cols).detach()
    embeddings.position_embeddings = nn.Parameter(table, requires_grad=False)
    embeddings.interpolate_pos_encoding = lambda *_: embeddings.position_embeddings


# ---- Stable Diffusion's UNet ---------------------------------------------------------------

class Unet(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, sample, timestep, encoder_hidden_states):
        return self.model(sample, timestep, encoder_hidden_states, return_dict=False)[0]


def unet(name, tiny, seed, size):
    from diffusers import UNet2DConditionModel

    side = size or (6 if tiny else 32)
    shape = dict(sample_size=side, cross_attention_dim=768, attention_head_dim=8)
    words = 77
    if tiny:
        words = 7
        shape = dict(sample_size=side, cross_attention_dim=12, attention_head_dim=2,
                     block_out_channels=(4, 8), norm_num_groups=2, layers_per_block=1,
                     down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                     up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    model = UNet2DConditionModel(**shape)
    rules = [(r"(conv2|proj_out|to_out\.0|ff\.net\.2)\.weight", 0.5, 0)]
    groups = [("conv_in", model.conv_in, "out"), ("time_embedding", model.time_embedding, "out")]
    for part, blocks in (("down", model.down_blocks), ("mid", [model.mid_block]),
                         ("up", model.up_blocks)):
        for i, block in enumerate(blocks):
            stem = part if part == "mid" else f"{part}.{i}"
            parts = [(int(k), kind, module) for kind in ("resnets", "attentions")
                     for k, module in (getattr(block, kind, None) or nn.Module()).named_children()]
            # a resnet, its attention, the next resnet; the middle block ends with a resnet
            parts.sort(key=lambda part: (part[0], part[1] == "attentions"))
            groups += [(f"{stem}.{kind}.{k}", module, "out") for k, kind, module in parts]
            for kind in ("downsamplers", "upsamplers"):
                groups += [(f"{stem}.{kind}.{k}", m, "out") for k, m in
                           enumerate(getattr(block, kind, None) or [])]
    inputs = {"sample": seeded.image(seed, "sample", 1, 4, side, side),
              "timestep": torch.tensor([501.0]),
              "encoder_hidden_states": seeded.image(seed, "words", 1, words,
                                                    shape["cross_attention_dim"])}
    return Case(Unet(model), inputs, ["noise"], groups, side * 8,
                f"version 1.5, {side}x{side} latent ({8 * side}x{8 * side} image), {words} words",
                rules, count_params(model))


# ---- Segment Anything 2 --------------------------------------------------------------------

class Segment(nn.Module):
    """Sam2Model on an image and one foreground point, three masks.

    What depends on the image's size alone is computed beforehand: Hiera's interpolated positions
    and the decoder's dense position encoding. The prompt's label is fixed, so its padding point is
    the constant row that the published encoder makes of it.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model

    def finish(self, side):
        model, hiera = self.model, self.model.vision_encoder.backbone
        grid = side // 4
        self.register_buffer("hiera_positions", hiera._get_pos_embed((grid, grid)).detach())
        self.register_buffer("dense_positions",
                             model.get_image_wide_positional_embeddings().detach())
        hiera._get_pos_embed = lambda hw: self.hiera_positions
        model.get_image_wide_positional_embeddings = lambda: self.dense_positions
        prompts = model.prompt_encoder
        published = prompts._embed_points
        point = torch.tensor([[[[0.3 * side, 0.7 * side]]]])
        label = torch.ones(1, 1, 1, dtype=torch.int32)
        expected = published(point, label, pad=True)
        prompts._embed_points = self.embed_point
        got = prompts._embed_points(point, label, pad=True)
        assert torch.allclose(got, expected, atol=1e-5), (got - expected).abs().max()

    def embed_point(self, points, labels, pad):
        prompts = self.model.prompt_encoder
        coordinates = (points + 0.5) * (2 / prompts.input_image_size) - 1
        angles = 2 * torch.pi * (coordinates @ prompts.shared_embedding.positional_embedding)
        point = torch.cat([angles.sin(), angles.cos()], -1) + prompts.point_embed.weight[1]
        padding = prompts.not_a_point_embed.weight.view(1, 1, 1, -1)
        return torch.cat([point, padding], 2)

    def forward(self, pixel_values, input_points):
        labels = torch.ones(1, 1, 1, dtype=torch.int32)
        y = self.model(pixel_values=pixel_values, input_points=input_points, input_labels=labels,
                       multimask_output=True)
        return y.pred_masks, y.iou_scores, y.object_score_logits


def sam2(name, tiny, seed, size):
    from transformers import Sam2Config, Sam2Model

    if tiny:
        side = size or 64
        hiera = dict(hidden_size=4, num_attention_heads=1, blocks_per_stage=[1, 1, 2, 1],
                     embed_dim_per_stage=[4, 8, 12, 16], num_attention_heads_per_stage=[1, 1, 3, 2],
                     window_size_per_stage=[8, 4, 3, 2], global_attention_blocks=[3],
                     window_positional_embedding_background_size=[3, 3], mlp_ratio=2.0)
        width, heads, inner, hidden = 16, 2, 20, 16
    else:
        side = size or 512
        hiera = dict(hidden_size=144, num_attention_heads=2, blocks_per_stage=[2, 6, 36, 4],
                     embed_dim_per_stage=[144, 288, 576, 1152],
                     num_attention_heads_per_stage=[2, 4, 8, 16],
                     window_size_per_stage=[8, 4, 16, 8], global_attention_blocks=[23, 33, 43],
                     window_positional_embedding_background_size=[7, 7])
        width, heads, inner, hidden = 256, 8, 2048, 256
    config = Sam2Config(
        vision_config=dict(backbone_config=dict(model_type="sam2_hiera_det_model",
                                                image_size=[side, side], **hiera),
                           backbone_channel_list=hiera["embed_dim_per_stage"][::-1],
                           backbone_feature_sizes=[[side // s] * 2 for s in (4, 8, 16)],
                           fpn_hidden_size=width),
        prompt_encoder_config=dict(hidden_size=width, image_size=side),
        mask_decoder_config=dict(hidden_size=width, mlp_dim=inner, num_attention_heads=heads,
                                 iou_head_hidden_dim=hidden))
    model = Sam2Model(eager(config))
    for part in model.modules():  # nested configurations do not all inherit the choice
        if hasattr(part, "config"):
            eager(part.config)
    rules = [(r"(attn\.proj|mlp\.proj_out|o_proj)\.weight", 0.5, 0), (r"pos_embed", 0.3, 0),
             (r"no_memory_embedding", 0.1, 0)]
    case = Case(Segment(model), {"pixel_values": seeded.image(seed, "pixels", 1, 3, side, side),
                                 "input_points": torch.tensor([[[[0.3 * side, 0.7 * side]]]])},
                ["pred_masks", "iou_scores", "object_score_logits"], [], side,
                f"Hiera-L, {side}x{side}, one foreground point, three masks", rules,
                count_params(model))
    # a buffer, so that seeding the parameters passes it by
    table = model.shared_image_embedding.positional_embedding
    seeded.fill(table, seed, "positional_embedding", 1.0)
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(table)
    blocks = model.vision_encoder.backbone.blocks
    case.groups = [("patch_embed", blocks[0], "in")]
    case.groups += [(f"blocks.{i}", block, "out") for i, block in enumerate(blocks)]
    case.groups += [(f"neck.convs.{i}", conv, "out")
                    for i, conv in enumerate(model.vision_encoder.neck.convs)]
    case.groups += [("conv_s0", model.mask_decoder.conv_s0, "out"),
                    ("conv_s1", model.mask_decoder.conv_s1, "out")]
    case.groups += [(f"decoder.{i}", layer, "out")
                    for i, layer in enumerate(model.mask_decoder.transformer.layers)]
    case.groups += [("decoder.norm", model.mask_decoder.transformer.layer_norm_final_attn, "out"),
                    ("upscale_conv1", model.mask_decoder.upscale_conv1, "out"),
                    ("upscale_conv2", model.mask_decoder.upscale_conv2, "out")]
    case.finish = lambda: case.model.finish(side)
    return case


BUILDERS = {
    "GPTN-S": gptneo, "GPTN-1.3B": gptneo, "GPTN-2.7B": gptneo, "ResNet": resnet, "SAM-2": sam2,
    "ViT": vit, "DeepViT": vit, "SD-UNet": unet, "Whisp-M": whisper, "DepA-S": depth_anything,
    "DepA-L": depth_anything,
}


@torch.no_grad()
def build(name, tiny=False, seed=1, size=None, **options):
    """size: tokens or pixels (latent ones for SD-UNet; rows and columns for Depth Anything)."""
    case = BUILDERS[name](name, tiny, seed, size, **options)
    model = getattr(case.model, "model", case.model)
    seeded.seed_weights(model, seed, case.rules)
    if hasattr(case, "finish"):
        case.finish()
    case.model.eval()
    for p in case.model.parameters():
        p.requires_grad_(False)
    return case
