# CPU kernels: every file of this folder except isa.c is compiled once per instruction set. For sets
# with matrix units, only table.c and the products in bf16 are compiled. cpu.h explains the names;
# isa.c picks one set at run time.
file(GLOB FEW_CPU_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
file(GLOB FEW_CPU_BF16_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/bf16/*.c)
list(REMOVE_ITEM FEW_CPU_SOURCES ${CMAKE_CURRENT_LIST_DIR}/isa.c)

# Arguments after `sources` are compiler flags. f32: the instruction set of its other kernels.
function(few_cpu_set isa f32 help sources)
  add_library(few_cpu_${isa} OBJECT ${sources})
  target_include_directories(few_cpu_${isa} PRIVATE ${PROJECT_SOURCE_DIR}/include
    ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(few_cpu_${isa} PRIVATE FEW_CPU_ISA=${isa} FEW_CPU_F32=${f32}
    FEW_CPU_HELP="${help}")
  # Only vf_fma() fuses a product and a sum, so a formula rounds the same wherever it is inlined.
  target_compile_options(few_cpu_${isa} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O3> -ffp-contract=off
    -fno-math-errno -fno-trapping-math ${ARGN}
    # Kernels read no files. With sanitizers they would take half an hour to compile.
    $<$<BOOL:${FEW_LIBFUZZER}>:-fno-sanitize=all>)
  set(FEW_OBJECTS ${FEW_OBJECTS} $<TARGET_OBJECTS:few_cpu_${isa}> PARENT_SCOPE)
endfunction()

macro(few_cpu_isa isa help)
  few_cpu_set(${isa} ${isa} "${help}" "${FEW_CPU_SOURCES};${FEW_CPU_BF16_SOURCES}" ${ARGN})
endmacro()

macro(few_cpu_units isa f32 help)
  few_cpu_set(${isa} ${f32} "${help}"
    "${CMAKE_CURRENT_LIST_DIR}/table.c;${FEW_CPU_BF16_SOURCES}" ${ARGN})
endmacro()

target_sources(few_objects PRIVATE ${CMAKE_CURRENT_LIST_DIR}/isa.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  few_cpu_isa(base "NEON")
else()
  few_cpu_isa(base "4-wide vectors")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  few_cpu_isa(avx2 "AVX2 and FMA" -mavx2 -mfma)
  set(avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512)
  few_cpu_isa(avx512 "AVX-512" ${avx512})
  few_cpu_units(avx512bf16 avx512 "AVX-512 with BF16" ${avx512} -mavx512bf16)
  few_cpu_units(amx avx512 "AVX-512 and AMX" ${avx512} -mamx-tile -mamx-bf16)
endif()
