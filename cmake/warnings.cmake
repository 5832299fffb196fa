# Warnings are errors. For a compiler with newer warnings: cmake --compile-no-warning-as-error.
if(NOT DEFINED CMAKE_COMPILE_WARNING_AS_ERROR)
  set(CMAKE_COMPILE_WARNING_AS_ERROR ON)
endif()
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wvla -Wundef)
# Two warnings of clang are off. Its enums are unsigned, so every conversion from an enum to int
# would warn; gcc checks other signs. And assert(!"words") is used for impossible cases.
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  add_compile_options(-Wno-sign-conversion -Wno-string-conversion)
endif()
