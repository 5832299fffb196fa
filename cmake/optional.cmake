# Libraries that sampling does not need: FEW_LAPACK, FEW_ZIP, FEW_JPEG, FEW_WEBP. Without one, the
# file that calls it is replaced by src/*/without_x.c, whose functions return FEW_E_UNSUPPORTED.
list(FILTER FEW_SOURCES EXCLUDE REGEX "/without_[a-z]+\\.c$")
macro(few_without file name)
  list(REMOVE_ITEM FEW_SOURCES ${PROJECT_SOURCE_DIR}/src/${file}.c)
  list(APPEND FEW_SOURCES ${PROJECT_SOURCE_DIR}/src/${name}.c)
endmacro()

if(FEW_ZIP)
  pkg_check_modules(ZIP REQUIRED IMPORTED_TARGET libzip)
  list(APPEND FEW_LIBRARIES PkgConfig::ZIP)
  list(APPEND FEW_PC_REQUIRES libzip)
else()
  few_without(io/zip io/without_zip)
  list(REMOVE_ITEM FEW_SOURCES ${PROJECT_SOURCE_DIR}/src/io/pth.c
    ${PROJECT_SOURCE_DIR}/src/io/persistent.c)
endif()

if(FEW_JPEG)
  find_package(JPEG REQUIRED)
  list(APPEND FEW_LIBRARIES JPEG::JPEG)
  list(APPEND FEW_PC_REQUIRES libjpeg)
else()
  few_without(io/jpeg io/without_jpeg)
endif()

if(FEW_WEBP)
  pkg_check_modules(WEBP IMPORTED_TARGET libwebp)
endif()
if(FEW_WEBP AND WEBP_FOUND)
  list(APPEND FEW_LIBRARIES PkgConfig::WEBP)
  list(APPEND FEW_PC_REQUIRES libwebp)
else()
  if(FEW_WEBP)
    message(STATUS "libwebp is not installed (Debian: libwebp-dev), so WebP images are refused")
    set(FEW_WEBP OFF)
  endif()
  few_without(io/webp io/without_webp)
endif()

# LAPACK: the OpenBLAS without threads if it is installed (Debian: libopenblas-serial-dev), with the
# static LAPACKE, because the shared one uses the LAPACK that the system prefers. With threads the
# last digits differ; also, the threads start with the program, which ends if there is not enough
# memory for them. If the library is not installed, any LAPACK is used, and src/base/lapack.c limits
# it to one thread.
if(FEW_LAPACK)
  find_library(FEW_BLAS NAMES openblas NO_DEFAULT_PATH PATHS
    /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial /usr/lib/openblas-serial
    /usr/lib64/openblas-serial)
  find_library(FEW_LAPACKE NAMES liblapacke.a)
  if(FEW_BLAS AND FEW_LAPACKE)
    get_filename_component(FEW_RPATH ${FEW_BLAS} DIRECTORY)
    list(APPEND FEW_LIBRARIES ${FEW_LAPACKE} ${FEW_BLAS})
    list(APPEND FEW_PC_LIBS ${FEW_LAPACKE} -L${FEW_RPATH} -Wl,-rpath,${FEW_RPATH} -lopenblas)
  else()
    pkg_check_modules(LAPACKE REQUIRED IMPORTED_TARGET lapacke)
    list(APPEND FEW_LIBRARIES PkgConfig::LAPACKE)
    list(APPEND FEW_PC_REQUIRES lapacke)
    message(STATUS
      "LAPACK may start threads of its own: install libopenblas-serial-dev to avoid that")
  endif()
else()
  few_without(base/lapack base/without_lapack)
endif()
