# libfew_cuda.so, where nvcc, cuBLAS and cuDNN are; the library and the program load it at run time
# and do without.
target_sources(few_objects PRIVATE ${CMAKE_CURRENT_LIST_DIR}/load.c)

option(FEW_CUDA "build the CUDA backend where nvcc, cuBLAS and cuDNN are" ${PROJECT_IS_TOP_LEVEL})
include(CheckLanguage)
if(FEW_CUDA)
  check_language(CUDA)
endif()
if(FEW_CUDA AND CMAKE_CUDA_COMPILER)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90)
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  find_path(CUDNN_INCLUDE cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
endif()
if(FEW_CUDA AND CMAKE_CUDA_COMPILER AND CUDNN_INCLUDE AND CUDNN_LIBRARY)
  message(STATUS "CUDA backend: for ${CMAKE_CUDA_ARCHITECTURES}, with ${CUDNN_LIBRARY}")
  file(GLOB FEW_CUDA_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cu)
  add_library(few_cuda SHARED ${FEW_CUDA_SOURCES})
  target_include_directories(few_cuda PRIVATE ${PROJECT_SOURCE_DIR}/include
    ${PROJECT_SOURCE_DIR}/src ${CUDNN_INCLUDE})
  # Random numbers must have the bits of base/rng.c, so multiplications and additions are not fused.
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/random.cu PROPERTIES COMPILE_OPTIONS
    "-fmad=false")
  set_target_properties(few_cuda PROPERTIES COMPILE_OPTIONS "" CUDA_STANDARD 17
    CUDA_VISIBILITY_PRESET hidden)
  target_link_libraries(few_cuda PRIVATE CUDA::cublasLt CUDA::nvrtc ${CUDNN_LIBRARY})
  if(FEW_INSTALL)
    include(GNUInstallDirs)
    install(TARGETS few_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
else()
  message(STATUS "CUDA backend: not built: needs FEW_CUDA=ON, nvcc, cuBLAS and cuDNN")
endif()
