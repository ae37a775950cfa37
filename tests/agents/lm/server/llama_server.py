"""A real OpenAI-compatible server on loopback: llama.cpp's own, out of one prebuilt wheel. Run as a
process of its own.

    python llama_server.py MODEL.gguf KEY

Prints `ready ADDRESS` and serves until it is terminated, or until its standard input ends with the
process that started it.
"""

from __future__ import annotations

import sys

import xllamacpp


def main() -> None:
    path, key = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 2
    params.n_ctx = 512 * 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.api_keys = [key]
    params.model_alias = {"smollm2"}
    server = xllamacpp.Server(params)
    sys.stdout.write(f"ready {server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
