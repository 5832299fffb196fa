#!/usr/bin/env python3
"""Makes the sources in data/ and their golden values with diffusers 0.42.1 and torch 2.15.

Every tensor is random, norms and layers that begin at zero too. Weights are rounded to F16, so
that the files are small; the network then computes in f64. For each row golden.safetensors has
few's own view of it: x of unit variance [N,h,w,c], t in TrigFlow's radians, a label, and F, which
this script derives from the source's output by the definitions of its process.

sampled-I.safetensors are images of the I-th scheduler: the starting `noise` of unit variance, the
`times` at which the scheduler evaluates the network, `images`, and in the metadata the sampler
and the options that few takes for the same steps.

    python3 golden.py            writes data/NAME/ for each case
"""
import copy
import json
import math
import os

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import diffusers
from diffusers import DiTTransformer2DModel, UNet2DModel

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data')
torch.set_grad_enabled(False)
torch.Tensor.float = lambda self: self.double() # time embeddings in f64 too


def randomise(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        r = torch.randn(p.shape, generator=g, dtype=torch.float64)
        if p.ndim == 1 and 'norm' in name:
            r = (1 if name.endswith('weight') else 0) + 0.3 * r
        elif p.ndim == 1:
            r = 0.2 * r
        elif 'embedding' in name and p.ndim == 2 and 'linear' not in name:
            pass
        else:
            r = 1.2 * r / math.sqrt(p[0].numel())
        p.copy_(r.half().double())
    return model.double().eval()


# ---- Processes: the source's state and time at t_trig, and F from its output ----

class Ddpm:
    """x = sqrt(a) x0 + sqrt(1 - a) eps, ln(sigma/alpha) linear between the numbered steps."""

    def __init__(self, scheduler, sigma_d):
        self.s, self.sd = scheduler, sigma_d
        c = scheduler.config
        T = c.num_train_timesteps
        if c.beta_schedule == 'squaredcos_cap_v2':
            f = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
            beta = np.minimum(1 - f[1:] / f[:-1], 0.999)
        elif c.beta_schedule == 'scaled_linear':
            beta = np.linspace(c.beta_start ** 0.5, c.beta_end ** 0.5, T) ** 2
        else:
            beta = np.linspace(c.beta_start, c.beta_end, T)
        a = np.cumprod(1 - beta)
        if c.rescale_betas_zero_snr:
            r = np.sqrt(a)
            a = ((r - r[-1]) * r[0] / (r[0] - r[-1])) ** 2
        # the scheduler's own table is in single precision
        assert np.allclose(np.sqrt(a), scheduler.alphas_cumprod.double().sqrt().numpy(), atol=1e-5)
        with np.errstate(divide='ignore'):
            self.log = np.log(np.sqrt(1 - a) / np.sqrt(a))
        if c.rescale_betas_zero_snr: # few continues the line
            self.log[-1] = 2 * self.log[-2] - self.log[-3]

    def angle(self, k):
        return math.atan(math.exp(self.log[k]) / self.sd)

    def state(self, x, t):
        ratio = self.sd * math.tan(t)
        k = np.interp(math.log(ratio), self.log, np.arange(len(self.log)))
        alpha = 1 / math.hypot(1, ratio)
        # x_t of TrigFlow is x sd = cos t x0 + sin t sd eps; the state is its multiple
        return x * self.sd * alpha / math.cos(t), k

    def time(self, scheduler, i):
        """The time of the scheduler's step i, and the factor from its x to unit variance."""
        sigmas = getattr(scheduler, 'sigmas', None)
        if sigmas is None:
            k = int(scheduler.timesteps[i])
            ratio = math.exp(self.log[k])
            x = math.hypot(1, ratio)
        else:
            ratio, x = float(sigmas[i]), 1
        return math.atan(ratio / self.sd), x / math.hypot(self.sd, ratio)

    def F(self, x, t, y):
        c, s, sd = math.cos(t), math.sin(t), self.sd
        xt, kind = x * sd, self.s.config.prediction_type
        if kind == 'epsilon':
            x0 = (xt - s * sd * y) / c
            return (c * y * sd - s * x0) / sd
        if kind == 'sample':
            eps = (xt - c * y) / (s * sd)
            return (c * eps * sd - s * y) / sd
        ratio = sd * math.tan(t)
        alpha, sigma = 1 / math.hypot(1, ratio), ratio / math.hypot(1, ratio)
        state = xt * alpha / c
        x0, eps = alpha * state - sigma * y, sigma * state + alpha * y
        return (c * eps * sd - s * x0) / sd


class Edm:
    """D = c_skip x + c_out net(c_in x, ln(sigma)/4 scale)."""

    def __init__(self, scheduler, sigma_d, scale=1, sign=1):
        self.s, self.sd, self.scale, self.sign = scheduler, sigma_d, scale, sign

    def state(self, x, t):
        sigma = self.sd * math.tan(t)
        return x, self.scale * math.log(sigma) / 4

    def time(self, scheduler, i):
        sigma = float(scheduler.sigmas[i])
        return math.atan(sigma / self.sd), 1 / math.hypot(sigma, self.sd)

    def F(self, x, t, y):
        return -self.sign * y


class Flow:
    """x = (1 - s) x0 + s eps, the network takes 1000 s and predicts eps - x0."""

    def __init__(self, scheduler, sigma_d):
        self.sd = sigma_d

    def state(self, x, t):
        c, s = math.cos(t), self.sd * math.sin(t)
        return x * self.sd / (c + s), 1000 * s / (c + s)

    def time(self, scheduler, i):
        s = float(scheduler.sigmas[i])
        return math.atan2(s, self.sd * (1 - s)), 1 / math.hypot(self.sd * (1 - s), s)

    def F(self, x, t, y):
        c, s = math.cos(t), self.sd * math.sin(t)
        state = x * self.sd / (c + s)
        x0, eps = state - s / (c + s) * y, state + c / (c + s) * y
        return (c * eps * self.sd - math.sin(t) * x0) / self.sd


class Trig:
    def __init__(self, scheduler, sigma_d):
        self.sd = sigma_d

    def state(self, x, t):
        return x, t

    def time(self, scheduler, i):
        return float(scheduler.timesteps[i]), 1 / self.sd

    def F(self, x, t, y):
        return y


# ---- Cases ----

def adm(**more):
    return dict(dict(sample_size=8, in_channels=3, out_channels=3, layers_per_block=1,
                     block_out_channels=(4, 8), norm_num_groups=2, attention_head_dim=4,
                     down_block_types=('ResnetDownsampleBlock2D', 'AttnDownBlock2D'),
                     up_block_types=('AttnUpBlock2D', 'ResnetUpsampleBlock2D'),
                     downsample_type='resnet', upsample_type='resnet',
                     resnet_time_scale_shift='scale_shift', attn_norm_num_groups=2), **more)


def ddpm(**more):
    return dict(dict(sample_size=8, in_channels=3, out_channels=3, layers_per_block=1,
                     block_out_channels=(4, 8), norm_num_groups=2, attention_head_dim=None,
                     down_block_types=('DownBlock2D', 'AttnDownBlock2D'),
                     up_block_types=('AttnUpBlock2D', 'UpBlock2D'), freq_shift=1,
                     flip_sin_to_cos=False, downsample_padding=0, norm_eps=1e-6), **more)


def dit(**more):
    return dict(dict(num_attention_heads=2, attention_head_dim=8, in_channels=3, num_layers=2,
                     sample_size=8, patch_size=2, num_embeds_ada_norm=5), **more)


D = diffusers
CASES = {
    # name: network, options, scheduler, process, steps
    'cm': (UNet2DModel, adm(num_class_embeds=3), D.CMStochasticIterativeScheduler(),
           lambda s: Edm(s, 0.5, scale=1000)),
    'adm_edm': (UNet2DModel, adm(block_out_channels=(8, 12), norm_num_groups=4,
                                 attention_head_dim=4,
                                 attn_norm_num_groups=4, sample_size=[8, 4], in_channels=1,
                                 out_channels=2, time_embedding_dim=20),
                D.EDMEulerScheduler(prediction_type='epsilon'), lambda s: Edm(s, 0.5)),
    'adm_edm_v': (UNet2DModel, adm(add_attention=False, attn_norm_num_groups=None,
                                   down_block_types=('ResnetDownsampleBlock2D',) * 2,
                                   up_block_types=('ResnetUpsampleBlock2D',) * 2),
                  D.EDMEulerScheduler(prediction_type='v_prediction', sigma_data=0.7),
                  lambda s: Edm(s, 0.7, sign=-1)),
    'adm_flow': (UNet2DModel, adm(num_class_embeds=3), D.FlowMatchEulerDiscreteScheduler(shift=3),
                 lambda s: Flow(s, 0.5)),
    'adm_scm': (UNet2DModel, adm(), D.SCMScheduler(), lambda s: Trig(s, 0.5)),
    'ddpm': (UNet2DModel, ddpm(), D.DDIMScheduler(clip_sample=False), lambda s: Ddpm(s, 0.5)),
    'ddpm_v': (UNet2DModel, ddpm(downsample_padding=1, freq_shift=0, flip_sin_to_cos=True,
                                 layers_per_block=2, num_class_embeds=2, attention_head_dim=4,
                                 norm_eps=1e-5),
               D.DDIMScheduler(beta_schedule='squaredcos_cap_v2', prediction_type='v_prediction',
                               clip_sample=False), lambda s: Ddpm(s, 0.5)),
    'ddpm_zero_snr': (UNet2DModel, ddpm(block_out_channels=(4, 4)),
                      D.DDIMScheduler(beta_schedule='scaled_linear', beta_start=0.00085,
                                      beta_end=0.012, prediction_type='v_prediction',
                                      rescale_betas_zero_snr=True, num_train_timesteps=100,
                                      clip_sample=False), lambda s: Ddpm(s, 0.5)),
    'ddpm_x': (UNet2DModel, ddpm(), D.DDPMScheduler(beta_schedule='scaled_linear',
                                                    prediction_type='sample'),
               lambda s: Ddpm(s, 0.5)),
    'dit': (DiTTransformer2DModel, dit(out_channels=6), D.DDIMScheduler(clip_sample=False),
            lambda s: Ddpm(s, 0.5)),
    'dit_flow': (DiTTransformer2DModel, dit(patch_size=4, num_attention_heads=3),
                 D.FlowMatchEulerDiscreteScheduler(), lambda s: Flow(s, 0.5)),
}


FORMS = {
    'adm_edm': {'max_shard_size': '50KB'}, # two files and an index
    'adm_edm_v': {'dtype': torch.float32},
    'ddpm_zero_snr': {'safe_serialization': False}, # .bin
    'ddpm_x': {'flat': True, 'old': True}, # an old pipeline
    'dit_flow': {'variant': 'fp16'},
}


def strip(folder):
    """No notes of the machine in configurations."""
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith('.json') and 'safetensors.index' not in name:
                path = os.path.join(root, name)
                config = json.load(open(path))
                config = {k: v for k, v in config.items() if k != '_name_or_path'}
                json.dump(config, open(path, 'w'), indent=1, sort_keys=True)
                open(path, 'a').write('\n')


def save(name, model, scheduler, folder, kind):
    """The source, in F16 and the usual files unless the name has a form of its own."""
    own = dict(FORMS.get(name, {}))
    dtype, flat, old = (own.pop(k, d) for k, d in (('dtype', torch.half), ('flat', 0), ('old', 0)))
    model.to(dtype).save_pretrained(folder if flat else os.path.join(folder, kind), **own)
    scheduler.save_pretrained(folder if flat else os.path.join(folder, 'scheduler'))
    index = {'_class_name': 'DDPMPipeline', kind: ['diffusers', type(model).__name__],
             'scheduler': ['diffusers', type(scheduler).__name__]}
    if kind == 'transformer':
        index['id2label'] = {str(i): f'class {i}' for i in range(model.config.num_embeds_ada_norm)}
    json.dump(index, open(os.path.join(folder, 'model_index.json'), 'w'))
    if old: # the names of attention layers before diffusers 0.17
        path = os.path.join(folder, 'diffusion_pytorch_model.safetensors')
        now = {'to_q': 'query', 'to_k': 'key', 'to_v': 'value', 'to_out.0': 'proj_attn'}
        tensors = {}
        for key, value in load_file(path).items():
            for a, b in now.items():
                key = key.replace(a, b)
            tensors[key] = value
        save_file(tensors, path, {'format': 'pt'})


def evaluate(model, state, time, label):
    kw = {} if label is None else {'class_labels': torch.tensor([label])}
    x, t = torch.from_numpy(state).permute(2, 0, 1)[None], torch.tensor([time], dtype=torch.float64)
    y = model(x, t, return_dict=False, **kw)[0][0].permute(1, 2, 0).numpy()
    return y[..., :state.shape[-1]]


# ---- Sampling ----

SAMPLED = {
    # name: [(scheduler, few's sampler, options, steps)]
    'ddpm': [(D.DDIMScheduler(clip_sample=False), 'ddim', {}, 10),
             (D.HeunDiscreteScheduler(beta_start=1e-4, beta_end=0.02), 'heun', {}, 6),
             (D.DDIMScheduler(), 'ddim', {'clip': 1}, 10)],
    'ddpm_v': [(D.DDIMScheduler(beta_schedule='squaredcos_cap_v2', prediction_type='v_prediction',
                                clip_sample=False, timestep_spacing='trailing'), 'ddim', {}, 8)],
    'ddpm_x': [(D.DDIMScheduler(beta_schedule='scaled_linear', prediction_type='sample',
                                clip_sample=False), 'ddim', {}, 5)],
    'dit': [(D.DDIMScheduler(clip_sample=False), 'ddim', {'guidance': 1.5}, 5)],
    'dit_flow': [(D.FlowMatchEulerDiscreteScheduler(), 'ddim', {}, 7)],
    'adm_edm': [(D.EDMEulerScheduler(), 'ddim', {}, 8)],
    'adm_flow': [(D.FlowMatchEulerDiscreteScheduler(shift=3), 'ddim', {}, 6)],
    'adm_scm': [(D.SCMScheduler(), 'ddim', {}, 1)],
    'cm': [(D.CMStochasticIterativeScheduler(clip_denoised=False), 'consistency', {}, 1)],
}


def sample(model, p, scheduler, options, steps, shape, label, null, rng):
    """noise, times and image of one run of the scheduler."""
    if isinstance(p, Trig):
        scheduler.set_timesteps(steps, max_timesteps=1.5, intermediate_timesteps=None)
    else:
        scheduler.set_timesteps(steps)
    last = len(scheduler.timesteps) - (1 if isinstance(p, Trig) else 0)
    noise = rng.standard_normal(shape).astype(np.float32)
    t, factor = p.time(scheduler, 0)
    x = torch.from_numpy(noise.astype(np.float64) / factor).permute(2, 0, 1)[None]
    times = []
    for i in range(last):
        now = scheduler.timesteps[i]
        t, factor = p.time(scheduler, i)
        if t not in times:
            times.append(t)
        unit = x[0].permute(1, 2, 0).numpy() * factor
        # few's t is in single precision, to which ln(tan t) near pi/2 is sensitive
        state, time = p.state(unit, float(np.float32(t)))
        y = evaluate(model, state, time, label)
        if 'guidance' in options:
            without = evaluate(model, state, time, null)
            y = without + options['guidance'] * (y - without)
        y = torch.from_numpy(np.ascontiguousarray(y)).permute(2, 0, 1)[None]
        if isinstance(p, Trig):
            y = y * p.sd # as Sana's pipeline does
        if hasattr(scheduler, 'scale_model_input'):
            scheduler.scale_model_input(x, now) # some schedulers count their steps here
        more = {'use_clipped_model_output': True} if 'clip' in options else {}
        step = scheduler.step(y, now, x, return_dict=False, **more)
        x = step[1] if isinstance(p, Trig) else step[0] # SCM: the denoised image
    return noise, np.array(times), x[0].permute(1, 2, 0).numpy().astype(np.float32)


def make_samples(name, model, p, shape, classes, folder, rng):
    for i, (scheduler, sampler, options, steps) in enumerate(SAMPLED.get(name, [])):
        label = 1 if classes else None
        noise, times, image = sample(model, p, scheduler, options, steps, shape, label, classes,
                                     rng)
        save_file({'noise': noise[None], 'times': times, 'images': image[None]},
                  os.path.join(folder, f'sampled-{i}.safetensors'),
                  {'sampler': sampler, 'guidance': str(options.get('guidance', 1)),
                   'clip': str(options.get('clip', 0)),
                   'label': str(-1 if label is None else label)})
        print(f'  {type(scheduler).__name__}: rms {np.sqrt(np.mean(image ** 2)):.3f}')


def make(name, seed):
    net, options, scheduler, process = CASES[name]
    model = randomise(net(**options), seed)
    if net is DiTTransformer2DModel:
        first = model.transformer_blocks[0].norm1.emb.state_dict()
        for block in model.transformer_blocks[1:]:
            block.norm1.emb.load_state_dict(first)
    folder = os.path.join(HERE, name)
    kind = 'transformer' if net is DiTTransformer2DModel else 'unet'
    save(name, copy.deepcopy(model), scheduler, folder, kind)
    strip(folder)

    p, rng = process(scheduler), np.random.default_rng(seed)
    size = options['sample_size']
    h, w = size if isinstance(size, list) else (size, size)
    shape = (h, w, options['in_channels'])
    classes = options.get('num_class_embeds', options.get('num_embeds_ada_norm', 0))
    if isinstance(p, Ddpm):
        last = len(p.log) - 1
        times = [p.angle(k) for k in (1, last // 5, last // 2, last * 3 // 4, last)]
        times.append(0.5 * (times[1] + times[2]))
    else:
        times = [0.05, 0.3, 0.7, 1.1, 1.4, 1.56]
    t = np.array(times, np.float32)
    x = rng.standard_normal((len(t),) + shape).astype(np.float32)
    label = np.array([i % classes if classes else -1 for i in range(len(t))], np.int32)
    if kind == 'transformer':
        label[-1] = -1
    F = []
    for i in range(len(t)):
        state, time = p.state(x[i].astype(np.float64), float(t[i]))
        own = None if not classes else int(label[i]) if label[i] >= 0 else classes
        F.append(p.F(x[i].astype(np.float64), float(t[i]), evaluate(model, state, time, own)))
    golden = {'x': x, 't': t, 'label': label, 'F': np.array(F).astype(np.float32)}
    save_file(golden, os.path.join(folder, 'golden.safetensors'))
    make_samples(name, model, p, shape, classes, folder, rng)
    size = sum(os.path.getsize(os.path.join(r, f)) for r, _, fs in os.walk(folder) for f in fs)
    print(f'{name}: {size / 1000:.0f} kB, rms of F {np.sqrt(np.mean(golden["F"] ** 2)):.3f}')


def write_corpus():
    """Seeds for fuzz/fuzz_import.c: configurations and shapes of the smallest sources."""
    folder = os.path.join(HERE, 'import')
    os.makedirs(folder, exist_ok=True)

    def put(name, value):
        json.dump(value, open(os.path.join(folder, name + '.json'), 'w'), sort_keys=True)

    for name in ('cm', 'ddpm', 'dit'):
        part = 'transformer' if name == 'dit' else 'unet'
        at = os.path.join(HERE, name, part)
        weights = load_file(os.path.join(at, 'diffusion_pytorch_model.safetensors'))
        one = {'config': json.load(open(os.path.join(at, 'config.json'))),
               'scheduler': json.load(open(os.path.join(HERE, name, 'scheduler',
                                                        'scheduler_config.json'))),
               'pipeline': json.load(open(os.path.join(HERE, name, 'model_index.json'))),
               'tensors': {k: list(v.shape) for k, v in weights.items()}}
        put('y_' + name, one)
    put('y_index', {'index': {'weight_map': {'a': 'one.safetensors', 'b': 'two.safetensors'}}})
    put('n_index_path', {'index': {'weight_map': {'a': '../one.safetensors'}}})
    put('n_no_tensors', dict(one, tensors={}))
    put('n_depth', dict(one, config=dict(one['config'], num_layers=1024)))
    put('n_size', dict(one, config=dict(one['config'], sample_size=65536)))
    put('n_width', dict(one, config=dict(one['config'], attention_head_dim=4096)))
    put('n_classes', dict(one, config=dict(one['config'], num_embeds_ada_norm=1 << 20)))
    put('n_class', {'config': {'_class_name': 'UNet2DConditionModel'}})


if __name__ == '__main__':
    for i, name in enumerate(CASES):
        make(name, i + 1)
    write_corpus()
