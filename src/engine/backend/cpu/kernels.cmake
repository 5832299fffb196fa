# CPU kernels: every file of this folder except isa.c is compiled once per instruction set. cpu.h explains
# their names; isa.c picks one set at run time.
file(GLOB FEW_CPU_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(REMOVE_ITEM FEW_CPU_SOURCES ${CMAKE_CURRENT_LIST_DIR}/isa.c)

function(few_cpu_isa isa help) # and its compiler flags
  add_library(few_cpu_${isa} OBJECT ${FEW_CPU_SOURCES})
  target_include_directories(few_cpu_${isa} PRIVATE ${PROJECT_SOURCE_DIR}/include
    ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(few_cpu_${isa} PRIVATE FEW_CPU_ISA=${isa}
    FEW_CPU_HELP="${help}")
  # Only vf_fma() fuses a product and a sum, so a formula rounds the same wherever it is inlined.
  target_compile_options(few_cpu_${isa} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O3> -ffp-contract=off
    -fno-math-errno -fno-trapping-math ${ARGN}
    $<$<BOOL:${FEW_LIBFUZZER}>:-fno-sanitize=all>) # they read no files, and would compile for half an hour
  set(FEW_OBJECTS ${FEW_OBJECTS} $<TARGET_OBJECTS:few_cpu_${isa}> PARENT_SCOPE)
endfunction()

target_sources(few_objects PRIVATE ${CMAKE_CURRENT_LIST_DIR}/isa.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  few_cpu_isa(base "NEON")
else()
  few_cpu_isa(base "4-wide vectors")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  few_cpu_isa(avx2 "AVX2 and FMA" -mavx2 -mfma)
  few_cpu_isa(avx512 "AVX-512" -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
    -mprefer-vector-width=512)
endif()
