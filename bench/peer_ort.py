"""ONNX Runtime in peers.py: times inference of the exported network. See peer_torch.py."""
import json
import sys
import time

import numpy as np
import onnxruntime


def measure(job):
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = job['threads'], 1
    path = job['onnx'][str(job['batch'])]
    session = onnxruntime.InferenceSession(path, o, providers=['CPUExecutionProvider'])
    random, seconds = np.random.default_rng(0), []
    feed = {i.name: random.random(i.shape, np.float32) for i in session.get_inputs()}
    for _ in range(job['warm_up'] + job['samples']):
        start = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - start)
    return [{'seconds': seconds[job['warm_up']:]}]


def main():
    job = json.loads(sys.argv[1])
    if job['case'] == 'describe':
        print(json.dumps({'version': f'ONNX Runtime {onnxruntime.__version__}'}))
    else:
        print(json.dumps(measure(job)))


main()
