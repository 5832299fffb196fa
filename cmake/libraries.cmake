# Makes libfew.a and libfew.so from the same objects. Other projects link with few::static,
# few::shared, or few::few, which is the shared library if there is one. few's own tests and program
# link with `few`, the static library, because they also use functions that libfew.so hides.
include(GNUInstallDirs)
add_library(few STATIC ${FEW_OBJECTS})
target_include_directories(few PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(few PUBLIC ${FEW_LIBRARIES})
# A program is linked only with the libraries that it uses; one that only samples uses three.
target_link_options(few INTERFACE -Wl,--as-needed)
set_target_properties(few PROPERTIES EXPORT_NAME static LINKER_LANGUAGE C)
add_library(few::static ALIAS few)

if(FEW_SHARED)
  add_library(few_shared SHARED ${FEW_OBJECTS})
  target_include_directories(few_shared INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(few_shared PRIVATE ${FEW_LIBRARIES})
  # Functions of a static LAPACKE are not exported. Public functions that few calls itself are bound
  # when linking.
  target_link_options(few_shared PRIVATE -Wl,--exclude-libs,ALL -Wl,-Bsymbolic-functions
    -Wl,--no-undefined)
  # Until 1.0 each minor version may change the interface. libfew_cuda.so is searched for in
  # $ORIGIN.
  set(FEW_SHARED_RPATH $ORIGIN ${FEW_RPATH})
  set_target_properties(few_shared PROPERTIES OUTPUT_NAME few EXPORT_NAME shared LINKER_LANGUAGE C
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH "${FEW_SHARED_RPATH}")
  if(CMAKE_C_FLAGS MATCHES "-fsanitize")
    # Sanitizers are linked into programs only.
    set_property(TARGET few_shared PROPERTY EXCLUDE_FROM_ALL ON)
  endif()
  add_library(few::shared ALIAS few_shared)
  add_library(few::few ALIAS few_shared)
else()
  add_library(few::few ALIAS few)
endif()
