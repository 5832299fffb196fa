# Compiles the kernels of the CUDA backend as C++ for the host (emulator.h). So few's own kernels
# are tested wherever there is a C++ compiler.
include(CheckLanguage)
if(NOT CMAKE_CXX_COMPILER)
  unset(CMAKE_CXX_COMPILER CACHE) # not found by an earlier run: it may be installed now
endif()
check_language(CXX)
find_library(FEW_TCC tcc)
if(NOT CMAKE_CXX_COMPILER OR NOT FEW_TCC OR CMAKE_C_FLAGS MATCHES "-fsanitize")
  return() # sanitizers do not follow threads that take turns on stacks of their own
endif()
enable_language(CXX)
set(FEW_CUDA_FOLDER ${PROJECT_SOURCE_DIR}/src/engine/backend/cuda)
file(GLOB FEW_EMULATED CONFIGURE_DEPENDS ${FEW_CUDA_FOLDER}/*.cu)
list(FILTER FEW_EMULATED EXCLUDE REGEX "/(queue|gemm|conv|compile)\\.cu$") # NVIDIA's libraries
set_source_files_properties(${FEW_EMULATED} PROPERTIES LANGUAGE CXX)
add_library(few_cuda_emulated OBJECT ${FEW_EMULATED} ${CMAKE_CURRENT_LIST_DIR}/emulator.cc
  ${CMAKE_CURRENT_LIST_DIR}/emulated.cc)
target_include_directories(few_cuda_emulated PRIVATE ${CMAKE_CURRENT_LIST_DIR}
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include ${FEW_CUDA_FOLDER})
target_compile_definitions(few_cuda_emulated PRIVATE FEW_CUDA_EMULATED="emulator.h")
set_target_properties(few_cuda_emulated PROPERTIES CXX_STANDARD 17 CXX_EXTENSIONS OFF
  COMPILE_OPTIONS "-xc++;-Wall;-Wextra;-Wno-unused-function;-ffp-contract=off")
target_link_libraries(few_cuda_emulated PUBLIC ${FEW_TCC} ${CMAKE_DL_LIBS})
# The program with it: test/cli/device.sh.
if(TARGET few_program)
  get_target_property(FEW_PROGRAM_SOURCES few_program SOURCES)
  add_executable(few_emulated ${FEW_PROGRAM_SOURCES})
  target_link_libraries(few_emulated PRIVATE few few_cuda_emulated)
endif()
