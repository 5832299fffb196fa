# LAPACK: OpenBLAS of one thread where it is installed (Debian: libopenblas-serial-dev), under the
# static LAPACKE, for the shared one is bound to whatever LAPACK the system prefers. Several threads
# have other last digits, and those of OpenBLAS begin with the program and never let it end where
# memory is short. Without it any LAPACK does: src/base/lapack.h holds it to one thread.
find_library(FEW_BLAS NAMES openblas NO_DEFAULT_PATH PATHS
  /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial /usr/lib/openblas-serial
  /usr/lib64/openblas-serial)
find_library(FEW_LAPACKE NAMES liblapacke.a)
if(FEW_BLAS AND FEW_LAPACKE)
  get_filename_component(folder ${FEW_BLAS} DIRECTORY)
  target_link_libraries(few PUBLIC ${FEW_LAPACKE} ${FEW_BLAS})
  list(APPEND FEW_PC_LIBS ${FEW_LAPACKE} -L${folder} -Wl,-rpath,${folder} -lopenblas)
  set(CMAKE_INSTALL_RPATH ${folder})
else()
  pkg_check_modules(LAPACKE REQUIRED IMPORTED_TARGET lapacke)
  target_link_libraries(few PUBLIC PkgConfig::LAPACKE)
  list(APPEND FEW_PC_LIBS ${LAPACKE_LDFLAGS})
  message(STATUS "LAPACK may start threads of its own: libopenblas-serial-dev has none")
endif()
