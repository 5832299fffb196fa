# Installs the libraries, the headers, the program with its recipes and models, few.pc for
# pkg-config, and few-config.cmake for find_package. Both use folders relative to themselves, so an
# installation may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(FEW_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/few)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING REGEX "\\.(h|def)$")

# One export per library: the static one lists the libraries that it needs, the shared one none.
install(TARGETS few EXPORT few-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT few-static NAMESPACE few:: DESTINATION ${FEW_CMAKE_FOLDER})
if(FEW_SHARED)
  install(TARGETS few_shared EXPORT few-shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT few-shared NAMESPACE few:: DESTINATION ${FEW_CMAKE_FOLDER})
endif()
configure_package_config_file(cmake/few-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/few-config.cmake
  INSTALL_DESTINATION ${FEW_CMAKE_FOLDER})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/few-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/few-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/few-config-version.cmake
  DESTINATION ${FEW_CMAKE_FOLDER})

if(FEW_PROGRAM)
  install(TARGETS few_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/few FILES_MATCHING
    PATTERN "*.ini" PATTERN "*-demo.ini" EXCLUDE)
  install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/few
    FILES_MATCHING PATTERN "*.safetensors")
endif()

# Manual pages and shell completion, which the program writes from its option tables.
if(FEW_PROGRAM AND NOT CMAKE_CROSSCOMPILING)
  set(FEW_PAGES ${PROJECT_BINARY_DIR}/pages)
  install(CODE "execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/pages.sh
    $<TARGET_FILE:few_program> ${FEW_PAGES} COMMAND_ERROR_IS_FATAL ANY)")
  install(DIRECTORY ${FEW_PAGES}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
  install(FILES ${FEW_PAGES}/bash/few
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${FEW_PAGES}/zsh/_few DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${FEW_PAGES}/fish/few.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# pkg-config: users of the shared library link no others. --static adds them; --as-needed drops the
# unused.
list(JOIN FEW_PC_LIBS " " FEW_PC_LIBS)
list(JOIN FEW_PC_REQUIRES " " FEW_PC_REQUIRES)
if(FEW_SHARED)
  set(FEW_PC_OTHERS "Requires.private: ${FEW_PC_REQUIRES}")
  string(APPEND FEW_PC_OTHERS "\nLibs.private: -Wl,--as-needed ${FEW_PC_LIBS}")
  set(FEW_PC_LIBS)
else()
  set(FEW_PC_OTHERS "Requires: ${FEW_PC_REQUIRES}")
  set(FEW_PC_LIBS "-Wl,--as-needed ${FEW_PC_LIBS}")
endif()
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(FEW_PC_PREFIX "\${pcfiledir}/${up}")
set(FEW_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
set(FEW_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
configure_file(cmake/few.pc.in few.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/few.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# few can be used from the build folder without installing it: with PKG_CONFIG_PATH=build/release,
# pkg-config reads few-uninstalled.pc; for CMake, set -Dfew_DIR=build/release.
set(FEW_PC_PREFIX "\${pcfiledir}")
set(FEW_PC_LIBDIR "\${pcfiledir}")
set(FEW_PC_INCLUDEDIR ${PROJECT_SOURCE_DIR}/include)
configure_file(cmake/few.pc.in few-uninstalled.pc @ONLY)
export(EXPORT few-static NAMESPACE few:: FILE ${CMAKE_CURRENT_BINARY_DIR}/few-static.cmake)
if(FEW_SHARED)
  export(EXPORT few-shared NAMESPACE few:: FILE ${CMAKE_CURRENT_BINARY_DIR}/few-shared.cmake)
endif()
