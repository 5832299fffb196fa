"""OpenVINO in peers.py: times inference of the exported network. See peer_torch.py.

A job has settings. `streams` is the number of equal parts into which the batch is cut. All parts
are inferred at the same time, each on its own stream; the streams share the threads.
"""
import json
import sys
import time

import numpy as np
import openvino

PRECISION = {'fp32': 'f32', 'bf16': 'bf16'}


def compiled(job, streams):
    hint = PRECISION[job['precision']]
    path = job['onnx'][str(job['batch'] // streams)]
    model = openvino.Core().compile_model(path, 'CPU', {
        'INFERENCE_PRECISION_HINT': hint, 'INFERENCE_NUM_THREADS': job['threads'],
        'NUM_STREAMS': streams})
    found = model.get_property('INFERENCE_PRECISION_HINT').get_type_name()
    if found != hint:
        raise RuntimeError(f'OpenVINO computes in {found} on this processor, and not in {hint}')
    return model


def time_steps(job, setting):
    streams = setting['streams']
    model, random, seconds = compiled(job, streams), np.random.default_rng(0), []
    queue = openvino.AsyncInferQueue(model, streams)
    feeds = [{i.get_any_name(): random.random(tuple(i.shape), np.float32) for i in model.inputs}
             for _ in range(streams)]
    for _ in range(job['warm_up'] + job['samples']):
        start = time.perf_counter()
        for feed in feeds:
            queue.start_async(feed, share_inputs=True)
        queue.wait_all()
        seconds.append(time.perf_counter() - start)
    return seconds[job['warm_up']:]


def measure(job):
    results = []
    for setting in job['settings']:
        try:
            results.append({'seconds': time_steps(job, setting)})
        except Exception as e:
            results.append({'error': (str(e).strip().splitlines() or [type(e).__name__])[0]})
    return results


def main():
    job = json.loads(sys.argv[1])
    if job['case'] == 'describe':
        print(json.dumps({'version': f'OpenVINO {openvino.__version__}'}))
    else:
        print(json.dumps(measure(job)))


main()
