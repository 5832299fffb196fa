# Warnings are errors; with a compiler that knows newer ones: cmake --compile-no-warning-as-error.
if(NOT DEFINED CMAKE_COMPILE_WARNING_AS_ERROR)
  set(CMAKE_COMPILE_WARNING_AS_ERROR ON)
endif()
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wundef)
# clang: its enums are unsigned, so that each step from an enum to int would warn (gcc looks at all
# other signs); and assert(!"words") names an impossible case.
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  add_compile_options(-Wno-sign-conversion -Wno-string-conversion)
endif()
