#!/usr/bin/env python3
"""diffusers_peer.py DIR: loads each folder of DIR that has few.safetensors with diffusers, samples
with its own scheduler from the noise in that file, and compares with few's image there.

few.safetensors has `times` in TrigFlow's radians, `noise` of unit variance, `fresh`, the noise of
the second step, and `image`; its metadata has the label. A pipeline, where there is a
model_index.json, must give the same image. Written for diffusers 0.42.
"""
import json
import math
import os
import sys

import numpy as np
import torch
import diffusers
from diffusers.utils import logging
from diffusers.pipelines.ddim import pipeline_ddim
from diffusers.pipelines.ddpm import pipeline_ddpm
from diffusers.schedulers import scheduling_consistency_models, scheduling_lcm, scheduling_scm
from safetensors import safe_open

TOLERANCE = 1e-4
# few's t is in single precision. Near pi/2 the time of a consistency model, 1000 ln(sigma)/4, is
# exact to 0.002 radians (docs/import.md), which its pipeline shows; the loop rounds t as few does.
ROUNDED_TIME = 5e-3


def planes(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def images(x):
    return x.permute(0, 2, 3, 1).numpy()


def set_noise(modules, draws):
    """randn_tensor of diffusers gives these, one after the other."""
    rest = list(draws)
    for module in modules:
        module.randn_tensor = lambda *args, **more: rest.pop(0)


def read(folder):
    with safe_open(os.path.join(folder, 'few.safetensors'), 'np') as f:
        return {name: f.get_tensor(name) for name in f.keys()}, int(f.metadata()['label'])


def load(folder):
    kind = 'transformer' if os.path.exists(os.path.join(folder, 'transformer')) else 'unet'
    net = {'unet': diffusers.UNet2DModel, 'transformer': diffusers.DiTTransformer2DModel}[kind]
    with open(os.path.join(folder, 'scheduler', 'scheduler_config.json')) as f:
        scheduler = getattr(diffusers, json.load(f)['_class_name'])
    with open(os.path.join(folder, kind, 'config.json')) as f:
        config = json.load(f)
    return (net.from_pretrained(folder, subfolder=kind).eval(),
            scheduler.from_pretrained(folder, subfolder='scheduler'),
            config.get('_few_mean', 0), config.get('_few_scale', 1))


def start(scheduler, noise, sd):
    """The scheduler's first x from few's noise, x_t over its standard deviation."""
    if isinstance(scheduler, (diffusers.EDMEulerScheduler,
                              diffusers.CMStochasticIterativeScheduler)):
        return noise * math.hypot(float(scheduler.sigmas[0]), sd)
    if isinstance(scheduler, diffusers.SCMScheduler):
        return noise * sd
    if isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
        return noise
    a = float(scheduler.alphas_cumprod[int(scheduler.timesteps[0])]) # its noise has variance 1
    return noise * math.sqrt(a * sd * sd + 1 - a)


def check_times(scheduler, times, sd):
    """few's times are the scheduler's."""
    for i, t in enumerate(times):
        if isinstance(scheduler, diffusers.SCMScheduler):
            own = float(scheduler.timesteps[i])
        elif isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
            own = math.atan2(float(scheduler.sigmas[i]), sd * (1 - float(scheduler.sigmas[i])))
        elif hasattr(scheduler, 'sigmas'):
            own = math.atan(float(scheduler.sigmas[i]) / sd)
        else:
            a = float(scheduler.alphas_cumprod[int(scheduler.timesteps[i])])
            own = math.atan2(math.sqrt(1 - a), sd * math.sqrt(a))
        assert abs(own - t) < 1e-4, (i, own, t)


@torch.no_grad()
def sample(net, scheduler, noise, times, label, sd):
    scm = isinstance(scheduler, diffusers.SCMScheduler)
    if scm:
        scheduler.set_timesteps(len(times), timesteps=[*times, 0.0], max_timesteps=None,
                                intermediate_timesteps=None if len(times) != 2 else 0)
    else:
        scheduler.set_timesteps(len(times))
    check_times(scheduler, times, sd)
    x = start(scheduler, noise, sd)
    labels = None if label < 0 else torch.tensor([label])
    for t in scheduler.timesteps[:len(times)]:
        state = x / sd if scm else x
        if hasattr(scheduler, 'scale_model_input'):
            state = scheduler.scale_model_input(x, t)
        now = t
        if isinstance(scheduler, diffusers.CMStochasticIterativeScheduler):
            now = torch.tensor(250 * math.log(sd * math.tan(np.float32(times[0]))))
        y = net(state, timestep=now.reshape(1), class_labels=labels, return_dict=False)[0]
        if scm:
            y = y * sd
        step = scheduler.step(y, t, x, return_dict=False)
        x = step[1] if scm and t == scheduler.timesteps[len(times) - 1] else step[0]
    return images(x)


@torch.no_grad()
def run_pipeline(folder, noise, times, label):
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    more = {'class_labels': label} if label >= 0 else {}
    if isinstance(pipe, diffusers.ConsistencyModelPipeline):
        more['latents'] = noise
    out = pipe(num_inference_steps=len(times), output_type='np', **more).images
    return type(pipe).__name__, out * 2 - 1


def rms(x):
    return math.sqrt(float(np.mean(np.square(x, dtype=np.float64))))


def compare(folder):
    few, label = read(folder)
    net, scheduler, mean, scale = load(folder)
    sd = getattr(scheduler.config, 'sigma_data', 0.5)
    noise, fresh, want = planes(few['noise']), planes(few['fresh']), few['image']
    modules = [scheduling_consistency_models, scheduling_lcm, scheduling_scm]
    last = torch.zeros_like(fresh) # of steps that end at 0
    set_noise(modules, [fresh, last])
    got = sample(net, scheduler, noise, few['times'].tolist(), label, sd) / scale + mean
    error = rms(got - want) / rms(want)
    text = (f'{type(net).__name__}, {type(scheduler).__name__}, {len(few["times"])} steps: '
            f'{error:.2g}')
    assert error < TOLERANCE, f'{folder}: {text}'
    if os.path.exists(os.path.join(folder, 'model_index.json')):
        first = start(scheduler, noise, sd) / scheduler.init_noise_sigma
        set_noise([pipeline_ddim, pipeline_ddpm], [first])
        set_noise(modules, [fresh, last])
        name, got = run_pipeline(folder, first, few['times'], label)
        error = rms(got - want.clip(-1, 1)) / rms(want.clip(-1, 1))
        text += f'; {name}: {error:.2g}'
        bound = ROUNDED_TIME if name == 'ConsistencyModelPipeline' else TOLERANCE
        assert error < bound, f'{folder}: {text}'
    return text


def main():
    logging.set_verbosity_error()
    top = sys.argv[1]
    folders = sorted(d for d in os.listdir(top)
                     if os.path.exists(os.path.join(top, d, 'few.safetensors')))
    assert folders
    for d in folders:
        print(f'{d}: {compare(os.path.join(top, d))}')


main()
