/* compile.cu - compiles text to machine code for the current GPU by NVRTC, once per text and
 * GPU. */
#include "compile.h"

#include <nvrtc.h>

#include <mutex>
#include <unordered_map>
#include <vector>

#include "cache.h"

static const char prelude[] =
    "#define FEW_ENTRY extern \"C\" __global__\n"
    "#define FEW_FIRST ((index)blockIdx.x * (index)blockDim.x + (index)threadIdx.x)\n"
    "#define FEW_STEP ((index)gridDim.x * (index)blockDim.x)\n"
    "#define HUGE_VAL (__longlong_as_double(0x7ff0000000000000ll))\n";

struct kept {
  std::mutex lock;
  std::unordered_map<std::string, cudaKernel_t> kernel;
};
static struct kept kept;

/* "--gpu-architecture=sm_90". */
static std::string architecture() {
  int device = 0, major = 0, minor = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  return "--gpu-architecture=sm_" + std::to_string(major) + std::to_string(minor);
}

/* The key for the cache: everything that the machine code depends on. */
static std::string key_of(const std::string &arch, const std::string &all) {
  int major = 0, minor = 0;
  nvrtcVersion(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor) + " " + arch + "\n" + all;
}

static bool machine_code(struct few_queue *q, const std::string &arch, const std::string &all,
                         std::vector<char> *code) {
  nvrtcProgram p;
  size_t n = 0;
  const char *const options[] = {arch.c_str(), "--std=c++17"};
  if (nvrtcCreateProgram(&p, all.c_str(), "few_program.cu", 0, nullptr, nullptr) != NVRTC_SUCCESS) {
    few__cuda_fail(q, "a pointwise program", "nvrtcCreateProgram failed");
    return false;
  }
  nvrtcResult st = nvrtcCompileProgram(p, 2, options);
  if (st != NVRTC_SUCCESS) {
    nvrtcGetProgramLogSize(p, &n);
    std::vector<char> log(n + 1);
    nvrtcGetProgramLog(p, log.data());
    few__cuda_fail(q, nvrtcGetErrorString(st), log.data());
  } else if (nvrtcGetCUBINSize(p, &n) == NVRTC_SUCCESS) {
    code->resize(n);
    st = nvrtcGetCUBIN(p, code->data());
  }
  nvrtcDestroyProgram(&p);
  return st == NVRTC_SUCCESS && n > 0;
}

static cudaError_t load(const char *code, cudaKernel_t *out) {
  cudaLibrary_t library;
  cudaError_t st = cudaLibraryLoadData(&library, code, nullptr, nullptr, 0, nullptr, nullptr, 0);
  if (st == cudaSuccess) st = cudaLibraryGetKernel(out, library, "few_program");
  if (st != cudaSuccess) cudaGetLastError();
  return st;
}

static bool compile(struct few_queue *q, const std::string &text, cudaKernel_t *out) {
  const std::string arch = architecture(), all = prelude + text, key = key_of(arch, all);
  std::vector<char> code;
  code.resize(few__cache_read(key.data(), key.size(), nullptr, 0));
  if (!code.empty() &&
      few__cache_read(key.data(), key.size(), code.data(), code.size()) == code.size() &&
      load(code.data(), out) == cudaSuccess)
    return true;
  if (!machine_code(q, arch, all, &code)) return false;
  few__cache_write(key.data(), key.size(), code.data(), code.size());
  const cudaError_t st = load(code.data(), out);
  few__cuda_check(q, st, "loading a pointwise program");
  return st == cudaSuccess;
}

static bool find(struct few_queue *q, const std::string &text, cudaKernel_t *out) {
  const std::lock_guard<std::mutex> hold(kept.lock);
  auto at = kept.kernel.find(text);
  if (at == kept.kernel.end()) {
    if (!compile(q, text, out)) return false;
    at = kept.kernel.emplace(text, *out).first;
  }
  *out = at->second;
  return true;
}

void few__compile_and_run(struct few_queue *q, const std::string &text, int64_t blocks, int threads,
                          const struct few_pointers *at) {
  cudaKernel_t kernel;
  if (!find(q, text, &kernel)) return;
  void *args[] = {(void *)at};
  few__cuda_check(q,
                  cudaLaunchKernel((const void *)kernel, dim3((unsigned)blocks),
                                   dim3((unsigned)threads), args, 0, few__cuda_stream(q)),
                  "a pointwise program");
}
